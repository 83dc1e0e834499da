//! What a drill must not pass: damage, absence, nothing to compare with, other outputs.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;

use fakes::{Answer, Upstream, tar_gz};
use serde_json::{Value, json};

use crate::clients::npm_project;
use crate::world::{OUTLAST, World, finish, texts};

/// npm would ask three times for a file that is not there, a minute in all.
const NPM_CI: [&str; 4] = ["npm", "ci", "--no-audit", "--fetch-retries=0"];
const CRATE: &str = "https://static.crates.io/crates/itoa/itoa-1.0.15.crate";

/// Returns an npm project that was recorded, and the tarball among its objects.
fn recorded() -> (World, Value) {
    let world = npm_project();
    world.record(&NPM_CI).expect(0);
    let record = world.newest_record();
    let objects = record["objects"].as_array().unwrap();
    let tarball = objects.iter().find(|object| object["url"].as_str().unwrap().ends_with(".tgz")).unwrap();
    let tarball = tarball.clone();
    (world, tarball)
}

#[track_caller]
fn fails_and_names(world: &World, object: &Value) {
    world.drill(&NPM_CI).expect(1).says("FAIL").says(object["url"].as_str().unwrap());
    let report = world.newest_report();
    assert_eq!(report["verdict"], "fail");
    let missing = report["missing"].as_array().unwrap();
    let is_named = |one: &Value| one["url"] == object["url"] && one["sha256"] == object["sha256"];
    assert!(missing.iter().any(is_named), "{report:#}");
}

#[test]
fn a_blob_that_is_gone_fails_the_drill_and_is_named() {
    let (world, tarball) = recorded();
    world.drill(&NPM_CI).expect(0).says("PASS");
    fs::remove_file(world.blob(tarball["sha256"].as_str().unwrap())).unwrap();
    fails_and_names(&world, &tarball);
    let verified = world.outlast(&["store", "verify", "--json"]).expect(1);
    assert_eq!(texts(&verified.json()["damaged"], "fault"), ["missing"]);
}

#[test]
fn a_blob_with_another_byte_fails_the_drill_and_is_named() {
    let (world, tarball) = recorded();
    let path = world.blob(tarball["sha256"].as_str().unwrap());
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::remove_file(&path).unwrap();
    fs::write(&path, bytes).unwrap();
    fails_and_names(&world, &tarball);
    let verified = world.outlast(&["store", "verify", "--json"]).expect(1);
    assert_eq!(texts(&verified.json()["damaged"], "fault"), ["flipped"]);
    // The way out that `store verify` names.
    world.record(&NPM_CI).expect(0);
    world.drill(&NPM_CI).expect(0);
    world.outlast(&["store", "verify"]).expect(0);
}

#[test]
fn what_fetches_nothing_is_inconclusive() {
    let world = World::new();
    world.record(&["true"]).expect(0);
    world.drill(&["true"]).expect(3).says("fetched nothing").says("hint: ");
    assert_eq!(world.newest_report()["verdict"], "inconclusive");
}

#[test]
fn another_command_is_no_recorded_run() {
    let (world, _) = recorded();
    world.drill(&["npm", "ci"]).expect(3).says("no run of this command").says("hint: record one first");
    assert_eq!(world.evidence().len(), 0);
}

#[test]
fn a_recorded_run_that_failed_is_inconclusive() {
    let world = World::new();
    let command = ["sh", "-c", &format!("curl -fsSO {CRATE}; exit 4")];
    world.record(&command).expect(4).says("a drill needs a run that succeeds");
    // Nothing ever succeeded that could be named.
    world.drill(&command).expect(3).says("exited with 4").says("hint: make it succeed first");
    assert_eq!(world.newest_report()["verdict"], "inconclusive");
}

#[test]
fn an_interrupted_run_is_the_newest_one_and_the_newest_good_one_is_named() {
    let world = World::new();
    // Ctrl-C is a signal like this one, which nobody ignores where the tests run in the background.
    let script = format!("curl -fsSO {CRATE}; test ! -e interrupt || kill -TERM $$");
    let command = ["sh", "-c", &script];
    let interrupt = world.project().join("interrupt");
    world.record(&command).expect(0);
    let good = world.newest_record()["run_id"].as_str().unwrap().to_owned();
    world.write(&interrupt, "");
    world.record(&command).expect(143);
    fs::remove_file(&interrupt).unwrap();

    let named = format!("hint: add --run {good} to compare");
    world.drill(&command).expect(3).says("exited with 143").says(&named);
    let report = world.newest_report();
    assert!(report["reasons"][0].as_str().unwrap().contains(&named), "{report:#}");
    world.outlast(&[&["drill", "--run", &good, "--"], &command[..]].concat()).expect(0).says("PASS");
    world.record(&command).expect(0);
    let drilled = world.drill(&command).expect(0).says("PASS");
    assert!(!drilled.stderr.contains("--run"), "{}", drilled.stderr);
}

#[test]
fn commands_that_differ_in_what_is_no_text_are_two_commands() {
    let world = World::new();
    let script = format!("curl -fsSO {CRATE}; printf %s \"$1\" | od -An -tx1");
    let run = |verb: &[&str], last: &[u8]| {
        let mut command = world.command(OUTLAST);
        command.args(verb).args(["--", "sh", "-c", &script, "sh"]).arg(OsStr::from_bytes(last));
        finish(&mut command, b"")
    };
    let recorded = run(&["exec", "--fresh"], b"a\xff").expect(0).says(r"$'a\377'");
    assert_eq!(recorded.stdout.trim(), "61 ff", "the command itself has its own bytes");
    assert_eq!(world.newest_record()["command"][4], "a\u{fffd}ff");
    for other in [&b"a\xfe"[..], b"aff", "a\u{fffd}".as_bytes(), "a\u{fffd}ff".as_bytes()] {
        run(&["drill"], other).expect(3).says("no run of this command");
    }
    let drilled = run(&["drill"], b"a\xff").expect(0).says("PASS");
    assert_eq!(drilled.stdout.trim(), "61 ff");
}

#[test]
fn a_host_that_nobody_asks_shows_nothing() {
    let (world, _) = recorded();
    world
        .outlast(&[&["drill", "--cut", "crates.io", "--"], &NPM_CI[..]].concat())
        .expect(3)
        .says("asked none of the hosts that were cut");
}

#[test]
fn outputs_must_be_equal() {
    let check = |script: &str, code: i32, verdict: &str| {
        let world = World::new();
        let command = ["--output", "out", "--", "sh", "-c", script];
        world.outlast(&[&["exec", "--fresh"], &command[..]].concat()).expect(0);
        let outputs = texts(&world.newest_record()["outputs"], "path").len();
        assert_eq!(outputs, 1, "{script}");
        let drilled = world.outlast(&[&["drill"], &command[..]].concat()).expect(code);
        assert_eq!(world.newest_report()["verdict"], verdict, "{}", drilled.stderr);
    };
    let fetch = format!("mkdir -p out && curl -fsS {CRATE} | sha256sum > out/made");
    check(&fetch, 0, "pass");
    check(&format!("{fetch} && date +%N >> out/made"), 1, "fail");
    check(&format!("{fetch} && mv out/made out/$(date +%N)"), 1, "fail");
}

#[test]
fn an_objective_is_judged() {
    let (world, _) = recorded();
    let drill =
        |objective: &str| world.outlast(&[&["drill", "--objective", objective, "--"], &NPM_CI[..]].concat());
    drill("15m").expect(0);
    assert_eq!(world.newest_report()["objective_ms"], 900_000);
    drill("soon").expect(2);
}

#[test]
fn a_scenario_file_says_everything() {
    let world = npm_project();
    let command = ["exec", "--fresh", "--output", "node_modules", "--", "npm", "ci", "--no-audit"];
    world.outlast(&command).expect(0);
    let file = world.path().join("registry-gone.toml");
    let scenario = |fault: &str| {
        format!(
            "name = \"registry-gone\"\ncut = [\"registry.npmjs.org={fault}\"]\n\
             run = [\"npm\", \"ci\", \"--no-audit\"]\nobjective = \"15m\"\noutput = [\"node_modules\"]\n"
        )
    };
    world.write(&file, scenario("502"));
    world.outlast(&["drill", file.to_str().unwrap()]).expect(0).says("PASS").says("registry-gone");
    let report = world.newest_report();
    assert_eq!(report["scenario"], "registry-gone");
    assert_eq!(report["cut"], json!([{ "host": "registry.npmjs.org", "fault": "502" }]));
    assert!(!report["outputs"].as_array().unwrap().is_empty());

    world.write(&file, scenario("explode"));
    world.outlast(&["drill", file.to_str().unwrap()]).expect(2).says("registry-gone.toml:2: ").says("hint: ");
    world.write(&file, b"name = \"a\"\ncut = [\"all\"] # \xe9\n");
    let not_text = "registry-gone.toml:2: the byte 0xE9 is not UTF-8; hint: save the file as UTF-8";
    world.outlast(&["drill", file.to_str().unwrap()]).expect(2).says(not_text);
    world.outlast(&["drill", "nowhere.toml"]).expect(2).says("nowhere.toml").says("hint: ");
}

#[test]
fn a_request_that_was_never_answered_does_not_pass() {
    let world = World::new();
    let url = "https://index.crates.io/config.json";
    // Fetches something that is held, then something that is not, without the patience to hear so, and goes on.
    let script = |url: &str| {
        let impatient = format!("test -e recording || curl -sS -m 0.4 -o more {url} || true");
        format!("curl -fsSO {CRATE}; {impatient}")
    };
    let check = |url: &str, code: i32| {
        let command = ["sh", "-c", &script(url)];
        world.write(&world.project().join("recording"), "");
        world.record(&command).expect(0);
        std::fs::remove_file(world.project().join("recording")).unwrap();
        world.outlast(&[&["drill", "--cut", "all=hang", "--"], &command[..]].concat()).expect(code)
    };
    check(url, 1).says("FAIL").says(&format!("{url} (the client went away before it was answered)"));
    let report = world.newest_report();
    assert_eq!((texts(&report["missing"], "url"), &report["exit_code"]), (vec![url], &json!(0)));
    // The control: what is held is there in time.
    check(CRATE, 0).says("PASS");
}

#[test]
fn a_list_that_is_cut_off_does_not_pass() {
    let world = World::new();
    // Some datagrams are lost on the way to whoever counts them: three times as many as are listed.
    let scan = "import socket, time\ns = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n\
                for n in range(1, 12289):\n  s.sendto(b'x', ('192.0.2.1', n))\n  if n % 64 == 0: time.sleep(0.002)";
    let world = world.file("scan.py", scan);
    let fetch = format!("curl -fsSO {CRATE}");
    let command = ["sh", "-c", &format!("{fetch} && python3 scan.py")];
    world.record(&command).expect(0).says("not listed, because it is too much");
    let record = world.newest_record();
    assert!(record["unlisted"]["n_refused"].as_u64() > Some(0), "{}", record["unlisted"]);
    world.drill(&command).expect(3).says("INCONCLUSIVE").says("the lists are cut off: 0 more requests");
    // The control: without the scan it passes, and nothing is said.
    let command = ["sh", "-c", &fetch];
    assert!(!world.record(&command).expect(0).stderr.contains("not listed"));
    world.drill(&command).expect(0).says("PASS");
    assert_eq!(world.newest_report()["unlisted"], Value::Null);
}

#[test]
fn a_cut_host_behind_a_redirect_was_asked() {
    let (world, upstream) = (World::new(), Upstream::start_blocking());
    world.place(&upstream, &["api.github.com", "codeload.github.com"]);
    let commits = ["f16e1d5863e37f8d8c2a01719f5b34baa2b714d3", "0123456789012345678901234567890123456789"];
    let body = tar_gz("acme-one", &[("composer.json", "{}")]);
    let n_bytes = body.len();
    upstream.put("codeload.github.com", "/signed", Answer::file(body));
    for commit in commits {
        let led = Answer::status(302).header("location", "https://codeload.github.com/signed");
        upstream.put("api.github.com", &format!("/repos/acme/one/zipball/{commit}"), led);
    }
    let script = "curl -fsS -o one.zip https://api.github.com/repos/acme/one/zipball/$(cat commit)";
    let command = ["sh", "-c", script];
    fs::write(world.project().join("commit"), commits[0]).unwrap();
    world.record(&command).expect(0);
    let record = world.newest_record();
    let hosts = record["hosts"].as_array().unwrap();
    let behind = hosts.iter().find(|host| host["host"] == "codeload.github.com").unwrap();
    let expected = json!({
        "host": "codeload.github.com", "port": 443, "n_requests": 1, "size_bytes": n_bytes, "kept": true
    });
    assert_eq!(*behind, expected);

    // What was never recorded leads to the host that is cut: it was asked, and nothing stood in for it.
    fs::write(world.project().join("commit"), commits[1]).unwrap();
    let cut = ["drill", "--cut", "codeload.github.com", "--"];
    world.outlast(&[&cut, &command[..]].concat()).expect(1).says("1 object was asked for and not held");
    let report = world.newest_report();
    assert_eq!((&report["verdict"], &report["bytes_from_cut_hosts"]), (&json!("fail"), &json!(0)));
}
