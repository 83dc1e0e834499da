//! Nothing secret is written down, whatever happens to the request.

use std::path::Path;

use fakes::{Answer, Fault};
use proxy::{Purpose, SessionPlan};

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
        let challenge = || Answer::status(401).header("www-authenticate", "Basic realm=x");
        Some(if is_known { text("the secret plan") } else { challenge() })
    });
    let url = format!("https://{WEB}/private");
    let session = world.session();
    let with = [("authorization", "Bearer one")];
    assert_eq!(ask(&session, "GET", &url, &with, b"").await.body.as_deref(), Ok(&b"the secret plan"[..]));
    let without = ask(&session, "GET", &url, &[], b"").await;
    assert_eq!(without.status, 401, "live");
    let drill = world.drill("all");
    assert_eq!(ask(&drill, "GET", &url, &[], b"").await.status, 401, "in an outage as well");
    let unasked = world.drill("all");
    assert_eq!(get(&unasked, &format!("https://{WEB}/other")).await.status, 503, "the control");
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
async fn a_drill_gives_everybody_what_they_got() {
    let world = World::new();
    who_asks(&world);
    let everybody: Vec<String> = (0..8).map(|n| format!("Bearer {n}")).chain(["nobody".to_owned()]).collect();
    let all = async |session: &proxy::Session, who: Vec<&String>| {
        let asked = who.into_iter().map(async |who| (who, as_(session, who).await));
        for (who, got) in futures_util::future::join_all(asked).await {
            got.is(200, &you(who));
        }
    };
    let recorded = world.session();
    all(&recorded, everybody.iter().collect()).await;
    // They race, in another order, in a process of its own that has the same key.
    let drill = world.drill("all");
    all(&drill, everybody.iter().rev().collect()).await;
    let used = |n_lent| proxy::CredentialUse { n_used: 8, n_lent };
    assert_eq!(finish(&drill).await.credentials[WEB], used(0));
    // The control: a home without the key knows nobody, and what is whose cannot be told.
    let mut engine = world.engine();
    engine.credential_key = proxy::CredentialKey::new(&[8; 32]);
    let cuts = vec!["all".parse().unwrap()];
    let drill = engine.session(SessionPlan { cuts, ..SessionPlan::new(Purpose::Drill) });
    let n_answered = futures_util::future::join_all(everybody[..8].iter().map(|who| as_(&drill, who)))
        .await
        .iter()
        .filter(|got| got.status == 200)
        .count();
    assert_eq!(n_answered, 1, "who came first may be the only one whose token was renewed");
    assert_eq!(finish(&drill).await.credentials[WEB], used(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewed_token_gets_the_newest_that_is_nobody_elses() {
    let world = World::new();
    who_asks(&world);
    for who in ["old", "bob", "alice"] {
        as_(&world.session(), who).await.is(200, &you(who));
        world.pass_time();
    }
    let drill = world.drill("all");
    as_(&drill, "alice").await.is(200, &you("alice"));
    as_(&drill, "renewed").await.is(200, &you("bob"));
    assert_eq!(as_(&drill, "another").await.status, 503, "of two, nobody can tell");
    assert_eq!(as_(&world.drill("all"), "nobody").await.status, 503);
    let used = finish(&drill).await.credentials[WEB];
    assert_eq!(used, proxy::CredentialUse { n_used: 3, n_lent: 1 });
    // What all of them got is clear.
    let world = World::new();
    world.upstream.put(WEB, "/who", text("the same"));
    for who in ["alice", "bob"] {
        as_(&world.session(), who).await.is(200, b"the same");
    }
    let drill = world.drill("all");
    for who in ["one", "two"] {
        as_(&drill, who).await.is(200, b"the same");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_of_somebody_is_remembered_for_them() {
    let world = World::new();
    const AUDIT: &str = "https://registry.npmjs.org/-/npm/v1/security/advisories/bulk";
    world.upstream.handle("registry.npmjs.org", "/-/npm/v1/security/advisories/bulk", |asked| {
        let who = asked.headers.get("authorization").map_or("nobody", |value| value.to_str().unwrap());
        Some(text(&format!("{{\"you\":[\"{who}\"]}}")).header("content-type", "application/json"))
    });
    let audit = async |session: &proxy::Session, who: &str| {
        ask(session, "POST", AUDIT, &[("authorization", who)], b"{}").await
    };
    for who in ["alice", "bob"] {
        world.pass_time();
        audit(&world.session(), who).await.is(200, format!("{{\"you\":[\"{who}\"]}}").as_bytes());
    }
    let drill = world.drill("all");
    for who in ["bob", "alice"] {
        audit(&drill, who).await.is(200, format!("{{\"you\":[\"{who}\"]}}").as_bytes());
    }
    audit(&world.drill("all"), "renewed").await.is(200, b"{\"you\":[\"bob\"]}");
    assert_eq!(ask(&drill, "POST", AUDIT, &[], b"{}").await.status, 503, "nobody asked without");
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
async fn a_challenge_is_kept_until_something_better_comes() {
    let world = World::new();
    world.upstream.handle(WEB, "/private", |asked| {
        let is_right = asked.headers.get("authorization").is_some_and(|value| value == "Basic right");
        let challenge = || Answer::status(401).header("www-authenticate", "Basic realm=\"x\"");
        Some(if is_right { text("the plan") } else { challenge() })
    });
    let negotiated = Answer::status(401).header("www-authenticate", "NTLM");
    world.upstream.put(WEB, "/negotiated", negotiated);
    let url = format!("https://{WEB}/private");
    let with = async |session: &proxy::Session, authorization: &str| {
        ask(session, "GET", &url, &[("authorization", authorization)], b"").await
    };
    let session = world.session();
    get(&session, &url).await;
    assert_eq!(with(&session, "Basic wrong").await.status, 401);
    with(&session, "Basic right").await.is(200, b"the plan");
    assert_eq!(get(&session, &format!("https://{WEB}/negotiated")).await.status, 401);
    let drill = world.drill("all");
    let challenge = get(&drill, &url).await;
    assert_eq!((challenge.status, challenge.header("www-authenticate")), (401, "Basic realm=\"x\""));
    with(&drill, "Basic right").await.is(200, b"the plan");
    assert_eq!(with(&drill, "Basic wrong").await.status, 401, "it was wrong before");
    assert_eq!(get(&drill, &format!("https://{WEB}/negotiated")).await.status, 503, "of one connection");
    // What was public and asks for names today is the worse answer, and what became public the better one.
    let world = World::new();
    world.upstream.put(WEB, "/page", text("public"));
    let page = format!("https://{WEB}/page");
    get(&world.session(), &page).await.is(200, b"public");
    world.upstream.put(WEB, "/page", Answer::status(401).header("www-authenticate", "Bearer"));
    get(&world.session(), &page).await.is(200, b"public").state("stale");
    let opened = format!("https://{WEB}/opened");
    world.upstream.put(WEB, "/opened", Answer::status(401).header("www-authenticate", "Bearer"));
    assert_eq!(get(&world.session(), &opened).await.status, 401);
    world.upstream.put(WEB, "/opened", text("open"));
    get(&world.session(), &opened).await.is(200, b"open");
    get(&world.drill("all"), &opened).await.is(200, b"open");
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
