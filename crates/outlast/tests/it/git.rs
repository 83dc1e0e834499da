//! Git in a room, and what is not kept: repositories that want credentials pass live, and questions are remembered for the same
//! body only.

use fakes::git::Repository;
use fakes::{Answer, Upstream};
use serde_json::{Value, json};

use crate::world::{World, texts};

#[test]
fn git_over_https_is_kept_and_a_drill_clones_it() {
    let (world, upstream) = (World::new(), Upstream::start_blocking());
    let repository = Repository::create(&world.path().join("repository"));
    repository.commit("main", "first", &[("a.txt", "kept\n")]);
    upstream.serve_git("git.example.com", "/owner/name.git", &repository);
    world.place(&upstream, &["git.example.com"]);

    let clone = ["git", "clone", "--quiet", "https://git.example.com/owner/name.git", "cloned"];
    let done = world.outlast(&[&["exec", "--"], &clone[..]].concat()).expect(0);
    assert!(done.stderr.contains("2 verified, 0 first seen, 0 not kept"), "{}", done.stderr);
    assert_eq!(std::fs::read_to_string(world.project().join("cloned/a.txt")).unwrap(), "kept\n");
    let record = world.newest_record();
    assert_eq!((&record["not_kept"], &record["hosts"][0]["kept"]), (&json!([]), &json!(true)));
    let object = &record["objects"][0];
    assert_eq!((&object["proof"], &object["source"]), (&json!("verified"), &json!("upstream")));
    // Now the repository is followed like any other.
    world.outlast(&["sync"]).expect(0).says("1 repository: 1 unchanged");

    // The host is cut, and the clone is the same.
    std::fs::remove_dir_all(world.project().join("cloned")).unwrap();
    world.drill(&clone).expect(0);
    let report = world.newest_report();
    assert_eq!((&report["verdict"], &report["objects"][0]["source"]), (&json!("pass"), &json!("copy")));
    assert_eq!(report["bytes_from_cut_hosts"], 0);
    // So it is in a run whose host is down, and with its copy on disk gone.
    upstream.on("git.example.com", "*", fakes::Fault::Status(502));
    std::fs::remove_dir_all(world.own().join("git")).unwrap();
    world.outlast(&[&["exec", "--"], &clone[..]].concat()).expect(0);
    assert_eq!(world.newest_record()["objects"][0]["freshness"], "stale");
}

#[test]
fn a_repository_that_nobody_may_read_passes_live_and_is_listed() {
    let (world, upstream) = (World::new(), Upstream::start_blocking());
    let repository = Repository::create(&world.path().join("repository"));
    repository.commit("main", "first", &[("a.txt", "private\n")]);
    upstream.serve_git_behind("git.example.com", "/owner/name.git", &repository, "Basic a2ltOlMzQ1JFVA==");
    world.place(&upstream, &["git.example.com"]);

    let clone = ["git", "clone", "--quiet", "https://kim:S3CRET@git.example.com/owner/name.git", "cloned"];
    let done = world.outlast(&[&["exec", "--"], &clone[..]].concat()).expect(0);
    assert!(done.stderr.contains("not kept: https://git.example.com/owner/name.git/"), "{}", done.stderr);
    assert_eq!(std::fs::read_to_string(world.project().join("cloned/a.txt")).unwrap(), "private\n");
    let record = world.newest_record();
    let not_kept = texts(&record["not_kept"], "url");
    for path in ["info/refs?service=git-upload-pack", "git-upload-pack"] {
        let url = format!("https://git.example.com/owner/name.git/{path}");
        assert!(not_kept.contains(&url.as_str()), "{not_kept:?}");
    }
    assert_eq!(record["hosts"][0]["kept"], false);
    world.outlast(&["sync"]).expect(1).says("no repository is kept yet");

    // What is not kept does not survive, and the drill says so.
    std::fs::remove_dir_all(world.project().join("cloned")).unwrap();
    let done = world.drill(&clone).expect(1);
    done.says("that no copy can answer").says("git.example.com");
    let report = world.newest_report();
    assert_eq!((&report["verdict"], &report["missing"][0]["never_kept"]), (&json!("fail"), &json!(true)));
    assert!(!report["reasons"].to_string().contains("exec --fresh"), "{}", report["reasons"]);

    // The client is told no other.
    let refs = "https://git.example.com/owner/name.git/info/refs?service=git-upload-pack";
    let done = world.outlast(&["exec", "--cut", "all", "--", "curl", "-sS", refs]).expect(0);
    let told: Value = serde_json::from_str(&done.stdout).unwrap();
    let hint = told["hint"].as_str().unwrap();
    assert!(hint.starts_with("no copy of such a request is ever kept"), "{told}");
}

/// The question that `npm audit` asks, as curl.
fn ask(body: &str) -> Vec<String> {
    let url = "https://registry.npmjs.org/-/npm/v1/security/advisories/bulk";
    let words =
        ["curl", "-sS", "-w", "\n%{http_code}", "-H", "Content-Type: application/json", "-d", body, url];
    words.map(str::to_owned).to_vec()
}

fn outlast(world: &World, before: &[&str], command: &[String]) -> crate::world::Done {
    let command: Vec<&str> = command.iter().map(String::as_str).collect();
    world.outlast(&[before, &command[..]].concat())
}

#[test]
fn an_audit_is_remembered_for_the_same_body_only() {
    let (world, upstream) = (World::new(), Upstream::start_blocking());
    let found = r#"{"left-pad":[{"id":1,"severity":"high","vulnerable_versions":"<2"}]}"#;
    upstream.handle("registry.npmjs.org", "/-/npm/v1/security/advisories/bulk", move |asked| {
        let is_known = asked.body.windows(8).any(|part| part == b"left-pad");
        Some(Answer::json(if is_known { found } else { "{}" }))
    });
    world.place(&upstream, &["registry.npmjs.org"]);
    let known = ask(r#"{"left-pad":["1.3.0"]}"#);
    let done = outlast(&world, &["exec", "--fresh", "--"], &known).expect(0);
    assert_eq!(done.stdout, format!("{found}\n200"));
    assert_eq!(world.newest_record()["objects"][0]["method"], "POST");

    let drilled = outlast(&world, &["drill", "--"], &known).expect(0);
    assert_eq!(drilled.stdout, format!("{found}\n200"));
    // Nobody ever asked this: in an outage there is no answer, least of all an all-clear.
    let other = outlast(&world, &["exec", "--cut", "all", "--"], &ask(r#"{"is-odd":["1.0.0"]}"#)).expect(0);
    let (body, status) = other.stdout.rsplit_once('\n').unwrap();
    assert_eq!(status, "503");
    let body: Value = serde_json::from_str(body).unwrap();
    assert!(body["error"].is_string() && body["hint"].is_string(), "{body}");
}

#[test]
fn an_audit_that_the_registry_does_not_offer_is_answered_the_same_way() {
    let (world, upstream) = (World::new(), Upstream::start_blocking());
    let path = "/-/npm/v1/security/advisories/bulk";
    upstream.handle("registry.npmjs.org", path, |_| Some(Answer::status(405)));
    world.place(&upstream, &["registry.npmjs.org"]);
    let question = ask(r#"{"left-pad":["1.3.0"]}"#);
    let done = outlast(&world, &["exec", "--fresh", "--"], &question).expect(0);
    assert!(done.stdout.ends_with("\n405"), "{}", done.stdout);
    let drilled = outlast(&world, &["drill", "--"], &question).expect(0);
    assert_eq!(drilled.stdout, done.stdout);
}
