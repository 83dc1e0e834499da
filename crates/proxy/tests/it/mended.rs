//! Versions that vanished or were republished upstream stand as they stood.

use fakes::npm::{Package, package};
use model::Event;

use crate::world::*;

const INDEX: &str = "https://registry.npmjs.org/left-pad";

fn left_pad(versions: &[&str]) -> Package {
    versions.iter().fold(package("left-pad", &[]), |package, version| {
        package.version(version, &serde_json::json!({}), &[])
    })
}

fn versions(got: &Got) -> Vec<String> {
    let packument: serde_json::Value = serde_json::from_slice(got.body.as_ref().unwrap()).unwrap();
    let mut versions: Vec<String> = packument["versions"].as_object().unwrap().keys().cloned().collect();
    versions.sort();
    versions
}

fn n_vanished(world: &World) -> usize {
    world.n_events(|event| matches!(event, Event::Vanished { versions, .. } if versions == &["1.0.0"]))
}

/// A world that holds an index and the file of 1.0.0; upstream then no longer lists that version.
async fn without_one() -> World {
    let world = World::new();
    world.upstream.serve_npm(NPM, &[left_pad(&["1.0.0", "1.1.0"])]);
    get(&world.session(), INDEX).await;
    get(&world.session(), &tarball(&left_pad(&["1.0.0"]), "1.0.0")).await;
    world.upstream.serve_npm(NPM, &[left_pad(&["1.1.0", "1.2.0"])]);
    world.pass_time();
    world
}

#[tokio::test(flavor = "multi_thread")]
async fn what_vanished_stays_listed_beside_what_is_new() {
    let world = without_one().await;
    let got = get(&world.session(), INDEX).await;
    got.state("");
    assert_eq!(versions(&got), ["1.0.0", "1.1.0", "1.2.0"]);
    let bytes = got.body.clone().unwrap();
    for _ in 0..2 {
        world.pass_time();
        get(&world.session(), INDEX).await.is(200, &bytes).state("");
    }
    assert_eq!(n_vanished(&world), 1, "told once");
    get(&world.drill("all"), INDEX).await.is(200, &bytes);
    let file = left_pad(&["1.0.0"]);
    get(&world.drill("all"), &tarball(&file, "1.0.0")).await.is(200, file.tarball("1.0.0"));
    // Something newer comes, and the vanished version is still there.
    world.upstream.serve_npm(NPM, &[left_pad(&["1.1.0", "1.2.0", "1.3.0"])]);
    world.pass_time();
    assert_eq!(versions(&get(&world.session(), INDEX).await), ["1.0.0", "1.1.0", "1.2.0", "1.3.0"]);
    assert_eq!(n_vanished(&world), 1);
    world.assert_good();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_back_is_the_upstreams_own_again() {
    let world = without_one().await;
    get(&world.session(), INDEX).await;
    let whole = left_pad(&["1.0.0", "1.1.0", "1.2.0"]);
    world.upstream.serve_npm(NPM, std::slice::from_ref(&whole));
    world.pass_time();
    let got = get(&world.session(), INDEX).await;
    assert_eq!(got.body.as_ref().unwrap(), whole.packument(NPM).to_string().as_bytes());
    world.pass_time();
    world.upstream.clear_log();
    get(&world.session(), INDEX).await.is(200, got.body.as_ref().unwrap()).state("");
    let log = world.upstream.log();
    assert_eq!(log.len(), 1);
    assert_eq!(log[0].headers["if-none-match"], got.headers["etag"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_upstream_is_asked_about_its_own_document() {
    let world = without_one().await;
    let served = get(&world.session(), INDEX).await;
    world.pass_time();
    world.upstream.clear_log();
    get(&world.session(), INDEX).await.is(200, served.body.as_ref().unwrap());
    let asked = world.upstream.log()[0].headers["if-none-match"].to_str().unwrap().to_owned();
    assert!(!asked.contains("outlast"), "{asked}");
    // A client that has the mended one is told that nothing changed.
    let own = served.header("etag").to_owned();
    assert!(own.contains("outlast"), "{own}");
    let again = ask(&world.session(), "GET", INDEX, &[("if-none-match", &own)], b"").await;
    assert_eq!(again.status, 304);
    let before = ask(&world.session(), "GET", INDEX, &[("if-none-match", &asked)], b"").await;
    assert_eq!(before.status, 200, "these are other bytes");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_republished_is_as_it_was_seen_first() {
    let world = World::new();
    let first = left_pad(&["1.0.0", "1.1.0"]);
    world.upstream.serve_npm(NPM, std::slice::from_ref(&first));
    get(&world.session(), INDEX).await;
    let evil = left_pad(&[])
        .version("1.0.0", &serde_json::json!({ "evil": true }), &[])
        .version("1.1.0", &serde_json::json!({}), &[])
        .version("1.2.0", &serde_json::json!({}), &[]);
    world.upstream.serve_npm(NPM, std::slice::from_ref(&evil));
    world.pass_time();
    let got = get(&world.session(), INDEX).await;
    assert_eq!(versions(&got), ["1.0.0", "1.1.0", "1.2.0"]);
    let entry = |packument: &serde_json::Value| packument["versions"]["1.0.0"].clone();
    let served: serde_json::Value = serde_json::from_slice(got.body.as_ref().unwrap()).unwrap();
    assert_eq!(entry(&served), entry(&first.packument(NPM)));
    let n_told = || {
        world.n_events(|event| matches!(event, Event::Republished { versions, .. } if versions == &["1.0.0"]))
    };
    assert_eq!(n_told(), 1);
    // Index and file agree: the evil bytes are refused, the new version's are not.
    get(&world.session(), &tarball(&evil, "1.0.0")).await.is_refused();
    assert_eq!(world.n_events(|event| matches!(event, Event::Quarantined { .. })), 1);
    get(&world.session(), &tarball(&evil, "1.2.0")).await.is(200, evil.tarball("1.2.0"));
    world.pass_time();
    get(&world.session(), INDEX).await;
    assert_eq!(n_told(), 1, "told once");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_needs_may_vanish() {
    let both = left_pad(&["1.0.0", "1.1.0"]);
    let url = tarball(&both, "1.0.0");
    for is_pinned in [true, false] {
        let world = World::new();
        world.upstream.serve_npm(NPM, std::slice::from_ref(&both));
        get(&world.session(), INDEX).await;
        world.upstream.serve_npm(NPM, &[left_pad(&["1.1.0"])]);
        world.pass_time();
        let pins = if is_pinned { vec![pin(&url, both.tarball("1.0.0"))] } else { Vec::new() };
        let got = get(&world.pinned(pins), INDEX).await;
        assert_eq!(versions(&got).contains(&"1.0.0".to_owned()), is_pinned);
        assert_eq!(n_vanished(&world), usize::from(is_pinned));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_that_outlast_asks_for_is_mended_as_well() {
    let world = World::new();
    world.upstream.serve_npm(NPM, &[left_pad(&["1.0.0"])]);
    let short = [("accept", "application/vnd.npm.install-v1+json")];
    ask(&world.session(), "GET", INDEX, &short, b"").await;
    get(&world.session(), &tarball(&left_pad(&["1.0.0"]), "1.0.0")).await;
    // Somebody asks for a new version's file; the index that would vouch for it has lost the old one.
    let new = left_pad(&["1.1.0"]);
    world.upstream.serve_npm(NPM, std::slice::from_ref(&new));
    get(&world.session(), &tarball(&new, "1.1.0")).await.is(200, new.tarball("1.1.0"));
    let got = ask(&world.drill("all"), "GET", INDEX, &short, b"").await;
    assert_eq!(versions(&got), ["1.0.0", "1.1.0"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_was_taken_over_still_lists_what_is_held() {
    let world = World::new();
    world.upstream.serve_npm(NPM, &[left_pad(&["1.0.0"])]);
    get(&world.session(), INDEX).await;
    get(&world.session(), &tarball(&left_pad(&["1.0.0"]), "1.0.0")).await;
    world.upstream.serve_npm(NPM, &[left_pad(&["0.0.1-security"])]);
    world.pass_time();
    assert_eq!(versions(&get(&world.session(), INDEX).await), ["0.0.1-security", "1.0.0"]);
}
