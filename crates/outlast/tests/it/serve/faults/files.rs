//! Rows about the bytes of a file: cut, wrong, asked for in part, or no longer to be had.

use std::fs;

use fakes::Fault;
use model::Sha256;

use super::scene::{Scene, becomes};
use crate::rows::{SHELVES, Shelf, each};

/// A broken transfer breaks at once; others leave the client hanging.
const AT_ONCE_S: f64 = 5.0;

#[test]
fn a_held_file_needs_no_upstream() {
    each(held);
}

fn held(shelf: fn() -> Shelf) {
    for fault in [Fault::Status(502), Fault::RetryAfter429(60), Fault::Status(403), Fault::Hang, Fault::Reset]
    {
        let scene = Scene::held(shelf());
        scene.upstream.on("*", "*", fault.clone());
        let got = scene.file();
        assert!(got.is(&scene.shelf.bytes) && got.state() == "fresh", "{fault:?}: {got:?}");
        assert_eq!(scene.upstream.log().len(), 0, "{fault:?}: nobody is asked");
        assert_eq!(got.field("content-length"), scene.shelf.bytes.len().to_string());
    }
}

#[test]
fn a_file_cut_once_arrives_whole() {
    each(cut_once);
}

fn cut_once(shelf: fn() -> Shelf) {
    for fault in [Fault::Short, Fault::CutAt { percent: 80 }, Fault::ShortChunked] {
        let scene = Scene::new(shelf());
        assert_eq!(scene.index().status, 200);
        let source = &scene.shelf.source;
        scene.upstream.on_first(1, source.host, &source.path, fault.clone());
        let got = scene.file();
        assert!(got.is(&scene.shelf.bytes), "{fault:?}: {got:?}");
        assert_eq!(scene.n_asked(source), 2, "{fault:?}: the rest is asked for once");
        scene.upstream.on_first(1, source.host, &source.path, fault.clone());
        assert!(!scene.direct(source).is_whole, "the control: {fault:?}");
    }
}

/// Plays a fault on the file whatever is tried, and checks that nobody takes what comes for the file.
#[track_caller]
fn is_refused(shelf: fn() -> Shelf, fault: &Fault) {
    let mut scene = Scene::new(shelf());
    let source = scene.shelf.source.clone();
    // HTTP/2 has no body that just ends.
    scene.upstream.speak_http1(source.host);
    assert_eq!(scene.index().status, 200);
    scene.upstream.on(source.host, &source.path, fault.clone());
    let got = scene.file();
    assert!(got.is_refused() && got.took.as_secs_f64() < AT_ONCE_S, "{fault:?}: {got:?}");
    let direct = scene.direct(&source);
    assert!(direct.status == 200 && direct.body != scene.shelf.bytes, "the control: {fault:?}: {direct:?}");
    scene.kill_and_start();
    let again = scene.file();
    assert!(again.is_refused(), "{fault:?}, started anew: {again:?}");
    scene.upstream.clear_faults();
    becomes("right", || scene.file(), |got| got.is(&scene.shelf.bytes));
    scene.assert_clean(&format!("{fault:?}"));
}

#[test]
fn a_file_that_is_always_cut_is_never_held() {
    each(|shelf| {
        for fault in [Fault::Short, Fault::ShortChunked, Fault::ShortWithoutLength, Fault::TruncatedJson] {
            is_refused(shelf, &fault);
        }
    });
}

/// Those whose index has digests.
fn vouched() -> impl Iterator<Item = fn() -> Shelf> {
    SHELVES.into_iter().filter(|(registry, _)| *registry != "Composer").map(|(_, shelf)| shelf)
}

#[test]
fn wrong_bytes_are_quarantined() {
    for shelf in vouched() {
        is_refused(shelf, &Fault::WrongBytes);
        // As `npm ci` and its like do: only the file is asked for, and the index for its digest.
        let scene = Scene::new(shelf());
        let source = &scene.shelf.source;
        scene.upstream.on(source.host, &source.path, Fault::WrongBytes);
        let got = scene.file();
        assert!(got.is_refused(), "{got:?}");
        let asked = scene.upstream.log();
        let n_indexes = asked.iter().filter(|seen| seen.path == scene.shelf.index.path).count();
        assert_eq!(n_indexes, 1, "it is asked for the digest");
        scene.expect_event("quarantined");
        scene.upstream.clear_faults();
        becomes("right", || scene.file(), |got| got.is(&scene.shelf.bytes));
    }
}

#[test]
fn where_nobody_vouches_the_first_bytes_win() {
    let (_, shelf) = SHELVES[3];
    let scene = Scene::held(shelf());
    let source = &scene.shelf.source;
    scene.upstream.on(source.host, &source.path, Fault::WrongBytes);
    assert!(scene.file().is(&scene.shelf.bytes));
    assert_eq!(scene.upstream.log().len(), 0, "nobody is asked");
    assert_ne!(scene.direct(source).body, scene.shelf.bytes, "the control");
}

#[test]
fn a_part_of_a_file_is_that_part_before_and_after_a_kill() {
    each(parts);
}

fn parts(shelf: fn() -> Shelf) {
    // The first asks while nothing is held.
    let mut scene = Scene::new(shelf());
    assert_eq!(scene.index().status, 200);
    let bytes = scene.shelf.bytes.clone();
    let half = bytes.len() / 2;
    for is_new in [false, true] {
        if is_new {
            // What was answered is kept soon; until then it would be asked for once more.
            assert!(scene.file().is(&bytes));
            scene.kill_and_start();
        }
        let ask = |headers: &[&str]| scene.ask(&scene.shelf.file, headers);
        for (range, expected) in [
            (format!("bytes=-{half}"), &bytes[bytes.len() - half..]),
            (format!("bytes={half}-"), &bytes[half..]),
            ("bytes=0-0".to_owned(), &bytes[..1]),
        ] {
            let got = ask(&[&format!("Range: {range}")]);
            assert!(got.is_whole, "{range}: {got:?}");
            assert!(got.status == 206 && got.body == expected, "{range}: {got:?}");
            assert!(got.field("content-range").ends_with(&format!("/{}", bytes.len())), "{}", got.head);
        }
        let beyond = ask(&["Range: bytes=99999999-"]);
        assert_eq!(beyond.status, 416, "{beyond:?}");
        // Several parts at once, and a part of what was another file, are answered whole.
        assert!(ask(&["Range: bytes=0-1,3-4"]).is(&bytes));
        assert!(ask(&["Range: bytes=0-1", "If-Range: \"another\""]).is(&bytes));
    }
}

#[test]
fn a_damaged_copy_is_never_given_out_and_mended_from_its_upstream() {
    each(damaged);
}

fn damaged(shelf: fn() -> Shelf) {
    let mut scene = Scene::held(shelf());
    scene.upstream.on("*", "*", Fault::Status(502));
    let blob = scene.world.blob(&Sha256::of(&scene.shelf.bytes).to_string());
    scene.expect_kept(2);
    scene.served.kill();
    let mut flipped = scene.shelf.bytes.clone();
    flipped[scene.shelf.bytes.len() / 2] ^= 1;
    fs::remove_file(&blob).unwrap();
    fs::write(&blob, flipped).unwrap();
    scene.kill_and_start();
    let got = scene.file();
    assert!(got.is_refused() && got.status != 404, "{got:?}");
    scene.upstream.clear_faults();
    becomes("mended", || scene.file(), |got| got.is(&scene.shelf.bytes));
    scene.upstream.on("*", "*", Fault::Status(502));
    assert!(scene.file().is(&scene.shelf.bytes), "it is kept once more");
}
