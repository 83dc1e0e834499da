//! What is a company's own: asked for at its registries alone, with Outlast's credentials, and given to nobody else.

use std::sync::Arc;

use bytes::Bytes;
use fakes::{Answer, Fault};
use host::http::{Credentials, Outgoing};
use http::Request;
use http_body_util::BodyExt as _;
use model::{DigestSet, Event, ObjectUrl};
use proxy::{Found, LastResort, Outcome, Private, Purpose, Session, SessionPlan, Wanted};
use registry::{ANY_REGISTRY, Coordinate, Pin, PrivateRegistries, PrivateRegistry, Site};

use crate::world::{Got, NPM, World, get, packed};

/// Two of the hosts that the fake stands for: a company's registry, and where its files may lie.
const OWN: &str = "web.example";
const STORAGE: &str = "elsewhere.example";
const TARBALL: &str = "/npm/@acme/lib/-/lib-1.0.0.tgz";

fn registries() -> PrivateRegistries {
    let mut registries = PrivateRegistries::default();
    let npm = registry::ecosystem("npm").unwrap();
    registries.add(PrivateRegistry::new(npm, &format!("https://{OWN}/npm/")).unwrap());
    registries.name("@acme/*").unwrap();
    registries
}

/// A company's registry with one package, which lets in whoever has `token`; and a world with one of the same name.
fn world(token: &str) -> World {
    let mut world = World::new();
    let package = |text: &str| fakes::npm::package("@acme/lib", &[("1.0.0", &[("index.js", text)])]);
    world.upstream.serve_npm(NPM, &[package("evil")]);
    let own = package("ours");
    let packument = own.packument(&format!("{OWN}/npm")).to_string();
    for path in own.paths() {
        world.upstream.put(OWN, &format!("/npm{path}"), Answer::json(packument.clone()));
    }
    world.upstream.put(OWN, TARBALL, Answer::file(own.tarball("1.0.0").clone()));
    rotate(&mut world, token);
    world
}

/// Gives Outlast and the registry another token.
fn rotate(world: &mut World, token: &str) {
    world.upstream.guard(OWN, &format!("Bearer {token}"));
    let credentials = vec![Credentials::read(OWN, token).unwrap()];
    world.private = Private { registries: registries(), credentials };
}

fn server(world: &World) -> Session {
    let site = Site::new(&ObjectUrl::parse("http://127.0.0.1:8642").unwrap());
    let site = Some(site.with_private(registries(), Vec::new()));
    world.engine().session(SessionPlan { site, ..SessionPlan::new(Purpose::Serve) })
}

async fn ask(session: &Session, path: &str) -> Got {
    let request: Request<Outgoing> = Request::new(host::http::whole(Bytes::new()));
    let (parts, body) = session.answer_at_door(path, request).await.into_parts();
    let body = body.collect().await.map(http_body_util::Collected::to_bytes).map_err(|e| e.to_string());
    Got { status: parts.status.as_u16(), headers: parts.headers, body }
}

fn text(got: &Got) -> String {
    String::from_utf8_lossy(got.body.as_ref().unwrap()).into_owned()
}

/// Version 1.0.0 of a package, as a lock pins it without a digest.
fn pin(registry: &str, name: &str, url: Option<&str>) -> Wanted {
    let coordinate = Coordinate {
        ecosystem: "npm",
        registry: registry.to_owned(),
        name: name.to_owned(),
        version: "1.0.0".to_owned(),
        file: None,
    };
    let url = url.map(|url| ObjectUrl::parse(url).unwrap());
    Wanted::Pinned(Pin { coordinate: Some(coordinate), url, digests: DigestSet::default() })
}

/// Which host got credentials, in the order of the requests for files: an index may be asked what it says of one.
fn let_in(world: &World) -> Vec<(String, bool)> {
    let log = world.upstream.log().into_iter();
    log.filter(|seen| !seen.path.ends_with("/@acme%2flib"))
        .map(|seen| (seen.host, seen.headers.contains_key("authorization")))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_private_is_a_servers_alone_whoever_asks_in_the_same_home() {
    let world = world("S3CRET");
    let server = server(&world);
    let packument = ask(&server, "/npm/@acme%2flib").await;
    assert_eq!(packument.status, 200);
    assert!(text(&packument).contains("http://127.0.0.1:8642/npm/@acme/lib/-/lib-1.0.0.tgz"));
    let tarball = ask(&server, "/npm/@acme/lib/-/lib-1.0.0.tgz").await;
    assert_eq!(tarball.status, 200);
    assert!(let_in(&world).iter().all(|(host, is_let_in)| host == OWN && *is_let_in));
    // A room of the same home has no credentials: neither while the registry answers, nor when it does not.
    let room = world.session();
    let addresses = [format!("https://{OWN}/npm/@acme%2flib"), format!("https://{OWN}{TARBALL}")];
    for url in &addresses {
        assert_eq!(get(&room, url).await.status, 401, "{url}");
    }
    world.upstream.on(OWN, "*", Fault::Reset);
    for url in &addresses {
        let got = get(&world.session(), url).await;
        assert_ne!(got.status, 200, "{url}");
    }
    // The control: the server has both.
    assert_eq!(ask(&server, "/npm/@acme%2flib").await.status, 200);
    assert_eq!(ask(&server, "/npm/@acme/lib/-/lib-1.0.0.tgz").await.body, tarball.body);
    world.store.flush().unwrap();
    let journal = format!("{:?}", world.events());
    assert!(!journal.contains("S3CRET") && journal.contains("with credentials"), "{journal}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_token_finds_the_old_copies() {
    let mut world = world("S3CRET");
    assert_eq!(ask(&server(&world), "/npm/@acme%2flib").await.status, 200);
    rotate(&mut world, "0THER");
    world.pass_time();
    world.upstream.on(OWN, "*", Fault::Status(503));
    let got = ask(&server(&world), "/npm/@acme%2flib").await;
    assert_eq!(got.status, 200);
    assert!(got.header("outlast-state").starts_with("stale"));
    // The control: nothing else of it is here.
    assert_eq!(ask(&server(&world), "/npm/@acme%2fother").await.status, 503);
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_stay_behind_where_a_redirect_leads() {
    let world = world("S3CRET");
    let bytes = packed("signed");
    let signed = format!("https://{STORAGE}/o/1?X-Amz-Signature=abc");
    let moved = Answer::status(302).header("location", &signed);
    world.upstream.put(OWN, "/npm/@acme/lib/-/lib-2.0.0.tgz", moved);
    world.upstream.put(STORAGE, "/o/1?X-Amz-Signature=abc", Answer::file(bytes.clone()));
    // From there back: each hop is judged anew.
    let back = Answer::status(302).header("location", &format!("https://{STORAGE}/back"));
    world.upstream.put(OWN, "/npm/@acme/lib/-/lib-3.0.0.tgz", back);
    let home = Answer::status(302).header("location", &format!("https://{OWN}{TARBALL}"));
    world.upstream.put(STORAGE, "/back", home);
    let server = server(&world);
    ask(&server, "/npm/@acme%2flib").await;
    world.upstream.clear_log();
    ask(&server, "/npm/@acme/lib/-/lib-2.0.0.tgz").await.is(200, &bytes);
    assert_eq!(let_in(&world), [(OWN.to_owned(), true), (STORAGE.to_owned(), false)]);
    world.upstream.clear_log();
    assert_eq!(ask(&server, "/npm/@acme/lib/-/lib-3.0.0.tgz").await.status, 200);
    let expected = [(OWN.to_owned(), true), (STORAGE.to_owned(), false), (OWN.to_owned(), true)];
    assert_eq!(let_in(&world), expected);
    // It is kept as what was asked for, though the signature is worth nothing any more.
    world.upstream.on(OWN, "*", Fault::Reset);
    world.upstream.on(STORAGE, "*", Fault::Status(403));
    ask(&server, "/npm/@acme/lib/-/lib-2.0.0.tgz").await.is(200, &bytes);
    // Under the signed address nobody finds it.
    assert_ne!(get(&world.session(), &format!("https://{STORAGE}/o/1")).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_that_does_not_let_outlast_in_says_nothing_about_its_packages() {
    let mut world = world("S3CRET");
    let kept = server(&world);
    let before = ask(&kept, "/npm/@acme%2flib").await;
    rotate(&mut world, "0THER");
    world.upstream.guard(OWN, "Bearer n0body");
    world.pass_time();
    for status in [None, Some(403)] {
        if let Some(status) = status {
            world.upstream.on(OWN, "*", Fault::Status(status));
        }
        let server = server(&world);
        let got = ask(&server, "/npm/@acme/lib").await;
        assert_eq!(text(&got).len(), text(&before).len(), "{}", text(&got));
        assert!(got.header("outlast-state").starts_with("stale"), "{:?}", got.headers);
        for _ in 0..2 {
            let got = ask(&server, "/npm/@acme/other").await;
            assert_eq!(got.status, 503);
            assert!(text(&got).contains("refuses Outlast's credentials"), "{}", text(&got));
            assert!(!got.headers.contains_key("www-authenticate"));
        }
    }
    let n_told =
        world.n_events(|it| matches!(it, Event::Rejected { reason, .. } if reason.contains("credentials")));
    assert_eq!(n_told, 2, "once in a session");
    assert_eq!(world.n_events(|it| matches!(it, Event::Gone { .. })), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_public_registry_never_hears_a_private_name() {
    let world = world("S3CRET");
    let server = server(&world);
    for path in ["/npm/@acme%2flib", "/npm/@acme/gone", "/files/registry.npmjs.org/@acme/lib/-/lib-1.0.0.tgz"]
    {
        ask(&server, path).await;
    }
    assert_eq!(ask(&server, "/npm/@acme/gone").await.status, 404);
    assert!(world.upstream.log().iter().all(|seen| seen.host == OWN), "{:?}", world.upstream.log());
    // The control: without the registry it does.
    let mut other = World::new();
    other.private = Private::default();
    let session = other.engine().session(SessionPlan::new(Purpose::Serve));
    ask(&session, "/npm/@acme%2flib").await;
    assert_eq!(other.upstream.log()[0].host, NPM);
}

#[tokio::test(flavor = "multi_thread")]
async fn adopting_asks_for_private_names_where_they_belong() {
    let world = world("S3CRET");
    let public = format!("https://{NPM}/@acme/lib/-/lib-1.0.0.tgz");
    for (registry, url) in [(ANY_REGISTRY, None), (NPM, Some(public.as_str())), ("web.example/npm", None)] {
        let session = world.engine().session(SessionPlan::new(Purpose::Adopt));
        let adopted = session.adopt(vec![pin(registry, "@acme/lib", url)], |_| {}).await;
        session.finish().await;
        assert!(matches!(adopted[0].outcome, Outcome::Kept { .. }), "{registry}: {adopted:?}");
        let missing = world.engine().session(SessionPlan::new(Purpose::Adopt));
        let adopted = missing.adopt(vec![pin(registry, "@acme/none", None)], |_| {}).await;
        assert!(matches!(adopted[0].outcome, Outcome::Missing { .. }), "{registry}: {adopted:?}");
    }
    assert!(let_in(&world).iter().all(|(host, is_let_in)| host == OWN && *is_let_in), "{:?}", let_in(&world));
    // What was adopted is served, whoever is down.
    world.upstream.on("*", "*", Fault::Reset);
    let server = server(&world);
    assert_eq!(ask(&server, "/npm/@acme%2flib").await.status, 200);
    assert_eq!(ask(&server, "/npm/@acme/lib/-/lib-1.0.0.tgz").await.status, 200);
}

/// A client's cache with one archive.
#[derive(Debug)]
struct Cache(Vec<u8>);

impl LastResort for Cache {
    fn find(&self, _: Option<&Coordinate>, _: &DigestSet, _: &[ObjectUrl]) -> Option<Found> {
        let got_at = "2026-05-21T09:00:00Z".parse().unwrap();
        Some(Found { bytes: self.0.clone(), place: "a cache".to_owned(), got_at })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_client_has_left_is_kept_where_its_name_belongs() {
    let world = world("S3CRET");
    world.upstream.on(OWN, "*", Fault::Reset);
    let bytes = packed("left");
    let last_resort: Option<Arc<dyn LastResort>> = Some(Arc::new(Cache(bytes.clone())));
    let plan = SessionPlan { last_resort, ..SessionPlan::new(Purpose::Adopt) };
    let public = format!("https://{NPM}/@acme/lib/-/lib-1.0.0.tgz");
    let adopted =
        world.engine().session(plan).adopt(vec![pin(NPM, "@acme/lib", Some(&public))], |_| {}).await;
    assert!(matches!(adopted[0].outcome, Outcome::Kept { .. }), "{adopted:?}");
    ask(&server(&world), "/npm/@acme/lib/-/lib-1.0.0.tgz").await.is(200, &bytes);
    assert!(world.upstream.log().iter().all(|seen| seen.host == OWN), "{:?}", world.upstream.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_public_registry_is_asked_about_what_is_public_in_whatever_way() {
    let world = world("S3CRET");
    let url = "/-/npm/v1/security/advisories/bulk";
    world.upstream.put(NPM, url, Answer::json("{}"));
    let server = server(&world);
    let post = async |encoding: Option<&str>, body: Vec<u8>| {
        let mut request: Request<Outgoing> = Request::new(host::http::whole(body.into()));
        *request.method_mut() = http::Method::POST;
        if let Some(encoding) = encoding {
            request.headers_mut().insert("content-encoding", encoding.parse().unwrap());
        }
        server.answer_at_door(&format!("/npm{url}"), request).await.status().as_u16()
    };
    let question = br#"{"@acme/lib":["1.0.0"],"left-pad":["1.3.0"]}"#;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut encoder, question).unwrap();
    assert_eq!(post(Some("gzip"), encoder.finish().unwrap()).await, 200);
    assert_eq!(post(None, question.to_vec()).await, 200);
    assert_eq!(post(Some("br"), question.to_vec()).await, 415, "nobody knows what it says");
    let log = world.upstream.log();
    assert_eq!(log.len(), 2);
    for seen in log {
        assert_eq!(seen.body, r#"{"left-pad":["1.3.0"]}"#);
        assert!(!seen.headers.contains_key("content-encoding"));
    }
}
