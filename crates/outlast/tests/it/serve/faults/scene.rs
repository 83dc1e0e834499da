//! A package of one registry, an upstream that has it, and a server whose clients ask for it.

use std::time::{Duration, Instant};

use fakes::Upstream;

use crate::raw::{self, Got};
use crate::rows::{Edition, Place, Shelf};
use crate::serve::Served;
use crate::world::{World, entries, places, texts};

/// What was answered a moment ago is in the journal by then, on a machine that has much to do.
const BOUND: Duration = Duration::from_secs(20);

pub(super) struct Scene {
    pub(super) upstream: Upstream,
    pub(super) world: World,
    pub(super) shelf: Shelf,
    pub(super) served: Served,
}

impl Scene {
    /// Nothing is held; an index is due as soon as it is held.
    pub(super) fn new(shelf: Shelf) -> Self {
        Self::fresh_for(shelf, "0s")
    }

    /// Nothing is held; an index is fresh for so long.
    pub(super) fn fresh_for(shelf: Shelf, time: &str) -> Self {
        Self::of(World::new(), shelf, time)
    }

    /// The same in a world that has something of its own.
    pub(super) fn of(world: World, shelf: Shelf, time: &str) -> Self {
        let upstream = Upstream::start_blocking();
        (shelf.put)(&upstream, Edition::First);
        configure(&world, &upstream, &shelf, &upstream.tls_address().to_string(), time);
        let served = Served::start(&world);
        Self { upstream, world, shelf, served }
    }

    /// Index and file are held.
    pub(super) fn held(shelf: Shelf) -> Self {
        let scene = Self::new(shelf);
        let (index, file) = (scene.index(), scene.file());
        assert_eq!((index.status, index.state()), (200, "fresh"), "{index:?}");
        assert!(file.is(&scene.shelf.bytes) && file.state() == "fresh", "{file:?}");
        scene.upstream.clear_log();
        scene
    }

    pub(super) fn put(&self, edition: Edition) {
        (self.shelf.put)(&self.upstream, edition);
    }

    pub(super) fn index(&self) -> Got {
        self.ask(&self.shelf.index, &[])
    }

    pub(super) fn file(&self) -> Got {
        self.ask(&self.shelf.file, &[])
    }

    pub(super) fn ask(&self, place: &Place, headers: &[&str]) -> Got {
        raw::get(&self.served.base, &self.path(place), headers)
    }

    /// Asks the upstream itself: the control.
    pub(super) fn direct(&self, place: &Place) -> Got {
        let plain = self.upstream.plain_address().to_string();
        let request =
            format!("GET {} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", place.path, place.host);
        raw::exchange(&plain, request.as_bytes())
    }

    /// Returns where an address lies on the server, as docs/SERVING.md says.
    pub(super) fn path(&self, place: &Place) -> String {
        let Place { host, path } = place;
        match *host {
            "registry.npmjs.org" => format!("/npm{path}"),
            "index.crates.io" => format!("/cargo{path}"),
            "pypi.org" => format!("/pypi{path}"),
            "repo.packagist.org" => format!("/composer{path}"),
            // An archive is asked for by package and reference, wherever it lies.
            "api.github.com" => {
                format!("/composer/dists/{}/1.0.0.0/{}.zip", self.shelf.name, self.shelf.digest)
            }
            host => format!("/files/{host}{path}"),
        }
    }

    /// Returns how often an address was asked.
    pub(super) fn n_asked(&self, place: &Place) -> usize {
        self.upstream.n_asked(place.host, &place.path)
    }

    /// Waits until what was answered is in the journal: some 40 ms later.
    #[track_caller]
    pub(super) fn expect_kept(&self, n_objects: u64) {
        self.expect_stat("n_objects", n_objects);
    }

    /// Waits until there is something in the journal after its first so many entries: a newer version of an object, say.
    #[track_caller]
    pub(super) fn expect_entry_after(&self, n_entries: u64) {
        self.expect_stat("n_entries", n_entries + 1);
    }

    pub(super) fn n_entries(&self) -> u64 {
        self.stat("n_entries")
    }

    fn stat(&self, field: &str) -> u64 {
        let stat = self.world.outlast(&["store", "stat", "--json"]).expect(0).json();
        stat[field].as_u64().unwrap()
    }

    #[track_caller]
    fn expect_stat(&self, field: &str, count: u64) {
        let start = Instant::now();
        while self.stat(field) < count {
            assert!(start.elapsed() < BOUND, "{field} never is {count}, but {}", self.stat(field));
        }
    }

    /// Kills the server, as a machine that loses its power does, and starts another one.
    pub(super) fn kill_and_start(&mut self) {
        self.served.kill();
        self.served = Served::start(&self.world);
    }

    /// Kills the server, and starts one for which no host can be reached.
    pub(super) fn kill_and_cut(&mut self) {
        self.served.kill();
        configure(&self.world, &self.upstream, &self.shelf, "127.0.0.1:9", "0s");
        self.served = Served::start(&self.world);
    }

    /// Waits for an event in the journal.
    #[track_caller]
    pub(super) fn expect_event(&self, kind: &str) {
        let start = Instant::now();
        loop {
            let events = self.events();
            if events.iter().any(|event| event == kind) {
                return;
            }
            assert!(start.elapsed() < BOUND, "no `{kind}`: {events:?}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Returns the kinds of all events that `status` shows.
    pub(super) fn events(&self) -> Vec<String> {
        let status = self.world.outlast(&["status", "--json"]).expect(0).json();
        texts(&status["events"], "kind").into_iter().map(str::to_owned).collect()
    }

    /// Asserts that the store is whole, and that nothing is left of what was not finished.
    #[track_caller]
    pub(super) fn assert_clean(&self, what: &str) {
        self.world.outlast(&["store", "verify"]).expect(0);
        let own = format!("tmp-{}-", self.served.child.id());
        let is_left = |name: &str| name.starts_with("tmp-") && !name.starts_with(&own);
        let mut left = entries(&self.world.own().join("blobs"));
        left.retain(|path| path.file_name().is_some_and(|name| is_left(&name.to_string_lossy())));
        assert!(left.is_empty(), "{what}: {left:?}");
    }
}

fn configure(world: &World, upstream: &Upstream, shelf: &Shelf, address: &str, time: &str) {
    let ca = upstream.ca_file(world.path());
    let places = places(shelf.hosts, &[("connect", address), ("ca_file", ca.to_str().unwrap())]);
    // Documents name the same server, whatever port it has after a restart.
    let url = "[serve]\nurl = \"http://outlast.example\"\n";
    world.configure(&format!("{places}{url}[limits]\nindex_fresh_for = \"{time}\"\n"));
}

/// Asks again and again until an answer is the one that is waited for.
#[track_caller]
pub(super) fn becomes(what: &str, ask: impl Fn() -> Got, is_it: impl Fn(&Got) -> bool) -> Got {
    let start = Instant::now();
    loop {
        let got = ask();
        if is_it(&got) {
            return got;
        }
        assert!(start.elapsed() < BOUND, "never {what}: {} {}", got.head, got.text());
        std::thread::sleep(Duration::from_millis(20));
    }
}
