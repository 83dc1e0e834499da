//! Answers that end too early, never, or badly framed.

use std::time::Duration;

use fakes::{Answer, Fault};
use model::Sha256;
use proxy::Ending;

use crate::world::*;

const BODY: &str = "https://web.example/body";

/// Plays a cut of a file, small and large, by either protocol, and asserts that nothing of it is kept.
async fn check(fault: Fault, is_http1: bool) {
    for size in [1000, LARGE_BYTES] {
        let world = World::new();
        let what = format!("{fault:?} {size} {is_http1}");
        if is_http1 {
            world.upstream.speak_http1(WEB);
        }
        let body = noise(size, 1);
        world.upstream.put(WEB, "/body", file(body.clone()));
        world.upstream.on(WEB, "/body", fault.clone());
        let session = world.pinned(vec![pin(BODY, &body)]);
        let (got, time) = timed(get(&session, BODY)).await;
        got.is_refused();
        assert!(time < Duration::from_secs(5), "{what} took {time:?}");
        assert!(matches!(ending(&session).await, Ending::Missing { .. }), "{what}");
        assert_eq!(world.held(BODY), None, "{what}");
        world.upstream.clear_faults();
        get(&world.session(), BODY).await.is(200, &body);
        world.assert_good();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_transfer_breaks_and_leaves_nothing() {
    check(Fault::Short, true).await;
    check(Fault::Short, false).await;
    check(Fault::ShortChunked, true).await;
    check(Fault::ShortWithoutLength, true).await;
    check(Fault::ShortWithoutLength, false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_ends_with_its_connection_is_passed_on_and_not_kept() {
    let world = World::new();
    world.upstream.speak_http1(WEB);
    let body = noise(LARGE_BYTES, 2);
    world.upstream.put(WEB, "/body", Answer::file(body.clone()));
    world.upstream.on(WEB, "/body", Fault::ShortWithoutLength);
    let session = world.session();
    // Nobody vouches for it: the client sees what it would see without Outlast.
    let got = get(&session, BODY).await;
    assert!(got.body.is_err() || got.body.unwrap().len() == LARGE_BYTES / 2);
    assert!(!matches!(ending(&session).await, Ending::Object { .. }));
    assert_eq!(world.held(BODY), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_drip_comes_whole() {
    let world = World::new();
    world.upstream.put(WEB, "/body", text("0123456789"));
    world.upstream.on(WEB, "/body", Fault::Drip { bytes: 1, every: Duration::from_millis(40) });
    get(&world.session(), BODY).await.is(200, b"0123456789");
    assert_eq!(world.held(BODY).unwrap().sha256, Sha256::of(b"0123456789"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_without_end_is_given_up() {
    let world = World::new();
    let url = format!("https://{NPM}/left-pad");
    world.upstream.serve_npm(NPM, &[fakes::npm::package("left-pad", &[("1.0.0", &[])])]);
    world.upstream.on(NPM, "/left-pad", Fault::EndlessBody { bytes: 200 << 20 });
    let got = get(&world.session(), &url).await;
    assert_eq!(got.status, 503, "{got:?}");
    assert_eq!(world.held(&url), None);
    world.upstream.clear_faults();
    assert_eq!(get(&world.session(), &url).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_with_a_body_beyond_all_bounds_is_given_up() {
    for (size, expected) in [(3 << 10, 302), (3 << 20, 503)] {
        let body = "x".repeat(size);
        let world = World::with_raw(format!(
            "HTTP/1.1 302 Found\r\nlocation: /a\r\ncontent-length: {size}\r\nconnection: close\r\n\r\n{body}"
        ));
        assert_eq!(get(&world.session(), "http://raw.example/").await.status, expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_http_is_no_answer() {
    for nonsense in [
        "",
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhel",
        "HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello!",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nhello",
        "HTTP/9.9 999 ?\r\n\r\n",
        "SSH-2.0-OpenSSH_9.2\r\n",
    ] {
        let world = World::with_raw(nonsense);
        get(&world.session(), "http://raw.example/").await.is_refused();
        assert_eq!(world.held("http://raw.example/"), None, "{nonsense:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_headers_is_an_answer_or_an_error() {
    for is_http1 in [true, false] {
        let world = World::new();
        if is_http1 {
            world.upstream.speak_http1(WEB);
        }
        let flood =
            (0..200).fold(Answer::text("hello"), |answer, n| answer.header(&format!("x-{n}"), "flood"));
        world.upstream.put(WEB, "/body", flood);
        let got = get(&world.session(), BODY).await;
        match got.status {
            200 => assert!(got.headers.len() < 80, "only so many are passed on"),
            status => assert_eq!(status, 503),
        }
        let huge = Answer::text("hello").header("etag", &format!("\"{}\"", "e".repeat(9 << 10)));
        world.upstream.put(WEB, "/body", huge);
        get(&world.session(), BODY).await;
        let saved: usize =
            world.held(BODY).map_or(0, |held| held.headers.iter().map(|header| header.1.len()).sum());
        assert!(saved <= 8 << 10, "{saved}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_may_send_many_headers() {
    let world = World::new();
    world.upstream.put(WEB, "/body", text("hello"));
    let names: Vec<String> = (0..200).map(|n| format!("x-{n}")).collect();
    let headers: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "1")).collect();
    let got = ask(&world.session(), "GET", BODY, &headers, b"").await;
    assert!(matches!(got.status, 200 | 503), "{got:?}");
    get(&world.session(), BODY).await.is(200, b"hello");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_that_does_not_unpack_is_not_what_it_is_from_now_on() {
    const ZIP: &str =
        "https://codeload.github.com/acme/one/legacy.zip/0123456789012345678901234567890123456789";
    let world = World::new();
    let whole = fakes::zip(&[("one/a.php", &[b'a'; 4000]), ("one/b.php", b"<?php\n")]);
    let mut damaged = whole.clone();
    damaged[2000] ^= 1;
    let path = ZIP.strip_prefix("https://codeload.github.com").unwrap();
    world.upstream.put("codeload.github.com", path, file(damaged));
    get(&world.session(), ZIP).await.is_refused();
    assert_eq!(world.held(ZIP), None);
    world.upstream.put("codeload.github.com", path, file(whole.clone()));
    get(&world.session(), ZIP).await.is(200, &whole);
}
