//! A replay lies in memory where it is known to fit, leaves nothing there, and fails for want of it only on disk.

use std::fs;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use sandbox::memory;

use crate::world::{OUTLAST, World, entries, finish};

const BOUND: Duration = Duration::from_secs(60);
/// Tells on which file systems the project, HOME and the folder of temporary files lie.
const TELL: &str = "for folder in . \"$HOME/.npm\" /tmp; do stat -f -c \"lies in %T\" $folder; done";
/// Needs 720 MB for a moment.
const LARGE: &str = "dd if=/dev/zero of=\"$HOME/large\" bs=1M count=720 2>/dev/null && rm \"$HOME/large\"";

fn told(world: &World, verb: &[&str], script: &str) -> Vec<String> {
    // A run that fetches nothing proves nothing: the drill is held, and inconclusive.
    let code = if verb == ["drill"] { 3 } else { 0 };
    let done = world.outlast(&[verb, &["--", "sh", "-c", script]].concat()).expect(code);
    done.stdout.lines().filter_map(|line| line.strip_prefix("lies in ").map(str::to_owned)).collect()
}

#[test]
fn a_replay_of_a_small_run_lies_in_memory() {
    let world = World::new();
    let recorded = told(&world, &["exec", "--fresh"], TELL);
    assert_eq!(recorded.len(), 3, "{recorded:?}");
    assert!(world.newest_record()["copies_bytes"].as_u64().is_some_and(|size| size > 0));
    let replayed = told(&world, &["drill"], TELL);
    if memory::can_carry() {
        assert!([&replayed[0], &replayed[2]].iter().all(|kind| *kind == "tmpfs"), "{replayed:?}");
    } else {
        assert_eq!(replayed, recorded, "this machine's memory carries no copies");
    }
}

/// Of a run without copies of its own nobody knows what they take: it is guessed, and no small memory is trusted with that.
#[test]
fn a_replay_of_an_ordinary_run_lies_in_memory_where_there_is_plenty() {
    let world = World::new();
    told(&world, &["exec"], TELL);
    assert!(world.newest_record()["copies_bytes"].is_null());
    let replayed = told(&world, &["drill"], TELL);
    let is_in_memory = replayed[0] == "tmpfs" && replayed[2] == "tmpfs";
    assert_eq!(is_in_memory, memory::can_carry() && memory::free_bytes() > 9 << 30, "{replayed:?}");
}

#[test]
fn a_folder_that_the_caller_names_is_used() {
    let world = World::new();
    let named = world.path().join("named");
    fs::create_dir(&named).unwrap();
    let world = world.with("TMPDIR", named.to_str().unwrap());
    let recorded = told(&world, &["exec", "--fresh"], TELL);
    assert_eq!(told(&world, &["drill"], TELL), recorded);
    assert_eq!(entries(&named).len(), 0);
}

#[test]
fn a_replay_that_memory_is_too_small_for_is_held_on_disk() {
    let world = World::new();
    let script = format!("{TELL}; {LARGE}");
    assert_eq!(told(&world, &["exec", "--fresh"], &script).len(), 3);
    // In a memory of 700 MB it seems to fit, and does not.
    let small = format!("mount -t tmpfs -o size=700m tmpfs {} && exec \"$@\"", memory::FOLDER);
    let mut command = world.command("unshare");
    command.args(["--map-root-user", "--mount", "sh", "-c", &small, "sh", OUTLAST, "drill", "--"]);
    let done = finish(command.args(["sh", "-c", &script]), b"").expect(3);
    let n_attempts = done.stdout.lines().filter(|line| line.starts_with("lies in ")).count() / 3;
    assert_eq!(n_attempts, if memory::can_carry() { 2 } else { 1 }, "{}\n{}", done.stdout, done.stderr);
    let report = world.newest_report();
    assert_eq!(report["exit_code"], 0, "{}", done.stderr);

    // The attempt that does not count is named all the same.
    let not_tested = report["not_tested"].to_string();
    let journal = fs::read_to_string(world.evidence().pop().unwrap().join("journal.jsonl")).unwrap();
    assert_eq!(not_tested.contains("why an attempt before, run "), n_attempts == 2, "{not_tested}");
    assert_eq!(journal.contains(r#""action":"set_aside""#), n_attempts == 2, "{journal}");
}

/// Kills what was started, whatever becomes of the test.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_killed_replay_leaves_nothing_in_memory() {
    let world = World::new();
    let mark = format!("mark-{}", world.path().file_name().unwrap().display());
    let script = format!("touch {mark}; test ! -e \"$HOME/wait\" || sleep 1000");
    world.record(&["sh", "-c", &script]).expect(0);
    world.write(&world.home().join("wait"), "");
    let is_there = || {
        let rooms = entries(Path::new(memory::FOLDER)).into_iter();
        rooms.map(|room| room.join("project").join(&mark)).any(|mark| mark.exists())
    };
    let mut command = world.command(OUTLAST);
    command.args(["drill", "--", "sh", "-c", &script]).stdout(Stdio::null()).stderr(Stdio::null());
    let mut running = Killed(command.spawn().unwrap());
    if memory::can_carry() {
        await_that("the command", is_there);
    }
    running.0.kill().unwrap();
    await_that("the end of what it left", || !is_there());
}

#[track_caller]
fn await_that(what: &str, is_so: impl Fn() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < BOUND, "waited for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
