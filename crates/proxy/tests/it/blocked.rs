//! Releases that a team has blocked.

use fakes::npm::package;
use fakes::tar_gz;
use model::{Event, ObjectUrl};
use proxy::Block;
use registry::{Coordinate, Pin};

use crate::world::*;

fn block(ecosystem: &str, name: &str, versions: &[&str]) -> Block {
    Block {
        ecosystem: registry::ecosystem(ecosystem).unwrap(),
        name: name.to_owned(),
        versions: versions.iter().map(|version| (*version).to_owned()).collect(),
        reason: "MAL-2026-1".to_owned(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_held_and_blocked_is_not_given_out_and_stays() {
    let mut world = World::new();
    let left_pad = package("left-pad", &[("1.0.0", &[])]).version("1.1.0", &serde_json::json!({}), &[]);
    world.upstream.serve_npm(NPM, std::slice::from_ref(&left_pad));
    let (bad, good) = (tarball(&left_pad, "1.0.0"), tarball(&left_pad, "1.1.0"));
    get(&world.session(), &bad).await.is(200, left_pad.tarball("1.0.0"));
    world.blocks = vec![block("npm", "left-pad", &["1.0.0"])];
    world.upstream.clear_log();
    let session = world.session();
    for _ in 0..2 {
        let refused = get(&session, &bad).await;
        assert_eq!(refused.status, 403);
        let said: serde_json::Value = serde_json::from_slice(&refused.body.unwrap()).unwrap();
        assert_eq!(said["error"], "blocked");
        assert_eq!(said["reason"], "`left-pad` 1.0.0 is blocked: MAL-2026-1");
    }
    assert!(world.upstream.log().is_empty(), "nobody was asked for it");
    let is_told =
        |event: &Event| matches!(event, Event::Rejected { reason, .. } if reason.contains("blocked"));
    assert_eq!(world.n_events(is_told), 1, "once");
    get(&session, &good).await.is(200, left_pad.tarball("1.1.0"));
    assert_eq!(
        get(&session, &format!("https://{NPM}/left-pad")).await.status,
        200,
        "whoever chooses may look"
    );
    // In a drill as well, and the whole package where no version is named.
    world.blocks = vec![block("npm", "Left-Pad", &[])];
    for url in [&bad, &good] {
        assert_eq!(get(&world.drill("all"), url).await.status, 403);
    }
    world.blocks = vec![block("npm", "left-pad", &["2.0.0"]), block("pypi", "left-pad", &[])];
    get(&world.drill("all"), &bad).await.is(200, left_pad.tarball("1.0.0"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_composer_archive_is_blocked_by_its_version_and_by_its_commit() {
    const COMMIT: &str = "0123456789012345678901234567890123456789";
    const P2: &str = "https://repo.packagist.org/p2/acme/one.json";
    let mut world = World::new();
    let zip = format!("https://codeload.github.com/acme/one/legacy.zip/{COMMIT}");
    world.upstream.put(
        "codeload.github.com",
        &format!("/acme/one/legacy.zip/{COMMIT}"),
        fakes::Answer::file(tar_gz("acme-one", &[("a.php", "<?php")])),
    );
    let version = serde_json::json!({
        "name": "acme/one", "version": "v1.2.0", "version_normalized": "1.2.0.0",
        "dist": { "type": "zip", "url": zip, "reference": COMMIT, "shasum": "" },
    });
    let document = serde_json::json!({ "packages": { "acme/one": [version] } }).to_string();
    world.upstream.put("repo.packagist.org", "/p2/acme/one.json", fakes::Answer::json(document));
    let pin = || Pin {
        coordinate: Some(Coordinate {
            ecosystem: "composer",
            registry: registry::ANY_REGISTRY.to_owned(),
            name: "acme/one".to_owned(),
            version: COMMIT.to_owned(),
            file: None,
        }),
        url: Some(ObjectUrl::parse(&zip).unwrap()),
        digests: model::DigestSet::default(),
    };
    for (versions, expected) in [(vec!["1.2.0"], 410), (vec![COMMIT], 410), (vec!["1.2.1"], 200)] {
        world.blocks = vec![block("composer", "acme/one", &versions)];
        let session = world.pinned(vec![pin()]);
        assert_eq!(get(&session, P2).await.status, 200);
        let got = get(&session, &zip).await;
        assert_eq!(got.status, expected, "{versions:?}");
        if expected == 410 {
            let said: serde_json::Value = serde_json::from_slice(&got.body.unwrap()).unwrap();
            assert!(said["warnings"][0]["message"].as_str().unwrap().contains("MAL-2026-1"), "{said}");
        }
        // From the lock alone, with the index that was read before.
        assert_eq!(get(&world.pinned(vec![pin()]), &zip).await.status, expected, "{versions:?}");
    }
}
