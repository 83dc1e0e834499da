//! Rows about an index that cannot be had, is worse than the one that is held, or lost something.

use fakes::{Answer, Fault};

use super::each;
use super::scene::{Door, Edition, Got, Scene, Shelf};

/// A copy is served at once; on a busy machine that is not 50 ms.
const AT_ONCE_S: f64 = 1.0;

/// What must hold where a fault is played on an index that is held.
struct Row {
    fault: Fault,
    state: &'static str,
    event: Option<&'static str>,
}

fn row(fault: Fault, state: &'static str, event: Option<&'static str>) -> Row {
    Row { fault, state, event }
}

/// Holds an index, plays a fault where a newer one lies, and checks that the held one is served.
#[track_caller]
fn stands(shelf: fn() -> Shelf, row: &Row) {
    let scene = Scene::held(shelf());
    let fault = &row.fault;
    let index = scene.shelf.index.clone();
    let good = scene.ask(Door::Sealed, &[&index]).remove(0);
    let n_objects = scene.n_objects();
    scene.put(Edition::Newer);
    let newer = scene.ask(Door::Direct, &[&index]).remove(0);
    scene.upstream.on(index.host, &index.path, fault.clone());
    scene.upstream.clear_log();
    let got = scene.ask(Door::Outlast, &[&index]).remove(0);
    assert!(got.is(&good.body), "{fault:?}: {got:?}");
    assert_eq!(got.state(), row.state, "{fault:?}: {}", got.head);
    assert!(got.total_s < AT_ONCE_S, "{fault:?}: {got:?}");
    assert_eq!(scene.n_asked(&index), 1, "{fault:?}");
    assert_eq!(scene.n_objects(), n_objects, "{fault:?}: nothing else is held");
    let events = scene.events();
    assert!(row.event.is_none_or(|kind| events.iter().any(|event| event == kind)), "{fault:?}: {events:?}");
    let later = scene.ask(Door::Sealed, &[&index, &scene.shelf.file]);
    assert!(later[0].is(&good.body) && later[1].is(&scene.shelf.bytes), "{fault:?}: {later:?}");
    // The control: without Outlast the fault reaches the client.
    let direct = scene.ask(Door::Direct, &[&index]).remove(0);
    assert!(!direct.is(&good.body) && !direct.is(&newer.body), "{fault:?}: {direct:?}");
}

#[test]
fn an_outage_is_met_with_the_copy() {
    each(outage);
}

/// The index cannot be had.
fn outage(shelf: fn() -> Shelf) {
    for fault in [Fault::Status(502), Fault::Status(500), Fault::RetryAfter429(1), Fault::Reset] {
        stands(shelf, &row(fault, "stale", None));
    }
}

#[test]
fn an_upstream_that_is_back_is_believed() {
    each(back);
}

/// Once it can be had again, the next client gets the newer one.
fn back(shelf: fn() -> Shelf) {
    for fault in [Fault::Status(502), Fault::Reset] {
        let scene = Scene::held(shelf());
        scene.put(Edition::Newer);
        let index = scene.shelf.index.clone();
        scene.upstream.on(index.host, "*", fault.clone());
        let down = scene.ask(Door::Outlast, &[&index]).remove(0);
        assert!(down.state() == "stale" && !down.text().contains("1.2.0"), "{fault:?}: {down:?}");
        scene.upstream.clear_faults();
        let up = scene.ask(Door::Outlast, &[&index]).remove(0);
        assert!(up.text().contains("1.2.0") && up.state() != "stale", "{fault:?}: {up:?}");
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
    // The control: a newer index that is right is believed.
    let scene = Scene::held(shelf());
    scene.put(Edition::Newer);
    let got = scene.ask(Door::Outlast, &[&scene.shelf.index]).remove(0);
    assert!(got.text().contains("1.2.0") && got.state() != "stale", "{got:?}");
    assert!(!scene.events().contains(&"rejected".to_owned()));
}

/// Returns a good index of another package.
pub(crate) fn another(shelf: &Shelf) -> Answer {
    let upstream = fakes::Upstream::start_blocking();
    (shelf.put)(&upstream, Edition::Newer);
    let world = crate::world::World::new();
    let mut curl = world.command("curl");
    let (url, proxy) = (shelf.index.url(), upstream.proxy_url());
    let ca = upstream.ca_file(world.path());
    curl.args(["-sS", "--proxy", &proxy, "--cacert", ca.to_str().unwrap(), "-w", "\n%{content_type}", &url]);
    let told = crate::world::finish(&mut curl, b"").expect(0).stdout;
    let (body, kind) = told.rsplit_once('\n').unwrap();
    Answer::bytes(kind, body.replace(shelf.name, "nemo"))
}

#[test]
fn a_vanished_index_stays() {
    each(vanished);
}

/// The whole package is a 404.
fn vanished(shelf: fn() -> Shelf) {
    stands(shelf, &row(Fault::Status(404), "gone", Some("gone")));
    stands(shelf, &row(Fault::Status(410), "gone", Some("gone")));
}

/// Holds what was first, lets the registry say something else, and returns the index and the file as clients get them.
#[track_caller]
fn after(shelf: fn() -> Shelf, edition: Edition, event: &str) -> (Scene, Got, Got) {
    let scene = Scene::held(shelf());
    scene.put(edition);
    let (index, file, source) =
        (scene.shelf.index.clone(), scene.shelf.file.clone(), scene.shelf.source.clone());
    scene.upstream.on(source.host, &source.path, Fault::Status(404));
    scene.upstream.clear_log();
    let mut got = scene.ask(Door::Outlast, &[&index, &file]);
    assert_eq!(scene.n_asked(&index), 1, "{edition:?}");
    let events = scene.events();
    assert!(events.iter().any(|found| found == event), "{edition:?}: {events:?}");
    let file = got.pop().unwrap();
    assert!(file.is(&scene.shelf.bytes), "{edition:?}: {file:?}");
    assert!(got[0].text().contains(&scene.shelf.digest), "{edition:?}: {}", got[0].text());
    let sealed = scene.ask(Door::Sealed, &[&index, &scene.shelf.file]);
    assert!(sealed[0].is(&got[0].body) && sealed[1].is(&file.body), "{edition:?}: {sealed:?}");
    // The control: without Outlast there is neither.
    let direct = scene.ask(Door::Direct, &[&index, &scene.shelf.file]);
    assert!(!direct[0].text().contains(&scene.shelf.digest), "{edition:?}: {}", direct[0].text());
    assert!(!direct[1].is(&scene.shelf.bytes), "{edition:?}");
    (scene, got.remove(0), file)
}

#[test]
fn an_unpublished_version_stays() {
    each(unpublished);
}

fn unpublished(shelf: fn() -> Shelf) {
    let (_, index, _) = after(shelf, Edition::Unpublished, "vanished");
    assert!(index.text().contains("1.1.0"));
}

#[test]
fn republished_bytes_do_not_replace_the_first() {
    each(republished);
}

fn republished(shelf: fn() -> Shelf) {
    after(shelf, Edition::Republished, "republished");
}

#[test]
fn a_name_that_is_taken_over_still_has_its_versions() {
    each(taken_over);
}

fn taken_over(shelf: fn() -> Shelf) {
    let (scene, index, _) = after(shelf, Edition::TakenOver, "vanished");
    assert!(index.text().contains(scene.shelf.foreign), "{}", index.text());
}

#[test]
fn nothing_held_is_unavailable_and_not_absent() {
    each(nothing_held);
}

fn nothing_held(shelf: fn() -> Shelf) {
    let scene = Scene::new(shelf());
    let (index, file) = (scene.shelf.index.clone(), scene.shelf.file.clone());
    scene.upstream.on("*", "*", Fault::Status(502));
    for got in scene.ask(Door::Outlast, &[&index, &file]) {
        assert_eq!(got.status, 503, "{got:?}");
        assert!(got.field("retry-after").parse::<u64>().is_ok(), "{}", got.head);
    }
    assert_eq!(scene.n_objects(), 0);
    assert!(scene.ask(Door::Direct, &[&index, &file]).iter().all(|got| got.status == 502), "the control");
    scene.upstream.clear_faults();
    let got = scene.ask(Door::Outlast, &[&index, &file]);
    assert!(got[0].status == 200 && got[1].is(&scene.shelf.bytes), "it comes back by itself: {got:?}");
}
