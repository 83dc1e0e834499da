//! Rows about the bytes of a file: cut, wrong, or no longer to be had.

use std::time::{Duration, Instant};

use fakes::Fault;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::each;
use super::scene::{Door, Place, Scene, Shelf};
use crate::world::OUTLAST;

/// A broken transfer breaks at once; others leave the client hanging.
const AT_ONCE_S: f64 = 5.0;

fn fail(scene: &Scene, fault: Fault) -> (Place, Place) {
    let source = &scene.shelf.source;
    scene.upstream.on(source.host, &source.path, fault);
    (scene.shelf.index.clone(), scene.shelf.file.clone())
}

#[test]
fn a_held_file_needs_no_upstream() {
    each(held);
}

fn held(shelf: fn() -> Shelf) {
    let scene = Scene::held(shelf());
    scene.upstream.on("*", "*", Fault::Status(502));
    let file = scene.shelf.file.clone();
    let got = scene.ask(Door::Outlast, &[&file]).remove(0);
    assert!(got.is(&scene.shelf.bytes), "{got:?}");
    assert_eq!(scene.upstream.log().len(), 0, "nobody is asked");
    assert_eq!(scene.ask(Door::Direct, &[&file])[0].status, 502, "the control");
}

#[test]
fn a_file_cut_once_arrives_whole() {
    each(cut_once);
}

fn cut_once(shelf: fn() -> Shelf) {
    for fault in [Fault::Short, Fault::CutAt { percent: 80 }] {
        let scene = Scene::new(shelf());
        let source = scene.shelf.source.clone();
        let (index, file) = (scene.shelf.index.clone(), scene.shelf.file.clone());
        scene.upstream.on_first(1, source.host, &source.path, fault.clone());
        let got = scene.ask(Door::Outlast, &[&index, &file]).remove(1);
        assert!(got.is(&scene.shelf.bytes), "{fault:?}: {got:?}");
        assert_eq!(scene.n_asked(&source), 2, "{fault:?}: the rest is asked for once");
        assert!(scene.ask(Door::Sealed, &[&file])[0].is(&scene.shelf.bytes), "{fault:?}");
        scene.upstream.on_first(1, source.host, &source.path, fault.clone());
        assert_ne!(scene.ask(Door::Direct, &[&file])[0].exit, 0, "the control: {fault:?}");
    }
}

/// Plays a fault on the file whatever is tried, and checks that nobody takes what comes for the file.
#[track_caller]
fn is_refused(shelf: fn() -> Shelf, fault: &Fault) -> Scene {
    let scene = Scene::new(shelf());
    // HTTP/2 has no body that just ends.
    scene.upstream.speak_http1(scene.shelf.source.host);
    let (index, file) = fail(&scene, fault.clone());
    let got = scene.ask(Door::Outlast, &[&index, &file]).remove(1);
    assert!(got.is_refused() && got.total_s < AT_ONCE_S, "{fault:?}: {got:?}");
    let sealed = scene.ask(Door::Sealed, &[&file]).remove(0);
    assert_eq!(sealed.status, 503, "{fault:?}: nothing is held: {sealed:?}");
    let direct = scene.ask(Door::Direct, &[&file]).remove(0);
    assert!(!direct.is(&scene.shelf.bytes) && direct.status == 200, "the control: {fault:?}: {direct:?}");
    scene
}

#[test]
fn a_file_that_is_always_cut_is_never_held() {
    each(cut_always);
}

fn cut_always(shelf: fn() -> Shelf) {
    for fault in [Fault::Short, Fault::ShortChunked, Fault::ShortWithoutLength] {
        let scene = is_refused(shelf, &fault);
        scene.upstream.clear_faults();
        let file = scene.shelf.file.clone();
        let got = scene.ask(Door::Outlast, &[&file]).remove(0);
        assert!(got.is(&scene.shelf.bytes), "{fault:?}: the next one is right: {got:?}");
    }
}

pub(super) fn wrong_bytes(shelf: fn() -> Shelf) {
    let scene = is_refused(shelf, &Fault::WrongBytes);
    assert!(scene.events().contains(&"quarantined".to_owned()), "{:?}", scene.events());
    // As `npm ci` and its like do: only the file is asked for, and the index for its digest.
    let scene = Scene::new(shelf());
    let (index, file) = fail(&scene, Fault::WrongBytes);
    let got = scene.ask(Door::Outlast, &[&file]).remove(0);
    assert!(got.is_refused(), "{got:?}");
    let n_indexes = scene.upstream.log().iter().filter(|seen| seen.path == index.path).count();
    assert_eq!(n_indexes, 1, "it is asked for the digest");
    assert!(scene.events().contains(&"quarantined".to_owned()), "{:?}", scene.events());
}

/// Where nobody vouches for a file, the first bytes win, and others are not asked for.
pub(super) fn other_bytes(shelf: fn() -> Shelf) {
    let scene = Scene::held(shelf());
    let (_, file) = fail(&scene, Fault::WrongBytes);
    let got = scene.ask(Door::Outlast, &[&file]).remove(0);
    assert!(got.is(&scene.shelf.bytes), "{got:?}");
    assert_eq!(scene.upstream.log().len(), 0, "nobody is asked");
    let direct = scene.ask(Door::Direct, &[&file]).remove(0);
    assert!(direct.exit == 0 && !direct.is(&scene.shelf.bytes), "the control: {direct:?}");
}

#[test]
fn what_was_answered_soon_survives_a_kill() {
    each(killed);
}

/// A request never waits for the disk: what was answered is durable some 40 ms later, and at the latest when a run ends.
fn killed(shelf: fn() -> Shelf) {
    let scene = Scene::new(shelf());
    let file = scene.shelf.file.clone();
    let script = format!("curl -sSL -o body {} && sleep 2 && touch answered && sleep 60", file.url());
    let mut run = scene.world.command(OUTLAST);
    let mut child = run.args(["exec", "-q", "--", "sh", "-c", &script]).spawn().unwrap();
    let start = Instant::now();
    while !scene.left("answered").exists() && start.elapsed() < Duration::from_secs(30) {
        std::thread::sleep(Duration::from_millis(2));
    }
    kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), Signal::SIGKILL).unwrap();
    child.wait().unwrap();
    assert_eq!(std::fs::read(scene.left("body")).unwrap(), scene.shelf.bytes);
    scene.connect("127.0.0.1:9");
    let got = scene.ask(Door::Outlast, &[&file, &scene.shelf.index]);
    assert!(got[0].is(&scene.shelf.bytes), "{got:?}");
    scene.world.outlast(&["store", "verify"]).expect(0);
}
