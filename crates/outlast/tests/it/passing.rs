//! As if Outlast were not there: exit codes, streams, a terminal, signals.

use std::fs;
use std::process::Stdio;

use crate::world::{OUTLAST, World, finish, need};

#[test]
fn exit_codes_are_the_commands_own() {
    let check = |command: &[&str], code: i32| {
        let done = World::new().outlast(&[&["exec", "-q", "--"], command].concat());
        assert_eq!(done.code, code, "{command:?}: {}", done.stderr);
    };
    check(&["true"], 0);
    check(&["false"], 1);
    check(&["sh", "-c", "exit 7"], 7);
    check(&["sh", "-c", "exit 255"], 255);
    check(&["/etc/passwd"], 126);
    check(&["nowhere-at-all"], 127);
    check(&["sh", "-c", "kill -TERM $$"], 143);
    check(&["sh", "-c", "kill -KILL $$"], 137);
}

#[test]
fn a_signal_reaches_the_command() {
    let script = "trap 'echo caught; exit 9' TERM; echo ready; while :; do sleep 0.05; done";
    let world = World::new();
    let mut command = world.command(OUTLAST);
    command.args(["exec", "-q", "--", "sh", "-c", script]).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(child.stdout.take().unwrap()));
    assert_eq!(lines.next().unwrap().unwrap(), "ready");
    let kill = world.command("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
    assert!(kill.success());
    assert_eq!(lines.next().unwrap().unwrap(), "caught");
    assert_eq!(child.wait().unwrap().code(), Some(9));
}

#[test]
fn streams_pass_byte_for_byte() {
    let world = World::new();
    let bytes: Vec<u8> = (0..1_000_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    fs::write(world.project().join("in"), &bytes).unwrap();
    let script = format!("{OUTLAST} exec -q -- sh -c 'cat; printf \"no line end\" >&2' < in > out 2> err");
    finish(world.command("sh").args(["-c", &script]), b"").expect(0);
    let read = |name: &str| fs::read(world.project().join(name)).unwrap();
    assert!(read("out") == bytes, "the copy of stdin differs");
    assert_eq!(read("err"), b"no line end");

    let mut piped = world.command(OUTLAST);
    let done = finish(piped.args(["exec", "-q", "--", "wc", "-c"]), &bytes).expect(0);
    assert_eq!(done.stdout.trim(), "1000000");
}

#[test]
fn closed_streams_are_closed_for_the_command_too() {
    let world = World::new();
    let check = |command: &str, said: &str| {
        let run = |way: &str| finish(world.command("sh").args(["-c", &format!("{way} {command}")]), b"");
        let (direct, inside) = (run(""), run(&format!("{OUTLAST} exec -q --")));
        assert!(direct.code != 0 && direct.stderr.contains(said), "the control: {}", direct.stderr);
        assert_eq!((inside.code, inside.stderr), (direct.code, direct.stderr), "{command}");
    };
    check("cat <&-", "Bad file descriptor");
    check("ls / >&-", "Bad file descriptor");
    check("sh -c 'echo hi' >&-", "I/O error");
}

#[test]
fn nothing_is_said_before_the_command_has_ended() {
    let world = World::new();
    let script = "printf out; printf err >&2; curl -fsSo c https://static.crates.io/crates/itoa/itoa-1.0.15.crate; \
                  printf end >&2";
    let done = world.outlast(&["exec", "--", "sh", "-c", script]).expect(0);
    assert_eq!(done.stdout, "out");
    let summary = done.stderr.strip_prefix("errend").unwrap_or_else(|| panic!("{}", done.stderr));
    for part in ["outlast: run ", "sealed", "1 object from 1 host", "static.crates.io", "hint: "] {
        assert!(summary.contains(part), "{part}: {summary}");
    }
}

const TERMINAL: &str = r#"
import fcntl, os, pty, signal, struct, sys, termios, time
child, terminal = pty.fork()
if child == 0:
    # Whoever runs the tests in the background has them ignore Ctrl-C, and what they start with them.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.execv(sys.argv[1], sys.argv[1:])
fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 101, 0, 0))
said = b""
def until(text):
    global said
    while text not in said:
        try:
            piece = os.read(terminal, 4096)
        except OSError:
            piece = b""
        if not piece:
            sys.exit(f"never said {text}: {said}")
        said += piece
until(b"ready")
os.write(terminal, b"typed\n")
until(b"read typed")
os.write(terminal, b"\x03")
until(b"caught")
_, status = os.waitpid(child, 0)
sys.stdout.buffer.write(said)
sys.exit(os.waitstatus_to_exitcode(status))
"#;

#[test]
fn a_terminal_is_a_terminal_and_control_c_arrives() {
    need("python3");
    let world = World::new().with("TERM", "xterm").file("terminal.py", TERMINAL);
    let script = "trap 'echo caught; exit 9' INT; test -t 0 && test -t 1 && test -t 2 && stty size; echo ready; \
                  read line; echo read $line; while :; do sleep 0.05; done";
    let arguments = ["terminal.py", OUTLAST, "exec", "-q", "--", "sh", "-c", script];
    let done = finish(world.command("python3").args(arguments), b"").expect(9);
    let lines: Vec<&str> = done.stdout.lines().map(str::trim_end).collect();
    assert_eq!(lines[..2], ["33 101", "ready"], "{}", done.stdout);
}

#[test]
fn the_environment_is_the_callers() {
    let world = World::new().with("MINE", "a b").with("EMPTY", "");
    let print = ["sh", "-c", "echo \"$MINE|${EMPTY-unset}|$HOME|$PWD|${OUTLAST_HOME-unset}\"; umask; id -u"];
    let direct = finish(world.command(print[0]).args(&print[1..]), b"").expect(0).stdout;
    let inside = world.outlast(&[&["exec", "-q", "--"], &print[..]].concat()).expect(0).stdout;
    // A build has no use for where Outlast keeps things, and must not learn it.
    let own = world.own();
    assert_eq!(inside, direct.replace(own.to_str().unwrap(), "unset"));
}
