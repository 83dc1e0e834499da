//! A team's server that fails in the middle of a build, and how soon the hosts themselves take its place.

use std::path::Path;
use std::time::{Duration, Instant};

use fakes::npm::Package;
use fakes::{Answer, Fault, Upstream, noise};
use serde_json::json;

use super::{NPM, Served};
use crate::world::{Done, OUTLAST, World, finish, places, texts};

const NOWHERE: &str = "127.0.0.1:9";
const BOUND: Duration = Duration::from_secs(60);

/// Packages of which one is so large that it takes the server's upstream 10 s.
fn packages() -> [Package; 3] {
    let filler: String = noise(4 << 20, 3).iter().map(|byte| char::from(b' ' + byte % 94)).collect();
    let small = |name: &str| fakes::npm::package(name, &[("1.0.0", &[])]);
    [small("one"), small("two"), fakes::npm::package("large", &[("1.0.0", &[("filler.txt", &filler)])])]
}

fn lock(packages: &[Package]) -> String {
    let mut lock: serde_json::Value = json!({ "name": "small", "version": "1.0.0", "lockfileVersion": 3 });
    let mut dependencies = json!({});
    for package in packages {
        let one: serde_json::Value = serde_json::from_str(&package.lock(NPM, "1.0.0")).unwrap();
        for (place, entry) in
            one["packages"].as_object().unwrap().iter().filter(|(place, _)| !place.is_empty())
        {
            lock["packages"][place] = entry.clone();
            dependencies[place.trim_start_matches("node_modules/")] = "1.0.0".into();
        }
    }
    lock["packages"][""] = json!({ "name": "small", "version": "1.0.0", "dependencies": dependencies });
    lock.to_string()
}

/// Installs through a server that is killed while it gives the large package.
fn killed_in_the_middle(origin: Option<&Upstream>) -> (World, Done) {
    let packages = packages();
    let slow = Upstream::start_blocking();
    slow.serve_npm(NPM, &packages);
    let drip = Fault::Drip { bytes: 16 << 10, every: Duration::from_millis(50) };
    slow.on(NPM, &packages[2].tarball_path("1.0.0"), drip);
    let team = World::new();
    team.place(&slow, &[NPM]);
    let mut served = Served::start(&team);

    let lock = lock(&packages);
    let manifest: serde_json::Value = serde_json::from_str(&lock).unwrap();
    let world = World::new()
        .file("package.json", &manifest["packages"][""].to_string())
        .file("package-lock.json", &lock);
    match origin {
        Some(origin) => world.place(origin, &[NPM]),
        None => world.configure(&places(&[NPM], &[("connect", NOWHERE)])),
    }
    let mut command = world.command(OUTLAST);
    command.args(["exec", "--via", &served.base, "--", "npm", "ci", "--no-audit", "--fetch-retries=0"]);
    let building = std::thread::spawn(move || finish(&mut command, b""));
    let start = Instant::now();
    while slow.n_asked(NPM, &packages[2].tarball_path("1.0.0")) == 0 {
        assert!(start.elapsed() < BOUND && !building.is_finished(), "the large one is never asked for");
        std::thread::sleep(Duration::from_millis(10));
    }
    // The first pieces are at the client by then, and the last ones are not for long.
    std::thread::sleep(Duration::from_millis(500));
    assert!(!building.is_finished());
    served.kill();
    let done = building.join().unwrap();
    (world, done)
}

#[test]
fn a_server_that_is_killed_in_the_middle_of_a_build_does_not_break_it() {
    let origin = Upstream::start_blocking();
    origin.serve_npm(NPM, &packages());
    let (world, done) = killed_in_the_middle(Some(&origin));
    let done = done.expect(0);
    for package in ["one", "two", "large"] {
        assert!(
            world.project().join("node_modules").join(package).join("package.json").is_file(),
            "{package}"
        );
    }
    let gave = done.stderr.lines().find(|line| line.contains("the server http")).unwrap();
    assert!(!gave.contains(" gave 0 answers"), "it was asked before: {gave}");
    assert!(origin.log().iter().any(|seen| seen.path.contains("/large/-/")), "{:?}", origin.log());
    let record = world.newest_record();
    let (urls, proofs) = (texts(&record["objects"], "url"), texts(&record["objects"], "proof"));
    let files: Vec<_> = urls.iter().zip(&proofs).filter(|(url, _)| url.ends_with(".tgz")).collect();
    assert!(files.len() >= 3 && files.iter().all(|(_, proof)| **proof == "verified"), "{files:?}");
    world.outlast(&["store", "verify"]).expect(0);
}

#[test]
fn the_control_without_the_host_itself_the_build_fails() {
    let (world, done) = killed_in_the_middle(None);
    assert_ne!(done.code, 0, "{}", done.stderr);
    assert!(!world.project().join("node_modules/large/filler.txt").exists());
}

/// What the fifth promise allows a server that is no help to cost.
const PROMISED: Duration = Duration::from_secs(1);
/// How often it is measured: what else the machine does only ever adds to it, so that the least is nearest to it.
const N_TIMES: u32 = 7;
const HOST: &str = "files.example";
/// Larger than what is verified before its first byte leaves.
const N_BYTES: usize = 2 << 20;

/// Returns how long a client waited for a file, in a room that asks a server first, or none.
fn waited(origin: &Upstream, via: Option<&str>) -> Duration {
    let world = World::new();
    world.place(origin, &[HOST]);
    let url = format!("https://{HOST}/file.bin");
    let via = via.map_or_else(Vec::new, |url| vec!["--via", url]);
    let curl = ["--", "curl", "-fsS", "-o", "file.bin", "-w", "%{time_total}", &url];
    let done = world.outlast(&[&["exec"], &via[..], &curl[..]].concat()).expect(0);
    assert_eq!(size(&world.project().join("file.bin")), N_BYTES as u64);
    Duration::from_secs_f64(done.stdout.parse().unwrap())
}

fn size(file: &Path) -> u64 {
    std::fs::metadata(file).unwrap().len()
}

/// Returns the least of some measurements, once it is short enough or there are enough of them.
fn least(enough: Duration, measure: impl Fn() -> Duration) -> Duration {
    let mut least = Duration::MAX;
    for _ in 0..N_TIMES {
        least = least.min(measure());
        if least < enough {
            break;
        }
    }
    least
}

#[test]
fn the_hosts_themselves_take_the_place_of_a_server_within_a_second() {
    let origin = Upstream::start_blocking();
    let file = || Answer::file(noise(N_BYTES, 5));
    origin.put(HOST, "/file.bin", file());
    let direct = least(Duration::ZERO, || waited(&origin, None));
    let bound = direct + PROMISED;

    let deaf = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let empty = World::new();
    empty.configure(&places(&[HOST], &[("connect", NOWHERE)]));
    let served = Served::start(&empty);
    let mut fakes = Vec::new();
    let mut fake = |answer: Answer, fault: Option<Fault>| {
        let server = Upstream::start_blocking();
        let path = format!("/files/{HOST}/file.bin");
        server.put("127.0.0.1", &path, answer);
        server.put("127.0.0.1", "/healthz", Answer::text("ok\n"));
        if let Some(fault) = fault {
            server.on("127.0.0.1", &path, fault);
        }
        let url = format!("http://{}", server.plain_address());
        fakes.push(server);
        url
    };
    let fresh = || file().header("outlast-state", "fresh");
    let servers = [
        ("gone", format!("http://{NOWHERE}")),
        ("deaf", format!("http://{}", deaf.local_addr().unwrap())),
        ("empty", served.base.clone()),
        ("a page", fake(Answer::text("<html>welcome</html>"), None)),
        ("slow", fake(fresh(), Some(Fault::SlowFirstByte(Duration::from_secs(20))))),
        ("broken off", fake(fresh(), Some(Fault::Short))),
        ("stopped in the middle", fake(fresh(), Some(Fault::StallAt { percent: 50 }))),
    ];
    for (what, url) in &servers {
        let waited = least(bound, || waited(&origin, Some(url)));
        assert!(waited < bound, "{what}: {waited:?}, and without a server {direct:?}");
    }
    // The control: whoever waits for a slow server as for any upstream waits longer than that.
    let slow = || waited(&origin_that_is_slow(), None);
    assert!(slow() > bound);
}

/// Returns the same host with an answer that begins after more than what is promised.
fn origin_that_is_slow() -> Upstream {
    let origin = Upstream::start_blocking();
    origin.put(HOST, "/file.bin", Answer::file(noise(N_BYTES, 5)));
    origin.on(HOST, "/file.bin", Fault::SlowFirstByte(PROMISED * 3));
    origin
}
