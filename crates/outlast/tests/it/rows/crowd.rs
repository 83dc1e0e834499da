//! Rows about a hundred requests at once.

use std::time::Duration;

use fakes::Fault;

use super::each;
use super::scene::{Door, Place, Scene, Shelf};

/// Clients with a connection each, and requests that each sends at once over it.
const N_CLIENTS: usize = 10;
const N_EACH: usize = 10;
const N_REQUESTS: usize = N_CLIENTS * N_EACH;

/// Lets all clients ask at once; returns for each request when the first and the last byte of its answer came.
fn ask(scene: &Scene, door: Door, place: &Place) -> Vec<(f64, f64)> {
    let form = "%{http_code} %{time_starttransfer} %{time_total}\\n";
    let url = place.url();
    let script = format!(
        "for n in $(seq {N_CLIENTS}); do curl -sSL -Z -o \"crowd-$n-#1\" -w '{form}' '{url}#[1-{N_EACH}]' \
         > times-$n & done; wait; cat times-*"
    );
    let told = scene.run(door, &["sh", "-c", &script]);
    let times = told.lines().map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        assert_eq!(words[0], "200", "{told}");
        (words[1].parse().unwrap(), words[2].parse().unwrap())
    });
    times.collect()
}

#[track_caller]
fn all_have(scene: &Scene, bytes: &[u8]) {
    for (client, n) in (1..=N_CLIENTS).flat_map(|client| (1..=N_EACH).map(move |n| (client, n))) {
        let path = scene.left(&format!("crowd-{client}-{n}"));
        assert_eq!(std::fs::read(&path).unwrap(), bytes, "client {client}, request {n}");
        std::fs::remove_file(path).unwrap();
    }
}

#[test]
fn a_crowd_asks_once() {
    each(cold);
}

/// Nothing is held, and the upstream is slow.
fn cold(shelf: fn() -> Shelf) {
    let scene = Scene::new(shelf());
    let (index, file, source) =
        (scene.shelf.index.clone(), scene.shelf.file.clone(), scene.shelf.source.clone());
    let slow = || Fault::SlowFirstByte(Duration::from_millis(500));
    scene.upstream.on("*", "*", slow());
    assert_eq!(ask(&scene, Door::Outlast, &file).len(), N_REQUESTS);
    all_have(&scene, &scene.shelf.bytes);
    assert_eq!(scene.n_asked(&source), 1, "one fetch");

    let cold = Scene::new(shelf());
    cold.be_patient();
    cold.upstream.on("*", "*", slow());
    assert_eq!(ask(&cold, Door::Outlast, &index).len(), N_REQUESTS);
    let good = cold.ask(Door::Sealed, &[&index]).remove(0).body;
    all_have(&cold, &good);
    assert_eq!(cold.n_asked(&index), 1, "one fetch of the index");

    // The control: without Outlast each asks.
    scene.upstream.clear_log();
    ask(&scene, Door::Direct, &file);
    assert_eq!(scene.n_asked(&source), N_REQUESTS);
}

/// A large file reaches all while it still arrives.
pub(super) fn streamed(shelf: fn() -> Shelf) {
    let scene = Scene::new(shelf());
    let (file, source) = (scene.shelf.file.clone(), scene.shelf.source.clone());
    assert!(scene.shelf.bytes.len() > 2 << 20, "{} bytes are no large file", scene.shelf.bytes.len());
    let drip = Fault::Drip { bytes: 64 << 10, every: Duration::from_millis(40) };
    scene.upstream.on(source.host, &source.path, drip);
    let mut times = ask(&scene, Door::Outlast, &file);
    all_have(&scene, &scene.shelf.bytes);
    assert_eq!(scene.n_asked(&source), 1);
    times.sort_by(|a, b| a.0.total_cmp(&b.0));
    let ((first, end), (last_first, _)) = (times[N_REQUESTS / 2], times[N_REQUESTS - 1]);
    super::tell(&format!(
        "{N_REQUESTS} requests: first byte {first} s (the last {last_first} s), end {end} s"
    ));
    assert!(first < end * 0.7, "{times:?}");
}
