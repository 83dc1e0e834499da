//! Upstreams that fail or lie in ways that are not git's (`faults` has those): nothing of the copy moves.

use fakes::git::Phase;
use fakes::{Answer, Fault};
use mirror::{Outage, Synced};

use crate::world::{HOST, World, run};

/// What becomes of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expected {
    Absent,
    Unavailable,
    Refused,
}

impl Expected {
    fn of(synced: &Synced) -> Option<Self> {
        match synced {
            Synced::Unavailable { outage: Outage::Absent, .. } => Some(Self::Absent),
            Synced::Unavailable { .. } => Some(Self::Unavailable),
            Synced::Refused { .. } => Some(Self::Refused),
            Synced::Unchanged | Synced::Flawed { .. } | Synced::Moved { .. } => None,
        }
    }
}

fn pkt(lines: &[&str]) -> Answer {
    let packets = lines.iter().map(|line| match line.is_empty() {
        true => "0000".to_owned(),
        false => format!("{:04x}{line}\n", line.len() + 5),
    });
    Answer::bytes("application/x-git-upload-pack-result", packets.collect::<String>().into_bytes())
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_moves_whatever_an_upstream_answers_instead_of_its_refs() {
    let world = World::new();
    world.sync().await;
    let (served, state) = (world.served(), world.state());
    let id = "1".repeat(40);
    let rows = [
        (Fault::Status(410), Expected::Absent),
        (Fault::RedirectLoop, Expected::Absent),
        (Fault::Status(500), Expected::Unavailable),
        (Fault::RetryAfter429(5), Expected::Unavailable),
        (Fault::Html200, Expected::Unavailable),
        (Fault::Older(pkt(&["garbage", ""])), Expected::Refused),
        (
            Fault::Older(pkt(&[&format!("{id} refs/heads/main"), &format!("{id} refs/heads/main"), ""])),
            Expected::Refused,
        ),
    ];
    for (fault, expected) in rows {
        let told = format!("{fault:?}");
        // Whoever changes meanwhile must not be followed half.
        world.upstream.on(HOST, "*", fault);
        let synced = world.sync().await;
        assert_eq!(Expected::of(&synced), Some(expected), "{told}: {synced:?}");
        assert_eq!((world.served(), world.state()), (served.clone(), state.clone()), "{told}");
        world.upstream.clear_faults();
        assert_eq!(world.sync().await, Synced::Unchanged, "{told}: the control");
    }
    assert_eq!(world.events("refused").len(), 2);
    let (n_down, n_up) = (world.events("down").len(), world.events("up").len());
    assert!(n_down == n_up && n_down == 7, "{n_down} {n_up}: each outage is told once, and ends");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_tag_leads_to_is_not_the_upstreams_to_say() {
    let world = World::new();
    world.upstream_git(&[
        "-c",
        "user.name=a",
        "-c",
        "user.email=a@b.c",
        "tag",
        "-a",
        "-m",
        "two",
        "v2",
        "main",
    ]);
    let id = |revision: &str| world.upstream_git(&["rev-parse", revision]);
    let (main, tag) = (id("main"), id("v2"));
    let listed = |peeled: &str| {
        let tag = format!("{tag} refs/tags/v2 peeled:{peeled}");
        pkt(&[
            &format!("{main} HEAD symref-target:refs/heads/main"),
            &format!("{main} refs/heads/main"),
            &tag,
            "",
        ])
    };
    world.serve_with(Phase::Listing, listed(&id("main~2")));
    assert!(matches!(world.sync().await, Synced::Moved { n_applied: 3, .. }));
    let held = world.state().served["refs/tags/v2"].to_string();
    assert_eq!(held, format!("{tag}^{main}"));
    assert_eq!(run(&world.folder(), &["rev-parse", "refs/tags/v2^{}"]), main);
    // Nor may it be of another format: git would read none of the refs.
    world.serve_with(Phase::Listing, listed(&"1".repeat(64)));
    assert!(matches!(world.sync().await, Synced::Refused { .. }));
    run(&world.folder(), &["fsck", "--full"]);
    // It says the truth, and that is no news.
    world.serve_with(Phase::Listing, listed(&main));
    assert!(matches!(world.sync().await, Synced::Moved { n_applied: 0, n_held: 0, .. }));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_cannot_show_who_he_is_is_not_asked() {
    for fault in [
        Fault::ExpiredCertificate,
        Fault::ForeignCertificate,
        Fault::WrongHostCertificate,
        Fault::NoHandshake,
    ] {
        // A connection that was made before is trusted as long as it lasts.
        let world = World::new();
        let told = format!("{fault:?}");
        world.upstream.on(HOST, "*", fault);
        let synced = world.sync().await;
        assert_eq!(Expected::of(&synced), Some(Expected::Unavailable), "{told}: {synced:?}");
        assert!(
            world.state().served.is_empty() && world.upstream.log().iter().all(|seen| seen.path.is_empty()),
            "{told}"
        );
        world.upstream.clear_faults();
        assert!(matches!(world.sync().await, Synced::Moved { .. }), "{told}: the control");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_whole_pack_is_none() {
    let world = World::new();
    world.sync().await;
    let (served, state) = (world.served(), world.state());
    world.repository.commit("main", "more", &[("a.txt", &"more\n".repeat(2000))]);
    for answer in
        [pkt(&["packfile", ""]), pkt(&["packfile", "\u{1}PACK but no more", ""]), pkt(&["shallow-info", ""])]
    {
        let told = format!("{answer:?}");
        world.serve_with(Phase::Fetch, answer);
        let synced = world.sync().await;
        assert_eq!(Expected::of(&synced), Some(Expected::Refused), "{told}: {synced:?}");
        assert_eq!((world.served(), world.state()), (served.clone(), state.clone()), "{told}");
    }
    world.serve();
    assert!(matches!(world.sync().await, Synced::Moved { n_applied: 1, n_held: 0, .. }), "the control");
    assert_eq!(world.served(), World::refs(world.repository.folder()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ref_to_what_the_upstream_does_not_give_is_not_followed() {
    let world = World::new();
    world.sync().await;
    let (served, state) = (world.served(), world.state());
    let id = "1".repeat(40);
    world.serve_with(Phase::Listing, pkt(&[&format!("{id} refs/heads/main"), ""]));
    let synced = world.sync().await;
    assert!(!synced.is_whole(), "{synced:?}");
    assert_eq!((world.served(), world.state()), (served, state));
    world.serve();
    assert_eq!(world.sync().await, Synced::Unchanged, "the control");
}

#[tokio::test(flavor = "multi_thread")]
async fn names_that_are_no_refs_are_left_out_and_the_rest_is_kept() {
    let world = World::new();
    let main = world.upstream_git(&["rev-parse", "main"]);
    let lines = ["refs/heads/../../x", "refs/heads/-x", "refs/heads/\u{1b}[31m", "refs/heads/good"];
    let lines = lines.map(|name| format!("{main} {name}"));
    let lines: Vec<&str> = lines.iter().map(String::as_str).chain([""]).collect();
    world.serve_with(Phase::Listing, pkt(&lines));
    for expected in [1, 0] {
        // Nor is it whole where nothing moved since.
        let synced = world.sync().await;
        let Synced::Moved { n_applied, n_held: 0, left_out: ref names, .. } = synced else {
            panic!("{synced:?}")
        };
        assert_eq!(names.names[1..], ["refs/heads/-x", "refs/heads/ [31m"]);
        assert!(n_applied == expected && synced.is_followed() && !synced.is_whole(), "{synced:?}");
    }
    assert_eq!(world.served().into_iter().collect::<Vec<_>>(), [("refs/heads/good".to_owned(), main)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repository_of_sha256_is_kept_like_any_other() {
    let world = World::new();
    let folder = world.new_folder("new.git");
    crate::world::run(
        world.home.path(),
        &["init", "-q", "--bare", "--object-format=sha256", "-b", "main", folder.to_str().unwrap()],
    );
    let tree = crate::world::run(&folder, &["hash-object", "-w", "-t", "tree", "/dev/null"]);
    let commit = crate::world::run(
        &folder,
        &["-c", "user.name=a", "-c", "user.email=a@b", "commit-tree", "-m", "first", &tree],
    );
    crate::world::run(&folder, &["update-ref", "refs/heads/main", &commit]);
    std::fs::remove_dir_all(world.repository.folder()).unwrap();
    std::fs::rename(&folder, world.repository.folder()).unwrap();
    assert!(matches!(world.sync().await, Synced::Moved { n_held: 0, .. }));
    assert_eq!(world.served()["refs/heads/main"], commit);
    assert_eq!(commit.len(), 64);
    assert_eq!(world.sync().await, Synced::Unchanged);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_told_when_it_begins_and_when_it_is_another_thing() {
    let world = World::new();
    world.sync().await;
    let told = || {
        let outages = world.store.outages().unwrap();
        mirror::outage(&outages, world.repo()).map(|down| (down.since, down.reason.to_owned()))
    };
    assert_eq!(told(), None);
    let fault = |fault| world.upstream.on(HOST, "*", fault);
    fault(Fault::Status(502));
    for _ in 0..3 {
        world.sync().await;
    }
    let (since, reason) = told().unwrap();
    assert!(reason.contains("502") && world.events("down").len() == 1, "{reason}");
    // It is the same outage, and another reason.
    world.upstream.clear_faults();
    fault(Fault::Status(404));
    world.sync().await;
    assert!(told().unwrap().1.contains("502"), "not each that takes turns with another");
    world.clock.advance(std::time::Duration::from_secs(3600));
    world.sync().await;
    world.sync().await;
    let (still, reason) = told().unwrap();
    assert!(still == since && reason.contains("404") && world.events("down").len() == 2, "{reason}");
    // A pack that is none is no less an outage.
    world.upstream.clear_faults();
    world.sync().await;
    assert_eq!(told(), None);
    world.repository.commit("main", "more", &[("b.txt", "more\n")]);
    world.serve_with(Phase::Fetch, pkt(&["packfile", "\u{1}PACK but no more", ""]));
    for _ in 0..3 {
        assert!(matches!(world.sync().await, Synced::Refused { .. }));
    }
    assert!(told().is_some());
    assert_eq!((world.events("refused").len(), world.events("down").len()), (1, 3));
}
