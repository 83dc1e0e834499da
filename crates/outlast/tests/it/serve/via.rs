//! A machine that has never seen a project, and a team's server that has adopted it.

use std::fs;
use std::time::Duration;

use fakes::{Answer, Fault, Upstream, composer::HOSTS};
use serde_json::json;

use super::{NPM, Served, package, upstream};
use crate::composer::{INSTALL, N_PACKAGES, Scene};
use crate::world::{World, places, texts};

/// Where nothing listens.
const NOWHERE: &str = "127.0.0.1:9";

/// Returns a new machine with some files of a project, for which hosts are nowhere.
fn cut_off(project: &World, files: &[&str], hosts: &[&str]) -> World {
    let world = World::new().with("COMPOSER_ALLOW_SUPERUSER", "1");
    for file in files {
        world.write(&world.project().join(file), fs::read(project.project().join(file)).unwrap());
    }
    world.configure(&places(hosts, &[("connect", NOWHERE)]));
    world
}

#[test]
fn a_new_machine_installs_what_the_server_adopted_while_all_hosts_are_gone() {
    let scene = Scene::new();
    let adopted = scene.world.outlast(&["adopt", "--json", "."]).expect(0).json();
    assert_eq!(adopted["n_kept"], N_PACKAGES, "{adopted:#}");
    assert_eq!(
        adopted["first_seen"].as_array().unwrap().len(),
        N_PACKAGES,
        "no archive of GitHub has a checksum"
    );
    assert_eq!((&adopted["missing"], &adopted["locks"]), (&json!([]), &json!(["./composer.lock"])));
    scene.connect(NOWHERE);
    let served = Served::start(&scene.world);

    let world = cut_off(&scene.world, &["composer.json", "composer.lock"], &HOSTS);
    let impatient = ["exec", "--", "timeout", "-s", "KILL", "10"];
    assert_ne!(world.outlast(&[&impatient, &INSTALL[..]].concat()).code, 0, "the control: no server");
    let done = world.outlast(&[&["exec", "--via", &served.base, "--"], &INSTALL[..]].concat()).expect(0);
    let vendor = fs::read_dir(world.project().join("vendor/acme")).unwrap().count();
    assert_eq!(vendor, N_PACKAGES, "{}", done.stderr);
    let lock = |world: &World| fs::read(world.project().join("composer.lock")).unwrap();
    assert_eq!(lock(&world), lock(&scene.world), "nobody touched it");
    let record = world.newest_record();
    assert_eq!(record["via"], served.base.as_str());
    assert!(
        done.stderr.contains(&format!("the server {} gave {N_PACKAGES} answers\n", served.base)),
        "{}",
        done.stderr
    );
    assert!(texts(&record["objects"], "source").iter().all(|source| *source == "copy"), "{record:#}");
    served.end();

    // What passed is kept here too.
    fs::remove_dir_all(world.project().join("vendor")).unwrap();
    fs::remove_dir_all(world.home()).unwrap();
    fs::create_dir(world.home()).unwrap();
    world.outlast(&[&["exec", "--"], &INSTALL[..]].concat()).expect(0);
    world.outlast(&["store", "verify"]).expect(0);
}

/// A server's host as it is asked for, and where it has the file of the lock.
const ITSELF: &str = "127.0.0.1";
const TARBALL: &str = "/npm/left-pad/-/left-pad-1.3.0.tgz";
const CI: [&str; 4] = ["npm", "ci", "--no-audit", "--fetch-retries=0"];

/// An upstream, and a project whose lock npm itself has made.
fn locked() -> (Upstream, World) {
    let upstream = upstream();
    let manifest = r#"{"name":"small","version":"1.0.0","dependencies":{"left-pad":"1.3.0"}}"#;
    let world = World::new().file("package.json", manifest);
    world.place(&upstream, &[NPM]);
    world.outlast(&["exec", "--", "npm", "install", "--package-lock-only", "--no-audit"]).expect(0);
    (upstream, world)
}

fn exec_via(world: &World, url: &str) -> crate::world::Done {
    let _ = fs::remove_dir_all(world.home());
    fs::create_dir(world.home()).unwrap();
    world.outlast(&[&["exec", "--via", url, "--"], &CI[..]].concat())
}

#[test]
fn a_server_that_is_gone_hangs_or_has_nothing_holds_nobody_up() {
    let (upstream, project) = locked();
    let other = |name: &str| {
        let world = cut_off(&project, &["package.json", "package-lock.json"], &[]);
        world.place(&upstream, &[NPM]);
        (world, name.to_owned())
    };
    let (direct, _) = other("no server");
    let normal = direct.outlast(&[&["exec", "--"], &CI[..]].concat()).expect(0).took;
    // One that never answers.
    let deaf = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    // One that answers everything with a page.
    let page = Upstream::start_blocking();
    page.put(ITSELF, TARBALL, Answer::text("<html>welcome</html>"));
    // One whose store is empty, and whose upstreams are nowhere.
    let empty = World::new();
    empty.configure(&places(&[NPM], &[("connect", NOWHERE)]));
    let served = Served::start(&empty);
    for (what, url) in [
        ("gone", format!("http://{NOWHERE}")),
        ("deaf", format!("http://{}", deaf.local_addr().unwrap())),
        ("a page", format!("http://{}", page.plain_address())),
        ("empty", served.base.clone()),
    ] {
        let (world, _) = other(what);
        let done = exec_via(&world, &url).expect(0);
        assert!(world.project().join("node_modules/left-pad").is_dir(), "{what}");
        assert!(done.stderr.contains(&format!("the server {url} gave 0 answers")), "{what}: {}", done.stderr);
        // A whole run of npm on a busy machine, which at its end tells the server of its lock: see `under_way.rs` for less than a second.
        let extra = done.took.saturating_sub(normal);
        assert!(extra < Duration::from_secs(3), "{what}: {extra:?} more than {normal:?}: {}", done.stderr);
        assert!(texts(&world.newest_record()["objects"], "source").contains(&"upstream"), "{what}");
    }
}

#[test]
fn a_server_that_breaks_off_does_not_break_the_build() {
    let (upstream, project) = locked();
    project.outlast(&["adopt", "package-lock.json"]).expect(0);
    let n_asked = upstream.log().len();
    // A server that gives the first half of everything, and closes.
    let server = Upstream::start_blocking();
    let file = package().tarball("1.3.0").clone();
    server.put(ITSELF, TARBALL, Answer::file(file).header("outlast-state", "fresh"));
    server.on(ITSELF, TARBALL, Fault::Short);
    let world = cut_off(&project, &["package.json", "package-lock.json"], &[]);
    world.place(&upstream, &[NPM]);
    exec_via(&world, &format!("http://{}", server.plain_address())).expect(0);
    assert!(world.project().join("node_modules/left-pad").is_dir());
    assert!(server.n_asked(ITSELF, TARBALL) > 0, "{:?}", server.log());
    assert!(upstream.log().len() > n_asked, "the origin gave the rest");
}

/// A server that is a fake, and gives what it is told to.
fn fake_server() -> (Upstream, String) {
    let server = Upstream::start_blocking();
    let url = format!("http://{}", server.plain_address());
    (server, url)
}

#[test]
fn what_is_wrong_with_the_servers_answer_the_origin_has_right() {
    let (upstream, project) = locked();
    let file = || package().tarball("1.3.0").clone();
    let (fresh, stale) = ("fresh", "stale; since=2026-01-01T00:00:00Z; reason=x");
    let answers = [
        ("wrong bytes", Answer::file("something else").header("outlast-state", fresh), None),
        ("an absence of last year", Answer::status(404).header("outlast-state", stale), None),
        (
            "a redirect to a page",
            Answer::status(302).header("location", "/login").header("outlast-state", stale),
            None,
        ),
        (
            "half of it",
            Answer::file(file()).header("outlast-state", fresh),
            Some(Fault::StallAt { percent: 50 }),
        ),
        (
            "a trickle",
            Answer::file(file()).header("outlast-state", fresh),
            Some(Fault::StallAt { percent: 0 }),
        ),
    ];
    for (what, answer, fault) in answers {
        let (server, url) = fake_server();
        server.put(ITSELF, TARBALL, answer);
        if let Some(fault) = fault {
            server.on(ITSELF, TARBALL, fault);
        }
        let world = cut_off(&project, &["package.json", "package-lock.json"], &[]);
        world.place(&upstream, &[NPM]);
        let done = exec_via(&world, &url).expect(0);
        assert!(world.project().join("node_modules/left-pad").is_dir(), "{what}");
        assert!(done.took < Duration::from_secs(20), "{what}: {:?}", done.took);
        assert!(server.n_asked(ITSELF, TARBALL) > 0, "{what}: the server was not asked");
        world.outlast(&["store", "verify"]).expect(0);
    }
}

#[test]
fn a_server_that_hangs_while_the_origin_is_gone_holds_nobody_for_long() {
    let (_upstream, project) = locked();
    let deaf = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let world = cut_off(&project, &["package.json", "package-lock.json"], &[NPM]);
    let url = format!("http://{}", deaf.local_addr().unwrap());
    let done = exec_via(&world, &url);
    assert_ne!(done.code, 0);
    assert!(done.took < Duration::from_secs(30), "{:?}: {}", done.took, done.stderr);
}

#[test]
fn an_index_that_the_server_could_not_confirm_is_no_match_for_the_origins() {
    let upstream = upstream();
    upstream.serve_npm(NPM, &[fakes::npm::package("left-pad", &[("1.3.0", &[]), ("1.4.0", &[])])]);
    let (server, url) = fake_server();
    let old = package().packument(NPM).to_string();
    let answer = Answer::json(old)
        .header("outlast-state", "stale; since=2026-01-01T00:00:00Z; reason=x")
        .header("age", "9");
    server.put(ITSELF, "/npm/left-pad", answer);
    let world = World::new();
    world.place(&upstream, &[NPM]);
    let curl = [
        "curl",
        "-fsS",
        "-H",
        "Accept: application/vnd.npm.install-v1+json",
        "https://registry.npmjs.org/left-pad",
    ];
    let seen =
        |world: &World| world.outlast(&[&["exec", "--fresh", "--via", &url, "--"], &curl[..]].concat());
    assert!(seen(&world).expect(0).stdout.contains("1.4.0"), "the origin's");
    // Where the origin gives nothing it is better than nothing, and its age is told.
    let other = World::new();
    other.configure(&places(&[NPM], &[("connect", NOWHERE)]));
    let got = seen(&other).expect(0).stdout;
    assert!(got.contains("1.3.0") && !got.contains("1.4.0"), "{got}");
    assert_eq!(other.newest_record()["objects"][0]["freshness"], "stale");
}

#[test]
fn what_the_server_gives_everybody_is_no_answer_to_somebody_with_a_login() {
    let upstream = Upstream::start_blocking();
    upstream.put("a.example", "/mine", Answer::text("mine"));
    let (server, url) = fake_server();
    server.put(ITSELF, "/files/a.example/mine", Answer::text("everybody's").header("outlast-state", "fresh"));
    let world = World::new();
    world.place(&upstream, &["a.example"]);
    let get = |header: &str| {
        let curl = ["curl", "-fsS", "-H", header, "https://a.example/mine"];
        world.outlast(&[&["exec", "--fresh", "--via", &url, "--"], &curl[..]].concat()).expect(0).stdout
    };
    assert_eq!(get("Authorization: Bearer S3CRET"), "mine");
    assert_eq!(server.n_asked(ITSELF, "/files/a.example/mine"), 0);
    assert_eq!(get("X-Nothing: S3CRET"), "everybody's", "the control");
    assert!(
        !format!("{:?}", server.log()).contains("S3CRET"),
        "no header goes there that is not known to be harmless"
    );
}

#[test]
fn a_drill_proves_what_a_new_machine_gets_from_the_server() {
    let (_upstream, project) = locked();
    project.outlast(&["adopt", "."]).expect(0);
    let served = Served::start(&project);
    let drill = |via: &str| project.outlast(&[&["drill", "--via", via, "--"], &CI[..]].concat());
    drill(&served.base).expect(3).says("record one first");
    project.record(&CI).expect(0);
    drill(&served.base).expect(0);
    let report = project.newest_report();
    assert_eq!((&report["verdict"], &report["via"]), (&json!("pass"), &json!(served.base)), "{report:#}");
    assert_eq!(report["bytes_from_cut_hosts"], 0);
    // The control: what this home has itself is no help, and what a server lacks is no loss of this home.
    drill(&format!("http://{NOWHERE}")).expect(1);
    let status = project.outlast(&["status", "--json"]).expect(0).json();
    assert!(texts(&status["cells"], "state").iter().all(|state| *state == "claimed"), "{status:#}");
    project.outlast(&[&["drill", "--"], &CI[..]].concat()).expect(0);
}

#[test]
fn a_server_that_gave_wrong_bytes_in_a_drill_is_told_of_when_the_drill_is_over() {
    let (_upstream, project) = locked();
    project.record(&CI).expect(0);
    let (server, url) = fake_server();
    server.put(ITSELF, TARBALL, Answer::file("something else").header("outlast-state", "fresh"));
    project.outlast(&[&["drill", "--via", &url, "--"], &CI[..]].concat()).expect(1);
    let status = project.outlast(&["status", "--json"]).expect(0).json();
    let events = status["events"].as_array().unwrap();
    let told = events.iter().find(|event| event["kind"] == "quarantined").unwrap();
    let detail = told["detail"].as_str().unwrap();
    let gave = format!("`{}` gave", server.plain_address());
    assert!(detail.contains(&gave), "the server did, and not the registry: {detail}");
    project.outlast(&["store", "verify"]).expect(0);
}

#[test]
fn an_audit_that_its_host_cannot_answer_is_answered_by_the_server_with_its_age() {
    const AUDIT: &str = "/-/npm/v1/security/advisories/bulk";
    let upstream = Upstream::start_blocking();
    upstream.put(NPM, AUDIT, Answer::json(r#"{"left-pad":[{"id":1}]}"#));
    let team = World::new();
    team.place(&upstream, &[NPM]);
    let url = format!("https://{NPM}{AUDIT}");
    let audit = |world: &World, via: &[&str], body: &str| {
        let curl = ["curl", "-sS", "-i", "-H", "content-type: application/json", "-d", body, &url];
        world.outlast(&[&["exec"], via, &["--"], &curl[..]].concat()).expect(0).stdout
    };
    audit(&team, &[], r#"{"left-pad":["1.3.0"]}"#);
    upstream.on(NPM, "/*", Fault::Status(502));
    let served = Served::start(&team);
    let world = cut_off(&team, &[], &[NPM]);
    let asked = r#"{"left-pad":["1.3.0"]}"#;
    let alone = audit(&world, &[], asked);
    assert!(alone.contains("503"), "the control: nobody else is asked: {alone}");
    let via = ["--via", served.base.as_str()];
    let answered = audit(&world, &via, asked);
    assert!(answered.contains(r#"{"left-pad":[{"id":1}]}"#), "{answered}");
    assert!(answered.contains("outlast-state: stale"), "{answered}");
    let other = audit(&world, &via, r#"{"left-pad":["9.9.9"]}"#);
    assert!(other.contains("503") && !other.contains("\"id\""), "no false all-clear: {other}");
    // It is remembered here, too.
    served.end();
    assert!(audit(&world, &[], asked).contains("\"id\":1"));
}
