//! Rows that take days: the server was off, the upstream was down for hours, a certificate ran out. The clock is moved.

use std::time::Duration;

use fakes::{Answer, Fault};
use serde_json::json;

use super::scene::{Scene, becomes};
use crate::dated::Dated;
use crate::rows::{Edition, SHELVES, Shelf, each, tell};

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);
const YEAR: Duration = Duration::from_secs(365 * 86_400);
/// Longer than any of these tests takes.
const FRESH_FOR: &str = "1h";

/// Returns a scene in which index and file are held, with its clock.
fn held(shelf: fn() -> Shelf) -> (Scene, Dated) {
    let (world, clock) = Dated::new();
    let scene = Scene::of(world, shelf(), FRESH_FOR);
    let (index, file) = (scene.index(), scene.file());
    assert_eq!((index.status, index.state()), (200, "fresh"), "{index:?}");
    assert!(file.is(&scene.shelf.bytes), "{file:?}");
    scene.expect_kept(2);
    scene.upstream.clear_log();
    (scene, clock)
}

/// Returns how each request to the index was made: with a validator or without.
fn conditional(scene: &Scene) -> Vec<bool> {
    let log = scene.upstream.log();
    let of_index = log.iter().filter(|seen| seen.path == scene.shelf.index.path);
    let validators = ["if-none-match", "if-modified-since"];
    of_index.map(|seen| validators.iter().any(|name| seen.headers.contains_key(*name))).collect()
}

#[test]
fn who_was_off_for_days_lost_nothing_and_asks_for_what_changed() {
    each(off_for_days);
}

fn off_for_days(shelf: fn() -> Shelf) {
    for edition in [Edition::First, Edition::Newer, Edition::Unpublished, Edition::TakenOver] {
        let (mut scene, mut clock) = held(shelf);
        let before = scene.index();
        scene.served.kill();
        scene.put(edition);
        // The file is only here by now.
        scene.upstream.on(scene.shelf.source.host, &scene.shelf.source.path, Fault::Status(404));
        scene.kill_and_start();
        // The control: an hour has not passed, and nobody is asked.
        assert!(scene.index().is(&before.body), "{edition:?}");
        assert_eq!(scene.upstream.log().len(), 0, "{edition:?}");

        scene.served.kill();
        clock.pass(DAY * 3);
        scene.kill_and_start();
        let after = scene.index();
        assert_eq!((after.status, after.state()), (200, "fresh"), "{edition:?}: {after:?}");
        assert_eq!(conditional(&scene), [true], "{edition:?}: once, and only what changed");
        assert!(after.text().contains(&scene.shelf.digest), "{edition:?}: {}", after.text());
        assert_eq!(after.text().contains("1.2.0"), edition == Edition::Newer, "{edition:?}");
        assert_eq!(after.is(&before.body), edition == Edition::First, "{edition:?}");
        assert!(scene.file().is(&scene.shelf.bytes), "{edition:?}");
        assert_eq!(scene.n_asked(&scene.shelf.source), 0, "{edition:?}");
        // It is fresh from now on, whoever starts anew.
        scene.expect_kept(2);
        scene.upstream.clear_log();
        assert!(scene.index().is(&after.body), "{edition:?}");
        assert_eq!(conditional(&scene), [false; 0], "{edition:?}");
        scene.assert_clean(&format!("{edition:?}"));
    }
}

#[test]
fn an_outage_of_hours_began_when_it_began_and_ends() {
    each(hours);
}

/// The server runs all the time, as on a machine that sleeps.
fn hours(shelf: fn() -> Shelf) {
    let (mut scene, mut clock) = held(shelf);
    let good = scene.index();
    scene.put(Edition::Newer);
    scene.upstream.on(scene.shelf.index.host, "*", Fault::Status(502));
    let mut since = Vec::new();
    for n_hours in [2, 5, 30] {
        clock.pass(HOUR * n_hours);
        let got = scene.index();
        assert!(got.is(&good.body) && got.state() == "stale", "{n_hours} h: {got:?}");
        let told = got.field("outlast-state").split(';').find_map(|part| part.trim().strip_prefix("since="));
        since.push(told.unwrap_or_else(|| panic!("{}", got.head)).to_owned());
        assert!(scene.file().is(&scene.shelf.bytes), "{n_hours} h");
        if n_hours == 5 {
            scene.expect_event("stale");
            scene.kill_and_start();
        }
    }
    tell(&format!("{}: {since:?}", scene.shelf.index.host));
    assert!(since.iter().all(|at| *at == since[0]), "one outage: {since:?}");
    assert!(scene.direct(&scene.shelf.index).status == 502, "the control");
    scene.upstream.clear_faults();
    clock.pass(HOUR);
    becomes("fresh", || scene.index(), |got| got.state() == "fresh" && got.text().contains("1.2.0"));
    // The next outage is another one.
    scene.upstream.on(scene.shelf.index.host, "*", Fault::Status(502));
    clock.pass(HOUR * 2);
    let next = scene.index();
    assert!(next.state() == "stale" && !next.head.contains(&since[0]), "{}", next.head);
}

#[test]
fn a_certificate_that_runs_out_is_a_host_that_is_down() {
    each(runs_out);
}

/// The fakes' certificates are good until 2048.
fn runs_out(shelf: fn() -> Shelf) {
    let (mut scene, mut clock) = held(shelf);
    scene.served.kill();
    clock.pass(YEAR * 15);
    scene.kill_and_start();
    // The control: so many years are no reason to believe nobody.
    let good = scene.index();
    assert_eq!((good.state(), conditional(&scene)), ("fresh", vec![true]), "{good:?}");
    scene.put(Edition::Newer);
    scene.upstream.clear_log();
    clock.pass(YEAR * 15);
    // Connections of before are good as long as they stand.
    scene.kill_and_start();
    let got = scene.index();
    assert!(got.is(&good.body) && got.state() == "stale", "{got:?}");
    assert!(scene.file().is(&scene.shelf.bytes));
    assert_eq!(scene.upstream.log().len(), 0, "nothing is told to whoever that is");
    scene.expect_event("stale");
}

#[test]
fn what_is_flagged_later_stays_here_and_clients_are_told() {
    let (_, shelf) = SHELVES[3];
    let (mut scene, mut clock) = held(shelf);
    let (host, path) = ("repo.packagist.org", "/lists/all/summary.json");
    let put = |lists: serde_json::Value| {
        scene.upstream.put(host, path, Answer::json(json!({ "filter": lists }).to_string()));
    };
    put(json!({ "malware": {} }));
    let list = |scene: &Scene| crate::raw::get(&scene.served.base, &format!("/composer{path}"), &[]);
    let clean = list(&scene);
    assert_eq!((clean.status, clean.state()), (200, "fresh"), "{clean:?}");
    scene.expect_kept(3);
    let n_entries = scene.n_entries();
    put(json!({ "malware": { scene.shelf.name: "1.0.0" } }));
    clock.pass(HOUR * 2);
    let flagged = list(&scene);
    assert!(flagged.state() == "fresh" && flagged.text().contains(scene.shelf.name), "{flagged:?}");
    assert!(scene.file().is(&scene.shelf.bytes));
    scene.expect_entry_after(n_entries);
    scene.kill_and_cut();
    clock.pass(DAY);
    let cut = list(&scene);
    assert!(cut.is(&flagged.body) && cut.state() == "stale", "an outage is no all-clear: {cut:?}");
}
