//! What a command in a room meets: names, connections, exit codes, its streams, its files.

use std::io::Write;
use std::process::Stdio;

use crate::probe::{Folder, Probe, User, outside};

#[test]
fn every_address_is_outlast_for_every_user_by_both_protocols() {
    for user in User::all() {
        let script = "curl -sS -4 http://crates.io/a && curl -sS -6 http://crates.io/b && \
                      curl -sS http://203.0.113.7/ && curl -sS 'http://[2001:db8::7]:8080/'";
        let outcome = Probe::new(user, "--port 80 --port 8080").script(script).run().good();
        assert_eq!(outcome.stdout.lines().count(), 4, "{outcome:?}");
        assert!(outcome.stdout.starts_with("Outlast as crates.io at 198.18.0.16:80\n"), "{outcome:?}");
        for line in [
            "resolve crates.io",
            "connection 198.18.0.16:80 crates.io",
            "connection [fd6f:7574:6c61:7374::10]:80 crates.io",
            "connection 203.0.113.7:80 ",
            "connection [2001:db8::7]:8080 ",
        ] {
            assert!(outcome.has(line), "{user:?} {line}: {outcome:?}");
        }
    }
}

#[test]
fn names_are_answered_by_datagram_and_stream_whatever_server_is_asked() {
    let script = r#"python3 - <<'E'
import socket, struct
def query(name, kind):
    labels = b"".join(bytes([len(l)]) + l.encode() for l in name.split(".")) + b"\0"
    return b"\x12\x34\x01\0\0\1\0\0\0\0\0\0" + labels + struct.pack(">HH", kind, 1)
def show(answer): print(answer[:2].hex(), answer[3] & 15, struct.unpack(">H", answer[6:8])[0], answer[-4:].hex())
for family, server in ((socket.AF_INET, "8.8.8.8"), (socket.AF_INET6, "2001:4860:4860::8888")):
    s = socket.socket(family, socket.SOCK_DGRAM); s.settimeout(5); s.connect((server, 53))
    for name, kind in (("a.example", 1), ("a.example", 65), ("a.example", 16), ("x.invalid", 1), ("localhost", 1)):
        s.send(query(name, kind)); show(s.recv(512))
t = socket.create_connection(("1.1.1.1", 53), 5)
q = query("a.example", 1); t.sendall(struct.pack(">H", len(q)) + q); show(t.recv(512)[2:])
print(socket.gethostbyaddr("198.18.0.16")[0])
E"#;
    let outcome = Probe::new(User::Caller, "").script(script).run().good();
    let expected = [
        "1234 0 1 c6120010",
        "1234 0 0 00410001",
        "1234 0 0 00100001",
        "1234 3 0 00010001",
        "1234 0 1 7f000001",
    ];
    let lines: Vec<&str> = outcome.stdout.lines().collect();
    assert_eq!(lines[..5], expected, "{outcome:?}");
    assert_eq!(lines[5..10], expected, "{outcome:?}");
    assert_eq!(lines[10..], ["1234 0 1 c6120010", "a.example"], "{outcome:?}");
}

#[test]
fn exit_codes_are_the_commands_own() {
    let check = |script: &str, code: i32| {
        assert_eq!(Probe::new(User::Caller, "").script(script).run().code, Some(code), "{script}");
    };
    check("exit 0", 0);
    check("exit 7", 7);
    check("exit 255", 255);
    check("kill -TERM $$", 143);
    check("kill -KILL $$", 137);
    check("kill -SEGV $$", 139);
}

#[test]
fn what_cannot_be_run_says_so() {
    let folder = Folder::new();
    let script = folder.write("no-interpreter", "#!/no/such/shell\n");
    std::fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let plain = folder.write("plain", "exit 9\n");
    std::fs::set_permissions(&plain, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let check = |program: &str, code: i32| {
        let mut probe = Probe::new(User::Caller, "");
        probe.command.args(["--", program]);
        assert_eq!(probe.run().code, Some(code), "{program}");
    };
    check("no-such-program", 127);
    check("", 127);
    check("/no/such/program", 127);
    check("/etc/passwd", 126);
    check("/etc", 126);
    check(script.to_str().unwrap(), 126);
    check(plain.to_str().unwrap(), 9);
}

#[test]
fn standard_streams_pass_through() {
    let mut probe = Probe::new(User::Caller, "").script("cat; echo to stderr >&2");
    let mut child =
        probe.command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let sent = "0123456789abcdef".repeat(20_000);
    let (mut stdin, bytes) = (child.stdin.take().unwrap(), sent.clone().into_bytes());
    let writer = std::thread::spawn(move || stdin.write_all(&bytes));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    let outcome = probe.outcome(&output).good();
    assert_eq!(outcome.stdout.len(), sent.len());
    assert_eq!(outcome.stdout, sent);
    assert_eq!(outcome.stderr, "to stderr\n");
}

#[test]
fn streams_that_are_closed_are_closed_for_the_command() {
    let probe = env!("CARGO_BIN_EXE_sandbox-probe");
    let folder = Folder::new();
    let told = folder.join("told");
    // Descriptor 9 does not reach the command: it opens its own.
    let show = format!(
        r#"exec 9>{}; for fd in 0 1 2; do (true 8<&$fd) && echo open >&9 || echo closed >&9; done"#,
        told.display()
    );
    let ways = [String::new(), format!("{probe} --"), format!("{probe} --observed --")];
    for (closing, expected) in [
        ("<&-", ["closed", "open", "open"]),
        (">&-", ["open", "closed", "open"]),
        ("2>&-", ["open", "open", "closed"]),
        ("<&- >&- 2>&-", ["closed"; 3]),
        ("", ["open"; 3]),
    ] {
        for way in &ways {
            let output = outside(&format!("{way} sh -c '{show}' {closing}"));
            assert!(output.status.success(), "{way} {output:?}");
            let told = std::fs::read_to_string(&told).unwrap();
            assert_eq!(told.lines().collect::<Vec<_>>(), expected, "{way} {closing}");
        }
    }
}

#[test]
fn placed_files_are_seen_and_those_covered_stay_as_they_are() {
    let folder = Folder::new();
    let covered = folder.write("covered", "of the machine");
    let link = folder.join("link");
    std::os::unix::fs::symlink("covered", &link).unwrap();
    for user in User::all() {
        let options =
            format!("--file /run/outlast/a/b=new --file {}=placed --file /no/where=x", link.display());
        let script = format!(
            "cat /run/outlast/a/b {0} {1}; test ! -e /no; cat /etc/resolv.conf",
            link.display(),
            covered.display()
        );
        let outcome = Probe::new(user, &options).script(&script).run().good();
        assert_eq!(outcome.stdout, "newplacedplacednameserver 198.18.0.1\n", "{outcome:?}");
        assert_eq!(std::fs::read_to_string(&covered).unwrap(), "of the machine");
    }
}

#[test]
fn directory_and_environment_are_those_of_the_plan() {
    let folder = Folder::new();
    let mut probe = Probe::new(User::Caller, "").script("pwd; echo $ONLY; env | grep -c .");
    probe.command.current_dir(folder.path()).env("ONLY", "this");
    let outcome = probe.run().good();
    let lines: Vec<&str> = outcome.stdout.lines().collect();
    assert_eq!(lines[..2], [folder.path().to_str().unwrap(), "this"]);
}

#[test]
fn a_process_left_in_the_background_ends_with_the_command() {
    let probe = Probe::new(User::Caller, "");
    let mark = probe.folder().join("mark");
    let probe = probe.script(&format!("(sleep 1; echo x > {}) >/dev/null 2>&1 & exit 3", mark.display()));
    let clock = host::Clock::real();
    let outcome = probe.run();
    assert_eq!(outcome.code, Some(3));
    assert!(clock.elapsed().as_millis() < 900, "it was waited for: {outcome:?}");
}

#[test]
fn a_machine_without_ipv6_has_rooms_with_ipv4() {
    // As the kernel answers where IPv6 is off: socket(AF_INET6) is EAFNOSUPPORT (97), by a filter of this architecture's calls.
    let number = if cfg!(target_arch = "x86_64") { 41 } else { 198 };
    let launcher = format!(
        "import ctypes, os, struct, sys\n\
         rules = [(0x20,0,0,0), (0x15,0,3,{number}), (0x20,0,0,16), (0x15,0,1,10), (0x06,0,0,0x50061), (0x06,0,0,0x7fff0000)]\n\
         code = ctypes.create_string_buffer(b''.join(struct.pack('HBBI', *rule) for rule in rules))\n\
         program = ctypes.create_string_buffer(struct.pack('HxxxxxxQ', len(rules), ctypes.addressof(code)))\n\
         libc = ctypes.CDLL(None)\n\
         assert libc.prctl(38, 1, 0, 0, 0) == 0 and libc.prctl(22, 2, program, 0, 0) == 0\n\
         os.execvp(sys.argv[1], sys.argv[1:])\n"
    );
    let folder = Folder::new();
    let launcher = folder.write("launcher.py", &launcher);
    let run = |command: &str| outside(&format!("python3 {} {command}", launcher.display()));
    let probe = env!("CARGO_BIN_EXE_sandbox-probe");
    let output = run(&format!("{probe} --port 80 -- curl -sS http://crates.io/a"));
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("Outlast as crates.io at 198.18.0.16:80"), "{output:?}");
    // The control: without the room there is none.
    let without = run("python3 -c 'import socket; socket.socket(socket.AF_INET6)'");
    assert!(String::from_utf8_lossy(&without.stderr).contains("Address family not supported"), "{without:?}");
}
