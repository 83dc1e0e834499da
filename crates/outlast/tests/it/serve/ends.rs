//! How a server ends, and how it reads its configuration again, in the middle of somebody's download.

use std::net::TcpStream;
use std::time::{Duration, Instant};

use fakes::{Answer, Fault, Upstream, noise};

use super::Served;
use crate::raw::{Got, Raw, get};
use crate::world::World;

const HOST: &str = "files.example";
const LARGE: &str = "/files/files.example/large.bin";
const SMALL: &str = "/files/files.example/small.txt";
const BOUND: Duration = Duration::from_secs(20);

/// A server in the middle of a download that takes two seconds at least, and whoever downloads.
struct UnderWay {
    upstream: Upstream,
    world: World,
    served: Served,
    client: Raw,
    bytes: Vec<u8>,
}

impl UnderWay {
    fn new() -> Self {
        let (upstream, bytes) = (Upstream::start_blocking(), noise(3 << 20, 7).to_vec());
        upstream.put(HOST, "/large.bin", Answer::file(bytes.clone()));
        upstream.put(HOST, "/small.txt", Answer::text("small"));
        let slowly = Fault::Drip { bytes: 64 << 10, every: Duration::from_millis(45) };
        upstream.on(HOST, "/large.bin", slowly);
        let world = World::new();
        world.place(&upstream, &[HOST]);
        let served = Served::start(&world);
        let mut client = Raw::connect(&served.base).unwrap();
        ask(&mut client, LARGE);
        assert!(client.has_begun(), "the download is under way");
        Self { upstream, world, served, client, bytes }
    }

    /// Returns whether nobody is taken in any more.
    fn is_shut(&self) -> bool {
        TcpStream::connect(self.served.base.trim_start_matches("http://")).is_err()
    }
}

fn ask(client: &mut Raw, path: &str) {
    client.send(format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n").as_bytes()).unwrap();
}

fn asked(client: &mut Raw, path: &str) -> Got {
    ask(client, path);
    client.answer()
}

fn becomes(what: &str, is_it: impl Fn() -> bool) {
    let start = Instant::now();
    while !is_it() {
        assert!(start.elapsed() < BOUND, "never {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn whoever_is_in_the_middle_of_a_download_gets_all_of_it_and_nobody_new_is_taken_in() {
    let mut scene = UnderWay::new();
    let mut connected = Raw::connect(&scene.served.base).unwrap();
    assert_eq!(get(&scene.served.base, "/readyz", &[]).text(), "ready\n", "the control");
    // Whoever has begun to ask is answered.
    connected.send(b"GET /readyz HTTP/1.1\r\n").unwrap();
    std::thread::sleep(Duration::from_millis(100));
    scene.served.signal("TERM");
    becomes("shut", || scene.is_shut());
    connected.send(b"Host: 127.0.0.1\r\n\r\n").unwrap();
    let ready = connected.answer();
    assert_eq!((ready.status, ready.text().as_str()), (503, "ending\n"), "{ready:?}");
    assert!(connected.is_closed());
    assert!(scene.served.child.try_wait().unwrap().is_none(), "it waits for the download");
    let got = scene.client.answer();
    assert!(got.is(&scene.bytes), "{} {}", got.head, got.body.len());
    assert!(scene.served.child.wait().unwrap().success());
    // What passed was kept like any other.
    scene.world.outlast(&["store", "verify"]).expect(0);
    assert_eq!(scene.world.outlast(&["store", "stat", "--json"]).json()["n_objects"], 1);
}

#[test]
fn the_control_whoever_is_killed_in_the_middle_gives_half_of_it() {
    let mut scene = UnderWay::new();
    scene.served.kill();
    let got = scene.client.answer();
    assert!(!got.is_whole && got.body.len() < scene.bytes.len(), "{}", got.body.len());
}

#[test]
fn a_configuration_that_is_read_again_breaks_nothing_off() {
    let mut scene = UnderWay::new();
    let mut other = Raw::connect(&scene.served.base).unwrap();
    assert_eq!(asked(&mut other, "/files/new.example/small.txt").status, 503, "a host that is nowhere yet");
    scene.upstream.put("new.example", "/small.txt", Answer::text("new"));
    scene.world.place(&scene.upstream, &[HOST, "new.example"]);
    scene.served.signal("HUP");
    // By a connection of its own each time: the one that is open is asked once it is so.
    becomes("read again", || get(&scene.served.base, "/files/new.example/small.txt", &[]).status == 200);
    assert_eq!(asked(&mut other, "/files/new.example/small.txt").text(), "new", "on the same connection");
    assert_eq!(asked(&mut other, SMALL).text(), "small");
    let got = scene.client.answer();
    assert!(got.is(&scene.bytes), "{} {}", got.head, got.body.len());
    assert_eq!(asked(&mut scene.client, SMALL).text(), "small", "and it asks on");
    assert_eq!(scene.upstream.n_asked(HOST, "/large.bin"), 1);
    scene.served.end();
}
