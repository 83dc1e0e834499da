//! The door of a server: what lies in memory is what would be answered without it.

use std::time::Duration;

use fakes::Fault;
use fakes::npm::Package;
use host::http::Outgoing;
use http::{HeaderName, HeaderValue, Request, Response};
use http_body_util::BodyExt as _;
use model::ObjectUrl;
use proxy::{Engine, Purpose, Session, SessionPlan};
use registry::Site;
use store::Store;

use crate::world::*;

const PATH: &str = "/npm/left-pad";
const GZIP: (&str, &str) = ("accept-encoding", "gzip");

fn package(versions: &[&str]) -> Package {
    let versions: Vec<(&str, &[(&str, &str)])> = versions.iter().map(|version| (*version, &[][..])).collect();
    fakes::npm::package("left-pad", &versions)
}

fn serving(world: &World) -> Session {
    let site = Site::new(&ObjectUrl::parse("http://outlast.example").unwrap());
    world.engine().session(SessionPlan { site: Some(site), ..SessionPlan::new(Purpose::Serve) })
}

fn request(method: &str, headers: &[(&str, &str)]) -> Request<Outgoing> {
    let mut request = Request::new(host::http::whole(bytes::Bytes::new()));
    *request.method_mut() = method.parse().unwrap();
    for (name, value) in headers {
        request.headers_mut().append(
            HeaderName::from_bytes(name.as_bytes()).unwrap(),
            HeaderValue::from_bytes(value.as_bytes()).unwrap(),
        );
    }
    request
}

async fn got(response: Response<Outgoing>) -> Got {
    let (parts, body) = response.into_parts();
    let body = body.collect().await.map(http_body_util::Collected::to_bytes).map_err(|e| e.to_string());
    Got { status: parts.status.as_u16(), headers: parts.headers, body }
}

/// What is answered the long way.
async fn at_door(session: &Session, method: &str, path: &str, headers: &[(&str, &str)]) -> Got {
    got(session.answer_at_door(path, request(method, headers)).await).await
}

/// What lies in memory for exactly this request.
async fn ready(session: &Session, method: &str, path: &str, headers: &[(&str, &str)]) -> Option<Got> {
    let request = request(method, headers);
    match session.ready_at_door(path, request.method(), request.headers()) {
        Some(response) => Some(got(response).await),
        None => None,
    }
}

/// Whether an answer lists a version.
fn lists(got: &Got, version: &str) -> bool {
    let body = String::from_utf8(got.body.clone().unwrap().to_vec()).unwrap();
    body.contains(&format!("\"{version}\":"))
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_in_the_same_words_again_gets_the_same_from_memory() {
    let world = World::new();
    let package = package(&["1.0.0"]);
    world.upstream.serve_npm(NPM, std::slice::from_ref(&package));
    let session = serving(&world);
    let tarball = format!("/npm{}", package.tarball_path("1.0.0"));
    for (path, headers) in [(PATH, &[][..]), (PATH, &[GZIP]), (tarball.as_str(), &[])] {
        assert!(ready(&session, "GET", path, headers).await.is_none(), "nobody asked yet");
        // The second is what the first made ready.
        at_door(&session, "GET", path, headers).await;
        let long = at_door(&session, "GET", path, headers).await;
        let short = ready(&session, "GET", path, headers).await.unwrap();
        short.is(200, long.body.as_ref().unwrap());
        assert_eq!(short.headers, long.headers, "{path} {headers:?}");
        let tag = short.header("etag").to_owned();
        let again = [headers, &[("if-none-match", &tag)]].concat();
        assert_eq!(
            ready(&session, "GET", path, &again).await.unwrap().status,
            if tag.is_empty() { 200 } else { 304 }
        );
        let another = [headers, &[("if-none-match", "\"x\"")]].concat();
        assert_eq!(ready(&session, "GET", path, &another).await.unwrap().status, 200);
    }
    for (method, headers) in [
        ("HEAD", &[][..]),
        ("POST", &[]),
        ("GET", &[("range", "bytes=0-1")]),
        ("GET", &[("cache-control", "no-cache")]),
        ("GET", &[("accept", "application/vnd.npm.install-v1+json")]),
    ] {
        assert!(ready(&session, method, PATH, headers).await.is_none(), "{method} {headers:?}");
    }
    let part = at_door(&session, "GET", &tarball, &[("range", "bytes=0-1")]).await;
    part.is(206, &package.tarball("1.0.0")[..2]);
    let head = at_door(&session, "HEAD", PATH, &[]).await;
    head.is(200, b"");
    assert_eq!(
        head.header("content-length"),
        ready(&session, "GET", PATH, &[]).await.unwrap().header("content-length")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_replaced_or_past_its_time_is_not_given_from_memory() {
    let world = World::new();
    world.upstream.serve_npm(NPM, &[package(&["1.0.0"])]);
    let session = serving(&world);
    at_door(&session, "GET", PATH, &[]).await;
    assert!(!lists(&ready(&session, "GET", PATH, &[]).await.unwrap(), "1.1.0"));
    world.upstream.serve_npm(NPM, &[package(&["1.0.0", "1.1.0"])]);
    assert!(!lists(&ready(&session, "GET", PATH, &[]).await.unwrap(), "1.1.0"), "its time is not over");
    // Somebody insists, and what comes is for everybody.
    assert!(lists(&at_door(&session, "GET", PATH, &[("cache-control", "no-cache")]).await, "1.1.0"));
    if let Some(got) = ready(&session, "GET", PATH, &[]).await {
        assert!(lists(&got, "1.1.0"));
    }
    at_door(&session, "GET", PATH, &[]).await;
    assert!(lists(&ready(&session, "GET", PATH, &[]).await.unwrap(), "1.1.0"));
    world.pass_time();
    assert!(ready(&session, "GET", PATH, &[]).await.is_none(), "somebody has to ask");
}

#[tokio::test(flavor = "multi_thread")]
async fn in_an_outage_what_is_stale_is_given_from_memory_until_somebody_may_ask() {
    let world = World::new();
    world.upstream.serve_npm(NPM, &[package(&["1.0.0"])]);
    let session = serving(&world);
    let get = || at_door(&session, "GET", PATH, &[]);
    get().await;
    world.pass_time();
    world.upstream.on(NPM, "*", Fault::Hang);
    get().await;
    let long = get().await;
    let n_asked = world.upstream.n_asked(NPM, "/left-pad");
    let short = ready(&session, "GET", PATH, &[]).await.unwrap();
    short.is(200, long.body.as_ref().unwrap()).state("stale");
    assert_eq!(short.headers, long.headers);
    world.clock.advance(Duration::from_secs(10));
    let later = ready(&session, "GET", PATH, &[]).await.unwrap();
    let age = |got: &Got| got.header("age").parse::<u64>().unwrap();
    assert_eq!(age(&later), age(&short) + 10);
    assert_eq!(later.header("outlast-state"), short.header("outlast-state"));
    assert_eq!(world.upstream.n_asked(NPM, "/left-pad"), n_asked);
    // Half a minute after it was found down one may ask.
    world.upstream.clear_faults();
    world.clock.advance(Duration::from_secs(21));
    assert!(ready(&session, "GET", PATH, &[]).await.is_none());
    get().await.state("stale");
    for n_left in (0..500).rev() {
        // Whoever comes meanwhile may get it from memory; once it is back, nobody does.
        let got = match ready(&session, "GET", PATH, &[]).await {
            Some(got) => got,
            None => get().await,
        };
        if got.header("outlast-state") == "fresh" {
            break;
        }
        assert!(n_left > 0, "it is never fresh again");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(get().await.header("outlast-state"), "fresh");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_process_kept_is_given_within_a_second() {
    let world = World::new();
    world.upstream.serve_npm(NPM, &[package(&["1.0.0"])]);
    let session = serving(&world);
    at_door(&session, "GET", PATH, &[]).await;
    assert!(ready(&session, "GET", PATH, &[]).await.is_some());
    world.store.flush().unwrap();
    assert!(ready(&session, "GET", PATH, &[]).await.is_some());
    world.upstream.serve_npm(NPM, &[package(&["1.0.0", "1.1.0"])]);
    {
        // A store of its own over the same home is what another process has.
        let store = Store::open(world.home.path(), world.clock.clone()).unwrap();
        let other =
            Engine { store: store.clone(), ..world.engine() }.session(SessionPlan::new(Purpose::Record));
        let got =
            ask(&other, "GET", "https://registry.npmjs.org/left-pad", &[("cache-control", "no-cache")], b"");
        assert!(lists(&got.await, "1.1.0"));
        store.flush().unwrap();
    }
    world.clock.advance(Duration::from_secs(1));
    assert!(ready(&session, "GET", PATH, &[]).await.is_none(), "it is another one now");
    assert!(lists(&at_door(&session, "GET", PATH, &[]).await, "1.1.0"));
    assert!(lists(&ready(&session, "GET", PATH, &[]).await.unwrap(), "1.1.0"));
    assert_eq!(world.upstream.n_asked(NPM, "/left-pad"), 2, "nobody was asked for it again");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_without_a_reference_is_found_by_its_version_as_composer_spells_it() {
    let world = World::new();
    let zip = fakes::zip(&[("one/a.php", b"<?php\n")]);
    world.upstream.put("elsewhere.example", "/one.zip", file(zip.clone()));
    let dist = serde_json::json!({ "type": "zip", "url": "https://elsewhere.example/one.zip", "reference": null, "shasum": "" });
    let version = serde_json::json!({
        "name": "acme/one", "version": "v1.2", "version_normalized": "1.2.0.0", "dist": dist,
    });
    let document = serde_json::json!({ "packages": { "acme/one": [version] } }).to_string();
    world.upstream.put("repo.packagist.org", "/p2/acme/one.json", fakes::Answer::json(document.clone()));
    let branches = r#"{"packages":{"acme/one":[]}}"#;
    world.upstream.put("repo.packagist.org", "/p2/acme/one~dev.json", fakes::Answer::json(branches));
    let session = serving(&world);
    // What another registry calls so is another's, however lately it was read.
    let evil = document.replace("one.zip", "evil.zip");
    world.upstream.put("elsewhere.example", "/evil.zip", file(fakes::zip(&[("one/a.php", b"evil")])));
    world.upstream.put("elsewhere.example", "/p2/acme/one.json", fakes::Answer::json(evil));
    let named = "/composer/dists/acme/one/1.2.0.0/.zip";
    at_door(&session, "GET", named, &[]).await.is(200, &zip);
    let composer = [("user-agent", "Composer/2.8")];
    let other = at_door(&session, "GET", "/files/elsewhere.example/p2/acme/one.json", &composer).await;
    assert_eq!(other.status, 200);
    at_door(&session, "GET", named, &[]).await.is(200, &zip);
    let other = at_door(&session, "GET", "/composer/dists/acme/one/1.3.0.0/.zip", &[]).await;
    assert_eq!(other.status, 404, "the control");
}
