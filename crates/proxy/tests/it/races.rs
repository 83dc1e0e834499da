//! What others keep while an upstream is asked, and bodies that break after they were shown.

use std::time::Duration;

use fakes::npm::{Package, package};
use fakes::{Answer, Fault};
use model::Event;
use proxy::Ending;

use crate::world::*;

const INDEX: &str = "https://registry.npmjs.org/left-pad";
const LARGE: &str = "https://web.example/large";

fn left_pad(versions: &[&str]) -> Package {
    versions.iter().fold(package("left-pad", &[]), |package, version| {
        package.version(version, &serde_json::json!({}), &[])
    })
}

/// Lets a slow session ask first, and another one be done before it is answered.
async fn while_it_waits(world: &World, slow: Fault, act: impl AsyncFnOnce()) -> Got {
    world.upstream.on_first(1, NPM, "/left-pad", slow);
    let session = world.session();
    let waiting = tokio::spawn(async move { get(&session, INDEX).await });
    while world.upstream.n_asked(NPM, "/left-pad") == 0 {
        tokio::task::yield_now().await;
    }
    act().await;
    waiting.await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_absence_does_not_land_on_an_answer() {
    let world = World::new();
    let slow = Fault::SlowFirstByte(Duration::from_millis(300));
    let late = while_it_waits(&world, slow, async || {
        world.upstream.serve_npm(NPM, &[left_pad(&["1.0.0"])]);
        assert_eq!(get(&world.session(), INDEX).await.status, 200);
        world.upstream.remove(NPM, "/left-pad");
    })
    .await;
    // What was slow is answered by what the upstream has by then; in no case is the answer lost.
    assert!([200, 404].contains(&late.status));
    assert_eq!(get(&world.drill("all"), INDEX).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_older_index_does_not_land_on_a_newer_one() {
    let world = World::new();
    world.upstream.serve_npm(NPM, &[left_pad(&["1.0.0"])]);
    let older = Answer::json(left_pad(&["1.0.0"]).packument(NPM).to_string());
    world.upstream.on_first(1, NPM, "/left-pad", Fault::Older(older));
    world.upstream.on_first(1, NPM, "/left-pad", Fault::SlowFirstByte(Duration::from_millis(300)));
    let session = world.session();
    let waiting = tokio::spawn(async move { get(&session, INDEX).await });
    while world.upstream.n_asked(NPM, "/left-pad") == 0 {
        tokio::task::yield_now().await;
    }
    let newer = left_pad(&["1.0.0", "1.1.0"]);
    world.upstream.clear_faults();
    world.upstream.serve_npm(NPM, std::slice::from_ref(&newer));
    get(&world.session(), INDEX).await;
    get(&world.session(), &tarball(&newer, "1.1.0")).await.is(200, newer.tarball("1.1.0"));
    waiting.await.unwrap();
    let held = get(&world.drill("all"), INDEX).await.body.unwrap();
    assert!(String::from_utf8_lossy(&held).contains("1.1.0"));
}

#[tokio::test(flavor = "multi_thread")]
async fn half_of_a_body_is_never_a_whole_one() {
    for fault in [Fault::ShortChunked, Fault::Short] {
        let world = World::new();
        let (old, new) = (noise(LARGE_BYTES, 1), noise(LARGE_BYTES, 2));
        world.upstream.put(WEB, "/large", file(old.clone()));
        get(&world.session(), LARGE).await.is(200, &old);
        world.upstream.put(WEB, "/large", file(new).without_ranges());
        world.upstream.on(WEB, "/large", fault.clone());
        let session = world.session();
        let got = get(&session, LARGE).await;
        // Either nothing of the new one was shown and the old one stands in, or the transfer breaks.
        let is_old = got.body.as_ref().is_ok_and(|body| *body == old);
        assert!(got.body.is_err() || is_old, "{fault:?}: {} bytes", got.body.as_ref().unwrap().len());
        let is_missing = matches!(ending(&session).await, Ending::Missing { .. });
        assert_eq!(is_missing, !is_old, "{fault:?}: the record says so");
        get(&world.drill("all"), LARGE).await.is(200, &old);
        assert_eq!(world.n_events(|event| matches!(event, Event::Changed { .. })), 0, "{fault:?}");
    }
}
