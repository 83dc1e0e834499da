//! Rows about an upstream that lets its clients wait, or asks them to.

use std::fs;
use std::time::Duration;

use fakes::Fault;

use super::scene::{Scene, becomes};
use crate::rows::{Edition, Shelf, each, tell};

const N_LATER: usize = 20;
/// A second is promised; a busy machine may need longer.
const FIRST_S: f64 = 1.9;
/// 5 ms are promised.
const LATER_S: f64 = 0.1;
/// More than the server may ever need for one index.
const PEAK_KB_MAX: u64 = 300 << 10;

#[test]
fn a_hang_is_waited_for_once() {
    each(hang);
}

fn hang(shelf: fn() -> Shelf) {
    for fault in [
        Fault::Hang,
        Fault::Drip { bytes: 1, every: Duration::from_millis(500) },
        Fault::StallAt { percent: 50 },
    ] {
        let mut scene = Scene::held(shelf());
        let good = scene.index();
        scene.put(Edition::Newer);
        scene.upstream.on(scene.shelf.index.host, &scene.shelf.index.path, fault.clone());
        scene.upstream.clear_log();
        let ask = |scene: &Scene| {
            let got = scene.index();
            assert!(got.is(&good.body) && got.state() == "stale", "{fault:?}: {got:?}");
            got.took.as_secs_f64()
        };
        let first = ask(&scene);
        let mut later: Vec<f64> = (0..N_LATER).map(|_| ask(&scene)).collect();
        later.sort_by(f64::total_cmp);
        tell(&format!("{} {fault:?}: first {first} s, later {later:?} s", scene.shelf.index.host));
        assert!(first < FIRST_S, "{fault:?}: {first} s");
        assert!(later[N_LATER / 2] < LATER_S, "{fault:?}: {later:?} s");
        assert_eq!(scene.n_asked(&scene.shelf.index), 1, "{fault:?}");
        assert!(scene.file().is(&scene.shelf.bytes), "{fault:?}");
        // Who is started meanwhile knows it from the journal: nobody waits for the same hang again.
        scene.expect_event("down");
        scene.kill_and_start();
        assert!(ask(&scene) < FIRST_S / 2.0, "{fault:?}: started anew");
        assert_eq!(scene.n_asked(&scene.shelf.index), 1, "{fault:?}: started anew");
    }
}

#[test]
fn who_asks_to_be_left_alone_is_asked_once_in_the_time_it_names() {
    each(left_alone);
}

fn left_alone(shelf: fn() -> Shelf) {
    const N_WINDOWS: usize = 3;
    let scene = Scene::held(shelf());
    let good = scene.index();
    scene.put(Edition::Newer);
    scene.upstream.on(scene.shelf.index.host, &scene.shelf.index.path, Fault::RetryAfter429(1));
    scene.upstream.clear_log();
    let what = "so many windows";
    becomes(
        what,
        || scene.index(),
        |got| {
            assert!(got.is(&good.body) && got.state() == "stale", "{got:?}");
            scene.n_asked(&scene.shelf.index) > N_WINDOWS
        },
    );
    let asked: Vec<_> = scene.upstream.log().iter().map(|seen| seen.at).collect();
    for pair in asked.windows(2) {
        let gap = pair[1] - pair[0];
        assert!(gap > Duration::from_millis(900), "asked again after {gap:?}");
    }
    scene.upstream.clear_faults();
    becomes("fresh", || scene.index(), |got| got.state() == "fresh" && got.text().contains("1.2.0"));
}

/// An index without an end is given up, and never held in memory.
#[test]
fn an_endless_index_is_given_up() {
    let (_, shelf) = crate::rows::SHELVES[0];
    let scene = Scene::held(shelf());
    let good = scene.index();
    let index = &scene.shelf.index;
    scene.upstream.on(index.host, &index.path, Fault::EndlessIndex { bytes: 512 << 20 });
    assert!(scene.index().is(&good.body));
    scene.expect_event("stale");
    let status = fs::read_to_string(format!("/proc/{}/status", scene.served.child.id())).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB"));
    let peak_kb: u64 = peak.unwrap().trim().parse().unwrap();
    tell(&format!("an endless index, peak {peak_kb} KB"));
    assert!(peak_kb < PEAK_KB_MAX, "{peak_kb} KB");
    assert!(scene.direct(index).body.len() > 100 << 20, "the control");
}
