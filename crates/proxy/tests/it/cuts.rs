//! Faults that a drill plays: seen by the client as what Outlast makes of them, and never by the journal.

use std::time::Duration;

use fakes::Answer;
use proxy::Ending;

use crate::world::*;

const PAGE: &str = "https://web.example/page";
const FAULTS: [&str; 6] = ["refuse", "reset", "hang", "502", "nxdomain", "wrong"];

#[tokio::test(flavor = "multi_thread")]
async fn played_faults_leave_no_trace_in_the_store() {
    let world = World::new();
    let package = fakes::npm::package("left-pad", &[("1.0.0", &[])]);
    world.upstream.serve_npm(NPM, std::slice::from_ref(&package));
    world.upstream.put(WEB, "/page", text("page"));
    world.upstream.put("api.osv.dev", "/v1/query", Answer::json("{}"));
    let index = format!("https://{NPM}/left-pad");
    let urls = [PAGE.to_owned(), index, tarball(&package, "1.0.0")];
    let session = world.session();
    for url in &urls {
        assert_eq!(get(&session, url).await.status, 200);
    }
    ask(&session, "POST", "https://api.osv.dev/v1/query", &[], b"q").await.is(200, b"{}");
    let (events, n_blobs) = (world.events(), world.store.stat().unwrap().n_blobs);
    world.upstream.clear_log();
    for fault in FAULTS {
        world.pass_time();
        let drill = world.drill(&format!("all={fault}"));
        for url in &urls {
            assert_eq!(get(&drill, url).await.status, 200, "{fault} {url}");
        }
        ask(&drill, "POST", "https://api.osv.dev/v1/query", &[], b"q").await.is(200, b"{}");
        for unknown in ["https://web.example/x", "https://registry.npmjs.org/x", "https://unknown.example/"] {
            get(&drill, unknown).await.is_refused();
        }
        ask(&drill, "POST", "https://api.osv.dev/v1/query", &[], b"other").await.is_refused();
        ask(&drill, "PUT", PAGE, &[], b"x").await.is_refused();
        let findings = finish(&drill).await;
        assert_eq!(findings.hosts.values().map(|host| host.n_bytes_from_upstream).sum::<u64>(), 0);
        for host in [NPM, WEB, "api.osv.dev"] {
            let times = &findings.hosts[host];
            assert!(times.detected_ms.is_some() && times.recovered_ms.is_some(), "{fault} {host} {times:?}");
        }
        assert_eq!(world.events(), events, "{fault}");
        assert_eq!(world.store.stat().unwrap().n_blobs, n_blobs, "{fault}");
    }
    assert_eq!(world.upstream.log().len(), 0, "a cut host is not asked");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_is_not_cut_is_live() {
    let world = World::new();
    world.upstream.put(WEB, "/page", text("old"));
    get(&world.session(), PAGE).await;
    world.upstream.put(WEB, "/page", text("new"));
    let drill = world.drill(&format!("{NPM}=502"));
    get(&drill, PAGE).await.is(200, b"new").state("");
    let drill = world.drill(&format!("{WEB}=hang all=502"));
    let (got, time) = timed(get(&drill, PAGE)).await;
    got.is(200, b"new").state("stale");
    assert!(time < Duration::from_secs(2), "{time:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_object_is_named() {
    let world = World::new();
    let drill = world.drill("all");
    assert_eq!(get(&drill, PAGE).await.status, 503);
    let exchange = finish(&drill).await.exchanges.remove(0);
    assert_eq!(exchange.url.to_string(), PAGE);
    let Ending::Missing { sha256: None, reason, .. } = exchange.ending else { panic!("{exchange:?}") };
    assert!(reason.contains("nothing is kept"), "{reason}");
}
