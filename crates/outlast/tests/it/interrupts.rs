//! What is said where the way to the command is cut short by somebody else.

use std::process::Stdio;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::world::{OUTLAST, World, entries};

/// How long the process may take to the point where it stops; a busy machine needs seconds.
const STOPS_WITHIN: Duration = Duration::from_secs(60);

/// Returns whether a process is stopped: the letter behind the name in parentheses.
fn is_stopped(pid: Pid) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('T'))
}

#[test]
fn an_interrupt_between_the_signals_and_the_room_is_said_as_what_it_is() {
    let world = World::new();
    world.outlast(&["exec", "-q", "--", "true"]).expect(0);
    for (signal, number) in [(Signal::SIGINT, 2), (Signal::SIGTERM, 15)] {
        let mut command = world.command(OUTLAST);
        command.args(["exec", "--", "sleep", "60"]).env("OUTLAST_FAILPOINTS", "room.caught=stop");
        let child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let pid = Pid::from_raw(child.id().try_into().unwrap());
        let begun = Instant::now();
        while !is_stopped(pid) {
            assert!(begun.elapsed() < STOPS_WITHIN, "it passes no point where it stops");
            std::thread::sleep(Duration::from_millis(5));
        }
        kill(pid, signal).unwrap();
        kill(pid, Signal::SIGCONT).unwrap();
        let ended = child.wait_with_output().unwrap();
        let stderr = String::from_utf8_lossy(&ended.stderr);
        assert_eq!(ended.status.code(), Some(128 + number), "{stderr}");
        assert!(stderr.contains(&format!("error: interrupted by signal {number}")), "{stderr}");
        assert!(stderr.contains("hint: the command was not started"), "{stderr}");
    }
    assert_eq!(entries(&world.own().join("runs")).len(), 1, "nothing is recorded of them");
}

#[test]
fn an_interrupt_is_no_fault_of_outlast_however_early_it_comes() {
    let world = World::new();
    world.outlast(&["exec", "-q", "--", "true"]).expect(0);
    for ms in 0..24 {
        let mut command = world.command(OUTLAST);
        let child = command.args(["exec", "--", "sleep", "60"]).stdout(Stdio::null()).stderr(Stdio::piped());
        let child = child.spawn().unwrap();
        std::thread::sleep(Duration::from_millis(ms));
        kill(Pid::from_raw(child.id().try_into().unwrap()), Signal::SIGINT).unwrap();
        let ended = child.wait_with_output().unwrap();
        let stderr = String::from_utf8_lossy(&ended.stderr);
        assert!(!stderr.contains("fault of Outlast") && !stderr.contains("-v"), "{ms} ms: {stderr}");
        if stderr.contains("error: ") {
            assert_eq!(ended.status.code(), Some(130), "{ms} ms: {stderr}");
            assert!(
                stderr.contains("interrupted by signal 2") && stderr.contains("hint: "),
                "{ms} ms: {stderr}"
            );
        }
    }
}
