//! Standard output that takes nothing: it is said so, and nothing panics.

use fakes::{Answer, Upstream};
use model::Sha256;

use crate::world::{Done, OUTLAST, World, entries, finish};

/// Runs Outlast with its standard output led elsewhere, as a shell does it.
fn led(world: &World, arguments: &str, to: &str) -> Done {
    finish(world.command("sh").args(["-c", &format!("exec \"$0\" {arguments} {to}"), OUTLAST]), b"")
}

const COMMANDS: [&str; 7] =
    ["--help", "--version", "exec --help", "completions bash", "status", "evidence key", "store stat --json"];

#[test]
fn what_cannot_be_written_is_an_error_of_standard_output() {
    let world = World::new();
    world.outlast(&["init", "-q"]).expect(0);
    for command in COMMANDS {
        for (to, why) in [(">/dev/full", "No space left on device"), (">&-", "Bad file descriptor")] {
            let done = led(&world, command, to).expect(1);
            let lines: Vec<&str> = done.stderr.lines().collect();
            assert_eq!(lines.len(), 3, "{command} {to}: {}", done.stderr);
            assert_eq!(lines[0], "error: could not write to standard output", "{command} {to}");
            assert!(lines[1].contains(why), "{command} {to}: {}", lines[1]);
            assert_eq!(lines[2], "hint: check where standard output leads", "{command} {to}");
        }
    }
    // What writes nothing there does not need it; and nothing that is thrown away is an error.
    for command in ["init -q", "store verify -q", "exec -q -- true"] {
        led(&world, command, ">&-").expect(0);
    }
    led(&world, "status", ">/dev/null").expect(0);
    led(&world, "status", "1<>/dev/null").expect(0);
}

#[test]
fn a_reader_that_goes_is_no_error() {
    let world = World::new();
    world.outlast(&["init", "-q"]).expect(0);
    for command in COMMANDS {
        let script = format!("{{ sleep 0.1; \"$0\" {command}; echo \"code $?\" >&2; }} | true");
        let done = finish(world.command("sh").args(["-c", &script, OUTLAST]), b"").expect(0);
        assert_eq!(done.stderr, "code 0\n", "{command}");
    }
}

#[test]
fn a_drill_whose_report_cannot_be_written_says_its_verdict() {
    let (world, upstream) = (World::new(), Upstream::start_blocking());
    upstream.put("files.example.com", "/a.txt", Answer::text("kept\n"));
    world.place(&upstream, &["files.example.com"]);
    let fetch = ["curl", "-fsSo", "a.txt", "https://files.example.com/a.txt"];
    world.record(&fetch).expect(0);
    let drill = format!("drill --json --evidence out-$$ -- {}", fetch.join(" "));
    let said = "error: could not write to standard output";
    led(&world, &drill, ">/dev/full").expect(3).says("outlast: PASS: ").says(said);
    assert!(entries(&world.project()).iter().any(|path| path.join("report.json").exists()));
    // What does not survive was found out all the same.
    std::fs::remove_file(world.blob(&Sha256::of(b"kept\n").to_string())).unwrap();
    led(&world, &drill, ">/dev/full").expect(1).says("outlast: FAIL: ").says(said);
}

/// Standard error that takes nothing, and standard error whose reader has gone.
const UNTOLD: [&str; 3] = ["2>/dev/full", "2>&-", "2>&1 1>/dev/null | true"];

/// Runs Outlast with its standard error led elsewhere; its exit code is that of the shell, and what it would have told
/// comes when nobody reads any more.
fn untold(world: &World, arguments: &str, to: &str) -> Done {
    let script = format!("set -o pipefail; {{ sleep 0.1; \"$0\" {arguments}; }} {to}");
    finish(world.command("bash").args(["-c", &script, OUTLAST]), b"")
}

#[test]
fn what_cannot_be_told_changes_no_exit_code() {
    let world = World::new();
    world.outlast(&["init", "-q"]).expect(0);
    for to in UNTOLD {
        let check = |arguments: &str, code: i32| {
            let done = untold(&world, arguments, to);
            assert_eq!(done.code, code, "{arguments} {to}: {}", done.stderr);
        };
        check("exec -- sh -c 'exit 4'", 4);
        check("exec -vv -- sh -c 'exit 4'", 4);
        check("exec -- nonexist", 127);
        check("exec -- /etc/passwd", 126);
        check("exec", 2);
        check("fly", 2);
        check("--config nowhere status", 2);
        check("drill -- true", 3);
        check("init", 0);
        check("store verify", 0);
        check("evidence verify nowhere", 1);
    }
    world.configure("[limits\n");
    for to in UNTOLD {
        untold(&world, "status", to).expect(2);
    }
}

#[test]
fn what_cannot_be_told_changes_no_run() {
    let (world, upstream) = (World::new(), Upstream::start_blocking());
    upstream.put("files.example.com", "/a.txt", Answer::text("kept\n"));
    world.place(&upstream, &["files.example.com"]);
    let fetch = "-- curl -fsSo a.txt https://files.example.com/a.txt";
    for to in UNTOLD {
        // With -vv, each request has its lines in the log.
        untold(&world, &format!("exec --fresh -vv {fetch}"), to).expect(0);
        assert_eq!(world.newest_record()["objects"][0]["status"], 200, "{to}");
        untold(&world, &format!("drill -vv {fetch}"), to).expect(0);
        untold(&world, &format!("drill {fetch}"), to).expect(0);
        assert_eq!(world.newest_report()["verdict"], "pass", "{to}");
    }
    std::fs::remove_file(world.blob(&Sha256::of(b"kept\n").to_string())).unwrap();
    for to in UNTOLD {
        untold(&world, &format!("drill {fetch}"), to).expect(1);
        untold(&world, "store verify", to).expect(1);
    }
}
