//! Locks that are sent to a server, by whoever may: it keeps what they pin before anybody asks for it.

use fakes::{Fault, Upstream};

use super::{NPM, Served};
use crate::world::{Done, OUTLAST, World, finish};

/// A project whose lock pins `left-pad` in one version, and a team's server that has nothing.
struct Scene {
    upstream: Upstream,
    team: World,
    project: World,
    served: Served,
}

impl Scene {
    fn new() -> Self {
        let upstream = Upstream::start_blocking();
        upstream.serve_npm(NPM, &[fakes::npm::package("left-pad", &[("1.3.0", &[]), ("1.4.0", &[])])]);
        let (team, project) = (World::new(), World::new());
        team.place(&upstream, &[NPM]);
        project.place(&upstream, &[NPM]);
        let served = {
            team.outlast(&["token", "add", "first", "--scope", "read"]).expect(0);
            Served::start(&team)
        };
        let scene = Self { upstream, team, project, served };
        scene.lock("1.3.0");
        scene
    }

    fn lock(&self, version: &str) {
        let package = fakes::npm::package("left-pad", &[(version, &[])]);
        self.project.write(&self.project.project().join("package-lock.json"), package.lock(NPM, version));
    }

    fn token(&self, name: &str, scope: &str) -> String {
        self.team.outlast(&["token", "add", name, "--scope", scope]).expect(0).stdout.trim().to_owned()
    }

    fn outlast(&self, token: &str, arguments: &[&str]) -> Done {
        let mut command = self.project.command(OUTLAST);
        finish(command.args(arguments).env("OUTLAST_TOKEN", token), b"")
    }

    fn n_asked(&self, version: &str) -> usize {
        self.upstream.n_asked(NPM, &format!("/left-pad/-/left-pad-{version}.tgz"))
    }

    fn becomes_asked(&self, version: &str) {
        let start = std::time::Instant::now();
        while self.n_asked(version) == 0 {
            assert!(start.elapsed() < std::time::Duration::from_secs(20), "{version} is never asked for");
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
    }
}

#[test]
fn a_server_keeps_what_the_locks_pin_that_somebody_may_send() {
    let scene = Scene::new();
    let (kim, reader) = (scene.token("kim", "adopt"), scene.token("reader", "read"));
    let adopt = |token: &str| scene.outlast(token, &["adopt", "--via", &scene.served.base, "--json", "."]);
    for (token, status) in [(&*reader, "403"), ("", "401"), ("outlast_guessed", "401")] {
        adopt(token).expect(1).says("--scope adopt");
        let bearer = format!("Authorization: Bearer {token}");
        assert_eq!(scene.served.get(&["-H", &bearer, "-X", "POST"], "/adopt").0, status, "{token}");
    }
    assert_eq!(scene.n_asked("1.3.0"), 0);
    let report = adopt(&kim).expect(0).json();
    assert_eq!(
        (&report["n_kept"], &report["locks"]),
        (&1.into(), &serde_json::json!(["package-lock.json"])),
        "{report:#}"
    );
    assert_eq!(scene.n_asked("1.3.0"), 1);
    // Nothing came to this machine, and the server has everything.
    assert!(scene.project.outlast(&["store", "stat"]).code != 0, "there is no home here");
    scene.upstream.on(NPM, "/*", Fault::Reset);
    let basic = format!("Authorization: Bearer {reader}");
    let file = scene.served.get(&["-H", &basic, "-o", "/dev/null"], "/npm/left-pad/-/left-pad-1.3.0.tgz");
    assert_eq!(file.0, "200");
    let status = scene.team.outlast(&["status", "--json"]).expect(0).json();
    let cell = &status["cells"][0];
    let name = scene.project.path().file_name().unwrap().to_str().unwrap();
    let expected = format!("{name}/project (kim)");
    assert_eq!((&cell["thing"], &cell["state"]), (&expected.into(), &"claimed".into()), "{status:#}");
    // The same locks again are no work at all.
    adopt(&kim).expect(0);
    // Others cannot be had now, and that is said.
    scene.lock("1.4.0");
    let report = adopt(&kim).expect(1).json();
    assert!(report["missing"][0]["name"].as_str().unwrap().contains("left-pad 1.4.0"), "{report:#}");
    // Whoever looks after the server hears of it, though the project is elsewhere.
    let findings = scene.team.outlast(&["doctor", "--json"]).json()["findings"].as_array().unwrap().clone();
    let lost = findings.iter().find(|finding| finding["kind"] == "not_adopted").unwrap();
    let (subject, detail) = (lost["subject"].as_str().unwrap(), lost["detail"].as_str().unwrap());
    assert!(subject.ends_with("(kim)") && detail.contains("left-pad 1.4.0"), "{lost:#}");
}

#[test]
fn a_run_that_asks_a_server_tells_it_of_a_changed_lock() {
    let scene = Scene::new();
    let (kim, reader) = (scene.token("kim", "adopt"), scene.token("reader", "read"));
    let run = |token: &str| {
        scene.outlast(token, &["exec", "--via", &scene.served.base, "--", "true"]).expect(0);
    };
    run(&kim);
    scene.becomes_asked("1.3.0");
    scene.lock("1.4.0");
    run(&reader);
    assert_eq!(scene.n_asked("1.4.0"), 0, "the control: who may only read has nothing kept");
    run(&kim);
    scene.becomes_asked("1.4.0");
}

#[test]
fn what_could_not_be_had_is_not_tried_again_by_each_run() {
    let scene = Scene::new();
    let kim = scene.token("kim", "adopt");
    let via = ["--via", &scene.served.base];
    let run = || {
        scene.outlast(&kim, &[&["exec"], &via[..], &["--", "true"]].concat()).expect(0);
    };
    scene.upstream.on(NPM, "/left-pad/-/*", Fault::Status(404));
    run();
    scene.becomes_asked("1.3.0");
    let adopt = || scene.outlast(&kim, &[&["adopt"], &via[..], &["--json", "."]].concat());
    // Sent while it is under way, they share it; sent after it, they are tried at once.
    adopt().expect(1);
    scene.upstream.clear_faults();
    for _ in 0..3 {
        run();
    }
    let missing = || adopt_event(&scene.team)["n_missing"].clone();
    assert_eq!(missing(), 1, "no run tried again");
    adopt().expect(0);
    assert_eq!(missing(), 0, "the control: a person did");
}

/// Returns the last event that says what was adopted.
fn adopt_event(team: &World) -> serde_json::Value {
    let journal = std::fs::read_to_string(team.own().join("journal/current.jsonl")).unwrap();
    let line = journal.lines().rev().find(|line| line.contains("\"adopted\"")).unwrap();
    let mut event = serde_json::from_str::<serde_json::Value>(line).unwrap();
    event["payload"].take()
}

#[test]
fn what_is_no_lock_is_refused_and_names_nothing_outside() {
    let scene = Scene::new();
    let kim = scene.token("kim", "adopt");
    let post = |body: &str| {
        let basic = format!("Authorization: Bearer {kim}");
        scene.served.get(&["-H", &basic, "-X", "POST", "--data-binary", body], "/adopt")
    };
    for body in
        ["", "{}", "[]", "{\"project\":\"a\",\"locks\":[{\"path\":\"a\"}]}", "{\"project\":\"a\",\"x\":1}"]
    {
        assert_eq!(post(body).0, "400", "{body}");
    }
    let sha256 = "0".repeat(64);
    let lock = |path: &str, text: &str| {
        let body = serde_json::json!({ "project": "a", "locks": [{ "path": path, "sha256": sha256, "text": text }] });
        post(&body.to_string())
    };
    let (status, said) = lock("../../etc/package-lock.json", "{ not json");
    assert_eq!(status, "200");
    assert!(said.contains("\"unread\":[\""), "{said}");
    let (status, said) = lock("package-lock.json", &"[".repeat(20_000));
    assert_eq!((status.as_str(), said.contains("\"unread\":[\"")), ("200", true), "{said}");
    // A lock that points inwards: nobody is asked there.
    let inward = r#"{"name":"a","lockfileVersion":3,"packages":{"node_modules/x":{"version":"1.0.0","resolved":"http://127.0.0.1:22/x.tgz"}}}"#;
    let (status, said) = lock("package-lock.json", inward);
    assert_eq!((status.as_str(), said.contains("\"n_kept\":0")), ("200", true), "{said}");
    assert_eq!(post(&format!("{{\"project\":\"a\",\"urls\":[\"{}\"]}}", "file:///etc/passwd")).0, "422");
}

#[test]
fn only_so_many_projects_wait_and_who_is_among_them_stays() {
    /// As docs/SERVING.md says.
    const N_WAITING_MAX: usize = 32;
    let scene = Scene::new();
    let kim = scene.token("kim", "adopt");
    scene.upstream.on(NPM, "*", Fault::Hang);
    let text = fakes::npm::package("left-pad", &[("1.3.0", &[])]).lock(NPM, "1.3.0");
    let send = |number: usize| {
        let lock = serde_json::json!({ "path": "package-lock.json", "sha256": "0".repeat(64), "text": text });
        let body = serde_json::json!({ "project": format!("project-{number}"), "locks": [lock] }).to_string();
        let bearer = format!("Authorization: Bearer {kim}");
        let arguments = ["-H", &bearer, "-H", "Prefer: respond-async", "-X", "POST", "--data-binary", &body];
        scene.served.get(&arguments, "/adopt")
    };
    for number in 0..N_WAITING_MAX {
        assert_eq!(send(number).0, "202", "{number}");
    }
    for number in [N_WAITING_MAX, N_WAITING_MAX + 1] {
        let (status, said) = send(number);
        assert!(status == "503" && said.contains("too many projects"), "{number}: {status} {said}");
    }
    assert_eq!(send(0).0, "202", "the control: one that waits already is joined");
    assert_eq!(scene.served.get(&[], "/healthz").0, "200", "and others are served");
}
