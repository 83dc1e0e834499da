//! Archives of forges: redirects followed inside, one file at many addresses, and the same content packed anew.

use fakes::{Answer, Fault, tar_gz};
use model::{Event, ObjectUrl, Sha256};
use proxy::Ending;
use registry::{Coordinate, Pin};

use crate::world::*;

const COMMIT: &str = "f16e1d5863e37f8d8c2a01719f5b34baa2b714d3";
const GITHUB: &str = "api.github.com";
const CODELOAD: &str = "codeload.github.com";
const FILES: [(&str, &str); 2] = [("composer.json", "{}"), ("src/a.php", "<?php")];

fn path() -> String {
    format!("/repos/acme/one/zipball/{COMMIT}")
}

fn url() -> String {
    format!("https://{GITHUB}{}", path())
}

/// A world whose archive lies behind a signed address.
fn behind(location: &str, body: Vec<u8>) -> World {
    let world = World::new();
    world.upstream.put(GITHUB, &path(), Answer::status(302).header("location", location));
    world.upstream.put(CODELOAD, "/signed?token=S3CRET", Answer::file(body));
    world
}

fn signed() -> String {
    format!("https://{CODELOAD}/signed?token=S3CRET")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_is_followed_inside_and_the_stable_address_is_the_name() {
    let body = tar_gz("acme-one", &FILES);
    let world = behind(&signed(), body.clone());
    let session = world.session();
    let bearer = [("authorization", "Bearer t")];
    ask(&session, "GET", &url(), &bearer, b"").await.is(200, &body);
    let log = world.upstream.log();
    assert_eq!(log.len(), 2);
    assert!(log[0].headers.contains_key("authorization"));
    assert!(!log[1].headers.contains_key("authorization"), "another host does not hear it");
    let findings = finish(&session).await;
    assert_eq!((findings.exchanges.len(), findings.hosts[CODELOAD].n_followed), (1, 1));
    get(&world.session(), &url()).await.is(200, &body);
    get(&world.drill("all"), &url()).await.is(200, &body);
    let journal = format!("{:?}", world.events());
    assert!(!journal.contains("S3CRET") && journal.contains(COMMIT));
}

#[tokio::test(flavor = "multi_thread")]
async fn redirects_that_lead_inwards_or_nowhere_are_refused() {
    for target in
        ["http://127.0.0.1:1/x", "http://169.254.169.254/latest", "http://localhost/x", "file:///etc/passwd"]
    {
        let world = behind(target, Vec::new());
        let got = get(&world.session(), &url()).await;
        assert_eq!(got.status, 503, "{target}");
        assert_eq!(world.upstream.log().len(), 1, "{target}");
        assert_eq!(world.held(&url()), None, "{target}");
    }
    let world = behind(&url(), Vec::new());
    assert_eq!(get(&world.session(), &url()).await.status, 503, "a circle");
    assert!(world.upstream.log().len() <= 6);
}

/// Where the signed address is, as a fault is planned.
const SIGNED: &str = "/signed?token=S3CRET";

#[tokio::test(flavor = "multi_thread")]
async fn what_came_and_what_broke_is_booked_on_the_host_that_sent_it() {
    let body = tar_gz("acme-one", &FILES);
    let world = behind(&signed(), body.clone());
    let session = world.session();
    get(&session, &url()).await.is(200, &body);
    let hosts = finish(&session).await.hosts;
    let n_bytes = |host: &str| hosts[host].n_bytes_from_upstream;
    assert_eq!((n_bytes(GITHUB), n_bytes(CODELOAD)), (0, body.len() as u64));
    assert_eq!(hosts[CODELOAD].port_followed, Some(443));
    assert!(hosts[CODELOAD].first_request_ms.is_some());

    let world = behind(&signed(), body);
    world.upstream.on(CODELOAD, SIGNED, Fault::CutAt { percent: 50 });
    let session = world.session();
    for _ in 0..3 {
        get(&session, &url()).await.is_refused();
    }
    let hosts = finish(&session).await.hosts;
    assert!(hosts[CODELOAD].detected_ms.is_some() && hosts[CODELOAD].n_bytes_from_upstream > 0);
    assert_eq!((hosts[GITHUB].detected_ms, hosts[GITHUB].n_bytes_from_upstream), (None, 0));
    let is_of_github = |event: &Event| matches!(event, Event::Down { host, .. } if host == GITHUB);
    assert_eq!(world.n_events(is_of_github), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_host_behind_a_redirect_was_asked_and_is_stood_in_for() {
    let moving = format!("https://{GITHUB}/repos/acme/one/zipball/main");
    let body = tar_gz("acme-one", &FILES);
    let world = behind(&signed(), body.clone());
    world.upstream.put(
        GITHUB,
        "/repos/acme/one/zipball/main",
        Answer::status(302).header("location", &signed()),
    );
    get(&world.session(), &moving).await.is(200, &body);
    let events = world.events();
    for fault in ["refuse", "reset", "hang", "502", "nxdomain", "wrong"] {
        let drill = world.drill(&format!("{CODELOAD}={fault}"));
        get(&drill, &moving).await.is(200, &body).state("stale");
        let other = format!("https://{GITHUB}{}", path());
        get(&drill, &other).await.is_refused();
        let hosts = finish(&drill).await.hosts;
        let times = &hosts[CODELOAD];
        assert!(times.first_request_ms.is_some() && times.detected_ms.is_some(), "{fault}: {times:?}");
        assert!(times.recovered_ms.is_some(), "{fault}: {times:?}");
        assert_eq!(times.n_bytes_from_upstream, 0, "{fault}");
        assert_eq!(hosts[GITHUB].detected_ms, None, "{fault}");
        assert_eq!(world.events(), events, "{fault}: what is played leaves no trace");
    }
}

fn composer_pin(address: &str) -> Pin {
    Pin {
        coordinate: Some(Coordinate {
            ecosystem: "composer",
            registry: registry::ANY_REGISTRY.to_owned(),
            name: "acme/one".to_owned(),
            version: COMMIT.to_owned(),
            file: None,
        }),
        url: Some(ObjectUrl::parse(address).unwrap()),
        digests: model::DigestSet::default(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_package_is_found_by_its_commit_wherever_the_lock_says_that_it_lies() {
    let body = tar_gz("acme-one", &FILES);
    let world = behind(&signed(), body.clone());
    get(&world.session(), &url()).await.is(200, &body);
    // The lock names a mirror as well, which is not there.
    let mirror = format!("https://codeload.github.com/mirror/one/legacy.zip/{COMMIT}");
    world.upstream.clear_log();
    let session = world.pinned(vec![composer_pin(&url()), composer_pin(&mirror)]);
    get(&session, &mirror).await.is(200, &body);
    assert!(world.upstream.log().is_empty(), "nobody needs to be asked");
    assert!(matches!(ending(&session).await, Ending::Object { .. }));
    // Without a lock nobody knows that it is the same file.
    assert_eq!(get(&world.session(), &mirror).await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_project_says_about_a_commit_is_not_believed() {
    let (good, evil) = (tar_gz("acme-one", &FILES), tar_gz("acme-one", &[("evil.php", "<?php")]));
    let world = behind(&signed(), good.clone());
    let path = "/evil/evil/legacy.zip/0123456789012345678901234567890123456789";
    let release = format!("https://{CODELOAD}{path}");
    world.upstream.put(CODELOAD, path, Answer::file(evil.clone()));
    // An untrusted checkout gives its own bytes for the package's commit.
    let first = world.pinned(vec![composer_pin(&release)]);
    get(&first, &release).await.is(200, &evil);
    finish(&first).await;
    let second = world.pinned(vec![composer_pin(&url())]);
    get(&second, &url()).await.is(200, &good);
    finish(&second).await;
    // It is told that one of both lies.
    let differing: Vec<_> =
        world.events().into_iter().filter(|event| matches!(event, Event::Differs { .. })).collect();
    let [Event::Differs { key, sha256, release: named, first_url, first }] = differing.as_slice() else {
        panic!("{differing:?}");
    };
    assert_eq!((key.url.as_str(), *sha256), (url().as_str(), Sha256::of(&good)));
    assert_eq!((first_url.as_str(), *first), (release.as_str(), Sha256::of(&evil)));
    assert_eq!(*named, format!("composer acme/one at {COMMIT}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_content_at_another_address_worries_nobody() {
    let world = behind(&signed(), tar_gz("acme-one", &FILES));
    let path = "/fork/one/legacy.zip/0123456789012345678901234567890123456789";
    let fork = format!("https://{CODELOAD}{path}");
    let repacked = tar_gz("fork-one", &FILES);
    world.upstream.put(CODELOAD, path, Answer::file(repacked.clone()));
    let first = world.pinned(vec![composer_pin(&url())]);
    assert_eq!(get(&first, &url()).await.status, 200);
    finish(&first).await;
    let second = world.pinned(vec![composer_pin(&fork)]);
    get(&second, &fork).await.is(200, &repacked);
    finish(&second).await;
    assert_eq!(world.n_events(|event| matches!(event, Event::Unpacked { .. })), 2, "both were compared");
    assert_eq!(world.n_events(|event| matches!(event, Event::Differs { .. })), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_archive_is_unpacked_when_its_turn_comes() {
    let world = World::new();
    let session = world.session();
    let paths: Vec<String> = (1..=9).map(|number| format!("/acme/one/legacy.zip/{number:040}")).collect();
    for path in &paths {
        world.upstream.put(CODELOAD, path, Answer::file(tar_gz("acme-one", &[("name", path)])));
    }
    let urls: Vec<String> = paths.iter().map(|path| format!("https://{CODELOAD}{path}")).collect();
    for got in futures_util::future::join_all(urls.iter().map(|url| get(&session, url))).await {
        assert_eq!(got.status, 200);
    }
    let n_unpacked = || world.n_events(|event| matches!(event, Event::Unpacked { .. }));
    for _ in 0..1000 {
        if n_unpacked() == paths.len() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    finish(&session).await;
    assert_eq!(n_unpacked(), paths.len());
}

/// Keeps an archive, loses its bytes, and lets the forge give `again`.
async fn lost_and_fetched_again(again: Vec<u8>) -> (World, Got) {
    let first = tar_gz("acme-one", &FILES);
    let world = behind(&signed(), first.clone());
    let session = world.session();
    get(&session, &url()).await.is(200, &first);
    finish(&session).await;
    assert_eq!(world.n_events(|event| matches!(event, Event::Unpacked { .. })), 1);
    world.damage(&Sha256::of(&first));
    world.upstream.put(CODELOAD, "/signed?token=S3CRET", Answer::file(again));
    let again = get(&world.session(), &url()).await;
    (world, again)
}

#[tokio::test(flavor = "multi_thread")]
async fn other_bytes_of_the_same_content_heal_what_is_lost() {
    let repacked = tar_gz("another-top", &FILES);
    let (world, got) = lost_and_fetched_again(repacked.clone()).await;
    got.is(200, &repacked);
    assert_eq!(world.n_events(|event| matches!(event, Event::Repacked { .. })), 1, "a note");
    assert_eq!(world.n_events(|event| matches!(event, Event::Quarantined { .. })), 0);
    get(&world.drill("all"), &url()).await.is(200, &repacked);
}

#[tokio::test(flavor = "multi_thread")]
async fn other_content_does_not() {
    let (world, got) =
        lost_and_fetched_again(tar_gz("acme-one", &[FILES[0], ("src/a.php", "<?php evil")])).await;
    got.is_refused();
    assert_eq!(world.n_events(|event| matches!(event, Event::Quarantined { .. })), 1);
    assert_eq!(world.n_events(|event| matches!(event, Event::Repacked { .. })), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_without_a_length_is_whole_when_it_says_so() {
    let archive = tar_gz("acme-one", &FILES);
    let check = async |body: &[u8], is_kept: bool| {
        let head = b"HTTP/1.1 200 OK\r\ncontent-type: application/gzip\r\n\r\n";
        let world = World::with_raw([head, body].concat());
        let session = world.session();
        let got = get(&session, "http://raw.example/archive.tar.gz").await;
        match is_kept {
            true => drop(got.is(200, body)),
            false => drop(got.is_refused()),
        }
        let is_object = matches!(ending(&session).await, Ending::Object { .. });
        assert_eq!(is_object, is_kept);
    };
    check(&archive, true).await;
    check(&archive[..archive.len() / 2], false).await;
}
