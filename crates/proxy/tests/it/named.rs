//! Archives at addresses that say nothing: which version lies there, a lock or an index says.

use fakes::{Answer, Fault, tar_gz};
use model::{Algorithm, Digest, DigestSet, Event, ObjectUrl, Proof, Sha256};
use registry::{Coordinate, Pin};
use serde_json::json;

use crate::world::*;

const PACKAGIST: &str = "repo.packagist.org";
const DOCUMENT: &str = "https://repo.packagist.org/p2/acme/one.json";
const ARCHIVE: &str = "https://web.example/dist/one.zip";
const PATH: &str = "/dist/one.zip";
const ONE: &str = "1111111111111111111111111111111111111111";
const TWO: &str = "2222222222222222222222222222222222222222";

fn archive(top: &str, text: &str) -> Vec<u8> {
    tar_gz(top, &[("composer.json", "{}"), ("src/a.php", text)])
}

fn pin_of(reference: &str, digests: DigestSet) -> Vec<Pin> {
    let coordinate = Coordinate {
        ecosystem: "composer",
        registry: registry::ANY_REGISTRY.to_owned(),
        name: "acme/one".to_owned(),
        version: reference.to_owned(),
        file: None,
    };
    vec![Pin { coordinate: Some(coordinate), url: Some(ObjectUrl::parse(ARCHIVE).unwrap()), digests }]
}

fn locked(reference: &str) -> Vec<Pin> {
    pin_of(reference, DigestSet::default())
}

fn sha1(bytes: &[u8]) -> DigestSet {
    let digest = ring::digest::digest(&ring::digest::SHA1_FOR_LEGACY_USE_ONLY, bytes);
    Digest::from_bytes(Algorithm::Sha1, digest.as_ref()).unwrap().into()
}

/// Lets Packagist list versions, each with its reference, all at the one address.
fn list(world: &World, versions: &[(&str, &str)]) {
    let entry = |(version, reference): &(&str, &str)| {
        json!({
            "version": version,
            "dist": { "type": "zip", "url": ARCHIVE, "reference": reference, "shasum": "" },
        })
    };
    let versions: Vec<_> = versions.iter().map(entry).collect();
    let document = json!({ "packages": { "acme/one": versions } }).to_string();
    world.upstream.put(PACKAGIST, "/p2/acme/one.json", Answer::json(document));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_lock_names_by_its_commit_stays_what_it_was() {
    let (first, second) = (archive("one", "<?php"), archive("one", "<?php other"));
    let world = World::new();
    world.upstream.put(WEB, PATH, Answer::file(first.clone()));
    get(&world.pinned(locked(ONE)), ARCHIVE).await.is(200, &first);
    let held = world.held(ARCHIVE).unwrap();
    assert_eq!((held.proof, held.immutable, &*held.ecosystem), (Proof::FirstSeen, true, "composer"));

    world.upstream.put(WEB, PATH, Answer::file(second.clone()));
    get(&world.pinned(locked(ONE)), ARCHIVE).await.is(200, &first).state("");
    assert_eq!(world.upstream.n_asked(WEB, PATH), 1, "nobody needs to be asked");
    // The address is free to have another version, and to be anything to whoever has no lock.
    get(&world.pinned(locked(TWO)), ARCHIVE).await.is(200, &second);
    get(&world.session(), ARCHIVE).await.is(200, &second);
    world.upstream.on(WEB, "*", Fault::Status(502));
    get(&world.pinned(locked(ONE)), ARCHIVE).await.is(200, &first);
    get(&world.pinned(locked(TWO)), ARCHIVE).await.is(200, &second);
    assert_eq!(world.n_events(|event| matches!(event, Event::Changed { .. })), 0);
}

/// Keeps an archive that a lock names, loses its bytes, and lets the server give `again`.
async fn lost_and_fetched_again(again: Vec<u8>) -> (World, Got) {
    let first = archive("one", "<?php");
    let world = World::new();
    world.upstream.put(WEB, PATH, Answer::file(first.clone()));
    let session = world.pinned(locked(ONE));
    get(&session, ARCHIVE).await.is(200, &first);
    finish(&session).await;
    world.damage(&Sha256::of(&first));
    world.upstream.put(WEB, PATH, Answer::file(again));
    let got = get(&world.pinned(locked(ONE)), ARCHIVE).await;
    (world, got)
}

#[tokio::test(flavor = "multi_thread")]
async fn other_bytes_are_compared_by_what_they_unpack_to() {
    let repacked = archive("another-top", "<?php");
    let (world, got) = lost_and_fetched_again(repacked.clone()).await;
    got.is(200, &repacked);
    assert_eq!(world.n_events(|event| matches!(event, Event::Repacked { .. })), 1, "a note");
    assert_eq!(world.n_events(|event| matches!(event, Event::Quarantined { .. })), 0);

    let (world, got) = lost_and_fetched_again(archive("one", "<?php evil")).await;
    got.is_refused();
    assert_eq!(world.n_events(|event| matches!(event, Event::Repacked { .. })), 0);
    assert_eq!(world.n_events(|event| matches!(event, Event::Quarantined { .. })), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_names_it_too_read_or_served_from_the_copy() {
    let (first, second) = (archive("one", "<?php"), archive("one", "<?php other"));
    let world = World::new();
    world.upstream.put(WEB, PATH, Answer::file(first.clone()));
    list(&world, &[("1.0.0", ONE)]);
    let update = async |expected: &[u8]| {
        let session = world.session();
        assert_eq!(get(&session, DOCUMENT).await.status, 200);
        // Composer asks for several at once.
        let (one, other) = tokio::join!(get(&session, ARCHIVE), get(&session, ARCHIVE));
        one.is(200, expected);
        other.is(200, expected);
    };
    update(&first).await;
    world.upstream.put(WEB, PATH, Answer::file(second.clone()));
    update(&first).await;
    assert_eq!(world.upstream.n_asked(PACKAGIST, "/p2/acme/one.json"), 1, "the second came from the copy");
    list(&world, &[("1.0.1", TWO), ("1.0.0", ONE)]);
    world.pass_time();
    // One address with two versions says nothing of the bytes: they are what they are now.
    update(&second).await;
    list(&world, &[("1.0.1", TWO)]);
    world.pass_time();
    update(&second).await;
    // Each release once, and the document by both clients unless they were one transfer.
    assert!((3..=4).contains(&world.upstream.n_asked(WEB, PATH)), "{}", world.upstream.n_asked(WEB, PATH));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_says_nothing_of_the_version_that_follows_it() {
    let (first, second) = (archive("one", "<?php"), archive("one", "<?php other"));
    let world = World::new();
    world.upstream.put(WEB, PATH, Answer::file(second.clone()));
    list(&world, &[("1.0.1", TWO)]);
    let session = world.pinned(pin_of(ONE, sha1(&first)));
    get(&session, ARCHIVE).await.is_refused();
    assert_eq!(get(&session, DOCUMENT).await.status, 200);
    get(&session, ARCHIVE).await.is(200, &second);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_branch_without_a_commit_moves_on() {
    let world = World::new();
    for text in ["<?php", "<?php other"] {
        let body = archive("one", text);
        world.upstream.put(WEB, PATH, Answer::file(body.clone()));
        get(&world.pinned(locked("dev-main")), ARCHIVE).await.is(200, &body);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn redirects_to_signed_addresses_are_followed_inside() {
    let body = archive("one", "<?php");
    let world = World::new();
    let to = |location: &str| {
        world.upstream.put(WEB, PATH, Answer::status(302).header("location", location));
    };
    to("http://169.254.169.254/latest");
    assert_eq!(get(&world.pinned(locked(ONE)), ARCHIVE).await.status, 503);
    to("https://elsewhere.example/signed?token=S3CRET");
    world.upstream.put("elsewhere.example", "/signed?token=S3CRET", Answer::file(body.clone()));
    get(&world.pinned(locked(ONE)), ARCHIVE).await.is(200, &body);
    to("https://elsewhere.example/signed?token=ANOTHER");
    get(&world.pinned(locked(ONE)), ARCHIVE).await.is(200, &body).state("");
    assert!(!format!("{:?}", world.events()).contains("S3CRET"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mirror_of_any_name_stands_in() {
    let body = archive("one", "<?php");
    let world = World::new();
    let mirror = "https://elsewhere.example/mirror/one.zip";
    world.upstream.put("elsewhere.example", "/mirror/one.zip", Answer::file(body.clone()));
    let both = || {
        let url = Some(ObjectUrl::parse(mirror).unwrap());
        [locked(ONE), locked(ONE).into_iter().map(|pin| Pin { url: url.clone(), ..pin }).collect()].concat()
    };
    get(&world.pinned(both()), mirror).await.is(200, &body);
    world.upstream.on("*", "*", Fault::Status(502));
    get(&world.pinned(both()), ARCHIVE).await.is(200, &body);
}

const COMPOSER: [(&str, &str); 1] = [("user-agent", "Composer/2.8.8")];

/// A repository of a company, on a host whose name says nothing, with its own address for advisories.
fn repository(world: &World, advisories: &str) {
    let root = json!({
        "packages": [], "metadata-url": "/p2/%package%.json",
        "security-advisories": { "metadata": true, "api-url": advisories },
    });
    world.upstream.put(WEB, "/packages.json", Answer::json(root.to_string()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_is_what_the_repository_says_is_one() {
    let api = "https://web.example/our/advisories";
    let world = World::new();
    repository(&world, "/our/advisories");
    let answer = json!({ "advisories": { "acme/one": [] } }).to_string();
    world.upstream.put(WEB, "/our/advisories", Answer::json(answer.clone()));
    let audit = async |body: &[u8]| {
        let session = world.session();
        assert_eq!(
            ask(&session, "GET", "https://web.example/packages.json", &COMPOSER, b"").await.status,
            200
        );
        ask(&session, "POST", api, &COMPOSER, body).await
    };
    audit(b"packages[]=acme/one").await.is(200, answer.as_bytes());
    world.upstream.on(WEB, "/our/advisories", Fault::Status(502));
    let stale = audit(b"packages[]=acme/one").await;
    assert_eq!((stale.status, stale.header("outlast-state").contains("stale")), (200, true), "{stale:?}");
    assert_eq!(audit(b"packages[]=acme/two").await.status, 503, "no answer is no all-clear");
    // Composer has the repository in its cache; another client's post is its own matter.
    let stale = ask(&world.session(), "POST", api, &COMPOSER, b"packages[]=acme/one").await;
    assert_eq!((stale.status, stale.header("outlast-state").contains("stale")), (200, true), "{stale:?}");
    let live = ask(&world.session(), "POST", api, &[], b"packages[]=acme/one").await;
    assert_eq!((live.status, live.header("outlast-state")), (502, ""));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repository_speaks_to_its_own_client_alone() {
    let world = World::new();
    repository(&world, "https://elsewhere.example/charge");
    world.upstream.put("elsewhere.example", "/charge", Answer::json("{\"advisories\":{}}".to_owned()));
    let session = world.session();
    assert_eq!(ask(&session, "GET", "https://web.example/packages.json", &COMPOSER, b"").await.status, 200);
    let charge = "https://elsewhere.example/charge";
    let other = [("user-agent", "shop/1")];
    for client in [&COMPOSER, &other] {
        assert_eq!(ask(&session, "POST", charge, client, b"one").await.status, 200);
    }
    world.upstream.on("elsewhere.example", "*", Fault::Status(502));
    assert_eq!(ask(&session, "POST", charge, &COMPOSER, b"one").await.status, 200);
    assert_eq!(ask(&session, "POST", charge, &other, b"one").await.status, 502, "nothing is remembered");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_an_index_to_its_client_is_one_to_everybody() {
    let url = "https://web.example/p2/acme/one.json";
    let good = json!({ "packages": { "acme/one": [{ "version": "1.0.0" }] } }).to_string();
    let world = World::new();
    world.upstream.put(WEB, "/p2/acme/one.json", Answer::json(good.clone()));
    ask(&world.session(), "GET", url, &COMPOSER, b"").await.is(200, good.as_bytes());
    for worse in [good[..good.len() / 2].to_owned(), json!({ "packages": { "acme/one": [] } }).to_string()] {
        world.pass_time();
        world.upstream.put(WEB, "/p2/acme/one.json", Answer::json(worse.clone()));
        get(&world.session(), url).await.is(200, good.as_bytes());
        // The control: where nothing is known, it is a document like any other.
        world.upstream.put(WEB, "/p2/acme/other.json", Answer::json(worse.clone()));
        let other = "https://web.example/p2/acme/other.json";
        get(&world.session(), other).await.is(200, worse.as_bytes());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_address_for_a_release_is_no_other_release() {
    let (first, evil) = (archive("one", "<?php"), archive("one", "<?php evil"));
    let world = World::new();
    let at = |path: &str, body: &[u8], reference: &str| {
        world.upstream.put(WEB, path, Answer::file(body.to_vec()));
        let dist = json!({ "type": "zip", "url": format!("https://{WEB}{path}"), "reference": reference });
        let document = json!({ "packages": { "acme/one": [{ "version": "1.0.0", "dist": dist }] } });
        world.upstream.put(PACKAGIST, "/p2/acme/one.json", Answer::json(document.to_string()));
        world.pass_time();
    };
    let update = async |path: &str, expected: &[u8]| {
        let session = world.session();
        assert_eq!(get(&session, DOCUMENT).await.status, 200);
        get(&session, &format!("https://{WEB}{path}")).await.is(200, expected);
    };
    at("/dist/one.zip", &first, ONE);
    update("/dist/one.zip", &first).await;
    at("/dist/two.zip", &evil, ONE);
    update("/dist/two.zip", &first).await;
    update("/dist/two.zip", &first).await;
    assert_eq!(world.upstream.n_asked(WEB, "/dist/two.zip"), 0, "nobody needs to be asked");
    // Without anything that says what lies there, it is what it is.
    get(&world.session(), "https://web.example/dist/two.zip").await.is(200, &evil);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_that_does_not_know_is_not_completed_by_a_lock() {
    let (first, second) = (archive("one", "<?php"), archive("one", "<?php other"));
    let world = World::new();
    world.upstream.put(WEB, PATH, Answer::file(first.clone()));
    get(&world.pinned(locked(ONE)), ARCHIVE).await.is(200, &first);
    world.upstream.put(WEB, PATH, Answer::file(second.clone()));
    list(&world, &[("1.0.1", TWO), ("1.0.0", ONE)]);
    let session = world.pinned(locked(ONE));
    assert_eq!(get(&session, DOCUMENT).await.status, 200);
    get(&session, ARCHIVE).await.is(200, &second);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_index_named_is_known_however_many_were_read_since() {
    let (first, second) = (archive("one", "<?php"), archive("one", "<?php other"));
    let world = World::new();
    world.upstream.put(WEB, PATH, Answer::file(first.clone()));
    list(&world, &[("1.0.0", ONE)]);
    let other: Vec<_> = (0..70_000).map(|n| json!({ "version": format!("1.0.{n}"), "dist": { "type": "zip",
        "url": format!("https://elsewhere.example/{n}/{}", "x".repeat(200)), "reference": format!("{n:040}"),
    }})).collect();
    let other = json!({ "packages": { "acme/other": other } }).to_string();
    world.upstream.put(PACKAGIST, "/p2/acme/other.json", Answer::json(other));
    for expected in [&first, &first] {
        let session = world.session();
        for document in [DOCUMENT, "https://repo.packagist.org/p2/acme/other.json"] {
            assert_eq!(get(&session, document).await.status, 200);
        }
        get(&session, ARCHIVE).await.is(200, expected);
        world.upstream.put(WEB, PATH, Answer::file(second.clone()));
        world.pass_time();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_leaves_while_indexes_are_read_spoils_nothing() {
    let (first, second) = (archive("one", "<?php"), archive("one", "<?php other"));
    let world = World::new();
    world.upstream.put(WEB, PATH, Answer::file(first.clone()));
    list(&world, &[("1.0.0", ONE)]);
    let session = world.session();
    assert_eq!(get(&session, DOCUMENT).await.status, 200);
    get(&session, ARCHIVE).await.is(200, &first);
    world.upstream.put(WEB, PATH, Answer::file(second.clone()));
    for _ in 0..50 {
        let session = world.session();
        assert_eq!(get(&session, DOCUMENT).await.status, 200);
        let leaving = tokio::spawn({
            let session = session.clone();
            async move { get(&session, ARCHIVE).await }
        });
        tokio::task::yield_now().await;
        leaving.abort();
        get(&session, ARCHIVE).await.is(200, &first);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_two_locks_name_differently_is_only_a_document() {
    let world = World::new();
    for text in ["<?php", "<?php other"] {
        let body = archive("one", text);
        world.upstream.put(WEB, PATH, Answer::file(body.clone()));
        get(&world.pinned([locked(ONE), locked(TWO)].concat()), ARCHIVE).await.is(200, &body);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_an_archive_is_believed_at_first_sight() {
    let good = archive("one", "<?php");
    let (half, zeros) = (good[..good.len() / 2].to_vec(), vec![0; 432]);
    let excuse = b"{\"message\":\"maintenance\"}".to_vec();
    let forge = format!("https://api.github.com/repos/acme/one/zipball/{ONE}");
    for bad in
        [Vec::new(), excuse, b"<html>portal</html>".to_vec(), half, zeros, b"we are back soon".to_vec()]
    {
        for kind in ["application/octet-stream", "application/zip", "application/json", "text/plain"] {
            let world = World::new();
            for (host, path, url) in [
                (WEB, PATH, ARCHIVE),
                ("api.github.com", forge.split_once(".com").unwrap().1, forge.as_str()),
            ] {
                world.upstream.put(host, path, Answer::bytes(kind, bad.clone()));
                get(&world.pinned(locked(ONE)), url).await.is_refused();
                assert_eq!(world.held(url), None, "{kind} {bad:?}");
                world.upstream.put(host, path, Answer::bytes(kind, good.clone()));
                get(&world.pinned(locked(ONE)), url).await.is(200, &good);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_npms_index_is_no_page_of_anybody() {
    let url = "https://web.example/left";
    let npm = [("user-agent", "npm/10.8.2"), ("accept", "application/json")];
    let good = json!({ "name": "left", "versions": { "1.0.0": { "name": "left", "version": "1.0.0",
        "dist": { "tarball": "https://web.example/left/-/left-1.0.0.tgz", "shasum": "a".repeat(40) },
    }}, "dist-tags": { "latest": "1.0.0" } });
    let world = World::new();
    world.upstream.put(WEB, "/left", Answer::json(good.to_string()));
    ask(&world.session(), "GET", url, &npm, b"").await.is(200, good.to_string().as_bytes());
    world.upstream.put(WEB, "/left", Answer::bytes("text/html", "<html>portal</html>"));
    world.pass_time();
    get(&world.session(), url).await.is(200, good.to_string().as_bytes());
}
