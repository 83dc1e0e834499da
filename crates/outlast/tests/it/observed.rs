//! A machine that allows no namespaces: a command runs with its environment alone, and every result says so.
//!
//! Such a machine is a user namespace in which no further one may be made, and a command without capabilities in it.

use std::fs;

use fakes::{Answer, Upstream};

use crate::clients::{cargo_project, npm_project};
use crate::world::{Done, OUTLAST, World, finish, places, texts};

const FORBID: &str = "echo 0 > /proc/sys/user/max_user_namespaces && \
                      exec setpriv --bounding-set=-all --inh-caps=-all --no-new-privs -- \"$@\"";
const URL: &str = "https://files.example.com/a.txt";

/// Runs a program where no namespace may be made.
fn without_namespaces(world: &World, words: &[&str]) -> Done {
    let mut command = world.command("unshare");
    command.args(["--user", "--map-root-user", "sh", "-c", FORBID, "sh"]).args(words);
    finish(&mut command, b"")
}

/// Runs Outlast where no room can be made.
pub(crate) fn outlast(world: &World, arguments: &[&str]) -> Done {
    without_namespaces(world, &[&[OUTLAST], arguments].concat())
}

/// A world with a host at a loopback upstream that serves [`URL`].
fn scene() -> (World, Upstream) {
    let (world, upstream) = (World::new(), Upstream::start_blocking());
    upstream.put("files.example.com", "/a.txt", Answer::text("kept\n"));
    world.place(&upstream, &["files.example.com"]);
    (world, upstream)
}

#[test]
fn namespaces_are_really_refused_there() {
    let world = World::new();
    for namespace in ["--user", "--mount", "--net"] {
        assert_ne!(without_namespaces(&world, &["unshare", namespace, "true"]).code, 0, "{namespace}");
        finish(world.command("unshare").args(["--user", namespace, "true"]), b"").expect(0);
    }
}

#[test]
fn a_command_goes_through_outlast_by_its_environment_and_the_run_says_observed() {
    let (world, _upstream) = scene();
    let command = ["exec", "--", "curl", "-fsS", URL];
    let done = outlast(&world, &command)
        .expect(0)
        .says(", observed, exit code 0")
        .says("kept      files.example.com");
    assert_eq!(done.stdout, "kept\n");
    done.says("observed, not sealed: ").says("user namespaces");
    let record = world.newest_record();
    assert_eq!(record["containment"], "observed");
    assert!(record["containment_reasons"][0].as_str().unwrap().contains("user namespaces"), "{record:#}");
    assert_eq!((texts(&record["objects"], "url"), &record["hosts"][0]["kept"]), (vec![URL], &true.into()));

    // What does not go through it is what makes the difference.
    let past =
        ["exec", "--", "sh", "-c", "curl -sS --noproxy '*' -o /dev/null http://127.0.0.1:9/; test $? = 7"];
    outlast(&world, &past).expect(0);
    assert_eq!(world.newest_record()["objects"], serde_json::json!([]));

    // Where namespaces are allowed, the same is sealed.
    let sealed = world.outlast(&command).expect(0).says(", sealed, exit code 0");
    assert!(!sealed.stderr.contains("not sealed"), "{}", sealed.stderr);
}

#[test]
fn cargo_fetches_there_too() {
    let world = cargo_project();
    outlast(&world, &["exec", "--", "cargo", "fetch"]).expect(0).says(", observed, ");
    let record = world.newest_record();
    let urls = texts(&record["objects"], "url");
    assert!(urls.iter().any(|url| url.contains("itoa")), "{urls:?}");
    assert!(record["hosts"].as_array().unwrap().iter().all(|host| host["kept"] == true), "{record:#}");

    // A sealed drill of what was recorded observed is as good as any.
    world.drill(&["cargo", "fetch"]).expect(0).says("PASS");
    let not_tested = world.newest_report()["not_tested"].to_string();
    assert!(not_tested.contains("its room was not sealed"), "{not_tested}");
}

#[test]
fn what_needs_a_room_is_refused_and_not_begun() {
    let (world, _upstream) = scene();
    for flag in ["--require-sealed", "--fresh"] {
        let script = ["--", "sh", "-c", "touch begun"];
        let done = outlast(&world, &[&["exec", flag], &script[..]].concat()).expect(125);
        done.says("user namespaces").says("hint: allow unprivileged user namespaces");
        assert!(!world.project().join("begun").exists(), "{flag}");
        world.outlast(&[&["exec", flag], &script[..]].concat()).expect(0);
        assert_eq!(fs::remove_file(world.project().join("begun")).is_ok(), flag == "--require-sealed");
    }
}

#[test]
fn a_drill_is_not_held_changes_nothing_and_says_it_leaves_no_evidence() {
    let world = npm_project();
    let command = ["npm", "ci", "--no-audit"];
    world.record(&command).expect(0);
    let drill = [&["drill", "--"], &command[..]].concat();
    let done = outlast(&world, &drill).expect(3).says("the drill came to no verdict and leaves no evidence");
    done.says("user namespaces").says("hint: allow unprivileged user namespaces");
    assert!(!world.project().join("node_modules").exists());
    assert_eq!((world.evidence().len(), fs::read_dir(world.own().join("runs")).unwrap().count()), (0, 1));
    let status = world.outlast(&["status", "--json"]).expect(0).json();
    let states = texts(&status["cells"], "state");
    assert!(!states.is_empty() && states.iter().all(|state| *state == "claimed"), "{status:#}");

    world.outlast(&drill).expect(0).says("PASS");
    // Nor does it take anything from what was proved elsewhere.
    outlast(&world, &drill).expect(3);
    assert_eq!((world.evidence().len(), &world.newest_report()["verdict"]), (1, &"pass".into()));
}

#[test]
fn a_drill_that_is_held_and_observed_leaves_evidence_and_does_not_pass() {
    let (world, _upstream) = scene();
    world.record(&["curl", "-fsS", URL]).expect(0);
    world.drill(&["curl", "-fsS", URL]).expect(0).says("PASS");
    let text = fs::read_to_string(world.own().join("outlast.toml")).unwrap();
    world.configure(&format!("{text}[exec]\nallow_local = [9]\n"));
    world.drill(&["curl", "-fsS", URL]).expect(3).says("INCONCLUSIVE").says("the room was not sealed");
    let report = world.newest_report();
    assert_eq!((&report["verdict"], &report["containment"]), (&"inconclusive".into(), &"observed".into()));
    assert_eq!(world.evidence().len(), 2);
}

#[test]
fn what_is_not_to_be_looked_into_passes_as_it_is() {
    let (world, upstream) = (World::new(), Upstream::start_blocking());
    let port = upstream.tls_address().port();
    upstream.put("localhost", "/a.txt", Answer::text("the upstream's own\n"));
    upstream.put("plain.example", "/b.txt", Answer::text("plain\n"));
    let ca = upstream.ca_file(world.path());
    let place = places(&["plain.example"], &[("connect", &upstream.plain_address().to_string())]);
    let configure =
        |passthrough: &str| world.configure(&format!("{place}[exec]\npassthrough = [{passthrough}]\n"));
    // It trusts nobody but the upstream's own authority, as a client that pins does.
    let url = format!("https://localhost:{port}/a.txt");
    let fetch = ["curl", "-fsS", "--noproxy", "", "--cacert", ca.to_str().unwrap(), &url];
    let plain = ["curl", "-fsS", "http://plain.example/b.txt"];

    configure("");
    assert_ne!(outlast(&world, &[&["exec", "--"], &fetch[..]].concat()).code, 0, "the control: looked into");
    outlast(&world, &[&["exec", "--"], &plain[..]].concat()).expect(0);
    assert_eq!(texts(&world.newest_record()["objects"], "url"), ["http://plain.example/b.txt"]);

    configure("\"localhost\", \"plain.example\"");
    for (command, body, host) in
        [(&fetch[..], "the upstream's own\n", "localhost"), (&plain, "plain\n", "plain.example")]
    {
        let done = outlast(&world, &[&["exec", "--"], command].concat()).expect(0);
        assert_eq!(done.stdout, body);
        let record = world.newest_record();
        assert_eq!(record["objects"], serde_json::json!([]), "{host}");
        assert_eq!((&record["hosts"][0]["host"], &record["hosts"][0]["kept"]), (&host.into(), &false.into()));
        let reason = texts(&record["not_kept"], "reason").concat();
        assert!(reason.contains("exec.passthrough"), "{record:#}");
        // A cut is for what is not looked into, too.
        let done = outlast(&world, &[&["exec", "--cut", "all", "--"], command].concat());
        assert!(done.code != 0 && done.stdout.is_empty(), "{host}: {}{}", done.stdout, done.stderr);
    }
}

#[test]
fn a_stream_that_leads_out_of_the_room_is_no_sealed_room() {
    let world = World::new();
    let run = |script: &str| {
        let mut command = world.command("sh");
        command.args(["-c", script, "sh", OUTLAST]);
        finish(&mut command, b"")
    };
    let reasons = || world.newest_record()["containment_reasons"].to_string();
    run("exec \"$1\" exec --fresh -- true < /").expect(0);
    assert!(reasons().contains("standard input is a folder"), "{}", reasons());
    let connected = "exec python3 -c 'import os, socket, sys\n\
                     near = socket.create_server((\"127.0.0.1\", 0))\n\
                     far = socket.create_connection(near.getsockname())\n\
                     os.dup2(far.fileno(), 0)\n\
                     os.execv(sys.argv[1], sys.argv[1:])' \"$1\" exec --fresh -- true";
    run(connected).expect(0);
    assert!(reasons().contains("standard input is a connection"), "{}", reasons());
    run("\"$1\" drill -- true < /").expect(3);
    // The control: a file and a pipe lead nowhere.
    for script in ["exec \"$1\" exec --fresh -- true < /dev/null", "echo | \"$1\" exec --fresh -- true"] {
        run(script).expect(0);
        assert_eq!(world.newest_record()["containment"], "sealed", "{}", reasons());
    }
}

#[test]
fn a_project_in_the_home_is_refused() {
    let world = World::new();
    fs::create_dir_all(world.own()).unwrap();
    let mut command = world.command(OUTLAST);
    command.current_dir(world.own()).args(["exec", "--", "true"]);
    finish(&mut command, b"").expect(2).says("lies in Outlast's own home").says("hint: ");
}
