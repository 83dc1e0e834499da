//! A room full of attackers: whatever they send, and whatever hostile upstreams answer, is refused with a clear status; others are
//! served meanwhile, nothing outside the store is written, and no secret stands in the log.

mod archives;
mod crowd;
mod framing;
mod inward;
mod paths;
mod secrets;
mod slow;

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Duration;

use fakes::Upstream;

use super::{CARGO, NPM, PYPI, Served, package};
use crate::raw::{self, Got};
use crate::world::{World, entries, places};

/// Nobody waits longer for what is held, whatever others do to the server meanwhile, on a machine that has much else to do.
const UNAFFECTED: Duration = Duration::from_secs(5);
/// More than the server may need, whatever it is asked or answered; what it has of libraries is a part of it.
const PEAK_KB_MAX: u64 = 300 << 10;

/// A server with one package of npm, and its log.
struct Siege {
    upstream: Upstream,
    world: World,
    served: Served,
    before: BTreeSet<PathBuf>,
}

impl Siege {
    fn new() -> Self {
        Self::with("")
    }

    /// Starts one with more configuration.
    fn with(more: &str) -> Self {
        let upstream = Upstream::start_blocking();
        upstream.serve_npm(NPM, &[package()]);
        let world = World::new();
        let hosts =
            [&[NPM, "files.example", "github.com"][..], &CARGO, &PYPI, &fakes::composer::HOSTS].concat();
        let (address, ca) = (upstream.tls_address().to_string(), upstream.ca_file(world.path()));
        let places = places(&hosts, &[("connect", &address), ("ca_file", ca.to_str().unwrap())]);
        world.configure(&format!("{places}{more}"));
        let served = start(&world);
        let siege = Self { upstream, before: outside(&world), world, served };
        siege.assert_others_are_served("before anything");
        siege.upstream.clear_log();
        siege
    }

    fn get(&self, path: &str) -> Got {
        raw::get(&self.served.base, path, &[])
    }

    /// Asserts that somebody else gets what is held, right and soon.
    #[track_caller]
    fn assert_others_are_served(&self, what: &str) {
        let index = self.get("/npm/left-pad");
        assert!(index.status == 200 && index.is_whole, "{what}: {index:?}");
        let file = self.get("/npm/left-pad/-/left-pad-1.3.0.tgz");
        assert!(file.is(package().tarball("1.3.0")), "{what}: {file:?}");
        assert!(index.took + file.took < UNAFFECTED, "{what}: {:?} {:?}", index.took, file.took);
    }

    fn log(&self) -> String {
        fs::read_to_string(log(&self.world)).unwrap()
    }

    /// Asserts that all is as it was, outside of the store and within it.
    #[track_caller]
    fn assert_unharmed(&self) {
        self.assert_others_are_served("afterwards");
        assert_eq!(outside(&self.world), self.before, "files that are nobody's business");
        self.world.outlast(&["store", "verify"]).expect(0);
        let status = fs::read_to_string(format!("/proc/{}/status", self.served.child.id())).unwrap();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB"));
        let peak_kb: u64 = peak.unwrap().trim().parse().unwrap();
        assert!(peak_kb < PEAK_KB_MAX, "{peak_kb} KB");
        assert!(!self.log().contains("panicked"), "{}", self.log());
    }
}

/// Starts a server that says everything, into a file.
fn start(world: &World) -> Served {
    Served::start_with(world, "127.0.0.1:0", |command| {
        command.arg("-vv").stderr(File::options().create(true).append(true).open(log(world)).unwrap());
    })
}

fn log(world: &World) -> PathBuf {
    world.path().join("log")
}

/// Returns everything in the world of a test that is not in Outlast's home.
fn outside(world: &World) -> BTreeSet<PathBuf> {
    fn all(folder: &Path, own: &Path, found: &mut BTreeSet<PathBuf>) {
        for path in entries(folder) {
            if path != own {
                all(&path, own, found);
                found.insert(path);
            }
        }
    }
    let mut found = BTreeSet::new();
    all(world.path(), &world.own(), &mut found);
    found
}
