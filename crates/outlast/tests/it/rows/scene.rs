//! A package of one registry, an upstream that has it, and a client that says what it saw.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use fakes::Upstream;

use crate::world::{World, finish, places, texts};

/// Longer than anything here may take; what takes so long has hung.
const CLIENT_MAX_S: u32 = 20;

/// An address of an upstream.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) host: &'static str,
    pub(crate) path: String,
}

impl Place {
    pub(crate) fn new(host: &'static str, path: impl Into<String>) -> Self {
        Self { host, path: path.into() }
    }

    pub(crate) fn url(&self) -> String {
        format!("https://{}{}", self.host, self.path)
    }
}

/// What a registry says about its package.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Edition {
    /// Versions 1.0.0 and 1.1.0.
    First,
    /// 1.2.0 as well.
    Newer,
    /// 1.0.0 is listed no more.
    Unpublished,
    /// 1.0.0 has other bytes.
    Republished,
    /// Only a version that somebody else has put under the name.
    TakenOver,
}

/// Puts what a registry says about its package.
pub(crate) type Put = Box<dyn Fn(&Upstream, Edition)>;

/// A registry with one package.
pub(crate) struct Shelf {
    pub(crate) hosts: &'static [&'static str],
    pub(crate) index: Place,
    /// What the client asks for to get version 1.0.0.
    pub(crate) file: Place,
    /// Where its bytes come from in the end.
    pub(crate) source: Place,
    pub(crate) bytes: Vec<u8>,
    /// How the index names those bytes.
    pub(crate) digest: String,
    /// What is in a name, to be changed to another's.
    pub(crate) name: &'static str,
    /// How the index writes the version that somebody else has put.
    pub(crate) foreign: &'static str,
    pub(crate) put: Put,
}

/// Through what the client asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Door {
    Outlast,
    /// Outlast, with every host cut off.
    Sealed,
    /// Nothing between: the control.
    Direct,
}

/// What the client saw.
#[derive(Debug)]
pub(super) struct Got {
    /// What curl ended with: 0 only for a whole answer.
    pub(super) exit: i32,
    pub(super) status: u16,
    pub(super) total_s: f64,
    pub(super) head: String,
    pub(super) body: Vec<u8>,
}

impl Got {
    /// Returns whether it is whole, and these bytes.
    pub(super) fn is(&self, bytes: &[u8]) -> bool {
        self.exit == 0 && self.status == 200 && self.body == bytes
    }

    /// Returns whether the client knows that it did not get it, and that nobody said it does not exist.
    pub(super) fn is_refused(&self) -> bool {
        self.exit != 0 || self.status == 503
    }

    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Returns the first word of `Outlast-State`, empty where there is none.
    pub(super) fn state(&self) -> &str {
        self.field("outlast-state").split(';').next().unwrap_or_default().trim()
    }

    pub(super) fn field(&self, name: &str) -> &str {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(':'));
        lines.find(|(found, _)| found.eq_ignore_ascii_case(name)).map_or("", |(_, value)| value.trim())
    }
}

pub(super) struct Scene {
    pub(super) upstream: Upstream,
    pub(super) world: World,
    pub(super) shelf: Shelf,
    ca: String,
}

impl Scene {
    /// Nothing is held; an index is due as soon as it is held.
    pub(super) fn new(shelf: Shelf) -> Self {
        let upstream = Upstream::start_blocking();
        (shelf.put)(&upstream, Edition::First);
        let world = World::new();
        let ca = upstream.ca_file(world.path()).to_str().unwrap().to_owned();
        let scene = Self { upstream, world, shelf, ca };
        scene.connect(&scene.upstream.tls_address().to_string());
        scene
    }

    /// Index and file are held.
    pub(super) fn held(shelf: Shelf) -> Self {
        let scene = Self::new(shelf);
        let (index, file) = (scene.shelf.index.clone(), scene.shelf.file.clone());
        let got = scene.ask(Door::Outlast, &[&index, &file]);
        assert!(got[0].status == 200 && got[1].is(&scene.shelf.bytes), "{got:?}");
        scene.upstream.clear_log();
        scene
    }

    /// Says where the hosts are; what is held of an index is due at once.
    pub(super) fn connect(&self, address: &str) {
        self.world.configure(&format!("{}[limits]\nindex_fresh_for = \"0s\"\n", self.places(address)));
    }

    /// Lets an index be fresh for as long as it usually is.
    pub(super) fn be_patient(&self) {
        self.world.configure(&self.places(&self.upstream.tls_address().to_string()));
    }

    fn places(&self, address: &str) -> String {
        places(self.shelf.hosts, &[("connect", address), ("ca_file", &self.ca)])
    }

    pub(super) fn put(&self, edition: Edition) {
        (self.shelf.put)(&self.upstream, edition);
    }

    /// Asks for each, one after the other, in one room.
    pub(super) fn ask(&self, door: Door, places: &[&Place]) -> Vec<Got> {
        let mut script = String::new();
        for (n, place) in places.iter().enumerate() {
            let url = place.url();
            let form = "%{exitcode} %{http_code} %{time_total}\\n";
            writeln!(
                script,
                "curl -sS -L -m {CLIENT_MAX_S} -D head-{n} -o body-{n} -w '{form}' '{url}' 2>>errors; :"
            )
            .unwrap();
        }
        self.clear(places.len());
        let told = self.run(door, &["sh", "-c", &script]);
        let got: Vec<Got> = told.lines().enumerate().map(|(n, line)| self.got(n, line)).collect();
        assert_eq!(got.len(), places.len(), "{told}");
        got
    }

    /// Runs a command behind a door and returns what it printed.
    pub(super) fn run(&self, door: Door, command: &[&str]) -> String {
        match door {
            Door::Outlast => self.world.outlast(&[&["exec", "-q", "--"], command].concat()).expect(0).stdout,
            Door::Sealed => {
                let cut = ["exec", "-q", "--cut", "all", "--"];
                self.world.outlast(&[&cut, command].concat()).expect(0).stdout
            }
            Door::Direct => finish(&mut self.direct(command), b"").expect(0).stdout,
        }
    }

    /// Returns a command that meets the same upstream without Outlast.
    pub(super) fn direct(&self, command: &[&str]) -> Command {
        let mut direct = self.world.command(command[0]);
        direct.args(&command[1..]).env("https_proxy", self.upstream.proxy_url());
        for name in ["CURL_CA_BUNDLE", "npm_config_cafile", "PIP_CERT", "CARGO_HTTP_CAINFO"] {
            direct.env(name, &self.ca);
        }
        direct
    }

    /// Returns how often an address was asked.
    pub(super) fn n_asked(&self, place: &Place) -> usize {
        self.upstream.n_asked(place.host, &place.path)
    }

    /// Returns the kinds of all events that `status` shows.
    pub(super) fn events(&self) -> Vec<String> {
        let status = self.world.outlast(&["status", "--json"]).expect(0).json();
        texts(&status["events"], "kind").into_iter().map(str::to_owned).collect()
    }

    pub(super) fn n_objects(&self) -> u64 {
        let stat = self.world.outlast(&["store", "stat", "--json"]).expect(0).json();
        stat["n_objects"].as_u64().unwrap()
    }

    /// Returns a file that the client left in the project.
    pub(super) fn left(&self, name: &str) -> PathBuf {
        self.world.project().join(name)
    }

    fn clear(&self, n: usize) {
        for n in 0..n {
            for name in ["head", "body"] {
                let _ = fs::remove_file(self.left(&format!("{name}-{n}")));
            }
        }
    }

    fn got(&self, n: usize, line: &str) -> Got {
        let words: Vec<&str> = line.split_whitespace().collect();
        Got {
            exit: words[0].parse().unwrap(),
            status: words[1].parse().unwrap(),
            total_s: words[2].parse().unwrap(),
            head: fs::read_to_string(self.left(&format!("head-{n}"))).unwrap_or_default(),
            body: fs::read(self.left(&format!("body-{n}"))).unwrap_or_default(),
        }
    }
}
