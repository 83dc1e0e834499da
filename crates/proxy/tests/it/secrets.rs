//! Nothing secret is written down, whatever happens to the request.

use std::path::Path;

use fakes::{Answer, Fault};

use crate::world::*;

const SECRET: &str = "S3CRETm4rker";

/// Returns every file below a folder that has the marker in its name or its bytes.
fn files_with(folder: &Path, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files_with(&path, found);
            continue;
        }
        let bytes = std::fs::read(&path).unwrap();
        let has_it = bytes.windows(SECRET.len()).any(|window| window == SECRET.as_bytes());
        if has_it || path.to_string_lossy().contains(SECRET) {
            found.push(path.display().to_string());
        }
    }
}

/// Asserts that no file of the home has the marker.
#[track_caller]
fn assert_nowhere(world: &World) {
    world.store.flush().unwrap();
    let mut found = Vec::new();
    files_with(world.home.path(), &mut found);
    assert!(found.is_empty(), "{found:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_reach_the_upstream_and_never_the_disk() {
    let world = World::new();
    let cookie = format!("session={SECRET}");
    world.upstream.put(WEB, "/page", text("page").header("set-cookie", &cookie));
    world.upstream.put(WEB, "/forbidden", Answer::status(403).header("www-authenticate", SECRET));
    world.upstream.put(WEB, "/absent", Answer::status(404).header("set-cookie", &cookie));
    world.upstream.on(WEB, "/broken", Fault::Reset);
    let bearer = format!("Bearer {SECRET}");
    let headers = [("authorization", bearer.as_str()), ("cookie", cookie.as_str()), ("x-api-key", SECRET)];
    let session = world.session();
    for path in ["/page", "/forbidden", "/absent", "/broken"] {
        for method in ["GET", "HEAD", "POST", "PUT"] {
            let url = format!("https://user:{SECRET}@{WEB}{path}#{SECRET}");
            ask(&session, method, &url, &headers, b"").await;
        }
        let signed = format!("https://{WEB}{path}?x=1&X-Amz-Signature={SECRET}&X-Amz-Expires=60");
        ask(&session, "GET", &signed, &headers, b"").await;
        for name in ["token", "private_token", "job_token", "api_key", "password"] {
            ask(&session, "GET", &format!("https://{WEB}{path}?{name}={SECRET}&x=1"), &[], b"").await;
        }
    }
    assert!(world.upstream.log().iter().any(|seen| seen.headers["authorization"] == bearer.as_str()));
    let drill = world.drill("all");
    for path in ["/page", "/forbidden"] {
        ask(&drill, "GET", &format!("https://{WEB}{path}"), &headers, b"").await;
    }
    let findings = format!("{:?} {:?}", finish(&session).await, finish(&drill).await);
    assert!(!findings.contains(SECRET), "{findings}");
    assert_nowhere(&world);
    // The search itself works.
    std::fs::write(world.home.path().join("control"), SECRET).unwrap();
    let mut found = Vec::new();
    files_with(world.home.path(), &mut found);
    assert_eq!(found.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signed_redirect_is_followed_live_and_kept_without_its_signature() {
    let target = "https://elsewhere.example/object";
    let signed = format!("{target}?X-Amz-Signature={SECRET}&X-Amz-Expires=300");
    let page = format!("<a href=\"{signed}\">redirected</a>");
    let world = World::with_raw(format!(
        "HTTP/1.1 302 Found\r\nlocation: {signed}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{page}",
        page.len()
    ));
    world
        .upstream
        .handle("elsewhere.example", "/object", |asked| asked.path.contains(SECRET).then(|| file("release")));
    let release = "http://raw.example/release";
    let session = world.session();
    let got = get(&session, release).await;
    assert_eq!(got.status, 302, "redirects are handed back, not followed");
    assert_eq!(world.upstream.n_asked("elsewhere.example", "/object"), 0);
    assert!(got.header("location").contains(SECRET), "{got:?}");
    get(&session, got.header("location")).await.is(200, b"release");
    assert_eq!(get(&session, target).await.status, 200, "the copy is better than the 404 without signature");

    let drill = world.drill("all");
    let got = get(&drill, release).await;
    assert_eq!((got.status, got.header("location")), (302, target));
    get(&drill, target).await.is(200, b"release");
    get(&drill, &format!("{target}?X-Amz-Signature=other&X-Amz-Expires=9")).await.is(200, b"release");
    assert_nowhere(&world);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_redirect_is_one_generation() {
    let world = World::new();
    world.upstream.on(WEB, "/moved", Fault::RedirectTo("/new".to_owned()));
    for _ in 0..3 {
        assert_eq!(get(&world.session(), "https://web.example/moved").await.header("location"), "/new");
    }
    assert_eq!(world.generations("https://web.example/moved").len(), 1);
    for _ in 0..3 {
        assert_eq!(get(&world.session(), "https://web.example/absent").await.status, 404);
    }
    assert_eq!(world.generations("https://web.example/absent").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_needed_credentials_is_given_to_nobody_without() {
    let world = World::new();
    world.upstream.handle(WEB, "/private", |asked| {
        let is_known = asked.headers.contains_key("authorization");
        Some(if is_known { text("the secret plan") } else { Answer::status(401) })
    });
    let url = format!("https://{WEB}/private");
    let session = world.session();
    let with = [("authorization", "Bearer one")];
    assert_eq!(ask(&session, "GET", &url, &with, b"").await.body.as_deref(), Ok(&b"the secret plan"[..]));
    let without = ask(&session, "GET", &url, &[], b"").await;
    assert_eq!(without.status, 401, "live");
    let drill = world.drill("all");
    assert_eq!(ask(&drill, "GET", &url, &[], b"").await.status, 503, "in an outage");
    let rotated = [("authorization", "Bearer two")];
    assert_eq!(
        ask(&drill, "GET", &url, &rotated, b"").await.body.as_deref(),
        Ok(&b"the secret plan"[..]),
        "a rotated token keeps it"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_any_credential_fetched_is_for_nobody_without() {
    for name in ["authorization", "cookie", "private-token", "job-token", "deploy-token"] {
        let world = World::new();
        world.upstream.put(WEB, "/private", text("private"));
        ask(&world.session(), "GET", "https://web.example/private", &[(name, "t")], b"")
            .await
            .is(200, b"private");
        let drill = world.drill("all");
        assert_eq!(get(&drill, "https://web.example/private").await.status, 503, "{name}");
        ask(&drill, "GET", "https://web.example/private", &[(name, "another")], b"")
            .await
            .is(200, b"private");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_in_the_query_is_a_credential() {
    let world = World::new();
    world.upstream.put(WEB, "/private?private_token=one", text("the secret plan"));
    world.upstream.put(WEB, "/private?page=1&token=one", text("the first page"));
    world.upstream.put(WEB, "/private?page=1&token=two", text("the second page"));
    let session = world.session();
    let url = |query: &str| format!("https://{WEB}/private{query}");
    get(&session, &url("?private_token=one")).await.is(200, b"the secret plan");
    get(&session, &url("?page=1&token=one")).await.is(200, b"the first page");
    get(&session, &url("?page=1&token=two")).await.is(200, b"the second page");
    let drill = world.drill("all");
    get(&drill, &url("?private_token=another")).await.is(200, b"the secret plan");
    assert_eq!(get(&drill, &url("")).await.status, 503, "not for somebody without one");
    get(&drill, &url("?page=1&token=two")).await.is(200, b"the second page");
    assert_eq!(get(&drill, &url("?page=1&token=three")).await.status, 503, "it may be any page");
}

/// Serves what says who asked, after a moment.
fn who_asks(world: &World) {
    world.upstream.handle(WEB, "/who", |asked| {
        let who = asked.headers.get("authorization").map_or("nobody", |value| value.to_str().unwrap());
        Some(text(&format!("you are {who}")))
    });
}

const WHO: &str = "https://web.example/who";

async fn as_(session: &proxy::Session, who: &str) -> Got {
    match who {
        "nobody" => get(session, WHO).await,
        who => ask(session, "GET", WHO, &[("authorization", who)], b"").await,
    }
}

fn you(who: &str) -> Vec<u8> {
    format!("you are {who}").into_bytes()
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_gets_what_was_asked_with_anothers_credentials() {
    let world = World::new();
    who_asks(&world);
    world.upstream.on(WEB, "/who", Fault::SlowFirstByte(std::time::Duration::from_millis(300)));
    let session = world.session();
    let all = ["alice", "bob", "nobody"];
    let (alice, bob, nobody) =
        tokio::join!(as_(&session, all[0]), as_(&session, all[1]), as_(&session, all[2]));
    for (got, who) in [alice, bob, nobody].iter().zip(all) {
        got.is(200, &you(who));
    }
    assert_eq!(world.upstream.n_asked(WEB, "/who"), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drill_knows_the_first_from_the_second() {
    let world = World::new();
    who_asks(&world);
    let session = world.session();
    for who in ["alice", "bob", "nobody", "alice", "bob"] {
        as_(&session, who).await.is(200, &you(who));
    }
    // Both tokens were rotated since.
    let drill = world.drill("all");
    for (who, expected) in [("alicia", "alice"), ("bobby", "bob"), ("nobody", "nobody"), ("alicia", "alice")]
    {
        as_(&drill, who).await.is(200, &you(expected));
    }
    assert_eq!(as_(&drill, "carol").await.status, 503, "there was no third");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_only_one_who_got_something_stands_for_the_others_in_an_outage() {
    let world = World::new();
    who_asks(&world);
    world.upstream.put(WEB, "/other", text("other"));
    let session = world.session();
    ask(&session, "GET", "https://web.example/other", &[("authorization", "alice")], b"")
        .await
        .is(200, b"other");
    as_(&session, "bob").await.is(200, &you("bob"));
    let session = world.session();
    as_(&session, "dave").await.is(200, &you("dave")).state("");
    let drill = world.drill("all");
    // In another order: the first asks for what the second had.
    let got = as_(&drill, "bob").await;
    assert!(got.status == 200, "{got:?}");
    let world = World::new();
    who_asks(&world);
    let session = world.session();
    ask(&session, "GET", "https://web.example/other", &[("authorization", "alice")], b"").await;
    as_(&session, "bob").await.is(200, &you("bob"));
    as_(&world.drill("all"), "bob").await.is(200, &you("bob"));
    assert_eq!(as_(&world.drill("all"), "nobody").await.status, 503);
}

#[tokio::test(flavor = "multi_thread")]
async fn challenges_and_cookies_reach_who_waits_and_nobody_else() {
    let world = World::new();
    let cookie = format!("s={SECRET}");
    world.upstream.put(WEB, "/basic", Answer::status(401).header("www-authenticate", "Basic realm=x"));
    world.upstream.put(
        WEB,
        "/login",
        Answer::status(302).header("location", "/in").header("set-cookie", &cookie),
    );
    world.upstream.put(WEB, "/page", text("page").header("set-cookie", &cookie).header("x-total-count", "7"));
    let session = world.session();
    let fetch = async |path: &str| get(&session, &format!("https://{WEB}{path}")).await;
    let basic = fetch("/basic").await;
    assert_eq!((basic.status, basic.header("www-authenticate")), (401, "Basic realm=x"));
    let login = fetch("/login").await;
    assert_eq!((login.status, login.header("location"), login.header("set-cookie")), (302, "/in", &*cookie));
    let page = fetch("/page").await;
    assert_eq!((page.header("set-cookie"), page.header("x-total-count")), (&*cookie, "7"));
    let drill = world.drill("all");
    let copy = get(&drill, &format!("https://{WEB}/page")).await;
    assert_eq!((copy.status, copy.header("set-cookie"), copy.header("x-total-count")), (200, "", ""));
    assert_nowhere(&world);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_asked_with_a_cookie_that_everybody_gets_is_found_without_it() {
    let world = World::new();
    world.upstream.put(
        WEB,
        "/start",
        Answer::status(302).header("location", "/in").header("set-cookie", "s=1; Path=/"),
    );
    world.upstream.handle(WEB, "/in", |asked| {
        let has_it = asked.headers.get("cookie").is_some_and(|cookie| cookie == "s=1");
        Some(text(if has_it { "welcome" } else { "no cookies" }))
    });
    let session = world.session();
    let page = format!("https://{WEB}/in");
    assert_eq!(get(&session, &format!("https://{WEB}/start")).await.header("set-cookie"), "s=1; Path=/");
    ask(&session, "GET", &page, &[("cookie", "s=1")], b"").await.is(200, b"welcome");
    let drill = world.drill("all");
    assert_eq!(get(&drill, &format!("https://{WEB}/start")).await.status, 302);
    get(&drill, &page).await.is(200, b"welcome");
    // The control: a cookie of its own is somebody's.
    let world = World::new();
    world.upstream.put(WEB, "/in", text("mine"));
    ask(&world.session(), "GET", &page, &[("cookie", "mine=1")], b"").await.is(200, b"mine");
    assert_eq!(get(&world.drill("all"), &page).await.status, 503);
}
