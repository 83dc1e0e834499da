//! A disk that is really full: a small file system of the test's own holds Outlast's home.
//!
//! Each test runs itself again in mount namespaces of its own, so that nothing is mounted outside, whatever happens.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use super::scene::{Acknowledged, Scene, fetch};
use crate::world::{Done, World, read_json, texts};

const INSIDE: &str = "OUTLAST_KILLS_INSIDE";
/// Large enough for everything here.
const ROOMY: &str = "64m";

/// The file that takes the space.
pub(crate) const FILLER: &str = "filler";

/// Does something where mounts are seen by nobody else.
pub(crate) fn apart(test: &str, act: impl Fn()) {
    apart_with(&[], test, act);
}

/// Does something in more namespaces than that of mounts.
pub(crate) fn apart_with(more: &[&str], test: &str, act: impl Fn()) {
    if std::env::var_os(INSIDE).is_some() {
        return act();
    }
    let namespaces = if nix::unistd::geteuid().is_root() { "-m" } else { "-rm" };
    let output = Command::new("unshare")
        .args([namespaces, "--propagation", "private"])
        .args(more)
        .arg("--")
        .arg(std::env::current_exe().unwrap())
        .args([test, "--exact", "--nocapture"])
        .env(INSIDE, "1")
        .output()
        .unwrap();
    let told =
        [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    assert!(output.status.success(), "{told}");
    assert!(told.contains("1 passed"), "{told}");
}

/// A disk; it must go before the folder on which it is mounted.
pub(crate) struct Disk(PathBuf);

impl Disk {
    /// Gives the home of a world a disk of its own.
    pub(crate) fn of(world: &World) -> Self {
        let own = world.own();
        fs::create_dir_all(&own).unwrap();
        mount(&["-t", "tmpfs", "-o", &format!("size={ROOMY}"), "tmpfs", own.to_str().unwrap()]);
        Self(own)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg(&self.0).status();
        assert!(std::thread::panicking() || unmounted.unwrap().success());
    }
}

/// Returns a scene whose home has a disk of its own.
fn scene() -> (Scene, Disk) {
    let scene = Scene::new();
    let disk = Disk::of(&scene.world);
    scene.configure();
    (scene, disk)
}

fn mount(arguments: &[&str]) {
    assert!(Command::new("mount").args(arguments).status().unwrap().success(), "{arguments:?}");
}

/// Runs a command and checks that it gets everything, whatever becomes of the disk.
#[track_caller]
fn exec(scene: &Scene, urls: &[&str], what: &str) -> (Done, Option<Value>) {
    let record = scene.world.path().join("record.json");
    let _ = fs::remove_file(&record);
    let command = fetch(urls);
    let own = ["exec", "--record", record.to_str().unwrap(), "--"];
    let words: Vec<&str> = own.into_iter().chain(command.iter().map(String::as_str)).collect();
    let done = scene.run("", &words);
    let n_got = done.stdout.lines().filter(|line| line.starts_with("got ")).count();
    // Where the store cannot even be opened, the command is not begun, rather than begun and not recorded.
    let is_begun = done.code != 125 || n_got > 0;
    assert_eq!(
        n_got,
        if is_begun { urls.len() } else { 0 },
        "{what}: {} {}{}",
        done.code,
        done.stdout,
        done.stderr
    );
    let record = record.exists().then(|| read_json(&record));
    (done, record)
}

/// Asserts that everything is right again by itself.
#[track_caller]
fn assert_recovered(scene: &Scene, acknowledged: &mut Vec<Acknowledged>, what: &str) {
    scene.assert_kept(acknowledged, what);
    let whole = scene.record(&fetch(&scene.urls()));
    scene.assert_survives(&whole, what);
    acknowledged.push(whole);
    scene.assert_kept(acknowledged, what);
    scene.assert_index_is_a_fold(what);
}

#[test]
fn in_the_middle_of_a_blob() {
    apart("kills::full::in_the_middle_of_a_blob", || {
        let (scene, _disk) = scene();
        let small = scene.record(&fetch(&["https://files.example/small"]));
        let mut acknowledged = vec![small];
        fill(&scene.world, 6 << 10);
        let urls = ["https://files.example/eight", "https://files.example/small"];
        let (done, record) = exec(&scene, &urls, "a file larger than the disk");
        let done = done.expect(0).says("not kept: https://files.example/eight").says("could not be stored");
        let record = record.unwrap();
        // The other one came while the disk was full, or did not.
        let told = [texts(&record["not_kept"], "url"), texts(&record["objects"], "url")].concat();
        assert_eq!(BTreeSet::from_iter(told), BTreeSet::from(urls), "{record:#}");
        let host = &record["hosts"][0];
        assert_eq!(host["kept"], false, "{}", done.stderr);
        acknowledged.push(Acknowledged { command: fetch(&urls), record });
        scene.assert_kept(&acknowledged, "what was not stored is not missing");
        let command = fetch(&urls);
        let words: Vec<&str> =
            ["drill", "--"].into_iter().chain(command.iter().map(String::as_str)).collect();
        let drilled = scene.run("", &words).expect(1);
        assert!(!drilled.stdout.contains("/eight"), "nobody has it");
        fs::remove_file(scene.world.own().join(FILLER)).unwrap();
        assert_recovered(&scene, &mut acknowledged, "with space again");
    });
}

#[test]
fn at_any_free_space() {
    apart("kills::full::at_any_free_space", || {
        let (scene, _disk) = scene();
        let mut acknowledged = vec![scene.record(&fetch(&["https://files.example/small"]))];
        let filler = scene.world.own().join(FILLER);
        let urls =
            ["https://mirror.example/page", "https://files.example/two", "https://files.example/small"];
        for free_kb in [0, 4, 8, 16, 32, 64, 128, 512, 2100, 2200] {
            let what = format!("{free_kb} KiB free");
            fill(&scene.world, free_kb);
            let (done, record) = exec(&scene, &urls, &what);
            println!("{what}: exit {} {}", done.code, done.stderr);
            match (done.code, record) {
                (0, Some(record)) => acknowledged.push(Acknowledged { command: fetch(&urls), record }),
                (125, None) => {
                    done.says("error: ").says("free");
                }
                (code, record) => panic!("{what}: {code} {record:?} {}", done.stderr),
            }
            fs::remove_file(&filler).unwrap();
            scene.assert_kept(&acknowledged, &what);
        }
        assert_recovered(&scene, &mut acknowledged, "with space again");
    });
}

/// Fills the disk except for some pages; whoever else writes meanwhile may leave fewer.
pub(crate) fn fill(world: &World, free_kb: u64) {
    let own = world.own();
    let filler = own.join(FILLER);
    let told = Command::new("sh")
        .args(["-c", "free=$(df --output=avail -k \"$1\" | tail -1); head -c $(( (free - $2) * 1024 )) /dev/zero > \"$3\" 2>/dev/null; test -s \"$3\"", "sh"])
        .arg(&own)
        .arg(free_kb.to_string())
        .arg(&filler)
        .status()
        .unwrap();
    assert!(told.success());
}
