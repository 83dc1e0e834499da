//! However a host fails, the build survives, quickly, and nothing that was only played is kept.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::clients::npm_project;
use crate::world::{World, entries, read_json};

fn blobs(world: &World) -> BTreeSet<PathBuf> {
    fn below(folder: &Path) -> Vec<PathBuf> {
        let mut found = Vec::new();
        for path in entries(folder) {
            if path.is_dir() { found.extend(below(&path)) } else { found.push(path) }
        }
        found
    }
    below(&world.own().join("blobs")).into_iter().collect()
}

#[track_caller]
fn survives(fault: &str, bound: Duration) {
    let world = npm_project();
    world.record(&["npm", "ci", "--no-audit"]).expect(0);
    let before = blobs(&world);
    let n_objects = world.outlast(&["store", "stat", "--json"]).expect(0).json()["n_objects"].clone();

    let cut = format!("all={fault}");
    let done = world.outlast(&["drill", "--cut", &cut, "--", "npm", "ci", "--no-audit"]).expect(0);
    assert!(done.took < bound, "{fault}: {:?}", done.took);
    let report = world.newest_report();
    assert_eq!(report["cut"][0]["fault"], fault);
    assert_eq!(report["bytes_from_cut_hosts"], 0);
    let (detected, recovered) = (report["detected_ms"].as_u64().unwrap(), report["recovered_ms"].as_u64());
    assert!(recovered.is_some() && Duration::from_millis(detected) < bound, "{report:#}");

    assert_eq!(world.outlast(&["store", "stat", "--json"]).expect(0).json()["n_objects"], n_objects);
    for blob in blobs(&world).difference(&before) {
        assert_eq!(read_json(blob)["run_id"], report["run_id"], "only the drill's own record is new");
    }
    assert!(blobs(&world).is_superset(&before));
    world.outlast(&["store", "verify"]).expect(0);
    let events = world.outlast(&["status", "--json"]).expect(0).json();
    assert_eq!(events["events"], serde_json::json!([]), "what is played is no event");
}

#[test]
fn a_refused_connection() {
    survives("refuse", Duration::from_secs(10));
}

#[test]
fn a_reset() {
    survives("reset", Duration::from_secs(10));
}

#[test]
fn a_host_that_hangs() {
    survives("hang", Duration::from_secs(10));
}

#[test]
fn a_bad_gateway() {
    survives("502", Duration::from_secs(10));
}

#[test]
fn a_name_that_is_gone() {
    survives("nxdomain", Duration::from_secs(10));
}

#[test]
fn a_page_nobody_asked_for() {
    survives("wrong", Duration::from_secs(10));
}

#[test]
fn without_a_copy_a_cut_host_is_unavailable_and_never_absent() {
    for fault in ["refuse", "reset", "hang", "502", "nxdomain", "wrong"] {
        let world = World::new();
        let script = "curl -sS -m 20 -o body -w '%{http_code}' https://registry.npmjs.org/left-pad";
        let cut = format!("registry.npmjs.org={fault}");
        let done = world.outlast(&["exec", "-q", "--cut", &cut, "--", "sh", "-c", script]);
        let is_outage = ["503", "502", "000"].contains(&done.stdout.as_str());
        assert!(is_outage, "{fault}: {}{}", done.stdout, done.stderr);
        assert_eq!(world.newest_record()["objects"], serde_json::json!([]), "{fault}");
    }
}
