//! Rows about many clients at once.

use std::sync::Barrier;
use std::time::Duration;

use fakes::Fault;

use super::scene::Scene;
use crate::raw::{self, Got, Raw};
use crate::rows::{Place, Shelf, each, large, tell};

const N_CLIENTS: usize = 100;
/// Of one address there may be so many and more.
const N_MANY: usize = 200;

/// Lets so many clients ask at once, each over a connection of its own.
fn ask(scene: &Scene, place: &Place, n_clients: usize) -> Vec<Got> {
    let (base, path, barrier) = (&scene.served.base, scene.path(place), Barrier::new(n_clients));
    std::thread::scope(|scope| {
        let client = || {
            barrier.wait();
            raw::get(base, &path, &[])
        };
        let clients: Vec<_> = (0..n_clients).map(|_| scope.spawn(client)).collect();
        clients.into_iter().map(|client| client.join().unwrap()).collect()
    })
}

#[test]
fn a_crowd_asks_once() {
    each(cold);
}

/// Nothing is held, and the upstream is slow.
fn cold(shelf: fn() -> Shelf) {
    let scene = Scene::fresh_for(shelf(), "1h");
    scene.upstream.on("*", "*", Fault::SlowFirstByte(Duration::from_millis(500)));
    let index = scene.shelf.index.clone();
    let got = ask(&scene, &index, N_CLIENTS);
    let good = scene.index();
    assert!(good.status == 200 && got.iter().all(|got| got.is(&good.body)), "{got:?}");
    assert_eq!(scene.n_asked(&index), 1, "one fetch of the index");
    let got = ask(&scene, &scene.shelf.file, N_MANY);
    assert!(got.iter().all(|got| got.is(&scene.shelf.bytes)), "{got:?}");
    assert_eq!(scene.n_asked(&scene.shelf.source), 1, "one fetch");
    // The control: without Outlast each asks.
    scene.upstream.clear_log();
    assert_eq!(scene.direct(&scene.shelf.source).status, 200);
    assert_eq!(scene.direct(&scene.shelf.source).status, 200);
    assert_eq!(scene.n_asked(&scene.shelf.source), 2);
}

#[test]
fn a_crowd_of_an_upstream_that_fails_is_one_request_for_each_that_failed() {
    each(|shelf| {
        let scene = Scene::held(shelf());
        let good = scene.index();
        scene.upstream.on("*", "*", Fault::SlowFirstByte(Duration::from_secs(60)));
        scene.upstream.clear_log();
        let index = scene.shelf.index.clone();
        let got = ask(&scene, &index, N_CLIENTS);
        assert!(got.iter().all(|got| got.is(&good.body) && got.state() == "stale"), "{got:?}");
        assert_eq!(scene.n_asked(&index), 1);
    });
}

/// A large file reaches all while it still arrives, and one who does not read holds up nobody.
#[test]
fn a_crowd_gets_a_large_file_while_it_arrives() {
    let scene = Scene::new(large());
    let source = scene.shelf.source.clone();
    let drip = Fault::Drip { bytes: 64 << 10, every: Duration::from_millis(30) };
    scene.upstream.on(source.host, &source.path, drip);
    let mut asleep = Raw::connect(&scene.served.base).unwrap();
    let request = format!("GET {} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", scene.path(&scene.shelf.file));
    asleep.send(request.as_bytes()).unwrap();
    assert!(asleep.read_some(1000) > 0);
    let mut got = ask(&scene, &scene.shelf.file, N_CLIENTS);
    assert!(got.iter().all(|got| got.is(&scene.shelf.bytes)));
    assert_eq!(scene.n_asked(&source), 1);
    got.sort_by_key(|got| got.first_byte);
    let (first, end) = (got[N_CLIENTS / 2].first_byte, got[N_CLIENTS / 2].took);
    tell(&format!("{N_CLIENTS} clients: first byte {first:?}, end {end:?}"));
    assert!(first < end.mul_f64(0.7), "{first:?} {end:?}");
}
