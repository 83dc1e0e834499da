//! Lists that name documents by their digests, as archives for apt have them.

use std::time::Duration;

use fakes::{Answer, Fault};
use model::{Event, Proof, Sha256};

use crate::world::*;

const SUITE: &str = "https://web.example/debian/dists/sid";
const PACKAGES: &str = "https://web.example/debian/dists/sid/main/binary-all/Packages";
const OTHER: &str = "https://web.example/debian/dists/sid/main/source/Sources";

/// Returns a list of the 27th to 29th of November, without a signature.
fn release(suite: &str, day: u32, packages: &str, sources: &str) -> String {
    let line = |text: &str, path: &str| format!(" {} {} {path}\n", Sha256::of(text.as_bytes()), text.len());
    let weekday = ["Fri", "Sat", "Sun"][day as usize % 3];
    format!(
        "Suite: {suite}\nDate: {weekday}, {day} Nov 2026 14:00:00 UTC\nValid-Until: Mon, 30 Nov 2026 14:00:00 UTC\nSHA256:\n{}{}",
        line(packages, "main/binary-all/Packages"),
        line(sources, "main/source/Sources")
    )
}

fn signature(text: &str) -> String {
    format!("-----BEGIN PGP SIGNATURE-----\n\n{text}\n-----END PGP SIGNATURE-----\n")
}

/// Puts a whole generation.
fn put(world: &World, release: &str, signed: &str, packages: &str, sources: &str) {
    let put = |path: &str, text: &str| {
        world.upstream.put(WEB, &format!("/debian/dists/sid/{path}"), Answer::file(text.to_owned()));
    };
    put("Release", release);
    put("Release.gpg", signed);
    put("main/binary-all/Packages", packages);
    put("main/source/Sources", sources);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_is_not_replaced_by_a_worse_answer() {
    let url = format!("{SUITE}/Release");
    let good = release("sid", 28, "1", "1");
    let check = async |what: &str, fault: Fault, n_rejected: usize| {
        let world = World::new();
        put(&world, &good, "", "1", "1");
        get(&world.session(), &url).await.is(200, good.as_bytes());
        world.pass_time();
        world.upstream.on(WEB, "*", fault);
        let got = get(&world.session(), &url).await;
        assert_eq!(got.body.as_deref().unwrap() == good.as_bytes(), n_rejected == 1, "{what}");
        assert_eq!(world.n_events(|it| matches!(it, Event::Rejected { .. })), n_rejected, "{what}");
    };
    check("a portal's page", Fault::Html200, 1).await;
    check("another suite", Fault::Older(Answer::file(release("bookworm", 29, "2", "2"))), 1).await;
    check("an older one", Fault::Older(Answer::file(release("sid", 27, "0", "0"))), 1).await;
    check("a newer one", Fault::Older(Answer::file(release("sid", 29, "2", "2"))), 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_named_by_its_digest_must_have_it() {
    let world = World::new();
    let right = Sha256::of(b"right");
    for (folder, hex) in [("SHA256", right.to_string()), ("MD5Sum", "0a".repeat(16))] {
        let path = format!("/debian/dists/sid/main/binary-all/by-hash/{folder}/{hex}");
        let url = format!("https://{WEB}{path}");
        world.upstream.put(WEB, &path, Answer::file("wrong"));
        let got = get(&world.session(), &url).await;
        if folder == "MD5Sum" {
            // It vouches for nothing.
            got.is(200, b"wrong");
            assert_eq!(world.held(&url).unwrap().proof, Proof::FirstSeen);
            continue;
        }
        got.is_refused();
        assert_eq!(world.n_events(|event| matches!(event, Event::Quarantined { .. })), 1);
        world.upstream.put(WEB, &path, Answer::file("right"));
        get(&world.session(), &url).await.is(200, b"right");
        assert_eq!(world.held(&url).unwrap().proof, Proof::Verified);
        // Whatever the mirror has under that name later.
        world.upstream.remove(WEB, &path);
        get(&world.session(), &url).await.is(200, b"right").state("");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_is_what_its_list_says_until_the_list_is_old() {
    let world = World::new();
    put(&world, &release("sid", 28, "one", "one"), "", "one", "one");
    get(&world.session(), &format!("{SUITE}/Release")).await;
    get(&world.session(), PACKAGES).await.is(200, b"one");
    assert_eq!(world.held(PACKAGES).unwrap().proof, Proof::Verified);
    put(&world, &release("sid", 29, "two", "two"), "", "two", "two");
    world.clock.advance(Duration::from_secs(14 * 60));
    get(&world.session(), PACKAGES).await.is(200, b"one").state("");
    // Who did not ask for the list wants what there is.
    world.clock.advance(Duration::from_secs(2 * 60));
    get(&world.session(), PACKAGES).await.is(200, b"two");
    assert_eq!(world.held(PACKAGES).unwrap().proof, Proof::FirstSeen, "no list names it yet");
    // In an outage it goes with the list that is held.
    world.upstream.on(WEB, "*", Fault::Status(502));
    get(&world.session(), &format!("{SUITE}/Release")).await.state("stale");
    get(&world.session(), PACKAGES).await.is(200, b"one").state("stale");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_its_signature_and_its_documents_stand_in_together() {
    let world = World::new();
    let [one, two] = [28, 29].map(|day| release("sid", day, &day.to_string(), &day.to_string()));
    let all =
        [format!("{SUITE}/Release"), format!("{SUITE}/Release.gpg"), PACKAGES.to_owned(), OTHER.to_owned()];
    put(&world, &one, &signature("one"), "28", "28");
    for url in &all {
        assert_eq!(get(&world.session(), url).await.status, 200, "{url}");
    }
    world.pass_time();
    put(&world, &two, &signature("two"), "29", "29");
    // The mirror fails before the last document.
    for url in &all[..3] {
        assert_eq!(get(&world.session(), url).await.status, 200, "{url}");
    }
    get(&world.session(), PACKAGES).await.is(200, b"29");
    world.upstream.on(WEB, "*", Fault::Status(502));
    let stands = async |day: &str, list: &str, signed: &str| {
        let bodies = [list, signed, day, day];
        for (url, body) in all.iter().zip(bodies) {
            get(&world.session(), url).await.is(200, body.as_bytes()).state("stale");
        }
    };
    stands("28", &one, &signature("one")).await;
    get(&world.drill("all"), &all[0]).await.is(200, one.as_bytes());
    world.upstream.clear_faults();
    world.clock.advance(Duration::from_secs(3600));
    for url in &all {
        fresh(&world.session(), url).await;
    }
    world.upstream.on(WEB, "*", Fault::Status(502));
    world.clock.advance(Duration::from_secs(3600));
    stands("29", &two, &signature("two")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_whose_time_is_over_is_told_once() {
    let world = World::new();
    let url = format!("{SUITE}/Release");
    put(&world, &release("sid", 28, "1", "1"), "", "1", "1");
    get(&world.session(), &url).await;
    world.upstream.on(WEB, "*", Fault::Status(502));
    let session = world.session();
    let valid_until: model::Timestamp = "2026-11-30T14:00:00Z".parse().unwrap();
    let left = valid_until.duration_since(world.clock.now()).unsigned_abs();
    world.clock.advance(left - Duration::from_secs(60));
    get(&session, &url).await.state("stale");
    assert_eq!(world.n_events(|event| matches!(event, Event::Expired { .. })), 0);
    world.clock.advance(Duration::from_secs(60));
    for _ in 0..2 {
        get(&session, &url).await.state("stale");
    }
    let is_told =
        |event: &Event| matches!(event, Event::Expired { valid_until: until, .. } if *until == valid_until);
    assert_eq!(world.n_events(is_told), 1);
    let expired = finish(&session).await.expired;
    assert_eq!((expired.len(), expired[0].url.as_str()), (1, &*url));
}
