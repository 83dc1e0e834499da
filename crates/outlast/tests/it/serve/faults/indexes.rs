//! Rows about an index that cannot be had, is worse than the one that is held, or lost something.

use fakes::{Answer, Fault};

use super::scene::{Scene, becomes};
use crate::raw::Got;
use crate::rows::{Edition, Shelf, another, each};

/// A copy is served at once, or after the second that a hang may cost; on a busy machine that is not 50 ms.
const SOON_S: f64 = 2.0;
/// After so many failures nobody asks any more for a while.
const N_ASKED_MAX: usize = 3;
const N_LATER: usize = 30;

/// What must hold where a fault is played on an index that is held.
struct Row {
    fault: Fault,
    state: &'static str,
    event: Option<&'static str>,
}

fn row(fault: Fault, state: &'static str, event: Option<&'static str>) -> Row {
    Row { fault, state, event }
}

/// Returns a scene in which a newer index lies behind a fault, the one that is held, and the newer one.
fn behind(shelf: fn() -> Shelf, fault: &Fault) -> (Scene, Got, Got) {
    let scene = Scene::held(shelf());
    let good = scene.index();
    scene.put(Edition::Newer);
    let newer = scene.direct(&scene.shelf.index);
    scene.upstream.on(scene.shelf.index.host, &scene.shelf.index.path, fault.clone());
    scene.upstream.clear_log();
    (scene, good, newer)
}

#[track_caller]
fn stands(shelf: fn() -> Shelf, row: &Row) {
    let fault = &row.fault;
    let (mut scene, good, newer) = behind(shelf, fault);
    let got = scene.index();
    assert!(got.is(&good.body), "{fault:?}: {got:?}");
    assert_eq!(got.state(), row.state, "{fault:?}: {}", got.head);
    assert!(got.field("outlast-state").contains("; since=20"), "{fault:?}: {}", got.head);
    assert!(got.took.as_secs_f64() < SOON_S, "{fault:?}: {got:?}");
    assert_eq!(scene.n_asked(&scene.shelf.index), 1, "{fault:?}");
    for n in 0..N_LATER {
        let later = scene.index();
        assert!(later.is(&good.body) && later.state() == row.state, "{fault:?} {n}: {later:?}");
    }
    let n_asked = scene.n_asked(&scene.shelf.index);
    // Whoever gives a wrong answer is up: who asks again may hear something better.
    assert!(!is_trouble(fault) || n_asked <= N_ASKED_MAX, "{fault:?}: asked {n_asked} times");
    if let Some(event) = row.event {
        scene.expect_event(event);
    }
    let file = scene.file();
    assert!(file.is(&scene.shelf.bytes) && file.state() == "fresh", "{fault:?}: {file:?}");
    assert_eq!(scene.n_asked(&scene.shelf.source), 0, "{fault:?}: it is held");
    // The control: without Outlast the fault reaches the client.
    let direct = scene.direct(&scene.shelf.index);
    assert!(newer.text().contains("1.2.0") && !direct.is(&newer.body), "{fault:?}: {direct:?}");

    scene.expect_kept(2);
    scene.kill_and_start();
    let (index, file) = (scene.index(), scene.file());
    assert!(index.is(&good.body) && index.state() == row.state, "{fault:?}, started anew: {index:?}");
    assert!(file.is(&scene.shelf.bytes), "{fault:?}, started anew: {file:?}");
    scene.assert_clean(&format!("{fault:?}"));
}

/// Returns whether a fault says that the host is down, or wants to be left alone.
fn is_trouble(fault: &Fault) -> bool {
    matches!(
        fault,
        Fault::Status(500..)
            | Fault::RetryAfter429(_)
            | Fault::RetryAfter503(_)
            | Fault::Reset
            | Fault::Short
    )
}

#[test]
fn an_outage_is_met_with_the_copy() {
    each(outage);
}

/// The index cannot be had: the service fails, limits, or wants to know who asks.
fn outage(shelf: fn() -> Shelf) {
    for fault in [
        Fault::Status(502),
        Fault::Status(500),
        Fault::Status(401),
        Fault::Status(403),
        Fault::RetryAfter429(60),
        Fault::RetryAfter503(60),
        Fault::Reset,
        Fault::Short,
        Fault::RedirectLoop,
        Fault::RedirectTo("https://portal.example/login".to_owned()),
    ] {
        stands(shelf, &row(fault, "stale", None));
    }
}

#[test]
fn a_worse_index_is_not_believed() {
    each(worse);
}

/// Whatever is answered is no index of this package.
fn worse(shelf: fn() -> Shelf) {
    let of_another = another(&shelf());
    for fault in [
        Fault::Html200,
        Fault::TruncatedJson,
        Fault::Older(Answer::json("{}")),
        Fault::Older(Answer::json("")),
        Fault::Older(of_another),
    ] {
        stands(shelf, &row(fault, "stale", Some("rejected")));
    }
}

#[test]
fn a_vanished_index_stays() {
    each(vanished);
}

/// The whole package is a 404.
fn vanished(shelf: fn() -> Shelf) {
    for status in [404, 410] {
        stands(shelf, &row(Fault::Status(status), "gone", Some("gone")));
    }
}

#[test]
fn a_host_that_is_not_who_it_says_is_down() {
    each(handshakes);
}

/// The certificate ran out, is another's or nobody's; or there is no handshake, or nobody at all.
fn handshakes(shelf: fn() -> Shelf) {
    for fault in [
        Some(Fault::ExpiredCertificate),
        Some(Fault::ForeignCertificate),
        Some(Fault::WrongHostCertificate),
        Some(Fault::NoHandshake),
        Some(Fault::SilentHandshake),
        None,
    ] {
        let mut scene = Scene::held(shelf());
        let good = scene.index();
        scene.expect_kept(2);
        scene.put(Edition::Newer);
        scene.upstream.clear_log();
        match &fault {
            Some(fault) => {
                scene.upstream.on(scene.shelf.index.host, "*", fault.clone());
                // Connections of before the fault are good.
                scene.kill_and_start();
            }
            None => scene.kill_and_cut(),
        }
        let (got, file) = (scene.index(), scene.file());
        assert!(got.is(&good.body) && got.state() == "stale", "{fault:?}: {got:?}");
        assert!(got.took.as_secs_f64() < SOON_S, "{fault:?}: {got:?}");
        assert!(file.is(&scene.shelf.bytes), "{fault:?}: {file:?}");
        assert_eq!(scene.upstream.log().len(), 0, "{fault:?}: nothing is told to whoever that is");
    }
}

#[test]
fn an_upstream_that_is_back_is_believed() {
    each(back);
}

/// Once it can be had again, the next client gets the newer one.
fn back(shelf: fn() -> Shelf) {
    for fault in [Fault::Status(502), Fault::Reset, Fault::RetryAfter429(1), Fault::Html200] {
        let (scene, good, _) = behind(shelf, &fault);
        assert!(scene.index().is(&good.body), "{fault:?}");
        scene.upstream.clear_faults();
        let is_newer = |got: &Got| got.state() == "fresh" && got.text().contains("1.2.0");
        becomes("fresh again", || scene.index(), is_newer);
    }
}

/// Holds what was first, lets the registry say something else and have no file; returns what clients then get.
#[track_caller]
fn after(shelf: fn() -> Shelf, edition: Edition, event: &str) -> Got {
    let mut scene = Scene::held(shelf());
    scene.put(edition);
    scene.upstream.on(scene.shelf.source.host, &scene.shelf.source.path, Fault::Status(404));
    let (index, file) = (scene.index(), scene.file());
    assert_eq!(scene.n_asked(&scene.shelf.index), 1, "{edition:?}");
    assert!(file.is(&scene.shelf.bytes), "{edition:?}: {file:?}");
    assert!(index.text().contains(&scene.shelf.digest), "{edition:?}: {}", index.text());
    scene.expect_event(event);
    // The control: the registry itself has neither.
    assert!(!scene.direct(&scene.shelf.index).text().contains(&scene.shelf.digest), "{edition:?}");
    assert_eq!(scene.direct(&scene.shelf.source).status, 404, "{edition:?}");
    scene.kill_and_cut();
    let (later, file) = (scene.index(), scene.file());
    assert!(later.is(&index.body) && file.is(&scene.shelf.bytes), "{edition:?}, cut off: {later:?}");
    index
}

#[test]
fn an_unpublished_version_stays() {
    each(|shelf| assert!(after(shelf, Edition::Unpublished, "vanished").text().contains("1.1.0")));
}

#[test]
fn republished_bytes_do_not_replace_the_first() {
    each(|shelf| _ = after(shelf, Edition::Republished, "republished"));
}

#[test]
fn a_name_that_is_taken_over_still_has_its_versions() {
    each(|shelf| {
        let foreign = shelf().foreign;
        assert!(after(shelf, Edition::TakenOver, "vanished").text().contains(foreign));
    });
}

#[test]
fn nothing_held_is_unavailable_and_not_absent() {
    each(nothing_held);
}

fn nothing_held(shelf: fn() -> Shelf) {
    for fault in [Fault::Status(502), Fault::Reset, Fault::Html200] {
        let scene = Scene::new(shelf());
        scene.upstream.on("*", "*", fault.clone());
        let (index, file) = (scene.index(), scene.file());
        assert_eq!(index.status, 503, "{fault:?}: {index:?}");
        assert!(index.field("retry-after").parse::<u64>().is_ok(), "{fault:?}: {}", index.head);
        // Composer asks a host that answers 5xx sixteen times, and goes on at once after a 429.
        assert!([503, 429].contains(&file.status), "{fault:?}: {file:?}");
        let stat = scene.world.outlast(&["store", "stat", "--json"]).expect(0).json();
        assert_eq!(stat["n_objects"], 0, "{fault:?}: nothing is held");
        scene.upstream.clear_faults();
        becomes("200", || scene.index(), |got| got.status == 200);
        becomes("the file", || scene.file(), |got| got.is(&scene.shelf.bytes));
    }
}

#[test]
fn what_never_was_is_absent() {
    each(|shelf| {
        let scene = Scene::new(shelf());
        scene.upstream.on("*", "*", Fault::Status(404));
        let (index, file) = (scene.index(), scene.file());
        assert_eq!(index.status, 404, "{index:?}");
        // By package and reference: "not to be found out now" is all that can be said without an index.
        let is_by_name = scene.path(&scene.shelf.file).starts_with("/composer/dists/");
        assert_eq!(file.status, if is_by_name { 429 } else { 404 }, "{file:?}");
    });
}
