//! What `status` shows a person: a table that holds together, and of what needs attention all that still holds.

use fakes::{Answer, Fault, Upstream};
use serde_json::Value;

use crate::world::{World, texts};

const HOST: &str = "web.example";
const URL: &str = "https://web.example/page";

/// A world with a recorded document, and its upstream.
fn scene() -> (World, Upstream) {
    let (world, upstream) = (World::new(), Upstream::start_blocking());
    upstream.put(HOST, "/page", Answer::text("kept\n"));
    world.place(&upstream, &[HOST]);
    fetch(&world);
    (world, upstream)
}

fn fetch(world: &World) {
    let done = world.outlast(&["exec", "--", "curl", "-fsS", URL]).expect(0);
    assert_eq!(done.stdout, "kept\n");
}

/// Returns the events of one kind that `status` lists, which it shows one a line.
fn listed(world: &World, kind: &str) -> Vec<Value> {
    let status = world.outlast(&["status", "--json"]).expect(0).json();
    let events = status["events"].as_array().unwrap().iter();
    let listed: Vec<Value> = events.filter(|event| event["kind"] == kind).cloned().collect();
    let shown = world.outlast(&["status"]).expect(0).stdout;
    let n_shown = shown.lines().filter(|line| line.contains(&format!("  {kind} "))).count();
    assert_eq!(n_shown, listed.len(), "{shown}");
    listed
}

#[test]
fn an_outage_is_one_line_until_the_host_answers_again() {
    let (world, upstream) = scene();
    upstream.on(HOST, "*", Fault::Status(500));
    fetch(&world);
    let first = listed(&world, "stale");
    assert_eq!(texts(&Value::from(first.clone()), "subject"), [format!("host {HOST}")]);
    let since = first[0]["detail"].as_str().unwrap().split(": ").next().unwrap().to_owned();
    assert!(since.starts_with("since 20"), "{since}");
    // Twice more, and enough for nobody to ask it any more.
    for _ in 0..2 {
        fetch(&world);
        let again = listed(&world, "stale");
        assert_eq!(again.len(), 1, "{again:?}");
        assert!(again[0]["detail"].as_str().unwrap().starts_with(&since), "{again:?}: {since}");
        assert!(again[0]["time"].as_str() > first[0]["time"].as_str(), "the newest");
    }
    upstream.clear_faults();
    fetch(&world);
    assert_eq!(listed(&world, "stale"), [Value::Null; 0]);
    // Another outage begins anew.
    upstream.on(HOST, "*", Fault::Status(500));
    fetch(&world);
    let other = listed(&world, "stale");
    assert_eq!(other.len(), 1);
    assert!(!other[0]["detail"].as_str().unwrap().starts_with(&since), "{other:?}: {since}");
}

#[test]
fn a_damaged_copy_is_listed_until_it_is_whole() {
    let (world, _upstream) = scene();
    let sha256 = world.newest_record()["objects"][0]["sha256"].as_str().unwrap().to_owned();
    let write = |text: &str| {
        std::fs::remove_file(world.blob(&sha256)).unwrap();
        world.write(&world.blob(&sha256), text);
    };
    let meet = || world.outlast(&["exec", "--cut", "all", "--", "curl", "-fsS", URL]).expect(22);
    write("KEPT\n");
    meet();
    meet();
    assert_eq!(listed(&world, "damaged").len(), 1, "one copy, however often it was met");
    // Fetched anew.
    fetch(&world);
    assert_eq!(listed(&world, "damaged"), [Value::Null; 0]);
    write("KEPT\n");
    assert_eq!(listed(&world, "damaged").len(), 1, "it was met before");
    // Restored by hand.
    write("kept\n");
    assert_eq!(listed(&world, "damaged"), [Value::Null; 0]);
    std::fs::remove_file(world.blob(&sha256)).unwrap();
    assert_eq!(listed(&world, "damaged").len(), 1, "missing");
}

#[test]
fn what_is_gone_is_listed_until_it_is_back() {
    let (world, upstream) = scene();
    upstream.on(HOST, "*", Fault::Status(404));
    for _ in 0..2 {
        fetch(&world);
        assert_eq!(listed(&world, "gone").len(), 1);
    }
    upstream.clear_faults();
    fetch(&world);
    assert_eq!(listed(&world, "gone"), [Value::Null; 0]);
}

#[test]
fn a_name_does_not_spoil_the_table() {
    let (world, _upstream) = scene();
    let long = "long ".repeat(400);
    let names = ["one\n  build      without all  proved", "\u{1b}[2J\u{202e}two\t\r", long.as_str()];
    for name in names {
        world.outlast(&["exec", "-q", "--", "true", "x", name]).expect(0);
    }
    let shown = world.outlast(&["status"]).expect(0).stdout;
    assert!(
        !shown.chars().any(|letter| letter != '\n' && letter.is_control() || letter == '\u{202e}'),
        "{shown:?}"
    );
    assert!(shown.contains(r"\n") && shown.contains(r"\u{1b}[2J"), "{shown}");
    let cells = world.outlast(&["status", "--json"]).expect(0).json()["cells"].as_array().unwrap().len();
    // One line each, the folder's and the sum.
    assert_eq!(shown.lines().count(), cells + 2, "{shown}");
    assert!(shown.lines().all(|line| line.chars().count() < 240), "{shown}");
    // Programs get every name as it is.
    let status = world.outlast(&["status", "--json"]).expect(0).json();
    let whole = texts(&status["cells"], "what");
    assert!(names.iter().all(|name| whole.iter().any(|what| what.contains(name))), "{whole:?}");
}
