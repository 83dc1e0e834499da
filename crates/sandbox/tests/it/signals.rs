//! Signals: those sent to Outlast reach the command, once.

use std::io::{BufRead, BufReader};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Stdio};

use crate::probe::{Probe, User, await_that, outside};

/// Runs a Python program as the command of a probe with these options, or directly if there are none.
fn start(options: Option<&str>, program: &str) -> (Probe, Child) {
    let mut probe = Probe::new(User::Caller, options.unwrap_or(""));
    let ready = probe.folder().join("ready");
    let program = format!(
        "import os, signal, sys, time\n{program}\nopen({ready:?}, \"w\").close()\nwhile True: time.sleep(0.02)"
    );
    match options {
        Some(_) => drop(probe.command.args(["--", "python3", "-c", &program])),
        None => {
            #[expect(clippy::disallowed_methods, reason = "tests start their controls")]
            let mut direct = std::process::Command::new("python3");
            direct.args(["-c", &program]);
            probe.command = direct;
        }
    }
    // The system stops no group in which nobody could continue it, as that of a whole CI job may be.
    probe.command.process_group(0).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = probe.command.spawn().unwrap();
    await_that("the command", || ready.exists());
    (probe, child)
}

/// Sends a signal of any number.
fn send(child: &Child, number: i32) {
    assert!(outside(&format!("kill -{number} {}", child.id())).status.success(), "{number}");
}

/// How a program is run: directly, which is the control, in a room, and observed.
const WAYS: [Option<&str>; 3] = [None, Some(""), Some("--observed")];

/// What a program can catch, some of the real-time signals, but not what tells of its own faults and children; TERM ends
/// the test's.
fn numbers() -> Vec<i32> {
    let own = [4, 5, 6, 7, 8, 9, 11, 17, 19, 31];
    (1..32).chain([34, 35, 36, 63, 64]).filter(|number| !own.contains(number) && *number != 15).collect()
}

#[test]
fn a_signal_that_a_process_sends_to_outlast_reaches_the_command_once() {
    const COUNT: &str = r#"
for number in list(range(1, 32)) + list(range(34, 65)):
    if number not in (4, 5, 6, 7, 8, 9, 11, 17, 19, 31): signal.signal(number, lambda n, f: os.write(1, b"%d\n" % n))
signal.signal(signal.SIGTERM, lambda n, f: sys.exit(9))"#;
    for way in WAYS {
        let (probe, mut child) = start(way, COUNT);
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        for number in numbers() {
            send(&child, number);
            assert_eq!(lines.next().unwrap().unwrap(), number.to_string(), "{way:?}");
        }
        send(&child, 15);
        let outcome = probe.outcome(&child.wait_with_output().unwrap());
        assert_eq!(outcome.code, Some(9), "{way:?} {outcome:?}");
        assert!(lines.next().is_none(), "{way:?}: each came once");
    }
}

#[test]
fn what_is_not_caught_ends_the_command_or_does_nothing_as_it_does_directly() {
    let harmless = [18, 23, 28];
    for way in WAYS {
        let (probe, child) = start(way, "signal.signal(signal.SIGTERM, lambda n, f: sys.exit(9))");
        harmless.iter().for_each(|number| send(&child, *number));
        send(&child, 15);
        let outcome = probe.outcome(&child.wait_with_output().unwrap());
        assert_eq!(outcome.code, Some(9), "{way:?} {outcome:?}");
        // Python ignores these two, and catches the third.
        let stopping = [20, 21, 22];
        let ending =
            numbers().into_iter().filter(|number| !harmless.contains(number) && !stopping.contains(number));
        for number in ending {
            let default = "for number in (2, 13, 25): signal.signal(number, signal.SIG_DFL)";
            let (_probe, child) = start(way, default);
            send(&child, number);
            let status = child.wait_with_output().unwrap().status;
            let code = status.code().or_else(|| Some(128 + status.signal()?));
            assert_eq!(code, Some(128 + number), "{way:?}");
        }
    }
}

#[test]
fn a_timer_that_ran_before_outlast_ends_the_command() {
    let probe = env!("CARGO_BIN_EXE_sandbox-probe");
    for way in ["", &format!("{probe} --"), &format!("{probe} --observed --")] {
        let alarm = "import os, signal, sys; signal.alarm(1); os.execvp(sys.argv[1], sys.argv[1:])";
        let command = r#"python3 -c "
import signal
signal.signal(signal.SIGALRM, lambda n, f: exit(7))
while True: signal.pause()""#;
        let output = outside(&format!("timeout 20 python3 -c '{alarm}' {way} {command}"));
        assert_eq!(output.status.code(), Some(7), "{way} {output:?}");
    }
}

/// Returns the letter of a process's state.
fn state(child: &Child) -> char {
    let facts = std::fs::read_to_string(format!("/proc/{}/stat", child.id())).unwrap();
    facts.rsplit_once(") ").unwrap().1.chars().next().unwrap()
}

#[test]
fn a_stop_signal_stops_outlast_if_it_stops_the_command() {
    for number in [20, 21, 22] {
        for way in WAYS {
            let (probe, child) = start(way, "signal.signal(signal.SIGTERM, lambda n, f: sys.exit(9))");
            send(&child, number);
            await_that("it stops", || state(&child) == 'T');
            send(&child, 18);
            await_that("it goes on", || state(&child) != 'T');
            send(&child, 15);
            let outcome = probe.outcome(&child.wait_with_output().unwrap());
            assert_eq!(outcome.code, Some(9), "{number} {way:?} {outcome:?}");
        }
    }
    // One that is caught stops nothing, nor does somebody else who stops the command alone.
    const CATCH: &str = r#"
signal.signal(signal.SIGTSTP, lambda n, f: os.write(1, b"caught\n"))
def stop(n, f):
    if os.fork() == 0:
        os.setsid(); os.kill(os.getppid(), signal.SIGSTOP); os.kill(os.getppid(), signal.SIGCONT); os._exit(0)
    os.wait(); os.write(1, b"alone\n")
signal.signal(signal.SIGUSR1, stop)
signal.signal(signal.SIGTERM, lambda n, f: sys.exit(9))"#;
    for way in WAYS {
        let (probe, mut child) = start(way, CATCH);
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        send(&child, 10);
        assert_eq!(lines.next().unwrap().unwrap(), "alone", "{way:?}");
        send(&child, 20);
        assert_eq!(lines.next().unwrap().unwrap(), "caught", "{way:?}");
        std::thread::sleep(std::time::Duration::from_millis(50));
        assert_ne!(state(&child), 'T', "{way:?}");
        send(&child, 15);
        assert_eq!(probe.outcome(&child.wait_with_output().unwrap()).code, Some(9), "{way:?}");
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
    for (before, expected) in [("", [0, 0]), ("trap \"\" HUP; ", [0, 1]), ("trap \"\" PIPE; ", [0, 1 << 12])]
    {
        assert_eq!(sets(&outside(&format!("{before}exec sh -c '{show}'"))), expected, "the control");
        for option in ["", "--observed"] {
            let output = outside(&format!("{before}exec {probe} {option} -- sh -c '{show}'"));
            assert_eq!(sets(&output), expected, "{before} {option}");
        }
    }
}
