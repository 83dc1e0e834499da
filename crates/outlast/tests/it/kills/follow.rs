//! Random runs of keeping a repository: its upstream moves, and commands are killed or run out of space, anywhere. A failure prints its
//! seed.
//!
//! `KILL_SEEDS` says how many seeds are tried, `KILL_SEED` repeats one.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use fakes::noise;
use fastrand::Rng;
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;

use super::random::try_all;
use super::repositories::{KILLED, commits, copy, is_whole};
use crate::repositories::{ADDRESS, Kept};
use crate::world::{Done, OUTLAST, finish};

const N_STEPS: usize = 6;
/// A sync takes a tenth of that where nobody is in its way.
const KILL_WITHIN_MS: u64 = 600;
/// A copy with a larger pack is made fast when nothing else is to be done.
const LARGE_BYTES: usize = 2 << 20;
/// What git has begun goes on when Outlast is killed; it is done by then, however busy the machine is.
const BOUND: Duration = Duration::from_secs(60);

#[test]
fn a_repository_is_followed_whatever_is_killed() {
    let tally = Tally::default();
    let n_seeds = try_all("kills::follow", |seed| follow(seed, &tally));
    println!("{n_seeds} seeds: {tally:?}");
    if n_seeds >= 20 {
        let all = [&tally.n_killed, &tally.n_failed, &tally.n_followed, &tally.n_fast];
        assert!(all.into_iter().all(|counter| counter.load(Ordering::Relaxed) > 0), "{tally:?}");
    }
}

/// What happened over all seeds: where nothing did, nothing was tested.
#[derive(Debug, Default)]
struct Tally {
    n_killed: AtomicUsize,
    n_failed: AtomicUsize,
    n_followed: AtomicUsize,
    /// Copies whose packs were merged.
    n_fast: AtomicUsize,
}

fn count(counter: &AtomicUsize) {
    counter.fetch_add(1, Ordering::Relaxed);
}

fn follow(seed: u64, tally: &Tally) {
    let (mut random, kept) = (Rng::with_seed(seed), Kept::not_yet());
    let mut acknowledged = BTreeSet::new();
    for number in 0..N_STEPS {
        let moved = move_upstream(&mut random, &kept);
        let strike = Strike::draw(&mut random);
        let what = format!("KILL_SEED={seed} step {number}: {moved}, {strike:?}");
        let arguments: &[&str] = if acknowledged.is_empty() { &["adopt", ADDRESS] } else { &["sync"] };
        let done = strike.run(&kept, arguments);
        match done.code {
            0 => {
                count(&tally.n_followed);
                acknowledged.extend(commits(&kept, kept.repository.folder()));
            }
            KILLED => {
                count(&tally.n_killed);
                // What git goes on with is its own for that long.
                await_orphans(&kept, &what);
            }
            _ => {
                assert!(strike.is_fault(), "{what}: {}{}", done.stdout, done.stderr);
                count(&tally.n_failed);
            }
        }
    }
    let what = format!("KILL_SEED={seed}, the end");
    await_orphans(&kept, &what);
    if !kept.world.own().join("journal/current.jsonl").exists() {
        kept.world.outlast(&["adopt", ADDRESS]).expect(0);
    }
    // A whole sync, one in which nothing is new, and one that makes everything anew.
    kept.world.outlast(&["sync"]).expect(0);
    is_whole(&kept, &what);
    kept.world.outlast(&["sync"]).expect(0);
    is_whole(&kept, &what);
    if copy(&kept).join("objects/pack/multi-pack-index").exists() {
        count(&tally.n_fast);
    }
    acknowledged.extend(commits(&kept, kept.repository.folder()));
    assert!(commits(&kept, &copy(&kept)).is_superset(&acknowledged), "{what}");
    fs::remove_dir_all(copy(&kept)).unwrap();
    kept.world.outlast(&["sync"]).expect(0);
    is_whole(&kept, &what);
    assert!(commits(&kept, &copy(&kept)).is_superset(&acknowledged), "{what}: from packs and journal");
}

/// Moves something upstream, or nothing.
fn move_upstream(random: &mut Rng, kept: &Kept) -> &'static str {
    match random.u32(..8) {
        0..3 => {
            kept.repository.grow(random.u64(..), random.usize(1..12));
            "grows"
        }
        3 => {
            kept.moves(&["update-ref", "refs/heads/main", "main~2"]);
            // As many as are gone, or a later one would find no history to rewind.
            for message in ["another way", "and on"] {
                kept.repository.commit("main", message, &[("a.txt", &random.u64(..).to_string())]);
            }
            "is forced"
        }
        4 => {
            kept.moves(&["tag", "-f", "v1", "main"]);
            "a tag is moved"
        }
        5 => {
            let bytes = noise(LARGE_BYTES, random.u64(..));
            kept.repository.commit_bytes("large", "large", &[("large", &bytes)]);
            "has something large"
        }
        _ => "nothing moves",
    }
}

/// What happens to a command.
#[derive(Debug)]
enum Strike {
    Nothing,
    Point(String),
    /// Outlast alone is killed, and what git does goes on.
    Alone(Duration),
    /// Everything is killed, as when a machine goes down.
    All(Duration),
}

impl Strike {
    fn draw(random: &mut Rng) -> Self {
        let points = [&mirror::FAILURE_POINTS[..], &mirror::MAINTENANCE_POINTS, &store::FAILURE_POINTS];
        let point = *random.choice(points.concat().as_slice()).unwrap();
        // Each step of a sync comes once; the store's come often.
        let n = if point.starts_with("git.") { 1 } else { random.u32(1..8) };
        let lasting = if random.bool() { "+" } else { "" };
        let moment = Duration::from_millis(random.u64(..KILL_WITHIN_MS));
        match random.u32(..8) {
            0 => Self::Nothing,
            1..4 => Self::Point(format!("{point}=kill@{n}")),
            4 => Self::Point(format!("{point}=nospace@{n}{lasting}")),
            5 => Self::Point(format!("{point}=broken@{n}{lasting}")),
            6 => Self::Alone(moment),
            _ => Self::All(moment),
        }
    }

    /// Returns whether the disk fails, so that a command may.
    fn is_fault(&self) -> bool {
        matches!(self, Self::Point(point) if !point.contains("=kill"))
    }

    fn run(&self, kept: &Kept, arguments: &[&str]) -> Done {
        let mut command = kept.world.command(OUTLAST);
        command.args(arguments).process_group(0);
        match self {
            Self::Nothing => finish(&mut command, b""),
            Self::Point(points) => finish(command.env("OUTLAST_FAILPOINTS", points), b""),
            Self::Alone(moment) => killed(&mut command, *moment, |id| kill(id, Signal::SIGKILL)),
            Self::All(moment) => killed(&mut command, *moment, |id| killpg(id, Signal::SIGKILL)),
        }
    }
}

/// Runs a command and kills it after a while, if it has not ended by then.
fn killed(command: &mut Command, moment: Duration, end: impl Fn(Pid) -> nix::Result<()>) -> Done {
    let started = Instant::now();
    let mut child: Child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    std::thread::sleep(moment);
    let id = Pid::from_raw(i32::try_from(child.id()).unwrap());
    // Not waited for yet, it is there, dead or alive.
    end(id).unwrap();
    let code = child.wait().unwrap().code().unwrap_or(KILLED);
    Done { code, stdout: String::new(), stderr: String::new(), took: started.elapsed() }
}

/// Waits until nothing that a killed Outlast has started works in its home.
fn await_orphans(kept: &Kept, what: &str) {
    let (home, started) = (kept.world.own(), Instant::now());
    let is_there = || {
        let processes = fs::read_dir("/proc").unwrap().filter_map(Result::ok);
        processes.into_iter().any(|process| {
            let folder = fs::read_link(process.path().join("cwd")).unwrap_or_default();
            let words = fs::read(process.path().join("environ")).unwrap_or_default();
            folder.starts_with(&home) || String::from_utf8_lossy(&words).contains(home.to_str().unwrap())
        })
    };
    while is_there() {
        assert!(started.elapsed() < BOUND, "{what}: something goes on for ever");
        std::thread::sleep(Duration::from_millis(20));
    }
}
