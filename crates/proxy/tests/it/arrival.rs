//! Clients that come while a file arrives.

use std::time::Duration;

use fakes::{Answer, Fault};
use model::Sha256;
use proxy::Ending;

use crate::world::*;

const LARGE: &str = "https://web.example/large";
const N_CLIENTS: usize = 20;

/// The pieces of a body that takes about half a second to arrive.
fn slowly() -> Fault {
    Fault::Drip { bytes: LARGE_BYTES / 10, every: Duration::from_millis(50) }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_clients_of_a_cold_file_are_one_request() {
    let world = World::new();
    let body = noise(LARGE_BYTES, 1);
    world.upstream.put(WEB, "/large", file(body.clone()));
    world.upstream.on(WEB, "/large", slowly());
    let session = world.session();
    let clients: Vec<_> = (0..N_CLIENTS)
        .map(|number| {
            let session = session.clone();
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_millis(20 * number as u64)).await;
                get(&session, LARGE).await
            })
        })
        .collect();
    for client in clients {
        client.await.unwrap().is(200, &body);
    }
    assert_eq!(world.upstream.n_asked(WEB, "/large"), 1);
    assert_eq!(world.held(LARGE).unwrap().sha256, Sha256::of(&body));
    let exchanges = finish(&session).await.exchanges;
    assert_eq!(exchanges.len(), N_CLIENTS);
    assert!(exchanges.iter().all(|exchange| matches!(exchange.ending, Ending::Object { .. })));
}

#[tokio::test(flavor = "multi_thread")]
async fn many_clients_of_a_cold_index_are_one_request() {
    let world = World::new();
    world.upstream.serve_npm(NPM, &[fakes::npm::package("left-pad", &[("1.0.0", &[])])]);
    world.upstream.on(NPM, "/left-pad", Fault::SlowFirstByte(Duration::from_millis(200)));
    let session = world.session();
    let url = format!("https://{NPM}/left-pad");
    let clients: Vec<_> = (0..N_CLIENTS)
        .map(|_| {
            let (session, url) = (session.clone(), url.clone());
            tokio::spawn(async move { get(&session, &url).await })
        })
        .collect();
    for client in clients {
        assert_eq!(client.await.unwrap().status, 200);
    }
    assert_eq!(world.upstream.n_asked(NPM, "/left-pad"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_byte_comes_long_before_the_last() {
    let world = World::new();
    world.upstream.put(WEB, "/large", file(noise(LARGE_BYTES, 2)));
    world.upstream.on(WEB, "/large", slowly());
    let session = world.session();
    let request = http::Request::new(host::http::whole(bytes::Bytes::new()));
    let mut body = session.answer(model::SafeUrl::parse(LARGE).unwrap(), request).await.into_body();
    let first = http_body_util::BodyExt::frame(&mut body).await;
    assert!(first.unwrap().unwrap().is_data());
    assert!(world.held(LARGE).is_none(), "it has not arrived yet");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_leaves_takes_nothing_from_the_others() {
    let world = World::new();
    let body = noise(LARGE_BYTES, 3);
    world.upstream.put(WEB, "/large", file(body.clone()));
    world.upstream.on(WEB, "/large", slowly());
    let session = world.session();
    let leaving = tokio::spawn({
        let session = session.clone();
        async move { get(&session, LARGE).await }
    });
    tokio::time::sleep(Duration::from_millis(100)).await;
    leaving.abort();
    get(&session, LARGE).await.is(200, &body);
    assert_eq!(world.upstream.n_asked(WEB, "/large"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_nobody_waits_for_any_more_is_kept_all_the_same() {
    let world = World::new();
    let body = noise(LARGE_BYTES, 4);
    world.upstream.put(WEB, "/large", file(body.clone()));
    world.upstream.on(WEB, "/large", slowly());
    let session = world.session();
    let request = http::Request::new(host::http::whole(bytes::Bytes::new()));
    drop(session.answer(model::SafeUrl::parse(LARGE).unwrap(), request).await);
    let Ending::Object { sha256, .. } = ending(&session).await else { panic!("it is kept") };
    assert_eq!(sha256, Sha256::of(&body));
}

#[tokio::test(flavor = "multi_thread")]
async fn heads_and_ranges_are_answered_while_it_arrives() {
    let world = World::new();
    let body = noise(LARGE_BYTES, 5);
    world.upstream.put(WEB, "/large", file(body.clone()));
    world.upstream.on(WEB, "/large", slowly());
    let session = world.session();
    let ask_range = |range: &'static str| {
        let session = session.clone();
        tokio::spawn(async move { ask(&session, "GET", LARGE, &[("range", range)], b"").await })
    };
    let (first, last) = (ask_range("bytes=0-9"), ask_range("bytes=-10"));
    let head = ask(&session, "HEAD", LARGE, &[], b"").await;
    head.is(200, b"");
    assert_eq!(head.header("content-length"), LARGE_BYTES.to_string());
    first.await.unwrap().is(206, &body[..10]);
    let last = last.await.unwrap();
    last.is(206, &body[LARGE_BYTES - 10..]);
    assert_eq!(
        last.header("content-range"),
        format!("bytes {}-{}/{LARGE_BYTES}", LARGE_BYTES - 10, LARGE_BYTES - 1)
    );
    assert_eq!(world.upstream.n_asked(WEB, "/large"), 1);
    let seen = world.upstream.log().pop().unwrap();
    assert!(!seen.headers.contains_key("range"), "the whole is fetched, for everybody after this one");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_record_has_the_status_that_the_client_saw() {
    let world = World::new();
    world.upstream.put(WEB, "/large", file(noise(LARGE_BYTES, 11)));
    world.upstream.on(WEB, "/large", slowly());
    let beyond = format!("bytes={LARGE_BYTES}-");
    let check = async |session: &proxy::Session, range: &str, status: u16| {
        assert_eq!(ask(session, "GET", LARGE, &[("range", range)], b"").await.status, status);
        let Ending::Object { status: recorded, .. } = ending(session).await else { panic!("{range}") };
        assert_eq!(recorded, status);
    };
    check(&world.session(), "bytes=0-9", 206).await;
    check(&world.session(), "bytes=0-9", 206).await;
    let world = World::new();
    world.upstream.put(WEB, "/large", file(noise(LARGE_BYTES, 11)));
    world.upstream.on(WEB, "/large", slowly());
    check(&world.session(), &beyond, 416).await;
    check(&world.session(), &beyond, 416).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_range_of_wrong_bytes_is_not_given_as_a_whole_one() {
    let world = World::new();
    let body = noise(LARGE_BYTES, 6);
    world.upstream.put(WEB, "/large", file(body.clone()));
    world.upstream.on(WEB, "/large", Fault::WrongBytes);
    let session = world.pinned(vec![pin(LARGE, &body)]);
    let got = ask(&session, "GET", LARGE, &[("range", "bytes=0-9")], b"").await;
    got.is_refused();
    world.upstream.clear_faults();
    let session = world.pinned(vec![pin(LARGE, &body)]);
    ask(&session, "GET", LARGE, &[("range", "bytes=0-9")], b"").await.is(206, &body[..10]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_document_larger_than_memory_comes_whole() {
    let world = World::new();
    for seed in [7, 8] {
        let body = noise(LARGE_BYTES, seed);
        world.upstream.put(WEB, "/large", file(body.clone()));
        get(&world.session(), LARGE).await.is(200, &body).state("");
    }
    assert_eq!(world.generations(LARGE).len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_document_that_takes_long_is_not_an_outage() {
    let world = World::new();
    world.upstream.put(WEB, "/large", file(noise(LARGE_BYTES, 9)));
    get(&world.session(), LARGE).await;
    let new = noise(LARGE_BYTES, 10);
    world.upstream.put(WEB, "/large", file(new.clone()));
    world.upstream.on(
        WEB,
        "/large",
        Fault::Drip { bytes: LARGE_BYTES / 10, every: Duration::from_millis(150) },
    );
    get(&world.session(), LARGE).await.is(200, &new).state("");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_file_is_a_file() {
    let world = World::new();
    world.upstream.put(WEB, "/large", Answer::file(""));
    get(&world.session(), LARGE).await.is(200, b"");
    get(&world.drill("all"), LARGE).await.is(200, b"");
}
