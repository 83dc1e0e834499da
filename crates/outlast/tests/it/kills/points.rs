//! kill -9 at every failure point: what was acknowledged stays, what was lost is fetched again.

use store::FAILURE_POINTS;

use super::scene::{Acknowledged, Scene, fetch};

/// Of every file that is replaced as a whole.
const FILE_POINTS: [&str; 3] = ["file.written", "file.synced", "file.renamed"];
/// Of a drill's evidence.
const EVIDENCE_POINTS: [&str; 2] = ["evidence.written", "evidence.renamed"];

/// Checks that a kill at the Nth pass of a point loses nothing.
fn check(scene: &Scene, acknowledged: &mut Vec<Acknowledged>, verb: &str, point: &str, n: u32) {
    let what = format!("{verb} {point}=kill@{n}");
    let command = match verb {
        "drill" => acknowledged[0].command.clone(),
        _ => fetch(&scene.urls()),
    };
    let command_line: Vec<&str> =
        [verb, "--"].into_iter().chain(command.iter().map(String::as_str)).collect();
    let killed = scene.run(&format!("{point}=kill@{n}"), &command_line);
    assert_eq!(killed.code, -9, "{what}: {}{}", killed.stdout, killed.stderr);
    scene.assert_kept(acknowledged, &what);
    scene.assert_survives(&acknowledged[0].command, &what);
    acknowledged.push(scene.record(&command));
    scene.assert_kept(acknowledged, &what);
    scene.assert_index_is_a_fold(&what);
    scene.assert_survives(&command, &what);
}

fn check_fresh(verb: &str, point: &str, passes: &[u32]) {
    for n in passes {
        let scene = Scene::new();
        let urls = scene.urls();
        let mut acknowledged = vec![scene.record(&fetch(&urls[..2]))];
        check(&scene, &mut acknowledged, verb, point, *n);
    }
}

#[test]
fn kill_at_every_point_of_a_run_loses_nothing() {
    for point in FAILURE_POINTS.into_iter().chain(FILE_POINTS) {
        let passes: &[u32] = match point {
            "blob.write" => &[1, 7, 60],
            "blob.temporary_written" | "blob.synced" | "blob.renamed" => &[1, 5],
            _ => &[1],
        };
        if !point.starts_with("segment") {
            check_fresh("exec", point, passes);
        }
    }
}

#[test]
fn kill_at_every_point_of_a_drill_loses_nothing() {
    for point in EVIDENCE_POINTS.into_iter().chain(FILE_POINTS) {
        check_fresh("drill", point, &[1]);
    }
    for point in ["journal.append", "journal.appended", "journal.synced", "index.update", "index.updated"] {
        check_fresh("drill", point, &[1, 2]);
    }
}
