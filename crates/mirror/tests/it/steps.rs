//! Repositories whose servers break off before everything came: at every answer, at the same number of bytes.

use std::fs;
use std::time::Duration;

use fakes::Fault;
use fakes::git::Phase;
use mirror::Synced;

use crate::world::{HOST, PATH, World, run};

/// A server that gives no more than so much in one answer.
struct Scene {
    world: World,
    /// How large all of it is in one pack.
    size_bytes: usize,
    cut_bytes: usize,
}

impl Scene {
    fn new(n_commits: usize, percent: usize) -> Self {
        let world = World::new();
        world.repository.grow(7, n_commits);
        let size_bytes = world.repository.pack(&["--all"], &[]).len();
        let scene = Self { cut_bytes: size_bytes * percent / 100, world, size_bytes };
        scene.cut();
        scene
    }

    fn cut(&self) {
        let cut = vec![(Phase::Fetch, Fault::CutAfter { bytes: self.cut_bytes }.into())];
        self.world.upstream.serve_git_with(HOST, PATH, &self.world.repository, cut);
    }

    /// Returns the bodies of the requests for packs, so far.
    fn asked(&self) -> Vec<String> {
        let log = self.world.upstream.log();
        let bodies = log.iter().map(|seen| String::from_utf8_lossy(&seen.body).into_owned());
        bodies.filter(|body| body.contains("command=fetch")).collect()
    }

    fn is_staged(&self) -> bool {
        self.world.folder().join("staged").exists()
    }

    /// Checks that all of it is here, as one pack.
    fn check(&self) {
        let (world, folder) = (&self.world, self.world.folder());
        assert_eq!(world.served(), World::refs(world.repository.folder()));
        assert_eq!(World::commits(&folder), World::commits(world.repository.folder()));
        assert!(!self.is_staged());
        run(&folder, &["fsck", "--full"]);
        // From what the journal names, and nothing else.
        fs::remove_dir_all(&folder).unwrap();
        drop(mirror::Copy::open(&World::git(), &world.store, world.repo(), "sha1").unwrap());
        assert_eq!(World::commits(&folder), World::commits(world.repository.folder()));
    }

    /// Begins to bring the copy up to date, and breaks that off once so many packs were asked for.
    async fn break_off(&self, n_asked: usize) {
        let (mirror, address) = (self.world.mirror(), self.world.address.clone());
        let sync = tokio::spawn(async move { mirror.sync(&address).await.map(|_| ()) });
        while self.asked().len() < n_asked {
            assert!(!sync.is_finished(), "it takes more than {} requests", self.asked().len());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        sync.abort();
        assert!(sync.await.unwrap_err().is_cancelled());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_in_no_single_answer_comes_in_steps() {
    for percent in [50, 25, 8] {
        let scene = Scene::new(1500, percent);
        let synced = scene.world.sync().await;
        let Synced::Moved { size_bytes, n_held: 0, .. } = synced else { panic!("{percent} %: {synced:?}") };
        assert_eq!(scene.world.events("refs").len(), 1, "no ref moved before all of it was here");
        let n_asked = scene.asked().len();
        assert!(n_asked > 100 / percent, "the control: {n_asked} requests");
        let told = format!("{percent} %: {n_asked} answers, {size_bytes} B of {} B", scene.size_bytes);
        assert!(size_bytes < 2 * scene.size_bytes as u64, "{told}");
        scene.check();
        assert_eq!(scene.world.sync().await, Synced::Unchanged);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_that_came_is_not_asked_for_again() {
    let scene = Scene::new(1500, 15);
    scene.break_off(8).await;
    assert!(scene.is_staged() && scene.world.state().seq == 0, "nothing says that it is here");
    let stage = scene.world.folder().join("staged");
    let held = World::commits(&stage);
    assert!(held.len() > 20, "{}", held.len());
    let n_asked = scene.asked().len();
    scene.world.serve();
    assert!(scene.world.sync().await.is_whole());
    let asked = scene.asked();
    assert_eq!(asked.len(), n_asked + 1, "the rest, at once");
    let haves: Vec<&str> =
        asked[n_asked].lines().filter_map(|line| line.split_once("have ")).map(|it| it.1).collect();
    let all = run(scene.world.repository.folder(), &["rev-list", "--count", "--all"]);
    let not = haves.iter().map(|id| format!("^{id}")).collect::<Vec<_>>();
    let arguments =
        [&["rev-list", "--count", "--all"][..], &not.iter().map(String::as_str).collect::<Vec<_>>()].concat();
    let left = run(scene.world.repository.folder(), &arguments);
    let number = |text: &str| text.parse::<usize>().unwrap();
    assert_eq!(number(&left), number(&all) - held.len());
    scene.check();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_broken_off_again_and_again_arrives() {
    let scene = Scene::new(800, 20);
    for n in 1..=3 {
        scene.break_off(4 * n).await;
    }
    assert!(scene.world.sync().await.is_whole());
    scene.check();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_is_held_grows_by_more_than_one_answer() {
    let mut scene = Scene::new(100, 100);
    scene.world.serve();
    scene.world.sync().await;
    scene.world.repository.grow(8, 1000);
    scene.cut_bytes = scene.world.repository.pack(&["--all"], &[]).len() / 4;
    scene.cut();
    assert!(scene.world.sync().await.is_whole());
    assert!(scene.asked().len() > 4, "the control");
    scene.check();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_come_leaves_what_came_and_says_so() {
    let scene = Scene::new(800, 20);
    scene.break_off(6).await;
    let held = World::commits(&scene.world.folder().join("staged")).len();
    let nothing = vec![(Phase::Fetch, Fault::CutAfter { bytes: 100 }.into())];
    scene.world.upstream.serve_git_with(HOST, PATH, &scene.world.repository, nothing);
    let Synced::Unavailable { reason, .. } = scene.world.sync().await else { panic!() };
    assert!(reason.contains("the connection broke") && reason.ends_with("goes on from there"), "{reason}");
    assert_eq!(World::commits(&scene.world.folder().join("staged")).len(), held);
    assert!(scene.world.state().served.is_empty());
    // What is damaged here is begun anew.
    fs::remove_dir_all(scene.world.folder().join("staged/objects/pack")).unwrap();
    scene.cut();
    let first = scene.world.mirror().sync(&scene.world.address).await;
    let is_whole = first.as_ref().is_ok_and(Synced::is_whole);
    assert!(is_whole || scene.world.sync().await.is_whole(), "{first:?}");
    scene.check();
}
