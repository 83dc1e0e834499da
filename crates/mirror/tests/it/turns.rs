//! Giving copies to clients, of which each core serves one at a time.

use std::fs;
use std::time::{Duration, Instant};

use git::{Bare, Protocol};
use http_body_util::BodyExt as _;
use mirror::Served;

use crate::world::{World, ask};

#[tokio::test(flavor = "multi_thread")]
async fn half_a_copy_is_given_to_nobody() {
    let world = World::new();
    world.sync().await;
    let commits = World::commits(&world.folder());
    let served = Served::new(world.store.clone(), World::git(), 1);
    let refs = served.refs(world.repo(), None).unwrap().unwrap();
    fs::remove_dir_all(world.folder()).unwrap();
    // Another process is at work on it, and has nothing yet.
    let other = Bare::lock(&World::git(), &world.folder()).unwrap();
    let other = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_secs(3));
        drop(other);
    });
    let asked = Instant::now();
    let given = served.upload_pack(world.repo(), None, &refs, Protocol::Two, b"0000".to_vec()).unwrap();
    assert!(asked.elapsed() > Duration::from_secs(2));
    assert_eq!(World::commits(&world.folder()), commits);
    drop(given);
    other.join().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_for_a_turn_has_the_head_of_the_answer() {
    let world = World::new();
    // More than lies between git and a client that takes nothing.
    let large: String = std::iter::repeat_with(fastrand::alphanumeric).take(4 << 20).collect();
    world.repository.commit("main", "large", &[("large.txt", &large)]);
    world.sync().await;
    let served = Served::new(world.store.clone(), World::git(), 1);
    // What has something already is answered for one client alone.
    let have = format!("have {}", "1".repeat(40));
    let ask = || ask(&served, &world, None, &["thin-pack", &have, "done"]);
    let mut first = ask();
    first.frame().await.unwrap().unwrap();
    let mut second = ask();
    let soon = Duration::from_millis(300);
    tokio::time::timeout(soon, second.frame()).await.unwrap_err();
    // A client that takes nothing keeps its place, and no core.
    assert!(second.collect().await.unwrap().to_bytes().len() > 3 << 20);
    assert!(first.collect().await.unwrap().to_bytes().len() > 3 << 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_does_not_move_is_made_fast_once() {
    let world = World::new();
    let packs = || -> Vec<String> {
        let entries = fs::read_dir(world.folder().join("objects/pack")).unwrap();
        entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect()
    };
    let has_bitmap = || packs().iter().any(|name| name.ends_with(".bitmap"));
    world.sync().await;
    world.sync().await;
    assert!(!has_bitmap(), "the control: a small one is fast as it is");
    let large: String = std::iter::repeat_with(fastrand::alphanumeric).take(2 << 20).collect();
    world.repository.commit("main", "large", &[("large.txt", &large)]);
    world.sync().await;
    assert!(!has_bitmap(), "not while others wait for what is new");
    let commits = World::commits(&world.folder());
    world.sync().await;
    assert!(has_bitmap() && packs().iter().any(|name| name == "multi-pack-index"), "{:?}", packs());
    let before =
        fs::metadata(world.folder().join("objects/pack/multi-pack-index")).unwrap().modified().unwrap();
    world.sync().await;
    let after =
        fs::metadata(world.folder().join("objects/pack/multi-pack-index")).unwrap().modified().unwrap();
    assert_eq!((before, World::commits(&world.folder())), (after, commits));
}
