//! Rows about a server that is killed: while it stores, and right after it answered.

use std::time::{Duration, Instant};

use fakes::Fault;

use super::scene::Scene;
use crate::raw::Raw;
use crate::rows::{Edition, Shelf, each, large};

#[test]
fn a_kill_in_the_middle_of_a_transfer_leaves_nothing_of_it() {
    let mut scene = Scene::new(large());
    let source = scene.shelf.source.clone();
    scene.upstream.on_first(1, source.host, &source.path, Fault::StallAt { percent: 60 });
    let mut client = Raw::connect(&scene.served.base).unwrap();
    let request = format!("GET {} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", scene.path(&scene.shelf.file));
    client.send(request.as_bytes()).unwrap();
    assert!(client.read_some(1000) > 0);
    scene.kill_and_start();
    assert!(!client.answer().is_whole, "the client knows");
    scene.assert_clean("after the kill");
    let got = scene.file();
    assert!(got.is(&scene.shelf.bytes), "{} {}", got.head, got.body.len());
    assert_eq!(scene.n_asked(&source), 2);
}

#[test]
fn what_was_answered_soon_survives_a_kill() {
    each(killed);
}

/// A request never waits for the disk: what was answered is durable some 40 ms later. The moment is seen from outside.
fn killed(shelf: fn() -> Shelf) {
    let mut scene = Scene::held(shelf());
    scene.expect_kept(2);
    let good = scene.index();
    scene.kill_and_cut();
    let (index, file) = (scene.index(), scene.file());
    assert!(index.is(&good.body) && index.state() == "stale", "{index:?}");
    assert!(file.is(&scene.shelf.bytes) && file.state() == "fresh", "{file:?}");
    scene.assert_clean("after the kill");
}

#[test]
fn a_server_that_is_killed_at_any_step_of_a_commit_starts_again_and_is_right() {
    let (_, shelf) = crate::rows::SHELVES[0];
    for point in [
        "blob.temporary_written",
        "blob.synced",
        "blob.renamed",
        "journal.append",
        "journal.appended",
        "index.update",
    ] {
        let mut scene = Scene::new(shelf());
        scene.served.kill();
        let armed = format!("{point}=kill");
        scene.served = crate::serve::Served::start_with(&scene.world, "127.0.0.1:0", |command| {
            command.env("OUTLAST_FAILPOINTS", &armed);
        });
        // It is killed by one of these, or a moment later.
        let _ = (scene.index(), scene.file());
        let start = Instant::now();
        while scene.served.child.try_wait().unwrap().is_none() {
            assert!(start.elapsed() < Duration::from_secs(20), "{point} is never passed");
            std::thread::sleep(Duration::from_millis(10));
        }
        scene.kill_and_start();
        scene.assert_clean(point);
        assert_eq!(scene.index().status, 200, "{point}");
        assert!(scene.file().is(&scene.shelf.bytes), "{point}");
        scene.put(Edition::Newer);
        assert!(scene.index().text().contains("1.2.0"), "{point}: it takes what is new");
    }
}
