//! What grows is followed; what would be lost is not.

use std::fs;

use mirror::{Address, DecideError, Outage, Synced};
use model::{Event, Ruling};

use crate::world::{HOST, PATH, World, run};

#[tokio::test(flavor = "multi_thread")]
async fn a_repository_is_kept_and_an_unchanged_one_costs_one_request() {
    let world = World::new();
    assert!(matches!(world.sync().await, Synced::Moved { n_applied: 4, n_held: 0, .. }));
    assert_eq!(world.served(), World::refs(world.repository.folder()));
    assert_eq!(World::commits(&world.folder()), World::commits(world.repository.folder()));
    run(&world.folder(), &["fsck", "--full"]);
    let asked = world.upstream.log().len();
    assert_eq!(world.sync().await, Synced::Unchanged);
    assert_eq!(world.upstream.log().len(), asked + 1, "one request");
    assert_eq!((world.events("refs").len(), world.events("observed").len()), (1, 1));
    // One branch goes on, and what comes builds on what is here.
    world.repository.commit("main", "commit 6", &[("a.txt", "line 6\n"), ("b.txt", "b\n")]);
    assert!(matches!(world.sync().await, Synced::Moved { n_applied: 1, n_held: 0, .. }));
    assert_eq!(world.served(), World::refs(world.repository.folder()));
    run(&world.folder(), &["fsck", "--full"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_of_an_earlier_version_is_followed_and_costs_no_more() {
    for protocol in ["", "version=1"] {
        let world = World::new();
        let serve = |world: &World| world.upstream.serve_git_in(protocol, HOST, PATH, &world.repository);
        serve(&world);
        assert!(matches!(world.sync().await, Synced::Moved { n_applied: 4, n_held: 0, .. }));
        assert_eq!(world.served(), World::refs(world.repository.folder()));
        assert_eq!(world.state().served["HEAD"].to_string(), "@refs/heads/main");
        let asked = world.upstream.log().len();
        assert_eq!(world.sync().await, Synced::Unchanged);
        assert_eq!(world.upstream.log().len(), asked + 1, "one request");
        world.repository.commit("main", "commit 6", &[("a.txt", "line 6\n"), ("b.txt", "b\n")]);
        assert!(matches!(world.sync().await, Synced::Moved { n_applied: 1, n_held: 0, .. }));
        assert_eq!(World::commits(&world.folder()), World::commits(world.repository.folder()));
        run(&world.folder(), &["fsck", "--full"]);
        // What it destroys stays, too.
        world.upstream_git(&["update-ref", "refs/heads/main", "main~3"]);
        assert!(matches!(world.sync().await, Synced::Moved { n_applied: 0, n_held: 1, .. }));
        world.upstream_git(&["update-ref", "refs/heads/main", &world.served()["refs/heads/main"]]);
        world.sync().await;
        // The server is replaced by a newer one, and later by an older one again.
        world.serve();
        assert!(world.sync().await.is_whole());
        world.repository.commit("main", "commit 7", &[("a.txt", "line 7\n")]);
        assert!(matches!(world.sync().await, Synced::Moved { n_applied: 1, .. }));
        let asked = world.upstream.log().len();
        assert_eq!(world.sync().await, Synced::Unchanged);
        assert_eq!(world.upstream.log().len(), asked + 1, "one request");
        serve(&world);
        assert!(world.sync().await.is_whole(), "{protocol}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_removes_nearly_everything_waits_and_one_that_brings_it_back_does_not() {
    let world = World::new();
    let names: Vec<String> = (0..40).map(|n| format!("{n}.txt")).collect();
    let files: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "text\n")).collect();
    world.repository.commit("main", "many", &files);
    world.sync().await;
    let before = world.served();
    world.repository.commit("main", "nothing", &files[..3]);
    let Synced::Moved { n_held: 1, reasons, .. } = world.sync().await else { panic!("it waits") };
    assert_eq!(reasons, ["`main` lost 37 of its 40 files"]);
    assert_eq!(world.served(), before);
    world.repository.commit("main", "back", &files);
    assert!(matches!(world.sync().await, Synced::Moved { n_applied: 1, n_held: 0, .. }));
    assert_eq!(world.served(), World::refs(world.repository.folder()));
    // On a branch of no importance it is followed.
    world.repository.commit("feature", "many", &files);
    world.sync().await;
    world.repository.commit("feature", "nothing", &[]);
    assert!(matches!(world.sync().await, Synced::Moved { n_applied: 1, n_held: 0, .. }));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_git_finds_fault_with_is_kept_and_told_once() {
    let world = World::new();
    world.sync().await;
    world.sync().await;
    assert!(world.events("flawed").is_empty(), "the control: there is nothing wrong with it");
    // A mode that nobody writes today, as in git's own history.
    let world = World::new();
    let blob = world.upstream_git(&["rev-parse", "main:a.txt"]);
    let tree = world.new_folder("tree");
    let digits = |n: usize| u8::from_str_radix(&blob[n * 2..n * 2 + 2], 16).unwrap();
    let entry = [b"100600 odd.txt\0".to_vec(), (0..20).map(digits).collect()].concat();
    fs::write(&tree, entry).unwrap();
    let write = ["hash-object", "-w", "--literally", "-t", "tree", tree.to_str().unwrap()];
    let odd = world.upstream_git(&write);
    let who = ["-c", "user.name=a", "-c", "user.email=a@b.c"];
    let commit = world.upstream_git(&[&who[..], &["commit-tree", "-p", "main", "-m", "odd", &odd]].concat());
    world.upstream_git(&["update-ref", "refs/heads/main", &commit]);
    assert!(matches!(world.sync().await, Synced::Moved { n_held: 0, .. }));
    assert!(world.events("flawed").is_empty(), "not while others wait for what is new");
    let Synced::Flawed { flaws: said } = world.sync().await else { panic!("it is said") };
    assert_eq!(world.sync().await, Synced::Unchanged, "once");
    // A copy that is made anew is looked at again, and has nothing new to say.
    fs::remove_dir_all(world.folder()).unwrap();
    for _ in 0..2 {
        assert_eq!(world.sync().await, Synced::Unchanged);
    }
    assert!(world.folder().join("outlast.checked").exists(), "the control");
    let [Event::Flawed { flaws, .. }] = &world.events("flawed")[..] else { panic!("it is told once") };
    assert_eq!(*flaws, said);
    assert!(flaws.len() == 1 && flaws[0].contains("badFilemode"), "{flaws:?}");
    assert_eq!(world.served(), World::refs(world.repository.folder()));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_upstream_destroys_stays() {
    let world = World::new();
    world.sync().await;
    let (before, commits) = (world.served(), World::commits(&world.folder()));
    world.upstream_git(&["update-ref", "refs/heads/main", "main~3"]);
    world.upstream_git(&["update-ref", "-d", "refs/tags/v1"]);
    world.upstream_git(&["update-ref", "-d", "refs/heads/feature"]);
    world.repository.commit("new", "something new", &[("n.txt", "n\n")]);
    let Synced::Moved { n_applied, n_held, reasons, .. } = world.sync().await else { panic!("it moved") };
    assert_eq!((n_applied, n_held), (1, 3), "{reasons:?}");
    let mut expected = before.clone();
    expected.insert(
        "refs/heads/new".to_owned(),
        World::refs(world.repository.folder())["refs/heads/new"].clone(),
    );
    assert_eq!(world.served(), expected);
    assert_eq!(world.state().held.len(), 3);
    assert!(matches!(&world.events("destroyed")[..], [Event::Destroyed { n_held: 3, .. }]));
    // All refs vanish: that is no move of any.
    for name in ["main", "new"] {
        world.upstream_git(&["update-ref", "-d", &format!("refs/heads/{name}")]);
    }
    assert!(matches!(world.sync().await, Synced::Unavailable { outage: Outage::Absent, .. }));
    assert_eq!(world.served(), expected);
    // Whatever maintenance does, every commit is still reached.
    world.mirror();
    let copy = mirror::Copy::open(&World::git(), &world.store, world.repo(), "sha1").unwrap();
    copy.bare().maintain().unwrap();
    drop(copy);
    let kept = World::commits(&world.folder());
    assert!(commits.iter().all(|commit| kept.contains(commit)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_branch_that_is_forced_is_followed_and_its_old_commits_stay() {
    let world = World::new();
    for n in 1..=20 {
        world.upstream_git(&["update-ref", &format!("refs/heads/f{n}"), "main"]);
    }
    world.sync().await;
    let old = World::refs(world.repository.folder())["refs/heads/f1"].clone();
    world.upstream_git(&["update-ref", "-d", "refs/heads/f1"]);
    world.repository.commit("f1", "from nothing", &[("x.txt", "x\n")]);
    let orphan = world.sync().await;
    assert!(matches!(orphan, Synced::Moved { n_held: 1, .. }), "it has nothing in common: {orphan:?}");
    world.upstream_git(&["update-ref", "refs/heads/f2", "main~1"]);
    let forced = world.repository.commit("f2", "instead", &[("x.txt", "x\n")]);
    assert!(matches!(world.sync().await, Synced::Moved { n_applied: 1, n_held: 0, .. }));
    assert_eq!(world.served()["refs/heads/f2"], forced);
    assert!(
        World::refs(&world.folder()).contains_key(&format!("refs/outlast/pin/{old}"))
            || world.served()["refs/heads/f1"] == old
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_that_lags_takes_nothing_back() {
    let world = World::new();
    for n in 1..=20 {
        world.upstream_git(&["update-ref", &format!("refs/heads/f{n}"), "main"]);
    }
    let replica = world.repository.copy_to(&world.new_folder("replica.git"));
    let newer = world.repository.commit("f1", "newer", &[("x.txt", "x\n")]);
    world.repository.commit("f2", "newer", &[("x.txt", "y\n")]);
    world.sync().await;
    let before = world.served();
    for _ in 0..3 {
        world.upstream.serve_git(HOST, PATH, &replica);
        let Synced::Moved { n_applied: 0, n_held: 2, reasons, .. } = world.sync().await else { panic!() };
        assert!(reasons[0].contains("`f1` is an earlier state of itself"), "{reasons:?}");
        assert_eq!(world.served(), before);
        world.serve();
        assert!(matches!(world.sync().await, Synced::Moved { n_held: 0, .. }));
        assert_eq!((world.served(), world.state().held.len()), (before.clone(), 0), "nobody had to decide");
    }
    assert!(!World::refs(&world.folder()).contains_key(&format!("refs/outlast/pin/{newer}")));
    // The control: who takes a commit back and goes on in another way is followed.
    world.upstream_git(&["update-ref", "refs/heads/f1", "f1~1"]);
    assert!(matches!(world.sync().await, Synced::Moved { n_applied: 0, n_held: 1, .. }));
    let other = world.repository.commit("f1", "another", &[("x.txt", "z\n")]);
    assert!(matches!(world.sync().await, Synced::Moved { n_applied: 1, n_held: 0, .. }));
    assert_eq!(world.served()["refs/heads/f1"], other);
    assert!(World::refs(&world.folder()).contains_key(&format!("refs/outlast/pin/{newer}")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_is_deleted_comes_back_from_its_packs() {
    let world = World::new();
    world.sync().await;
    for n in 6..=9 {
        world.repository.commit(
            "main",
            &format!("commit {n}"),
            &[("a.txt", &format!("line {n}\n")), ("b.txt", "b\n")],
        );
        world.sync().await;
    }
    world.upstream_git(&["update-ref", "refs/heads/main", "main~7"]);
    world.sync().await;
    let (all, commits) = (World::refs(&world.folder()), World::commits(&world.folder()));
    assert!(all.keys().any(|name| name.starts_with("refs/outlast/pin/")));
    fs::remove_dir_all(world.folder()).unwrap();
    drop(mirror::Copy::open(&World::git(), &world.store, world.repo(), "sha1").unwrap());
    assert_eq!(World::refs(&world.folder()), all);
    assert_eq!(World::commits(&world.folder()), commits);
    run(&world.folder(), &["fsck", "--full"]);
    let report = world.new_folder("clone");
    run(world.home.path(), &["clone", "-q", world.folder().to_str().unwrap(), report.to_str().unwrap()]);
    assert_eq!(fs::read_to_string(report.join("a.txt")).unwrap(), "line 9\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_decides_about_what_waits() {
    let world = World::new();
    world.sync().await;
    let (old, tag) = (world.served()["refs/heads/main"].clone(), world.served()["refs/tags/v1"].clone());
    world.upstream_git(&["update-ref", "refs/heads/main", "main~3"]);
    world.upstream_git(&["tag", "-f", "v1", "main"]);
    world.sync().await;
    let mirror = world.mirror();
    let holds = || mirror.decisions().unwrap().holds;
    let waiting = holds();
    let told: Vec<String> = waiting.iter().map(|hold| format!("{} {}", hold.name, hold.class)).collect();
    assert_eq!(told, ["refs/heads/main force", "refs/tags/v1 tag_move"]);
    let [Some(lost), Some(of_tag)] = &mirror.lost(&waiting.iter().collect::<Vec<_>>()).unwrap()[..] else {
        panic!("what is lost of both")
    };
    assert_eq!(
        (lost.n_commits, &lost.authors[..], of_tag.n_commits),
        (3, &["A Person <person@example.com>".to_owned()][..], 1),
        "the tag reaches one of them, and waits to leave as well"
    );
    assert!(lost.size_bytes > 0 && lost.commits[0].to_string() == old);
    let error = mirror.decide(&waiting[1].id, Ruling::Always, Some("refs/tags/v2*".to_owned())).unwrap_err();
    assert!(matches!(error, DecideError::Pattern { .. }));
    assert!(matches!(mirror.decide("nothing", Ruling::Apply, None), Err(DecideError::Unknown { .. })));
    mirror.decide(&waiting[0].id, Ruling::Reject, None).unwrap();
    mirror.decide(&waiting[1].id, Ruling::Always, Some("refs/tags/v*".to_owned())).unwrap();
    assert!(holds().is_empty());
    assert_eq!(world.served()["refs/heads/main"], old, "rejected");
    assert_eq!(world.served()["refs/tags/v1"], world.upstream_git(&["rev-parse", "v1"]));
    assert!(World::refs(&world.folder()).values().any(|id| *id == tag), "the old one is still reached");
    // The rule holds for the next move, and what was rejected waits again only when it moves on.
    world.upstream_git(&["tag", "-f", "v1", "feature"]);
    assert!(matches!(world.sync().await, Synced::Moved { n_applied: 1, n_held: 0, .. }));
    world.repository.commit("main", "went on", &[("a.txt", "other\n")]);
    assert!(matches!(world.sync().await, Synced::Moved { n_held: 1, .. }));
    assert_eq!(world.served()["refs/heads/main"], old);
    mirror.decide(&holds()[0].id, Ruling::Apply, None).unwrap();
    assert_eq!(world.served()["refs/heads/main"], world.upstream_git(&["rev-parse", "main"]));
    assert!(World::refs(&world.folder()).contains_key(&format!("refs/outlast/pin/{old}")));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_large_move_leaves_behind_stays_reachable_even_in_a_copy_made_anew() {
    let world = World::new();
    for n in 1..=300 {
        world.upstream_git(&["update-ref", &format!("refs/pull/{n}/head"), "main"]);
    }
    world.repository.commit("side", "only a proposal has this", &[("s.txt", "s\n")]);
    let side = world.upstream_git(&["rev-parse", "side"]);
    world.upstream_git(&["update-ref", "refs/pull/7/head", "side"]);
    world.upstream_git(&["update-ref", "-d", "refs/heads/side"]);
    world.sync().await;
    // More moves than an entry names: the proposals all move on, and one of them loses what only it had.
    for n in 1..=300 {
        world.upstream_git(&["update-ref", &format!("refs/pull/{n}/head"), "main~1"]);
    }
    assert!(matches!(world.sync().await, Synced::Moved { n_applied: 300, n_held: 0, .. }));
    let pin = format!("refs/outlast/pin/{side}");
    assert!(World::refs(&world.folder()).contains_key(&pin));
    fs::remove_dir_all(world.folder()).unwrap();
    drop(mirror::Copy::open(&World::git(), &world.store, world.repo(), "sha1").unwrap());
    assert!(
        World::refs(&world.folder()).contains_key(&pin),
        "which the journal tells only by two whole states"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_is_damaged_is_made_anew_and_nobody_is_blamed() {
    let world = World::new();
    world.sync().await;
    for entry in fs::read_dir(world.folder().join("objects/pack")).unwrap() {
        fs::remove_file(entry.unwrap().path()).unwrap();
    }
    world.repository.commit("main", "commit 6", &[("a.txt", "line 6\n"), ("b.txt", "b\n")]);
    let first = world.mirror().sync(&world.address).await;
    let second = world.sync().await;
    assert!(
        matches!((&first, &second), (Ok(Synced::Moved { .. }), _) | (Err(_), Synced::Moved { .. })),
        "{first:?} {second:?}"
    );
    assert!(world.events("refused").is_empty());
    assert_eq!(world.served(), World::refs(world.repository.folder()));
    run(&world.folder(), &["fsck", "--full"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_with_a_port_is_one_like_any_other() {
    let world = World::new();
    let mirror = world.mirror();
    let port = world.upstream.tls_address().port();
    let address = mirror::Address::parse(&format!("https://forge.example:{port}/acme/app.git")).unwrap();
    assert!(matches!(mirror.sync(&address).await.unwrap(), Synced::Moved { n_held: 0, .. }));
    world.repository.commit("main", "commit 6", &[("a.txt", "line 6\n"), ("b.txt", "b\n")]);
    let synced = mirror.sync(&address).await.unwrap();
    assert!(matches!(synced, Synced::Moved { n_applied: 1, .. }), "{synced:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_lost_what_is_built_on_is_made_anew() {
    for way in ["https", "file"] {
        let mut world = World::new();
        if way == "file" {
            world.address =
                Address::parse(&format!("file://{}", world.repository.folder().display())).unwrap();
            world.mirror().take_on(&world.address).unwrap();
        }
        let line = |n: u32| format!("line {n} {}\n", n.wrapping_mul(2_654_435_761));
        let text: String = (0..5000).map(line).collect();
        world.repository.commit("main", "large", &[("large.txt", &text)]);
        assert!(world.sync().await.is_whole());
        let commits = World::commits(&world.folder());
        fs::remove_dir_all(world.folder().join("objects/pack")).unwrap();
        world.repository.commit("main", "a word", &[("large.txt", &text.replace("line 7 ", "line seven "))]);
        let first = world.mirror().sync(&world.address).await;
        assert!(first.as_ref().is_ok_and(|synced| !synced.is_whole()) || first.is_err(), "{way}: {first:?}");
        // It was not the upstream's fault, and is mended.
        assert_eq!(world.events("down").len(), 0, "{way}: {first:?}");
        assert!(world.sync().await.is_whole(), "{way}");
        let kept = World::commits(&world.folder());
        assert!(
            kept.len() == commits.len() + 1 && commits.iter().all(|commit| kept.contains(commit)),
            "{way}"
        );
        run(&world.folder(), &["fsck", "--full"]);
    }
}
