//! Mixed traffic while upstreams come and go and the server is killed: no wrong byte, nothing lost, memory flat.
//!
//! `cargo xtask load` runs the long form, with a release build.

mod clients;
mod control;
mod goods;
mod weather;

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use fakes::composer::HOSTS;
use fakes::{Answer, Fault, Upstream};

use super::{CARGO, NPM, PYPI, Served};
use crate::raw;
use crate::rows::tell;
use crate::world::{OUTLAST, World, entries, finish, places};
use clients::{Address, Client, Tally, lock};
use goods::{Good, Goods, RELEASES, Right};
use weather::Weather;

const N_CLIENTS: u64 = 6;
/// How long it goes on unless `OUTLAST_LOAD_S` says otherwise, and how often it is killed meanwhile.
const SHORT_S: u64 = 20;
const N_KILLS_SHORT: u32 = 3;
const KILL_EVERY: Duration = Duration::from_secs(60);
/// How long it may take until what was answered is kept, on a disk that others keep busy; and how long one mark is waited for.
const KEPT_WITHIN: Duration = Duration::from_secs(60);
const MARK: Duration = Duration::from_secs(10);
/// The same seed is the same weather; threads are not the same threads.
const SEED: u64 = 6;
/// What it may take more, at its most, after the last kill than after the first two.
const GROWTH_KB_MAX: u64 = 32 << 10;
const MEMORY_KB_MAX: u64 = 300 << 10;

struct Scene {
    upstream: Upstream,
    world: World,
    binary: PathBuf,
    goods: Goods,
    address: Address,
    weather: Weather,
}

fn scene() -> Scene {
    let upstream = Upstream::start_blocking();
    let world = World::new();
    let goods = Goods::put(&upstream, &world.path().join("repositories"));
    let hosts = [&[NPM, RELEASES][..], &CARGO, &PYPI, &HOSTS].concat();
    let (address, ca) = (upstream.tls_address().to_string(), upstream.ca_file(world.path()));
    let places = places(&hosts, &[("connect", &address), ("ca_file", ca.to_str().unwrap())]);
    world.configure(&format!("{places}[limits]\nindex_fresh_for = \"1s\"\n"));
    let binary = std::env::var_os("OUTLAST_LOAD_BINARY").map_or_else(|| OUTLAST.into(), PathBuf::from);
    Scene { upstream, world, binary, goods, address: Address::default(), weather: Weather::default() }
}

impl Scene {
    fn start(&self) -> Served {
        // Not in the project's folder, which is made anew for each install.
        let served = Served::start_of(&self.binary, &self.world, "127.0.0.1:0", |command| {
            command.current_dir(self.world.path());
        });
        lock(&self.address.base).clone_from(&served.base);
        served
    }

    /// Kills the server and starts another, which has to have the files that were held, with nobody to ask for them. Indexes it would
    /// ask for, and find all hosts down for the next half minute: those are asked for by clients, in whatever weather there is.
    fn kill(&self, served: &mut Served, tally: &mut Tally) {
        let _no_change = lock(&self.weather.0);
        self.upstream.clear_faults();
        let kept_until = self.expect_kept(&served.base);
        self.address.epoch.fetch_add(1, Ordering::SeqCst);
        served.kill();
        for good in &self.goods.all {
            lock(&good.seen).forget(kept_until);
        }
        self.upstream.on("*", "*", Fault::Reset);
        *served = self.start();
        self.address.epoch.fetch_add(1, Ordering::SeqCst);
        self.sweep(tally, |good| matches!(good.right, Right::File(_)));
        self.upstream.clear_faults();
    }

    /// Waits until all that clients were told is kept, some 40 ms where the disk has nothing else to do: until a file that is asked for
    /// now stands in the journal, which is read as anybody can. Returns when it was asked for.
    fn expect_kept(&self, base: &str) -> Instant {
        let start = Instant::now();
        for n in 0.. {
            let path = format!("/acme/tool/releases/download/{}-{n}/mark", fastrand::u64(..));
            self.upstream.put(RELEASES, &path, Answer::file(path.clone()));
            let asked_at = Instant::now();
            let got = raw::get(base, &format!("/files/{RELEASES}{path}"), &[]);
            // A journal that begins its next segment at this moment shows it nowhere: then another is asked for.
            while got.is(path.as_bytes()) && asked_at.elapsed() < MARK {
                let journal = fs::read_to_string(self.world.own().join("journal/current.jsonl"));
                if journal.is_ok_and(|journal| journal.contains(&path)) {
                    return asked_at;
                }
                std::thread::sleep(Duration::from_millis(5));
            }
            assert!(start.elapsed() < KEPT_WITHIN, "what is answered is not kept: {got:?}");
        }
        unreachable!("it is kept, or takes too long")
    }

    /// Asks for everything of a kind that is held.
    fn sweep(&self, tally: &mut Tally, is_it: impl Fn(&Good) -> bool) {
        let mut client = Client::new(&self.address);
        for good in self.goods.all.iter().filter(|good| is_it(good)) {
            if lock(&good.seen).held_since.is_some() {
                client.ask(good, None);
            }
        }
        tally.add(client.tally);
    }

    /// Installs with a real npm again and again; returns how often it succeeded, and failed.
    fn install(&self, end: Instant) -> (usize, usize) {
        let (mut n_good, mut n_bad) = (0, 0);
        while Instant::now() < end {
            let base = lock(&self.address.base).clone();
            super::as_new(&self.world);
            let mut npm = self.world.command("npm");
            npm.args([
                "install",
                "--no-audit",
                "--no-fund",
                "--no-save",
                "--fetch-retries=0",
                "--fetch-timeout=5000",
            ]);
            npm.arg(format!("--registry={base}/npm/")).args([
                "package-0@1.0.0",
                "package-1@1.0.0",
                "package-2@1.0.0",
            ]);
            let done = finish(&mut npm, b"");
            let is_there = self.world.project().join("node_modules/package-2/index.js").exists();
            if done.code == 0 && is_there { n_good += 1 } else { n_bad += 1 }
        }
        (n_good, n_bad)
    }
}

/// Returns what a process has of memory now, in kilobytes: its own, not that of files.
fn memory_kb(id: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
    line.and_then(|rest| rest.trim().strip_suffix(" kB")?.trim().parse().ok()).unwrap_or(0)
}

/// Kills the server again and again until `end`; returns the most memory of each server, and how often it was killed.
fn kill_again_and_again(
    scene: &Scene,
    served: &mut Served,
    end: Instant,
    every: Duration,
    tally: &mut Tally,
) -> Vec<u64> {
    let mut peaks = vec![0];
    let mut next = Instant::now() + every;
    while Instant::now() < end {
        std::thread::sleep(Duration::from_millis(250));
        let peak = peaks.last_mut().unwrap();
        *peak = memory_kb(served.child.id()).max(*peak);
        // The last server is not killed before it was asked something.
        if Instant::now() >= next && Instant::now() + every / 2 < end {
            scene.kill(served, tally);
            next += every;
            peaks.push(0);
        }
    }
    peaks
}

/// Returns what a quantile of some durations is, in milliseconds.
fn quantile_ms(sorted: &[Duration], part: f64) -> f64 {
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "an index"
    )]
    let index = ((sorted.len().saturating_sub(1)) as f64 * part) as usize;
    sorted.get(index).map_or(0.0, |took| took.as_secs_f64() * 1000.0)
}

#[test]
fn mixed_traffic_loses_nothing() {
    let told = std::env::var("OUTLAST_LOAD_S").ok().and_then(|text| text.parse().ok());
    let length = Duration::from_secs(told.unwrap_or(SHORT_S));
    let every = KILL_EVERY.min(length / (N_KILLS_SHORT + 1));
    let scene = scene();
    let mut served = scene.start();
    let mut tally = Tally::default();
    // Some of it is held before anything happens; the rest is asked for in whatever weather there is.
    let mut client = Client::new(&scene.address);
    for good in &scene.goods.all[..scene.goods.all.len() / 3] {
        client.ask(good, None);
    }
    tally.add(client.tally);
    assert!(tally.wrong.is_empty() && tally.n_refused == 0, "{tally:?}");

    let end = Instant::now() + length;
    let (scene_of, goods) = (&scene, &scene.goods.all);
    let (peaks, n_changes, installs) = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..N_CLIENTS)
            .map(|n| scope.spawn(move || Client::new(&scene_of.address).run(goods, SEED + n, end)))
            .collect();
        let weather = scope.spawn(|| scene.weather.change(&scene.upstream, &scene.goods, SEED, end));
        let npm = scope.spawn(|| scene.install(end));
        let peaks = kill_again_and_again(&scene, &mut served, end, every, &mut tally);
        for client in clients {
            tally.add(client.join().unwrap());
        }
        (peaks, weather.join().unwrap(), npm.join().unwrap())
    });

    tally.took.sort_unstable();
    tell(&format!(
        "{} s: {} requests, {} right ({} of them stale), {} refused, {} cut off; {} wrong; {} kills, weather changed {n_changes} times; npm installed {} \
         times, and could not {} times; what was held took p50 {:.1}, p99 {:.1}, at most {:.0} ms; memory at most {peaks:?} KB",
        length.as_secs(),
        tally.n_requests,
        tally.n_right,
        tally.n_stale,
        tally.n_refused,
        tally.n_cut,
        tally.wrong.len(),
        peaks.len() - 1,
        installs.0,
        installs.1,
        quantile_ms(&tally.took, 0.5),
        quantile_ms(&tally.took, 0.99),
        quantile_ms(&tally.took, 1.0),
    ));
    for wrong in tally.wrong.iter().take(10) {
        tell(wrong);
    }
    assert!(tally.wrong.is_empty(), "{} answers that should not be", tally.wrong.len());
    assert!(
        peaks.len() > 2 && n_changes > 3 && tally.n_right > 500 && tally.n_stale > 50,
        "too little happened"
    );
    let at_first = peaks.iter().take(2).max().unwrap();
    assert!(peaks.iter().all(|peak| *peak < MEMORY_KB_MAX), "{peaks:?}");
    assert!(*peaks.last().unwrap() < at_first + GROWTH_KB_MAX, "memory grows: {peaks:?}");
    closes_well(&scene, served);
}

/// Ends the server, reads everything back, and asks another one for all of it with nobody behind.
fn closes_well(scene: &Scene, served: Served) {
    // What was refused in bad weather can be had in good, by whoever asks later.
    let mut client = Client::new(&scene.address);
    let start = Instant::now();
    for good in &scene.goods.all {
        while lock(&good.seen).held_since.is_none() {
            assert!(start.elapsed() < Duration::from_secs(90), "{} never comes back", good.path);
            client.ask(good, None);
            std::thread::sleep(Duration::from_millis(5));
        }
    }
    assert!(client.tally.wrong.is_empty(), "{:?}", client.tally.wrong);
    served.end();
    scene.world.outlast(&["store", "verify"]).expect(0);
    let left = entries(&scene.world.own().join("blobs"));
    let is_temporary =
        |path: &&PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("tmp-"));
    assert_eq!(left.iter().filter(is_temporary).count(), 0, "{left:?}");
    scene.upstream.on("*", "*", Fault::Reset);
    let _last = scene.start();
    let mut tally = Tally::default();
    scene.sweep(&mut tally, |_| true);
    assert!(tally.wrong.is_empty(), "{:?}", tally.wrong);
    assert_eq!(tally.n_right, scene.goods.all.len() as u64, "everything is held");
}
