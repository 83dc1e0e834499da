//! A transfer that breaks off is resumed, and what comes then must fit what came before.

use fakes::{Answer, Fault};
use model::{Event, Sha256};

use crate::world::*;

const LARGE: &str = "https://web.example/large";

/// A world whose large file breaks off in the middle the first time.
fn breaking(answer: Answer) -> World {
    let world = World::new();
    world.upstream.put(WEB, "/large", answer);
    world.upstream.on_first(1, WEB, "/large", Fault::Short);
    world
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rest_is_asked_for_where_ranges_are_offered() {
    let body = noise(LARGE_BYTES, 1);
    let world = breaking(file(body.clone()));
    get(&world.session(), LARGE).await.is(200, &body);
    assert_eq!(world.held(LARGE).unwrap().sha256, Sha256::of(&body));
    let log = world.upstream.log();
    assert_eq!(log.len(), 2);
    let range = log[1].headers["range"].to_str().unwrap();
    assert!(range.starts_with("bytes=") && range.ends_with('-') && range != "bytes=0-", "{range}");
    assert!(log[1].headers.contains_key("if-range"));
    world.assert_good();
}

#[tokio::test(flavor = "multi_thread")]
async fn without_ranges_the_whole_is_asked_for_and_compared() {
    let body = noise(LARGE_BYTES, 1);
    let world = breaking(file(body.clone()).without_ranges());
    get(&world.session(), LARGE).await.is(200, &body);
    assert_eq!(world.held(LARGE).unwrap().sha256, Sha256::of(&body));
}

#[tokio::test(flavor = "multi_thread")]
async fn another_whole_is_not_sewn_to_the_first_half() {
    for has_ranges in [true, false] {
        let (one, other) = (noise(LARGE_BYTES, 1), noise(LARGE_BYTES, 2));
        let make = |body: &bytes::Bytes| {
            if has_ranges { file(body.clone()) } else { file(body.clone()).without_ranges() }
        };
        let world = breaking(make(&one));
        let session = world.session();
        world.upstream.on(WEB, "/large", Fault::Older(make(&other)));
        world.upstream.on_first(1, WEB, "/large", Fault::Short);
        get(&session, LARGE).await.is_refused();
        assert_eq!(world.held(LARGE), None, "nothing of it is kept");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_clients_of_a_transfer_that_breaks_off_all_get_the_whole() {
    let body = noise(LARGE_BYTES, 1);
    let world = breaking(file(body.clone()));
    let session = world.session();
    let clients: Vec<_> = (0..20)
        .map(|_| {
            let session = session.clone();
            tokio::spawn(async move { get(&session, LARGE).await })
        })
        .collect();
    for client in clients {
        client.await.unwrap().is(200, &body);
    }
    assert_eq!(world.upstream.n_asked(WEB, "/large"), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_breaks_off_every_time_is_given_up() {
    let world = World::new();
    world.upstream.put(WEB, "/large", file(noise(LARGE_BYTES, 1)));
    world.upstream.on(WEB, "/large", Fault::Short);
    get(&world.session(), LARGE).await.is_refused();
    assert_eq!(world.held(LARGE), None);
    let n_asked = world.upstream.n_asked(WEB, "/large");
    assert!((2..=4).contains(&n_asked), "{n_asked}");
    assert_eq!(world.n_events(|event| matches!(event, Event::Kept { .. })), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rest_of_another_file_is_not_sewn_to_the_first_half() {
    let (one, other) = (noise(LARGE_BYTES, 1), noise(LARGE_BYTES, 2));
    for (tag, is_kept) in [(Some("\"other\""), false), (None, false), (Some("\"one\""), true)] {
        let world = World::new();
        let (whole, rest) = (one.clone(), if is_kept { one.clone() } else { other.clone() });
        // A server that looks past `If-Range`, and gives the rest of what lies there now.
        world.upstream.handle(WEB, "/large", move |asked| {
            let Some(range) = asked.headers.get("range") else {
                return Some(file(whole.clone()).without_ranges().header("etag", "\"one\""));
            };
            let start: usize =
                range.to_str().ok()?.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok()?;
            let part = Answer::bytes("application/octet-stream", rest.slice(start..)).with_status(206);
            let range = format!("bytes {start}-{}/{}", rest.len() - 1, rest.len());
            let part = part.without_ranges().header("content-range", &range);
            Some(tag.map_or_else(|| part.clone(), |tag| part.clone().header("etag", tag)))
        });
        world.upstream.on_first(1, WEB, "/large", Fault::Short);
        // Asked for the whole, it is what it was.
        get(&world.session(), LARGE).await.is(200, &one);
        assert_eq!(world.held(LARGE).unwrap().sha256, Sha256::of(&one));
        let n_wholes = world.upstream.log().iter().filter(|seen| !seen.headers.contains_key("range")).count();
        assert_eq!(n_wholes, if is_kept { 1 } else { 2 }, "{tag:?}");
    }
}
