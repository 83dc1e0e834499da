//! Answers that many clients share, and how often git ran for them.

use std::fs;
use std::time::Duration;

use git::Git;
use http_body_util::BodyExt as _;
use mirror::Served;

use crate::counting::{Counting, all};
use crate::world::{World, ask};

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_the_same_has_the_same_answer() {
    let world = World::new();
    world.sync().await;
    let git = Counting::new(&world);
    let (before, wait) = (world.clock.now(), git.told("wait"));
    let same = (0..20).map(|_| git.ask(&world, None, &["ofs-delta", "done"])).collect::<Vec<_>>();
    fs::remove_file(wait).unwrap();
    let texts = all(same).await;
    assert!(texts[0].contains("PACK") && texts.iter().all(|text| *text == texts[0]));
    assert_eq!(git.n_runs(), 1);
    // One that comes when it is whole.
    assert_eq!(all([git.ask(&world, None, &["ofs-delta", "done"])]).await, texts[..1]);
    assert_eq!(git.n_runs(), 1);

    // Each of these is another answer.
    all([git.ask(&world, None, &["done"]), git.ask(&world, None, &["deepen 1", "done"])]).await;
    assert_eq!(git.n_runs(), 3);
    all([git.ask(&world, Some(before), &["ofs-delta", "done"])]).await;
    assert_eq!(git.n_runs(), 4, "another moment");
    world.repository.commit("feature", "later", &[("f.txt", "later\n")]);
    world.sync().await;
    all([git.ask(&world, None, &["ofs-delta", "done"])]).await;
    assert_eq!(git.n_runs(), 5, "other refs");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_first_may_leave() {
    let world = World::new();
    world.sync().await;
    let git = Counting::new(&world);
    let wait = git.told("wait");
    let [first, second] = [(); 2].map(|()| git.ask(&world, None, &["done"]));
    drop(first);
    fs::remove_file(wait).unwrap();
    assert!(all([second]).await[0].contains("PACK"));
    assert_eq!(git.n_runs(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_waits_for_is_not_made() {
    let world = World::new();
    world.sync().await;
    let git = Counting::new(&world);
    let wait = git.told("wait");
    let busy = git.busy(&world).await;
    drop(git.ask(&world, None, &["done"]));
    fs::remove_file(wait).unwrap();
    for task in busy {
        assert!(task.await.unwrap()[0].contains("PACK"));
    }
    assert_eq!(git.n_runs(), 2, "both turns were taken");
    assert!(all([git.ask(&world, None, &["done"])]).await[0].contains("PACK"));
    assert_eq!(git.n_runs(), 3, "the control");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_git_that_nobody_reads_any_more_is_ended() {
    let world = World::new();
    world.sync().await;
    let git = Counting::new(&world);
    let endless = git.told("endless");
    let [mut first, mut second] = [(); 2].map(|()| git.ask(&world, None, &["done"]));
    for reader in [&mut first, &mut second] {
        reader.frame().await.unwrap().unwrap();
    }
    let process = format!("/proc/{}", fs::read_to_string(endless).unwrap().trim());
    drop(first);
    second.frame().await.unwrap().unwrap();
    assert!(fs::exists(&process).unwrap(), "the control: one is left");
    drop(second);
    let ended = async {
        while fs::exists(&process).unwrap() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), ended).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_is_for_those_who_asked_and_not_for_later_ones() {
    let world = World::new();
    world.sync().await;
    let git = Counting::new(&world);
    let (wait, fail) = (git.told("wait"), git.told("fail"));
    let same = (0..3).map(|_| git.ask(&world, None, &["done"])).collect::<Vec<_>>();
    fs::remove_file(wait).unwrap();
    assert_eq!(all(same).await, ["0011ERR it fails\n"; 3]);
    assert_eq!(git.n_runs(), 1);
    fs::remove_file(fail).unwrap();
    assert!(all([git.ask(&world, None, &["done"])]).await[0].contains("PACK"));
    assert_eq!(git.n_runs(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_git_that_is_not_there_is_told_to_everybody() {
    let world = World::new();
    world.sync().await;
    let served = Served::new(world.store.clone(), Git::new("/nowhere"), 1);
    let texts = all((0..3).map(|_| ask(&served, &world, None, &["done"]))).await;
    assert!(texts.iter().all(|text| text.contains("ERR `git` is not installed")), "{texts:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_takes_nothing_holds_up_nobody() {
    let world = World::new();
    // More than lies between git and a client.
    let large: String = std::iter::repeat_with(fastrand::alphanumeric).take(4 << 20).collect();
    world.repository.commit("main", "large", &[("large.txt", &large)]);
    world.sync().await;
    let served = Served::new(world.store.clone(), World::git(), 1);
    let mut slow = ask(&served, &world, None, &["done"]);
    let first = slow.frame().await.unwrap().unwrap().into_data().unwrap();
    let others = (0..3).map(|_| ask(&served, &world, None, &["done"]));
    let texts = tokio::time::timeout(Duration::from_secs(30), all(others)).await.unwrap();
    assert!(texts.iter().all(|text| text.len() > 3 << 20));
    let rest = slow.collect().await.unwrap().to_bytes();
    assert!(String::from_utf8_lossy(&[first, rest].concat()) == texts[0]);
}
