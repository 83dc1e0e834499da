//! A clock that a test moves, for whole programs as they are: libfaketime stands between them and the system's time of day.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use fakes::{Answer, Upstream};

use crate::world::{World, finish, need, texts};

/// The one for programs with threads; the loader knows the machine's `$LIB`.
const LIBRARY: &str = "/usr/$LIB/faketime/libfaketimeMT.so.1";
const DAY: Duration = Duration::from_secs(86_400);

/// The time of day of all programs of a world, running ones included.
///
/// How long something took is not moved with it (`CLOCK_MONOTONIC`), as where a machine sleeps or somebody sets its clock.
pub(crate) struct Dated {
    file: PathBuf,
    ahead: Duration,
    shared: Shared,
}

/// What programs with the library share: the names of a semaphore and of a memory.
///
/// The library makes them for each process that is told of none, in the name of its number, and whoever is killed leaves them. The
/// `faketime` command refuses to work in a process of such a number, on the whole machine.
struct Shared(String);

impl Shared {
    fn new() -> Self {
        let mut command = Command::new("sh");
        // A shell ends without the library's farewell: they stay.
        command.args(["-c", "echo $FAKETIME_SHARED"]).env_clear().env("LD_PRELOAD", LIBRARY);
        // Its own number may be one that somebody left.
        let named = (0..1000).find_map(|_| {
            let names = finish(&mut command, b"").expect(0).stdout.trim().to_owned();
            (!names.is_empty()).then_some(names)
        });
        Self(named.unwrap_or_else(|| panic!("{LIBRARY} shares nothing")))
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        if let Some((semaphore, memory)) = self.0.split_once(' ') {
            let _ = fs::remove_file(semaphore.replace('/', "/dev/shm/sem."));
            let _ = fs::remove_file(format!("/dev/shm{memory}"));
        }
    }
}

impl Dated {
    /// Returns a world with a clock of its own, which says what the machine's does until it is moved.
    pub(crate) fn new() -> (World, Self) {
        need("faketime");
        let world = World::new();
        let file = world.path().join("clock");
        let clock = Self { file: file.clone(), ahead: Duration::ZERO, shared: Shared::new() };
        clock.write();
        let world = world
            .with("LD_PRELOAD", LIBRARY)
            .with("FAKETIME_SHARED", &clock.shared.0)
            .with("FAKETIME_TIMESTAMP_FILE", file.to_str().unwrap())
            .with("FAKETIME_NO_CACHE", "1")
            .with("FAKETIME_DONT_FAKE_MONOTONIC", "1")
            // Times of files are the system's.
            .with("NO_FAKE_STAT", "1");
        (world, clock)
    }

    /// Lets time pass.
    pub(crate) fn pass(&mut self, time: Duration) {
        self.ahead += time;
        self.write();
    }

    /// Sets it back to what the machine's says.
    pub(crate) fn reset(&mut self) {
        self.ahead = Duration::ZERO;
        self.write();
    }

    /// Whoever reads it meanwhile sees the time before or after.
    fn write(&self) {
        let written: &Path = &self.file.with_extension("new");
        fs::write(written, format!("+{}\n", self.ahead.as_secs())).unwrap();
        fs::rename(written, &self.file).unwrap();
    }
}

#[test]
fn programs_see_the_time_that_a_test_lets_pass() {
    let (world, mut clock) = Dated::new();
    let now = || {
        let said = finish(world.command("date").arg("+%s"), b"").expect(0).stdout;
        said.trim().parse::<u64>().unwrap()
    };
    let before = now();
    clock.pass(DAY);
    let passed = now() - before;
    // Between the two readings an hour is more than any machine needs.
    assert!((86_400..90_000).contains(&passed), "{passed} s");
}

#[test]
fn a_proof_is_one_for_as_long_as_it_is_said_to_be() {
    let upstream = Upstream::start_blocking();
    upstream.put("files.example.com", "/a.txt", Answer::text("kept\n"));
    let (world, mut clock) = Dated::new();
    world.place(&upstream, &["files.example.com"]);
    let fetch = ["curl", "-fsSo", "a.txt", "https://files.example.com/a.txt"];
    world.record(&fetch).expect(0);
    world.drill(&fetch).expect(0);
    let states = || {
        let status = world.outlast(&["status", "--json"]).expect(0).json();
        texts(&status["cells"], "state").into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    // 30 days are what counts where nothing is configured.
    for (days, is_proved) in [(0, true), (29, true), (2, false)] {
        clock.pass(DAY * days);
        let states = states();
        assert_eq!(states.iter().any(|state| state == "proved"), is_proved, "{days} more days: {states:?}");
        assert_eq!(states.iter().any(|state| state == "claimed"), !is_proved, "{days} more days: {states:?}");
    }
}
