//! Each fault of a git server at each step, against a first mirror and against a copy that is held: what is here stays exactly as it was,
//! the journal says why, and the next sync completes by itself. Plain git is the control: the faults are real.

mod rows;
mod scene;

use mirror::{Outage, Synced};
use rows::{Becomes, Row};
use scene::{Copy, Scene};

use crate::world::World;

fn becomes(synced: &Synced) -> Becomes {
    match synced {
        Synced::Unavailable { outage: Outage::Absent, .. } => Becomes::Absent,
        Synced::Unavailable { .. } => Becomes::Unavailable,
        Synced::Refused { .. } => Becomes::NotTaken,
        Synced::Moved { n_held, .. } if *n_held > 0 => Becomes::Held,
        Synced::Unchanged | Synced::Flawed { .. } | Synced::Moved { .. } => Becomes::Whole,
    }
}

/// Compares a copy after a fault with what it was.
fn check(told: &str, became: Becomes, before: &Copy, after: &Copy) {
    match became {
        // What waits for a person is known, and its objects are here.
        Becomes::Held => {
            assert_eq!(before.served, after.served, "{told}");
            assert!(before.objects.is_subset(&after.objects) && !after.state.held.is_empty(), "{told}");
        }
        Becomes::Whole => assert!(before.objects.is_subset(&after.objects), "{told}"),
        _ => assert_eq!(before, after, "{told}"),
    }
}

/// Ends the fault of a row, after which one sync completes.
async fn lift(scene: &mut Scene, n: usize, told: &str) {
    scene.go(n, &[]);
    let synced = scene.world.sync().await;
    assert!(synced.is_whole() && becomes(&synced) == Becomes::Whole, "{told}: {synced:?}");
    assert_eq!(scene.world.served(), World::refs(scene.repository().folder()), "{told}");
    assert!(scene.copy().state.held.is_empty(), "{told}");
    scene.fsck();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_mirror_survives_each_fault() {
    let mut scene = Scene::new();
    for (n, row) in rows::all(&scene).into_iter().enumerate() {
        let (name, [expected, _]) = (&row.name, row.becomes);
        scene.go(n, &row.faults);
        let into = scene.world.new_folder(&format!("clone-{n}"));
        let clone = ["clone", "--quiet", "--mirror", scene.world.address.as_str(), into.to_str().unwrap()];
        let is_good = scene.plain(scene.world.home.path(), Some(&row), &clone);
        assert_eq!(scene.judge(is_good, &into, &[]), row.plain[0], "{name}: plain git");
        if expected == Becomes::Believed {
            continue;
        }
        let (before, seq) = (scene.copy(), scene.seq());
        let synced = scene.sync(&row).await;
        assert_eq!(becomes(&synced), expected, "{name}: {synced:?}");
        assert_eq!(synced.is_whole(), expected == Becomes::Whole, "{name}: {synced:?}");
        check(name, expected, &before, &scene.copy());
        if expected != Becomes::Whole {
            assert!(scene.told(seq).contains(row.says), "{name}: {}", scene.told(seq));
        }
        lift(&mut scene, n, name).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_is_held_survives_each_fault() {
    let mut scene = Scene::new();
    let n_rows = rows::all(&scene).len();
    let mirror = |scene: &Scene, n: usize| scene.world.new_folder(&format!("mirror-{n}"));
    for n in 0..n_rows {
        scene.go(n, &[]);
        assert_eq!(becomes(&scene.world.sync().await), Becomes::Whole);
        let into = mirror(&scene, n);
        let clone = ["clone", "--quiet", "--mirror", scene.world.address.as_str(), into.to_str().unwrap()];
        assert!(scene.plain(scene.world.home.path(), None, &clone));
    }
    let commits = World::commits(scene.repository().folder());
    scene.repository().commit("main", "commit 7", &[("a.txt", "line 7\n"), ("b.txt", "b\n")]);
    for (n, row) in rows::all(&scene).into_iter().enumerate() {
        let (name, [_, expected], into) = (&row.name, row.becomes, mirror(&scene, n));
        scene.go(n, &row.faults);
        let is_good = scene.plain(&into, Some(&row), &["remote", "update", "--prune"]);
        assert_eq!(scene.judge(is_good, &into, &commits), row.plain[1], "{name}: plain git");
        let (before, seq) = (scene.copy(), scene.seq());
        let synced = scene.sync(&row).await;
        assert_eq!(becomes(&synced), expected, "{name}: {synced:?}");
        assert_eq!(
            synced.is_whole(),
            matches!(expected, Becomes::Whole | Becomes::Held),
            "{name}: {synced:?}"
        );
        check(name, expected, &before, &scene.copy());
        scene.fsck();
        if expected != Becomes::Whole {
            assert!(scene.told(seq).contains(row.says), "{name}: {}", scene.told(seq));
        }
        let kept = World::commits(&scene.world.folder());
        assert!(commits.iter().all(|commit| kept.contains(commit)), "{name}");
        lift(&mut scene, n, name).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_commit_is_lost_while_a_history_moves_and_its_server_fails() {
    for seed in 1..=2 {
        let (mut random, mut scene) = (fastrand::Rng::with_seed(seed), Scene::new());
        scene.go(0, &[]);
        scene.world.sync().await;
        let mut known = World::commits(&scene.world.folder());
        for step in 1..=10 {
            if random.bool() {
                scene.world.upstream_git(&["update-ref", "refs/heads/main", "main~2"]);
            }
            scene.repository().grow(100 * seed + step, 6);
            let mut rows = rows::all(&scene);
            rows.retain(|row: &Row| !row.is_silence());
            let row = random.choice(&rows).unwrap();
            scene.go(0, if random.bool() { &row.faults } else { &[] });
            let synced = scene.sync(row).await;
            let kept = World::commits(&scene.world.folder());
            let lost: Vec<&String> = known.iter().filter(|commit| !kept.contains(commit)).collect();
            assert!(lost.is_empty(), "seed {seed}, step {step}, {}: {synced:?}: {lost:?}", row.name);
            known = kept;
        }
        scene.go(0, &[]);
        let synced = scene.world.sync().await;
        assert!(synced.is_whole(), "seed {seed}: {synced:?}");
        let kept = World::commits(&scene.world.folder());
        let upstream = World::commits(scene.repository().folder());
        assert!(upstream.iter().all(|commit| kept.contains(commit)), "seed {seed}: all of it is here");
        assert!(kept.len() > upstream.len(), "seed {seed}: the control: the upstream has lost some");
        scene.fsck();
    }
}
