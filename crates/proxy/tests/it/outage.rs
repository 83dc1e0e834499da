//! The upstream fails, hangs or is slow: the copy stands in at once, and nobody waits twice.

use std::time::Duration;

use fakes::{Answer, Fault, Upstream};
use model::{Event, Sha256};

use crate::world::*;

const INDEX: &str = "https://registry.npmjs.org/left-pad";

fn live() -> proxy::SessionPlan {
    proxy::SessionPlan::new(proxy::Purpose::Record)
}

/// A world that holds an index which is due.
async fn with_index() -> (World, bytes::Bytes) {
    let world = World::new();
    world.upstream.serve_npm(NPM, &[fakes::npm::package("left-pad", &[("1.0.0", &[])])]);
    let good = get(&world.session(), INDEX).await.body.unwrap();
    // There is something newer, so that no answer is as short as "not modified".
    world.upstream.serve_npm(NPM, &[fakes::npm::package("left-pad", &[("1.0.0", &[]), ("1.1.0", &[])])]);
    world.pass_time();
    (world, good)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_upstream_costs_nothing() {
    for fault in [
        Fault::Status(500),
        Fault::Status(502),
        Fault::RetryAfter429(60),
        Fault::Reset,
        Fault::Short,
        Fault::ExpiredCertificate,
        Fault::ForeignCertificate,
        Fault::NoHandshake,
    ] {
        let (world, good) = with_index().await;
        let what = format!("{fault:?}");
        world.upstream.on(NPM, "/left-pad", fault);
        // Without open connections, so that there is a handshake.
        let client =
            client(&world.upstream, vec![place(NPM, &world.upstream.tls_address().to_string())], &[]);
        let session = proxy::Engine { client, ..world.engine() }.session(live());
        // Three hours and three days later nothing is different.
        for hours in [3, 72, 0] {
            let (got, time) = timed(get(&session, INDEX)).await;
            got.is(200, &good).state("stale");
            assert!(time < Duration::from_millis(900), "{what} took {time:?}");
            world.clock.advance(Duration::from_secs(hours * 3600));
        }
        let n_stale = world.n_events(|event| matches!(event, Event::Stale { host, .. } if host == NPM));
        assert_eq!(n_stale, 1, "{what}: once in a session");
        assert!(finish(&session).await.hosts[NPM].detected_ms.is_some(), "{what}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_connection_costs_nothing() {
    let upstream = Upstream::start_blocking();
    let dead = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let client_of = |address: String| client(&upstream, vec![place(NPM, &address)], &[]);
    let (healthy, cut) = (client_of(upstream.tls_address().to_string()), client_of(dead.to_string()));
    let world = World::with_client(upstream, healthy);
    world.upstream.serve_npm(NPM, &[fakes::npm::package("left-pad", &[("1.0.0", &[])])]);
    let good = get(&world.session(), INDEX).await.body.unwrap();
    world.pass_time();
    let engine = proxy::Engine { client: cut, ..world.engine() };
    let (got, time) = timed(get(&engine.session(live()), INDEX)).await;
    got.is(200, &good).state("stale");
    assert!(time < Duration::from_millis(900), "{time:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hanging_upstream_costs_a_second_once() {
    for fault in [Fault::Hang, Fault::Drip { bytes: 1, every: Duration::from_millis(300) }] {
        let (world, good) = with_index().await;
        let what = format!("{fault:?}");
        world.upstream.on(NPM, "/left-pad", fault);
        let session = world.session();
        let (got, time) = timed(get(&session, INDEX)).await;
        got.is(200, &good).state("stale");
        assert!(time < Duration::from_secs(2), "{what} took {time:?}");
        for _ in 0..5 {
            let (got, time) = timed(get(&session, INDEX)).await;
            got.is(200, &good).state("stale");
            assert!(time < Duration::from_millis(500), "{what} took {time:?} again");
        }
        assert_eq!(world.upstream.n_asked(NPM, "/left-pad"), 2, "{what}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upstream_that_comes_back_is_asked_again() {
    let (world, good) = with_index().await;
    world.upstream.on(NPM, "/left-pad", Fault::Reset);
    let session = world.session();
    for _ in 0..5 {
        get(&session, INDEX).await.is(200, &good).state("stale");
    }
    let n_asked = world.upstream.n_asked(NPM, "/left-pad");
    assert!(n_asked <= 2 * 4, "the breaker opened: {n_asked}");
    world.upstream.clear_faults();
    get(&session, INDEX).await.state("stale");
    assert_eq!(world.upstream.n_asked(NPM, "/left-pad"), n_asked, "nobody asks while it is open");
    world.clock.advance(Duration::from_secs(31));
    // Nobody waits for the probe; once it has an answer, so has everybody.
    get(&session, INDEX).await.state("stale");
    let newer = fresh(&session, INDEX).await;
    assert_ne!(newer.body.unwrap(), good);
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_nobody_asks_for_do_not_use_up_the_probe() {
    let world = World::new();
    let package = fakes::npm::package("left-pad", &[("1.0.0", &[])]);
    world.upstream.serve_npm(NPM, std::slice::from_ref(&package));
    let session = world.session();
    get(&session, INDEX).await;
    get(&session, &tarball(&package, "1.0.0")).await;
    world.pass_time();
    world.upstream.on(NPM, "*", Fault::Status(500));
    for _ in 0..3 {
        get(&session, INDEX).await.state("stale");
    }
    world.upstream.clear_faults();
    world.clock.advance(Duration::from_secs(31));
    get(&session, &tarball(&package, "1.0.0")).await.is(200, package.tarball("1.0.0"));
    get(&session, INDEX).await.state("stale");
    fresh(&session, INDEX).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_answer_is_kept_for_the_next_time() {
    let world = World::new();
    world.upstream.put(WEB, "/page", text("old"));
    get(&world.session(), "https://web.example/page").await;
    world.upstream.put(WEB, "/page", text("new"));
    world.upstream.on(WEB, "/page", Fault::SlowFirstByte(Duration::from_millis(1300)));
    let session = world.session();
    get(&session, "https://web.example/page").await.is(200, b"old").state("stale");
    finish(&session).await;
    assert_eq!(world.held("https://web.example/page").unwrap().sha256, Sha256::of(b"new"));
}

#[tokio::test(flavor = "multi_thread")]
async fn with_nothing_held_an_outage_is_not_an_absence() {
    for fault in [Fault::Reset, Fault::NoHandshake, Fault::ExpiredCertificate, Fault::Short] {
        let world = World::new();
        world.upstream.put(WEB, "/page", text("hello"));
        let what = format!("{fault:?}");
        world.upstream.on(WEB, "/page", fault);
        let got = get(&world.session(), "https://web.example/page").await;
        assert_eq!(got.status, 503, "{what}");
        assert_eq!(got.header("retry-after"), "30", "{what}");
        let said: serde_json::Value = serde_json::from_slice(&got.body.unwrap()).unwrap();
        for field in ["error", "reason", "hint"] {
            assert!(!said[field].as_str().unwrap().is_empty(), "{what}: {said}");
        }
        assert_eq!(world.held("https://web.example/page"), None, "{what}");
        world.upstream.clear_faults();
        get(&world.session(), "https://web.example/page").await.is(200, b"hello");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upstream_error_with_nothing_held_is_told_as_it_is_and_not_kept() {
    let world = World::new();
    for status in [401, 403, 429, 500, 502] {
        world.upstream.put(WEB, "/page", Answer::status(status).header("retry-after", "7"));
        let got = get(&world.session(), "https://web.example/page").await;
        assert_eq!((got.status, got.header("retry-after")), (status, "7"));
        assert_eq!(world.held("https://web.example/page"), None, "{status}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_that_was_asked_for_in_one_form_is_given_in_the_other() {
    const SIX: &str = "https://pypi.org/simple/six/";
    let world = World::new();
    world.upstream.serve_pypi(&[fakes::pypi::project("six").release("1.16.0", &[])]);
    let json = [("accept", "application/vnd.pypi.simple.v1+json"), ("user-agent", "pip/26")];
    let html = [("accept", "text/html"), ("user-agent", "pip/9")];
    ask(&world.session(), "GET", SIX, &json, b"").await.state("");
    world.pass_time();
    for fault in [Fault::Status(503), Fault::Status(404)] {
        world.upstream.on("pypi.org", "*", fault.clone());
        let got = ask(&world.session(), "GET", SIX, &html, b"").await;
        let page = String::from_utf8(got.body.clone().unwrap().to_vec()).unwrap();
        assert!(got.status == 200 && page.contains(">six-1.16.0"), "{fault:?}: {} {page}", got.status);
        assert!(
            got.header("content-type").starts_with("text/html") && !got.header("outlast-state").is_empty()
        );
    }
    // What somebody's credentials got is for them.
    world.upstream.clear_faults();
    world.upstream.serve_pypi(&[fakes::pypi::project("own").release("1.0", &[])]);
    const OWN: &str = "https://pypi.org/simple/own/";
    let theirs = [json[0], json[1], ("authorization", "Basic a2ltOlMzQ1JFVA==")];
    ask(&world.session(), "GET", OWN, &theirs, b"").await.state("");
    world.upstream.on("pypi.org", "*", Fault::Status(503));
    let session = world.session();
    assert_eq!(ask(&session, "GET", OWN, &html, b"").await.status, 503);
    assert_eq!(ask(&session, "GET", OWN, &json, b"").await.status, 503);
    assert_eq!(ask(&session, "GET", OWN, &theirs, b"").await.status, 200, "the control: it is held");
    world.upstream.on("pypi.org", "*", Fault::Status(404));
    // The control: of what nobody asked for nothing is made.
    let none = ask(&world.session(), "GET", "https://pypi.org/simple/seven/", &html, b"").await;
    assert_eq!(none.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_404_is_too_little_for_composer() {
    const HOST: &str = "repo.packagist.org";
    const ONE: &str = "https://repo.packagist.org/p2/acme/one.json";
    const TWO: &str = "https://repo.packagist.org/p2/acme/two.json";
    let world = World::new();
    let document = r#"{"packages":{"acme/one":[]}}"#;
    world.upstream.put(HOST, "/p2/acme/one.json", Answer::json(document));
    let absent = || world.upstream.on_first(1, HOST, "/p2/*", Fault::Status(404));
    absent();
    get(&world.session(), ONE).await.is(200, document.as_bytes());
    assert_eq!(world.upstream.n_asked(HOST, "/p2/acme/one.json"), 2);
    // Absent, and then in trouble, proves nothing.
    world.upstream.on(HOST, "/p2/*", Fault::Status(502));
    absent();
    assert_eq!(get(&world.session(), TWO).await.status, 503);
    assert_eq!(world.held(TWO), None);
    world.upstream.clear_faults();
    world.upstream.clear_log();
    let session = world.session();
    for _ in 0..2 {
        assert_eq!(get(&session, TWO).await.status, 404, "the control: twice is enough");
        assert_eq!(world.upstream.n_asked(HOST, "/p2/acme/two.json"), 2);
    }
    world.pass_time();
    assert_eq!(get(&session, TWO).await.status, 404);
    assert_eq!(world.upstream.n_asked(HOST, "/p2/acme/two.json"), 3, "known to be absent, it is asked once");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_absent_once_is_unknown_in_an_outage() {
    const TWO: &str = "https://repo.packagist.org/p2/acme/two.json";
    let world = World::new();
    assert_eq!(get(&world.session(), TWO).await.status, 404);
    world.upstream.on("repo.packagist.org", "*", Fault::Status(502));
    world.clock.advance(Duration::from_secs(40));
    assert_eq!(get(&world.session(), TWO).await.status, 404, "it was said a moment ago");
    world.clock.advance(Duration::from_secs(40));
    for _ in 0..5 {
        let unknown = get(&world.session(), TWO).await;
        assert_eq!(unknown.status, 503, "Composer would take 404 for proved");
    }
    assert_eq!(get(&world.drill("all"), TWO).await.status, 404, "in a drill it is as it was recorded");
    // A hang is no proof either.
    let world = World::new();
    assert_eq!(get(&world.session(), TWO).await.status, 404);
    world.upstream.on("repo.packagist.org", "*", Fault::Hang);
    world.clock.advance(Duration::from_secs(80));
    let (unknown, time) = timed(get(&world.session(), TWO)).await;
    assert_eq!(unknown.status, 503);
    assert!(time < Duration::from_secs(5), "{time:?}");
    // A repository that has not a name says so again and again, and is believed for a day.
    let world = World::new();
    for _ in 0..2 {
        assert_eq!(get(&world.session(), TWO).await.status, 404);
        world.clock.advance(Duration::from_secs(120));
    }
    world.upstream.on("repo.packagist.org", "*", Fault::Status(502));
    assert_eq!(get(&world.session(), TWO).await.status, 404);
    world.clock.advance(Duration::from_secs(25 * 3600));
    assert_eq!(get(&world.session(), TWO).await.status, 503);
}
