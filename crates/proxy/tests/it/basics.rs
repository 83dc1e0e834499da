//! Classify, fetch, keep, serve: what a healthy upstream gives, and what is made of it later.

use fakes::Answer;
use model::{Event, Freshness, Proof, Sha256, Source};
use proxy::Ending;

use crate::world::*;

const PAGE: &str = "https://web.example/page";

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_kept_and_stands_in_for_its_upstream() {
    let world = World::new();
    world.upstream.put(WEB, "/page", text("hello"));
    let session = world.session();
    get(&session, PAGE).await.is(200, b"hello").state("");
    let Ending::Object { sha256, source, proof, freshness, .. } = ending(&session).await else {
        panic!("it is kept")
    };
    assert_eq!((sha256, source), (Sha256::of(b"hello"), Source::Upstream));
    assert_eq!((proof, freshness), (Proof::FirstSeen, Freshness::Fresh));

    let drill = world.drill("all");
    let got = get(&drill, PAGE).await;
    got.is(200, b"hello").state("stale");
    assert_eq!(got.header("content-type"), "text/plain; charset=utf-8");
    let findings = finish(&drill).await;
    let host = &findings.hosts[WEB];
    assert_eq!(host.n_bytes_from_upstream, 0);
    assert!(host.detected_ms.is_some() && host.recovered_ms.is_some(), "{host:?}");
    assert_eq!(world.upstream.n_asked(WEB, "/page"), 1, "a cut host is not asked");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_cannot_change_is_asked_for_once() {
    let world = World::new();
    let package = fakes::npm::package("left-pad", &[("1.0.0", &[])]);
    world.upstream.serve_npm(NPM, std::slice::from_ref(&package));
    let url = tarball(&package, "1.0.0");
    for _ in 0..3 {
        get(&world.session(), &url).await.is(200, package.tarball("1.0.0")).state("");
    }
    assert_eq!(world.upstream.n_asked(NPM, &package.tarball_path("1.0.0")), 1);
    let held = world.held(&url).unwrap();
    assert_eq!(held.proof, Proof::Verified, "its index was fetched to vouch for it");
    assert!(held.immutable);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_is_asked_for_again_when_it_is_due() {
    let world = World::new();
    world.upstream.serve_npm(NPM, &[fakes::npm::package("left-pad", &[("1.0.0", &[])])]);
    let url = format!("https://{NPM}/left-pad");
    let n_asked = || world.upstream.n_asked(NPM, "/left-pad");
    let first = get(&world.session(), &url).await;
    get(&world.session(), &url).await.is(200, first.body.as_ref().unwrap());
    assert_eq!(n_asked(), 1, "it is fresh for a while");
    ask(&world.session(), "GET", &url, &[("cache-control", "max-age=0, no-cache")], b"").await;
    assert_eq!(n_asked(), 2, "a client may insist");
    world.pass_time();
    get(&world.session(), &url).await.is(200, first.body.as_ref().unwrap()).state("");
    assert_eq!(n_asked(), 3);
    let seen = world.upstream.log().pop().unwrap();
    assert!(seen.headers.contains_key("if-none-match"), "only what changed is transferred");
    assert_eq!(world.generations(&url).len(), 1);
    assert_eq!(world.held(&url).unwrap().confirmed_at, world.clock.now());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_seen_with_two_contents_keeps_both() {
    let world = World::new();
    for content in ["one", "two"] {
        world.upstream.put(WEB, "/page", text(content));
        get(&world.session(), PAGE).await.is(200, content.as_bytes()).state("");
    }
    let generations: Vec<Sha256> = world.generations(PAGE).iter().map(|held| held.sha256).collect();
    assert_eq!(generations, [Sha256::of(b"one"), Sha256::of(b"two")]);
    for sha256 in &generations {
        assert_eq!(world.store.read_blob(sha256, 10).unwrap().len(), 3);
    }
    let changed = |event: &Event| matches!(event, Event::Changed { before, .. } if *before == generations[0]);
    assert_eq!(world.n_events(changed), 1);
    get(&world.drill("all"), PAGE).await.is(200, b"two");
}

#[tokio::test(flavor = "multi_thread")]
async fn forms_of_one_address_are_kept_apart() {
    let world = World::new();
    world.upstream.put(WEB, "/page", text("plain"));
    world.upstream.put(WEB, "/page", Answer::json("{\"a\":1}").when_accepts("application/json"));
    let json = [("accept", "application/json")];
    let session = world.session();
    get(&session, PAGE).await.is(200, b"plain");
    ask(&session, "GET", PAGE, &json, b"").await.is(200, b"{\"a\":1}");
    let drill = world.drill("all");
    get(&drill, PAGE).await.is(200, b"plain");
    ask(&drill, "GET", PAGE, &json, b"").await.is(200, b"{\"a\":1}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proved_absence_is_remembered_and_an_outage_is_none() {
    let world = World::new();
    get(&world.session(), PAGE).await.is(404, Answer::status(404).body());
    for fault in ["refuse", "reset", "hang", "502", "nxdomain", "wrong"] {
        let drill = world.drill(&format!("all={fault}"));
        assert_eq!(get(&drill, PAGE).await.status, 404, "{fault}");
        let unknown = get(&drill, "https://web.example/never-seen").await;
        assert_eq!(unknown.status, 503, "{fault}");
        assert_eq!(world.held("https://web.example/never-seen"), None, "{fault}");
    }
    world.upstream.put(WEB, "/page", text("now it is there"));
    get(&world.session(), PAGE).await.is(200, b"now it is there");
}

#[tokio::test(flavor = "multi_thread")]
async fn heads_ranges_and_conditions_are_answered_from_a_copy() {
    let world = World::new();
    world.upstream.put(WEB, "/page", text("0123456789"));
    get(&world.session(), PAGE).await;
    let drill = world.drill("all");
    let head = ask(&drill, "HEAD", PAGE, &[], b"").await;
    head.is(200, b"");
    assert_eq!((head.header("content-length"), head.header("accept-ranges")), ("10", "bytes"));
    for (range, status, body, content_range) in [
        ("bytes=2-4", 206, &b"234"[..], "bytes 2-4/10"),
        ("bytes=-3", 206, b"789", "bytes 7-9/10"),
        ("bytes=10-", 416, b"", "bytes */10"),
        ("bytes=0-1,4-5", 200, b"0123456789", ""),
    ] {
        let got = ask(&drill, "GET", PAGE, &[("range", range)], b"").await;
        got.is(status, body);
        assert_eq!(got.header("content-range"), content_range);
    }
    let etag = head.header("etag").to_owned();
    for (value, status, body) in [
        (etag.clone(), 304, &b""[..]),
        (format!("\"x\", W/{etag}"), 304, b""),
        ("\"x\"".to_owned(), 200, b"0123456789"),
    ] {
        ask(&drill, "GET", PAGE, &[("if-none-match", &value)], b"").await.is(status, body);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_is_kept_unpacked_and_a_file_as_it_comes() {
    let world = World::new();
    let package = fakes::npm::package("left-pad", &[("1.0.0", &[])]);
    let plain = package.packument(NPM).to_string();
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut encoder, plain.as_bytes()).unwrap();
    let packed = encoder.finish().unwrap();
    let answer = |body: &[u8]| Answer::json(body.to_vec()).header("content-encoding", "gzip");
    world.upstream.put(NPM, "/left-pad", answer(&packed));
    world.upstream.put(WEB, "/page", answer(&packed));
    let session = world.session();
    let index = get(&session, &format!("https://{NPM}/left-pad")).await;
    index.is(200, plain.as_bytes());
    assert_eq!(index.header("content-encoding"), "");
    let page = get(&session, PAGE).await;
    page.is(200, &packed);
    assert_eq!(page.header("content-encoding"), "gzip");
    world.pass_time();
    world.upstream.put(NPM, "/left-pad", answer(&packed[..packed.len() / 2]));
    get(&world.session(), &format!("https://{NPM}/left-pad")).await.is(200, plain.as_bytes()).state("stale");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_sessions_share_one_store() {
    let world = World::new();
    world.upstream.put(WEB, "/page", text("shared"));
    let (one, two) = (world.session(), world.session());
    let (first, second) = tokio::join!(get(&one, PAGE), get(&two, PAGE));
    first.is(200, b"shared");
    second.is(200, b"shared");
    assert_eq!(world.generations(PAGE).len(), 1, "the same bytes are one generation");
    get(&world.drill("all"), PAGE).await.is(200, b"shared");
    world.assert_good();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_would_change_something_passes_and_is_not_kept() {
    let world = World::new();
    world.upstream.handle(WEB, "/", |asked| {
        let body = format!("{} {}", asked.method, String::from_utf8_lossy(&asked.body));
        Some(Answer::text(body).header("set-cookie", "s=1"))
    });
    for method in ["PUT", "DELETE", "PATCH", "POST"] {
        let session = world.session();
        let got = ask(&session, method, PAGE, &[("x-own", "1")], b"body").await;
        got.is(200, format!("{method} body").as_bytes());
        assert_eq!(got.header("set-cookie"), "s=1", "it passes as it is");
        assert!(matches!(ending(&session).await, Ending::NotKept { status: 200, .. }), "{method}");
    }
    assert_eq!(world.events(), []);
    let drill = world.drill("all=502");
    assert_eq!(ask(&drill, "PUT", PAGE, &[], b"").await.status, 503);
    assert!(matches!(ending(&drill).await, Ending::Missing { sha256: None, .. }));
}
