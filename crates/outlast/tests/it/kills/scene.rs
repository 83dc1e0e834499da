//! What is killed: a world whose upstreams are on loopback, and commands that say what they were given.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use fakes::{Answer, Upstream, noise};
use model::Sha256;
use serde_json::Value;

use crate::world::{Done, OUTLAST, World, entries, finish, read_json, texts};

/// In the environment of everything that Outlast starts, so that what is left of a run is found.
pub(super) const MARKER: &str = "OUTLAST_KILLS_MARKER";

/// The folder for temporary files, of this scene alone.
const TEMPORARY: &str = "tmp";
const NPM: &str = "registry.npmjs.org";
/// Plain files: host, path, size. Two are larger than what a transfer keeps in memory.
const FILES: [(&str, &str, usize); 6] = [
    ("files.example", "/small", 3_000),
    ("files.example", "/two", 2 << 20),
    ("files.example", "/eight", 8 << 20),
    ("mirror.example", "/five", 5 << 20),
    ("mirror.example", "/page", 40_000),
    ("mirror.example", "/empty", 0),
];

pub(super) struct Scene {
    pub(super) world: World,
    pub(super) upstream: Upstream,
    /// The digest of what each address has.
    expected: BTreeMap<String, Sha256>,
}

/// A run whose end was told: from then on nothing of it may be lost.
pub(super) struct Acknowledged {
    pub(super) command: Vec<String>,
    pub(super) record: Value,
}

impl Acknowledged {
    /// Returns whether everything it fetched is kept.
    pub(super) fn is_whole(&self) -> bool {
        self.record["not_kept"] == serde_json::json!([]) && self.record["exit_code"] == 0
    }
}

impl Scene {
    pub(super) fn new() -> Self {
        let world = World::new();
        let at = |name: &str| world.path().join(name).to_str().unwrap().to_owned();
        let (temporary, marker) = (at(TEMPORARY), at(""));
        fs::create_dir(&temporary).unwrap();
        let world = world.with("TMPDIR", &temporary).with(MARKER, marker.trim_end_matches('/'));
        let upstream = Upstream::start_blocking();
        let mut expected = BTreeMap::new();
        for (number, (host, path, size)) in FILES.into_iter().enumerate() {
            let bytes = noise(size, number as u64);
            expected.insert(format!("https://{host}{path}"), Sha256::of(&bytes));
            upstream.put(host, path, Answer::file(bytes));
        }
        let package = fakes::npm::package("left-pad", &[("1.0.0", &[]), ("1.1.0", &[])]);
        upstream.serve_npm(NPM, std::slice::from_ref(&package));
        for version in ["1.0.0", "1.1.0"] {
            let url = format!("https://{NPM}{}", package.tarball_path(version));
            expected.insert(url, Sha256::of(package.tarball(version)));
        }
        let scene = Self { world, upstream, expected };
        scene.configure();
        scene
    }

    /// Writes outlast.toml: every host is at the upstream of this scene.
    pub(super) fn configure(&self) {
        self.world.place(&self.upstream, &["files.example", "mirror.example", NPM]);
    }

    /// Returns the folder in which everything temporary lies.
    pub(super) fn temporary(&self) -> PathBuf {
        self.world.path().join(TEMPORARY)
    }

    /// Returns every address.
    pub(super) fn urls(&self) -> Vec<&str> {
        self.expected.keys().map(String::as_str).collect()
    }

    /// Returns an `outlast` that strikes at these failure points.
    pub(super) fn outlast(&self, failpoints: &str, arguments: &[&str]) -> Command {
        let mut command = self.world.command(OUTLAST);
        command.args(arguments).env("OUTLAST_FAILPOINTS", failpoints);
        command
    }

    /// Runs `outlast` to its end, and checks what it served.
    #[track_caller]
    pub(super) fn run(&self, failpoints: &str, arguments: &[&str]) -> Done {
        self.run_until(failpoints, arguments, None)
    }

    /// Runs `outlast` and kills it after a while, if told to; checks what it served.
    #[track_caller]
    pub(super) fn run_until(
        &self,
        failpoints: &str,
        arguments: &[&str],
        kill_after: Option<Duration>,
    ) -> Done {
        let mut command = self.outlast(failpoints, arguments);
        let done = match kill_after {
            None => finish(&mut command, b""),
            Some(moment) => finish_or_kill(&mut command, moment),
        };
        self.assert_served_right(&done.stdout);
        done
    }

    /// Records a command that must succeed and be kept whole.
    #[track_caller]
    pub(super) fn record(&self, command: &[String]) -> Acknowledged {
        let record = self.world.path().join("record.json");
        let own = ["exec", "--record", record.to_str().unwrap(), "--"];
        let command_line: Vec<&str> = own.into_iter().chain(command.iter().map(String::as_str)).collect();
        self.run("", &command_line).expect(0);
        let record = read_json(&record);
        assert_eq!(record["not_kept"], serde_json::json!([]), "{record:#}");
        Acknowledged { command: command.to_vec(), record }
    }

    /// Asserts that every address that was fetched to its end had the bytes it has upstream.
    #[track_caller]
    pub(super) fn assert_served_right(&self, stdout: &str) {
        for (sha256, url) in stdout.lines().filter_map(|line| line.strip_prefix("got ")?.split_once(' ')) {
            if let Some(expected) = self.expected.get(url) {
                assert_eq!(sha256, expected.to_string(), "wrong bytes of {url}");
            }
        }
    }

    /// Asserts that the store is good, that nothing temporary is left in it, and that everything acknowledged is there.
    #[track_caller]
    pub(super) fn assert_kept(&self, all: &[Acknowledged], what: &str) {
        let verified = self.run("", &["store", "verify", "--json"]);
        assert_eq!(verified.code, 0, "{what}: {}{}", verified.stdout, verified.stderr);
        assert_eq!(self.temporaries(), Vec::<PathBuf>::new(), "{what}");
        for acknowledged in all {
            let record = &acknowledged.record;
            let folder = self.world.own().join("runs").join(record["run_id"].as_str().unwrap());
            assert_eq!(&read_json(&folder.join("record.json")), record, "{what}");
            let objects = record["objects"].as_array().unwrap();
            for (sha256, url) in
                texts(&record["objects"], "sha256").into_iter().zip(texts(&record["objects"], "url"))
            {
                let bytes = fs::read(self.world.blob(sha256))
                    .unwrap_or_else(|error| panic!("{what}: {url} is lost: {error}"));
                assert_eq!(Sha256::of(&bytes).to_string(), sha256, "{what}: {url}");
                if let Some(expected) = self.expected.get(url) {
                    assert_eq!(sha256, expected.to_string(), "{what}: {url}");
                }
            }
            assert!(!objects.is_empty() || !acknowledged.is_whole(), "{what}: {record:#}");
        }
    }

    /// Asserts that a recorded command survives with everything cut off.
    #[track_caller]
    pub(super) fn assert_survives(&self, recorded: &Acknowledged, what: &str) {
        let own = ["drill", "--run", recorded.record["run_id"].as_str().unwrap(), "--"];
        let command = recorded.command.iter().map(String::as_str);
        let command_line: Vec<&str> = own.into_iter().chain(command).collect();
        let done = self.run("", &command_line);
        assert_eq!(done.code, 0, "{what}: {}{}", done.stdout, done.stderr);
    }

    /// Asserts that an index made anew answers as the one that is there.
    #[track_caller]
    pub(super) fn assert_index_is_a_fold(&self, what: &str) {
        let answers = || {
            [&["status", "--json"][..], &["store", "stat", "--json"], &["evidence", "list", "--json"]]
                .map(|question| self.run("", question).expect(0).json())
        };
        let before = answers();
        for name in ["index.db", "index.db-wal", "index.db-shm"] {
            let _ = fs::remove_file(self.world.own().join(name));
        }
        self.run("", &["rebuild-index"]).expect(0);
        assert_eq!(answers(), before, "{what}");
    }

    /// Returns the segments of the journal that are full.
    pub(super) fn closed_segments(&self) -> Vec<PathBuf> {
        let is_closed = |path: &PathBuf| path.extension().is_some_and(|kind| kind == "zst");
        entries(&self.world.own().join("journal")).into_iter().filter(is_closed).collect()
    }

    /// Returns what a write that was not finished has left in the home folder.
    fn temporaries(&self) -> Vec<PathBuf> {
        let own = self.world.own();
        let runs = entries(&own.join("runs")).into_iter().flat_map(|run| entries(&run));
        let folders = ["", "blobs", "journal", "keys", "evidence"].map(|name| entries(&own.join(name)));
        let all = folders.into_iter().flatten().chain(runs);
        let is_temporary = |path: &PathBuf| {
            let name = path.file_name().unwrap().to_string_lossy();
            name.starts_with("tmp-") || name.ends_with(".tmp")
        };
        all.filter(is_temporary).collect()
    }
}

/// Runs a command and kills it after a while, if it has not ended by then.
fn finish_or_kill(command: &mut Command, moment: Duration) -> Done {
    let start = Instant::now();
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    std::thread::sleep(moment);
    child.kill().unwrap();
    let output = child.wait_with_output().unwrap();
    Done {
        code: output.status.code().unwrap_or_else(|| -output.status.signal().unwrap()),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        took: start.elapsed(),
    }
}

/// Returns a command that fetches all addresses at once and prints `got DIGEST ADDRESS` for each that it got whole.
pub(super) fn fetch(urls: &[&str]) -> Vec<String> {
    let mut script = String::from(
        "set -o pipefail; get() { sum=$(curl -sSf \"$1\" | sha256sum) && echo \"got ${sum%% *} $1\"; }; ids=; ",
    );
    for url in urls {
        script.push_str(&format!("get {url} & ids=\"$ids $!\"; "));
    }
    script.push_str("code=0; for id in $ids; do wait $id || code=1; done; exit $code");
    ["bash", "-c", &script].map(str::to_owned).to_vec()
}
