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
    world.store.flush().unwrap();
    let mut found = Vec::new();
    files_with(world.home.path(), &mut found);
    assert!(found.is_empty(), "{found:?}");
    // The search itself works.
    std::fs::write(world.home.path().join("control"), SECRET).unwrap();
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
    world.store.flush().unwrap();
    let mut found = Vec::new();
    files_with(world.home.path(), &mut found);
    assert!(found.is_empty(), "{found:?}");
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
