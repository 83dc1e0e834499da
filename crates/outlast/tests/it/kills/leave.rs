//! Whoever ends it, and whenever: no process, mount or folder of a run is left, and the store verifies.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use fastrand::Rng;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::scene::{Acknowledged, MARKER, Scene, fetch};
use crate::world::{OUTLAST, entries};

/// Runs take about half a second; some of the moments are after the end, which is a moment too.
const WITHIN_MS: u64 = 700;
/// Nothing here takes longer, however busy the machine is.
const BOUND: Duration = Duration::from_secs(60);
const N_ROUNDS: usize = 5;

/// How a run is ended.
#[derive(Debug, Clone, Copy)]
enum End {
    /// The interrupt key of the terminal.
    Key,
    Signal(Signal),
}

struct Run {
    child: Child,
    terminal: Option<File>,
}

/// Starts `outlast` as the leader of a session, at a terminal of its own where a key is to be pressed.
fn start(scene: &Scene, verb: &[&str], command: &[String], end: End) -> Run {
    let mut words: Vec<&str> = verb.to_vec();
    words.push("--");
    words.extend(command.iter().map(String::as_str));
    let mut starter = scene.world.command("setsid");
    let mut terminal = None;
    match end {
        End::Key => {
            let pair = nix::pty::openpty(None, None).unwrap();
            let side = || Stdio::from(pair.slave.try_clone().unwrap());
            starter.arg("--ctty").stdin(side()).stdout(side()).stderr(side());
            terminal = Some(drained(pair.master));
        }
        End::Signal(_) => {
            starter.stdout(Stdio::null()).stderr(Stdio::null());
        }
    }
    // Whoever runs the tests in the background has them ignore Ctrl-C, and what they start with them.
    starter.args(["env", "--default-signal=INT,QUIT"]);
    let child = starter.arg(OUTLAST).args(words).spawn().unwrap();
    Run { child, terminal }
}

/// Reads what is written to a terminal, so that nobody waits for it; returns the side on which keys are pressed.
fn drained(master: OwnedFd) -> File {
    let keys = File::from(master);
    let mut screen = keys.try_clone().unwrap();
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        while screen.read(&mut buffer).is_ok_and(|n| n > 0) {}
    });
    keys
}

impl Run {
    fn id(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.child.id()).unwrap())
    }

    fn end(&mut self, end: End) {
        match (end, &mut self.terminal) {
            (End::Key, Some(terminal)) => terminal.write_all(b"\x03").unwrap(),
            (End::Signal(signal), _) => kill(self.id(), signal).unwrap(),
            (End::Key, None) => unreachable!("a key needs a terminal"),
        }
    }

    #[track_caller]
    fn await_end(&mut self, what: &str) {
        let id = self.id();
        await_that(what, "its end", || self.child.try_wait().unwrap().is_some());
        self.terminal = None;
        assert!(self.child.try_wait().unwrap().is_some(), "{what}: {id}");
    }
}

#[track_caller]
fn await_that(what: &str, wanted: &str, is_so: impl FnMut() -> bool) {
    assert!(comes(is_so), "{what}: waited for {wanted}");
}

fn comes(mut is_so: impl FnMut() -> bool) -> bool {
    let start = Instant::now();
    while !is_so() {
        if start.elapsed() > BOUND {
            return false;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    true
}

/// Returns the processes that belong to a session or have the mark in their environment.
fn processes(scene: &Scene, session: Pid) -> Vec<String> {
    let mark = format!("{MARKER}={}", scene.world.path().display());
    let all = entries(std::path::Path::new("/proc")).into_iter().filter_map(|folder| {
        let id: i32 = folder.file_name()?.to_str()?.parse().ok()?;
        let stat = fs::read_to_string(folder.join("stat")).ok()?;
        // After the name in parentheses: state, parent, group, session.
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        let is_dead = matches!(*fields.first()?, "Z" | "X");
        let environment = fs::read(folder.join("environ")).unwrap_or_default();
        let is_marked = environment.split(|byte| *byte == 0).any(|variable| variable == mark.as_bytes());
        let is_ours = is_marked || *fields.get(3)? == session.to_string();
        let line = fs::read(folder.join("cmdline")).unwrap_or_default();
        let words: Vec<_> = line.split(|byte| *byte == 0).map(String::from_utf8_lossy).collect();
        (is_ours && !is_dead).then(|| format!("{id} {}", words.join(" ").trim_end()))
    });
    all.collect()
}

fn mounts(scene: &Scene) -> Vec<String> {
    let table = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let path = scene.world.path().to_str().unwrap();
    table.lines().filter(|line| line.contains(path)).map(str::to_owned).collect()
}

#[track_caller]
fn assert_nothing_is_left(scene: &Scene, session: Pid, acknowledged: &[Acknowledged], what: &str) {
    let is_gone = comes(|| processes(scene, session).is_empty());
    assert!(is_gone, "{what}: {:#?}", processes(scene, session));
    let folder = scene.temporary();
    assert!(comes(|| entries(&folder).is_empty()), "{what}: {:#?}", entries(&folder));
    assert_eq!(mounts(scene), Vec::<String>::new(), "{what}");
    assert!(entries(&scene.world.home()).is_empty() && entries(&scene.world.project()).is_empty(), "{what}");
    scene.assert_kept(acknowledged, what);
}

/// Returns a scene, and a run that has children in the background and is recorded.
fn recorded() -> (Scene, Acknowledged) {
    let scene = Scene::new();
    let mut command = fetch(&scene.urls()[..4]);
    command[2] = format!("sleep 1000 & (setsid sleep 1001 &); {}", command[2]);
    let acknowledged = scene.record(&command);
    (scene, acknowledged)
}

fn check(verb: &[&str], end: End) {
    let seed: u64 = u64::from_be_bytes(host::random::bytes());
    println!("seed {seed}");
    let mut random = Rng::with_seed(seed);
    let (scene, acknowledged) = recorded();
    let acknowledged = [acknowledged];
    for round in 0..N_ROUNDS {
        let delay = Duration::from_millis(random.u64(..WITHIN_MS));
        let what = format!("{verb:?} {end:?}, seed {seed}, round {round}, after {delay:?}");
        let mut run = start(&scene, verb, &acknowledged[0].command, end);
        std::thread::sleep(delay);
        run.end(end);
        run.await_end(&what);
        assert_nothing_is_left(&scene, run.id(), &acknowledged, &what);
    }
    scene.assert_survives(&acknowledged[0], "after all");
}

const VERBS: [&[&str]; 3] = [&["exec"], &["exec", "--fresh"], &["drill"]];

#[test]
fn the_interrupt_key_leaves_nothing() {
    VERBS.iter().for_each(|verb| check(verb, End::Key));
}

#[test]
fn a_polite_signal_leaves_nothing() {
    VERBS.iter().for_each(|verb| check(verb, End::Signal(Signal::SIGTERM)));
}

#[test]
fn a_kill_leaves_nothing() {
    VERBS.iter().for_each(|verb| check(verb, End::Signal(Signal::SIGKILL)));
}

#[test]
fn while_it_runs_there_is_something_and_each_end_ends_it() {
    for end in [End::Key, End::Signal(Signal::SIGTERM), End::Signal(Signal::SIGKILL)] {
        let (scene, acknowledged) = recorded();
        let command = ["sh", "-c", "sleep 1000 & sleep 1001"].map(str::to_owned);
        let mut run = start(&scene, &["exec", "--fresh"], &command, end);
        let id = run.id();
        let is_it = |line: &String| line.split_once(' ').is_some_and(|(_, line)| line == "sleep 1001");
        let runs = || processes(&scene, id).iter().any(is_it);
        await_that("a long run", "its command", runs);
        assert!(!entries(&scene.temporary()).is_empty(), "the copies of a fresh run");
        run.end(end);
        run.await_end(&format!("{end:?}"));
        assert_nothing_is_left(&scene, id, &[acknowledged], &format!("{end:?}"));
    }
}
