//! Signals: those sent to Outlast reach the command, once.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::probe::{Outcome, Probe, User, await_that, outside};

/// Starts a command that counts signals until it is told to stop, and returns when it is ready.
fn start(options: &str) -> (Probe, Child) {
    let probe = Probe::new(User::Caller, options);
    let ready = probe.folder().join("ready");
    let script = format!(
        r#"exec python3 -c '
import os, signal, sys
for s in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2):
    signal.signal(s, lambda n, f: os.write(1, b"%d\n" % n))
signal.signal(signal.SIGTERM, lambda n, f: sys.exit(9))
open("{}", "w").close()
while True: signal.pause()'"#,
        ready.display()
    );
    let mut probe = probe.script(&script);
    let child = probe.command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    await_that("the command", || ready.exists());
    (probe, child)
}

fn pid(child: &Child) -> Pid {
    Pid::from_raw(i32::try_from(child.id()).unwrap())
}

fn signals_sent_by_a_process_are_handed_on(options: &str) {
    let (probe, mut child) = start(options);
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    for signal in [Signal::SIGUSR1, Signal::SIGINT, Signal::SIGHUP, Signal::SIGQUIT, Signal::SIGUSR2] {
        kill(pid(&child), signal).unwrap();
        assert_eq!(lines.next().unwrap().unwrap(), (signal as i32).to_string());
    }
    kill(pid(&child), Signal::SIGTERM).unwrap();
    let outcome: Outcome = probe.outcome(&child.wait_with_output().unwrap());
    assert_eq!(outcome.code, Some(9), "{outcome:?}");
    assert!(lines.next().is_none(), "each came once");
}

#[test]
fn signals_sent_to_outlast_reach_the_command_in_a_room() {
    signals_sent_by_a_process_are_handed_on("");
}

#[test]
fn signals_sent_to_outlast_reach_the_observed_command() {
    signals_sent_by_a_process_are_handed_on("--observed");
}

#[test]
fn a_command_that_does_not_handle_it_dies_of_it() {
    for options in ["", "--observed"] {
        let probe = Probe::new(User::Caller, options);
        let ready = probe.folder().join("ready");
        let mut probe = probe.script(&format!("touch {}; exec sleep 1000", ready.display()));
        let child = probe.command.spawn().unwrap();
        await_that("the command", || ready.exists());
        kill(pid(&child), Signal::SIGTERM).unwrap();
        let outcome = probe.outcome(&child.wait_with_output().unwrap());
        assert_eq!(outcome.code, Some(143), "{options} {outcome:?}");
    }
}

/// Reads the sets that a `grep` in `/proc/self/status` printed, without the two signals that the C library keeps to
/// itself and sets as it likes once there are threads.
fn sets(output: &std::process::Output) -> Vec<u64> {
    let text = String::from_utf8_lossy(&output.stdout);
    let sets = text.lines().map(|line| u64::from_str_radix(line.rsplit('\t').next().unwrap(), 16).unwrap());
    sets.map(|set| set & 0x7fff_ffff).collect()
}

#[test]
fn what_is_ignored_stays_ignored_and_what_rust_ignores_is_not() {
    let probe = env!("CARGO_BIN_EXE_sandbox-probe");
    let show = "grep -E \"SigIgn|SigBlk\" /proc/self/status";
    for (before, expected) in [("", [0, 0]), ("trap \"\" HUP; ", [0, 1])] {
        assert_eq!(sets(&outside(&format!("{before}exec sh -c '{show}'"))), expected, "the control");
        for option in ["", "--observed"] {
            let output = outside(&format!("{before}exec {probe} {option} -- sh -c '{show}'"));
            assert_eq!(sets(&output), expected, "{before} {option}");
        }
    }
}
