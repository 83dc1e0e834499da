//! The terminal: a driver in Python plays the person at it.

use crate::probe::outside;

/// Runs the driver with a terminal in `fd` on which `argv` runs; what the driver prints comes back.
fn at_a_terminal(argv: &str, driver: &str) -> String {
    let script = format!(
        r#"python3 - {probe} <<'E'
import fcntl, os, pty, signal, struct, sys, termios, time
probe = sys.argv[1]
pid, fd = pty.fork()
if pid == 0:
    time.sleep(0.1) # the window size is set
    argv = {argv}
    os.execvp(argv[0], argv)
fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 111, 0, 0))
def until(text):
    got = b""
    while text.encode() not in got:
        try: more = os.read(fd, 4096)
        except OSError: more = b""
        if not more: break
        got += more
    return got.decode().replace("\r", "")
def end():
    text = until("\0")
    return text, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
{driver}
E"#,
        probe = env!("CARGO_BIN_EXE_sandbox-probe"),
    );
    let output = outside(&format!("timeout -k 1 30 sh -c '{}'", script.replace('\'', r"'\''")));
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn it_is_the_commands_own() {
    for option in ["", r#""--observed","#] {
        let argv = format!(
            r#"[probe, {option} "--", "python3", "-c", "import os,sys; print(sys.stdin.isatty(), sys.stdout.isatty(), os.get_terminal_size().columns, os.ttyname(0)[:8])"]"#
        );
        let text = at_a_terminal(&argv, "print(end())");
        assert_eq!(text, "('True True 111 /dev/pts\\n', 0)\n", "{option}");
    }
}

#[test]
fn an_interrupt_reaches_the_command_once() {
    for option in ["", r#""--observed","#] {
        let argv = format!(
            r#"[probe, {option} "--", "python3", "-c", """
import signal, time
signal.signal(signal.SIGINT, lambda n, f: print("got", flush=True))
signal.signal(signal.SIGQUIT, lambda n, f: exit(5))
print("ready", flush=True)
while True: signal.pause()"""]"#
        );
        let driver = r#"until("ready"); os.write(fd, b"\x03"); print(until("got")); time.sleep(0.3); os.write(fd, b"\x1c"); print(end())"#;
        let text = at_a_terminal(&argv, driver);
        assert_eq!(text.matches("got").count(), 1, "{option} {text}");
        assert!(text.ends_with("', 5)\n"), "{option} {text}");
    }
}

#[test]
fn a_stopped_command_can_be_continued() {
    let argv = r#"["bash", "-ic", probe + " -- sh -c 'echo ready; read line; echo line:$line'; echo stopped:$?; fg; exit 0"]"#;
    let driver = r#"until("ready"); time.sleep(0.2); os.write(fd, b"\x1a"); print(until("stopped:")); time.sleep(0.3); os.write(fd, b"word\n"); print(end())"#;
    let text = at_a_terminal(argv, driver);
    assert!(text.contains("line:word"), "{text}");
}

#[test]
fn a_command_that_took_the_terminal_has_it_taken_back() {
    for option in ["", "--observed"] {
        let thief = r#"import os,signal; signal.signal(signal.SIGTTOU, signal.SIG_IGN); os.setpgid(0,0); os.tcsetpgrp(0, os.getpid())"#;
        let argv = format!(
            r#"["sh", "-c", probe + " {option} -- python3 -c '{thief}'; echo ready; read line; echo line:$line"]"#
        );
        let text = at_a_terminal(&argv, r#"until("ready"); os.write(fd, b"word\n"); print(end())"#);
        assert!(text.contains("line:word"), "{option} {text}");
    }
}

#[test]
fn a_terminal_that_is_closed_hangs_up_on_the_command() {
    for way in [r#""#, r#"probe, "--","#, r#"probe, "--observed", "--","#] {
        let argv = format!(
            r#"[{way} "python3", "-c", """
import os, signal, sys, time
def gone(n, f):
    open(sys.argv[1], "w").close(); sys.exit(0)
signal.signal(signal.SIGHUP, gone)
print("ready", flush=True)
while True: time.sleep(0.02)""", "/var/tmp/hung-up-" + str(os.getppid())]"#
        );
        let driver = r#"
until("ready\r\n"); os.close(fd); name = "/var/tmp/hung-up-" + str(os.getpid())
for _ in range(200):
    if os.path.exists(name): break
    time.sleep(0.05)
print(os.path.exists(name)); os.path.exists(name) and os.unlink(name)
os.kill(pid, signal.SIGKILL)"#;
        assert_eq!(at_a_terminal(&argv, driver), "True\n", "{way}");
    }
}

#[test]
fn a_change_of_size_reaches_the_command_once() {
    for way in ["", r#"probe, "--","#, r#"probe, "--observed", "--","#] {
        let argv = format!(
            r#"[{way} "python3", "-c", """
import signal, time
signal.signal(signal.SIGWINCH, lambda n, f: print("got", flush=True))
signal.signal(signal.SIGQUIT, lambda n, f: exit(5))
print("ready", flush=True)
while True: time.sleep(0.02)"""]"#
        );
        let driver = r#"until("ready"); fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", 44, 99, 0, 0)); print(until("got")); time.sleep(0.3); os.write(fd, b"\x1c"); print(end())"#;
        let text = at_a_terminal(&argv, driver);
        assert_eq!(text.matches("got").count(), 1, "{way} {text}");
        assert!(text.ends_with("', 5)\n"), "{way} {text}");
    }
}
