//! Random runs: commands that are killed or run out of space, anywhere. A failure prints its seed.
//!
//! `KILL_SEEDS` says how many seeds are tried, `KILL_SEED` repeats one.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use fastrand::Rng;
use store::FAILURE_POINTS;

use super::scene::{Acknowledged, Scene, fetch};
use crate::world::read_json;

const N_SEEDS: usize = 20;
const N_STEPS: usize = 5;
/// Seeds that are tried at once; they mostly wait for the disk and for each other's ends.
const N_THREADS: usize = 3;
/// No command here takes longer, so that a kill may come at any moment.
const KILL_WITHIN_MS: u64 = 900;

#[test]
fn random_work_loses_nothing() {
    let tally = Tally::default();
    let n_seeds = try_all("kills::random", |seed| work(seed, &tally));
    if n_seeds >= N_SEEDS {
        tally.assert_all_happened();
    }
}

/// Does something for each seed that is asked for, which a failure names; returns how many there are.
pub(super) fn try_all(test: &'static str, work: impl Fn(u64) + Sync) -> usize {
    let seeds = seeds();
    let (n_seeds, waiting) = (seeds.len(), Mutex::new(seeds));
    std::thread::scope(|scope| {
        for _ in 0..N_THREADS {
            scope.spawn(|| {
                loop {
                    let Some(seed) = waiting.lock().unwrap().pop() else { return };
                    println!("KILL_SEED={seed}");
                    let _told = Told { seed, test };
                    work(seed);
                }
            });
        }
    });
    n_seeds
}

/// Returns the seeds that are asked for.
fn seeds() -> Vec<u64> {
    let number = |name| std::env::var(name).ok().map(|text: String| text.parse::<u64>().unwrap());
    if let Some(seed) = number("KILL_SEED") {
        return vec![seed];
    }
    let n_seeds = number("KILL_SEEDS").map_or(N_SEEDS, |n| usize::try_from(n).unwrap());
    (0..n_seeds).map(|_| u64::from(u32::from_be_bytes(host::random::bytes()))).collect()
}

/// What happened over all seeds: where nothing did, nothing was tested.
#[derive(Debug, Default)]
struct Tally {
    n_killed: AtomicUsize,
    n_refused: AtomicUsize,
    n_acknowledged: AtomicUsize,
    /// Acknowledged, and the record says that something is not kept.
    n_partly: AtomicUsize,
}

impl Tally {
    fn count(counter: &AtomicUsize) {
        counter.fetch_add(1, Ordering::Relaxed);
    }

    fn assert_all_happened(&self) {
        println!("{self:?}");
        let [n_killed, n_refused, n_acknowledged, n_partly] =
            [&self.n_killed, &self.n_refused, &self.n_acknowledged, &self.n_partly]
                .map(|counter| counter.load(Ordering::Relaxed));
        // Of the last two there are about eight with 20 seeds.
        assert!(n_killed > 0 && n_acknowledged > 0 && n_refused + n_partly > 0, "{self:?}");
    }
}

/// Names the seed when its work panics.
struct Told {
    seed: u64,
    test: &'static str,
}

impl Drop for Told {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("failed; repeat it with KILL_SEED={} cargo test -p outlast {}", self.seed, self.test);
        }
    }
}

fn work(seed: u64, tally: &Tally) {
    let mut random = Rng::with_seed(seed);
    let scene = Scene::new();
    scene.run("", &["init"]).expect(0);
    let mut acknowledged: Vec<Acknowledged> = Vec::new();
    for number in 0..N_STEPS {
        let step = Step::draw(&mut random, &scene, &acknowledged);
        let what = format!("KILL_SEED={seed} step {number}: {step:?}");
        let before = acknowledged.len();
        acknowledged.extend(step.take(&scene, tally, &what));
        if acknowledged.len() > before || step.is_violent() {
            scene.assert_kept(&acknowledged, &what);
        }
    }
    let what = format!("KILL_SEED={seed}, the end");
    let whole = scene.record(&fetch(&scene.urls()));
    scene.assert_survives(&whole, &what);
    if let Some(other) = acknowledged.iter().find(|acknowledged| acknowledged.is_whole()) {
        scene.assert_survives(other, &what);
    }
    acknowledged.push(whole);
    scene.assert_kept(&acknowledged, &what);
    scene.assert_index_is_a_fold(&what);
}

/// One command, and what happens to it.
#[derive(Debug)]
struct Step {
    words: Vec<String>,
    /// The command that is recorded, if it is.
    recorded: Option<Vec<String>>,
    failpoints: String,
    kill_after: Option<Duration>,
}

impl Step {
    fn draw(random: &mut Rng, scene: &Scene, acknowledged: &[Acknowledged]) -> Self {
        let record = scene.world.path().join("record.json").display().to_string();
        let words = |list: &[&str]| list.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        let mut recorded = None;
        let words = match random.u32(..10) {
            0..6 => {
                let mut urls = scene.urls();
                random.shuffle(&mut urls);
                let command = fetch(&urls[..random.usize(1..=urls.len())]);
                let fresh: &[&str] = if random.bool() { &["--fresh"] } else { &[] };
                let own = words(&[&["exec", "--record", &record], fresh, &["--"]].concat());
                recorded = Some(command.clone());
                [own, command].concat()
            }
            6..8 if !acknowledged.is_empty() => {
                let command = acknowledged[random.usize(..acknowledged.len())].command.clone();
                [words(&["drill", "--"]), command].concat()
            }
            8 => words(&["store", "verify"]),
            _ => words(&["status"]),
        };
        let point = FAILURE_POINTS[random.usize(..FAILURE_POINTS.len())];
        let n = if point == "blob.write" { random.u32(1..200) } else { random.u32(1..8) };
        let lasting = if random.bool() { "+" } else { "" };
        let (failpoints, kill_after) = match random.u32(..5) {
            0 => (String::new(), None),
            1 => (format!("{point}=kill@{n}"), None),
            2 => (format!("{point}=nospace@{n}{lasting}"), None),
            3 => (format!("{point}=broken@{n}{lasting}"), None),
            _ => (String::new(), Some(Duration::from_millis(random.u64(..KILL_WITHIN_MS)))),
        };
        Self { words, recorded, failpoints, kill_after }
    }

    fn is_violent(&self) -> bool {
        self.kill_after.is_some() || !self.failpoints.is_empty()
    }

    /// Lets it happen; returns the run if its end was told.
    fn take(&self, scene: &Scene, tally: &Tally, what: &str) -> Option<Acknowledged> {
        let record = scene.world.path().join("record.json");
        let _ = std::fs::remove_file(&record);
        let words: Vec<&str> = self.words.iter().map(String::as_str).collect();
        let done = scene.run_until(&self.failpoints, &words, self.kill_after);
        if done.code == -9 {
            Tally::count(&tally.n_killed);
        }
        let command = self.recorded.clone()?;
        if !matches!(done.code, 0 | 1) {
            assert!(matches!(done.code, -9 | 125), "{what}: {} {}", done.code, done.stderr);
            if done.code == 125 {
                Tally::count(&tally.n_refused);
            }
            return None;
        }
        // Whatever becomes of the disk, the command gets what it asks for.
        assert_eq!(done.code, 0, "{what}: {}", done.stderr);
        let acknowledged = Acknowledged { command, record: read_json(&record) };
        let counter = if acknowledged.is_whole() { &tally.n_acknowledged } else { &tally.n_partly };
        Tally::count(counter);
        Some(acknowledged)
    }
}
