//! Whoever is killed, and whenever: no process, mount or folder of the room is left.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Stdio;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::probe::{Folder, Probe, User, await_that};

/// Returns the processes of a process group: number and command line.
fn group(id: Pid) -> Vec<(Pid, String)> {
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    let member = entries.filter_map(|entry| {
        let pid: i32 = entry.file_name().to_str()?.parse().ok()?;
        let stat = std::fs::read_to_string(entry.path().join("stat")).ok()?;
        // After the name in parentheses: state, parent, group.
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        let line = std::fs::read(entry.path().join("cmdline")).ok()?;
        let is_member = fields.get(2)? == &id.to_string() && fields.first()? != &"Z";
        is_member.then(|| (Pid::from_raw(pid), String::from_utf8_lossy(&line).replace('\0', " ")))
    });
    member.collect()
}

struct Run {
    folder: Folder,
    probe: Probe,
    child: std::process::Child,
    id: Pid,
}

impl Run {
    fn start(user: User) -> Self {
        let folder = Folder::new();
        folder.make("home");
        folder.make("scratch");
        let project = folder.make("project");
        folder.write("project/file", "x");
        let at = |name: &str| folder.join(name).display().to_string();
        let options =
            format!("--port 80 --fresh {} {} {} --copy file", at("home"), at("project"), at("scratch"));
        let script = "touch ready; mkdir locked; chmod 0 locked; sleep 1000 & sleep 1001";
        let mut probe = Probe::new(user, &options).script(script);
        probe.command.current_dir(project).process_group(0).stderr(Stdio::null());
        let child = probe.command.spawn().unwrap();
        let id = Pid::from_raw(i32::try_from(child.id()).unwrap());
        Self { folder, probe, child, id }
    }

    fn scratch(&self) -> Vec<String> {
        let entries = self.folder.join("scratch").read_dir().unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    fn await_command(&self) {
        let is_ready = || group(self.id).iter().any(|(_, line)| line.starts_with("sleep 1001"));
        await_that("the command", is_ready);
    }

    fn assert_nothing_is_left(&mut self, what: &str) {
        self.child.wait().unwrap();
        await_that("no process", || group(self.id).is_empty());
        await_that("no folder", || self.scratch().is_empty());
        let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
        assert!(!mounts.contains(self.folder.path().to_str().unwrap()), "{what}");
    }
}

#[test]
fn killing_outlast_at_any_moment_leaves_nothing() {
    let seed: u64 = u64::from_be_bytes(host::random::bytes());
    println!("seed {seed}");
    let mut state = seed;
    for user in User::all() {
        for round in 0..8 {
            let mut run = Run::start(user);
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let delay = std::time::Duration::from_micros((state >> 33) % 80_000);
            std::thread::sleep(delay);
            kill(run.id, Signal::SIGKILL).unwrap();
            run.assert_nothing_is_left(&format!("seed {seed} round {round} {delay:?}"));
        }
        let mut run = Run::start(user);
        run.await_command();
        assert_eq!(run.scratch().len(), 2, "the control: while it runs there is something");
        kill(run.id, Signal::SIGKILL).unwrap();
        run.assert_nothing_is_left("while the command runs");
    }
}

#[test]
fn an_interrupt_at_any_moment_leaves_nothing() {
    let seed: u64 = u64::from_be_bytes(host::random::bytes());
    println!("seed {seed}");
    let mut state = seed;
    for round in 0..8 {
        let mut run = Run::start(User::Caller);
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let delay = std::time::Duration::from_micros((state >> 33) % 80_000);
        std::thread::sleep(delay);
        // As a terminal would: the whole group. Once more, if it came before there was anything to interrupt.
        while run.child.try_wait().unwrap().is_none() {
            let _ = nix::sys::signal::killpg(run.id, Signal::SIGINT);
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
        run.assert_nothing_is_left(&format!("seed {seed} round {round} {delay:?}"));
    }
}

#[test]
fn killing_a_process_of_the_room_ends_it_with_an_error() {
    // In the order of their birth: Outlast, the warden, init.
    for (number, what) in [(1, "the warden"), (2, "init")] {
        let mut run = Run::start(User::Caller);
        run.await_command();
        let mut processes: Vec<Pid> = group(run.id).into_iter().map(|(pid, _)| pid).collect();
        processes.sort();
        kill(processes[number], Signal::SIGKILL).unwrap();
        assert_eq!(run.child.wait().unwrap().code(), Some(125), "{what}");
        assert!(run.probe.log().iter().any(|line| line.contains("Broken")), "{what}: {:?}", run.probe.log());
        run.assert_nothing_is_left(what);
    }
}

#[test]
fn a_command_that_kills_all_it_can_ends_only_itself() {
    let outcome = Probe::new(User::Caller, "").script("kill -9 -1; kill -9 1; sleep 0.1; exit 4").run();
    // `kill -1` spares the caller.
    assert_eq!(outcome.code, Some(4), "{outcome:?}");
    assert!(Path::new("/proc/self").exists());
}
