//! kill -9 at every failure point: what was acknowledged stays, what was lost is fetched again.

use std::sync::Mutex;

use store::FAILURE_POINTS;

use super::scene::{Acknowledged, Scene, fetch};

/// Of every file that is replaced as a whole.
const FILE_POINTS: [&str; 3] = ["file.written", "file.synced", "file.renamed"];
/// Of a drill's evidence.
const EVIDENCE_POINTS: [&str; 2] = ["evidence.written", "evidence.renamed"];

const N_THREADS: usize = 3;

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
    scene.assert_survives(&acknowledged[0], &what);
    acknowledged.push(scene.record(&command));
    scene.assert_kept(acknowledged, &what);
    scene.assert_index_is_a_fold(&what);
    scene.assert_survives(&acknowledged[acknowledged.len() - 1], &what);
}

/// Kills at passes of a point, each in a home of its own that has one run already; several at once, since they wait for
/// the disk.
fn check_all(verb: &'static str, passes: Vec<(&'static str, u32)>) {
    let waiting = Mutex::new(passes);
    let work = || {
        loop {
            let Some((point, n)) = waiting.lock().unwrap().pop() else { return };
            let scene = Scene::new();
            let mut acknowledged = vec![scene.record(&fetch(&scene.urls()[..2]))];
            check(&scene, &mut acknowledged, verb, point, n);
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..N_THREADS {
            scope.spawn(work);
        }
    });
}

#[test]
fn kill_at_every_point_of_a_run_loses_nothing() {
    let passes = FAILURE_POINTS.into_iter().chain(FILE_POINTS).flat_map(|point| {
        let numbers: &[u32] = match point {
            // Segments are too long for a run; below.
            "segment.written" | "segment.closed" => &[],
            "blob.write" => &[1, 7, 60],
            "blob.temporary_written" | "blob.synced" | "blob.renamed" => &[1, 5],
            _ => &[1],
        };
        numbers.iter().map(move |n| (point, *n))
    });
    check_all("exec", passes.collect());
}

#[test]
fn kill_at_every_point_of_a_drill_loses_nothing() {
    // The first file is the public key's, the second the record's.
    let files = FILE_POINTS.map(|point| [(point, 1), (point, 2)]).concat();
    let evidence = EVIDENCE_POINTS.map(|point| (point, 1));
    let journal = ["journal.append", "journal.appended", "journal.synced", "index.updated"];
    let twice = journal.map(|point| [(point, 1), (point, 2)]).concat();
    check_all("drill", [files, evidence.to_vec(), twice].concat());
}

#[test]
fn kill_while_a_segment_is_closed_loses_nothing() {
    for point in ["segment.written", "segment.closed", "file.written", "file.synced", "file.renamed"] {
        let what = format!("{point}=kill");
        let scene = Scene::new();
        let recorded = scene.record(&fetch(&scene.urls()[..2]));
        // A command's words are in the journal: this many fill a segment.
        let long = ["true".to_owned()].into_iter().chain((0..8).map(|_| "x".repeat(120_000)));
        let mut words = vec!["-q".to_owned(), "exec".to_owned(), "--".to_owned()];
        words.extend(long);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        for _ in 0..4 {
            scene.run("", &words).expect(0);
        }
        let n_closed = || scene.closed_segments().len();
        assert_eq!(n_closed(), 0, "{what}: the segment is not full yet");
        let mut n_runs = 0;
        while scene.run(&what, &words).code != -9 {
            n_runs += 1;
            assert!(n_runs < 4, "{what} is never passed");
        }
        scene.assert_kept(std::slice::from_ref(&recorded), &what);
        let acknowledged = [recorded, scene.record(&fetch(&scene.urls()))];
        scene.run("", &words).expect(0);
        assert_eq!(n_closed(), 1, "{what}: it is closed all the same");
        scene.assert_kept(&acknowledged, &what);
        scene.assert_index_is_a_fold(&what);
        scene.assert_survives(&acknowledged[1], &what);
    }
}

#[test]
fn kill_in_a_home_that_is_being_made_loses_nothing() {
    for verb in [&["init"][..], &["exec", "--", "true"]] {
        for point in FILE_POINTS {
            for n in 1..=2 {
                let what = format!("{verb:?} {point}=kill@{n}");
                let scene = Scene::new();
                let killed = scene.run(&format!("{point}=kill@{n}"), verb);
                assert_eq!(killed.code, -9, "{what}: {}", killed.stderr);
                scene.run("", &["init"]).expect(0);
                let acknowledged = scene.record(&fetch(&scene.urls()[..2]));
                scene.assert_survives(&acknowledged, &what);
                scene.assert_kept(&[acknowledged], &what);
                scene.run("", &["evidence", "key"]).expect(0);
            }
        }
    }
}
