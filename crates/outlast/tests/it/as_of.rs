//! `--at`: a run and a drill as of yesterday.

use std::time::Duration;

use fakes::{Answer, Upstream};

use crate::world::World;

#[test]
fn a_run_and_a_drill_see_what_was_held_then() {
    let upstream = Upstream::start_blocking();
    let world = World::new();
    world.place(&upstream, &["web.example"]);
    let curl = ["curl", "-sS", "https://web.example/page"];
    let exec = |more: &[&str]| world.outlast(&[&["exec", "-q"], more, &["--"], &curl[..]].concat());
    let at = |time: &str| vec!["--at".to_owned(), time.to_owned()];
    let now = || {
        let written = world.outlast(&["exec", "-q", "--", "date", "-u", "+%Y-%m-%dT%H:%M:%S.%NZ"]).expect(0);
        written.stdout.trim().to_owned()
    };
    let before = now();
    upstream.put("web.example", "/page", Answer::text("old"));
    assert_eq!(exec(&[]).expect(0).stdout, "old");
    let yesterday = now();
    std::thread::sleep(Duration::from_millis(20));
    upstream.put("web.example", "/page", Answer::text("new"));
    assert_eq!(exec(&[]).expect(0).stdout, "new");

    let then = at(&yesterday);
    let then: Vec<&str> = then.iter().map(String::as_str).collect();
    assert_eq!(exec(&then).expect(0).stdout, "old");
    assert!(world.newest_record()["as_of"].is_string());
    let earlier = at(&before);
    let earlier: Vec<&str> = earlier.iter().map(String::as_str).collect();
    assert!(exec(&earlier).expect(0).stdout.contains("was not held at"));

    exec(&[]).expect(0);
    let drill = world.outlast(&[&["drill"], &then[..], &["--"], &curl[..]].concat()).expect(0);
    assert_eq!(drill.stdout.lines().next(), Some("old"), "{}", drill.stdout);
    assert!(world.newest_report()["as_of"].is_string());
    world.outlast(&["exec", "--at", "yesterday", "--", "true"]).expect(2);
}
