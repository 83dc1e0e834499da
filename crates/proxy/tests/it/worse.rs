//! A worse answer never replaces a better one.

use std::time::Duration;

use fakes::npm::{Package, package};
use fakes::{Answer, Fault};
use model::{Event, Sha256};

use crate::world::*;

const INDEX: &str = "https://registry.npmjs.org/left-pad";
const PAGE: &str = "https://web.example/page";

fn left_pad(versions: &[&str]) -> Package {
    versions.iter().fold(package("left-pad", &[]), |package, version| {
        package.version(version, &serde_json::json!({}), &[])
    })
}

fn packument(package: &Package) -> Answer {
    Answer::json(package.packument(NPM).to_string())
}

/// Holds a good index, plays `fault`, and asserts that the index still stands; in an outage as well.
async fn check(what: &str, fault: Fault, is_rejected: bool, state: &str) {
    let world = World::new();
    world.upstream.serve_npm(NPM, &[left_pad(&["1.0.0", "1.1.0"])]);
    let good = get(&world.session(), INDEX).await.body.unwrap();
    // What is held of a version makes it one that must not vanish.
    get(&world.session(), &tarball(&left_pad(&["1.0.0"]), "1.0.0")).await;
    // Without the fault there would be something newer.
    world.upstream.serve_npm(NPM, &[left_pad(&["1.0.0", "1.1.0", "1.2.0"])]);
    world.upstream.on(NPM, "/left-pad", fault);
    world.pass_time();
    let got = get(&world.session(), INDEX).await;
    assert_eq!(got.status, 200, "{what}");
    got.state(state);
    assert_eq!(got.body.as_ref().unwrap(), &good, "{what}");
    assert_eq!(world.held(INDEX).unwrap().sha256, Sha256::of(&good), "{what}");
    assert_eq!(world.generations(INDEX).len(), 1, "{what}");
    let n_rejected = world.n_events(|event| matches!(event, Event::Rejected { .. }));
    assert_eq!(n_rejected, usize::from(is_rejected), "{what}");
    get(&world.drill("all"), INDEX).await.is(200, &good);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_is_not_replaced_by_a_worse_answer() {
    let other = packument(&package("right-pad", &[("1.0.0", &[])]));
    let older = left_pad(&["1.0.0", "1.1.0", "1.2.0"])
        .packument(NPM)
        .to_string()
        .replace("2026-02-01T00:00:00.000Z", "2025-02-01T00:00:00.000Z");
    check("a portal's page", Fault::Html200, true, "stale").await;
    check("cut JSON", Fault::TruncatedJson, true, "stale").await;
    check("an empty object", Fault::Older(Answer::json("{}")), true, "stale").await;
    check("nothing", Fault::Older(Answer::json("")), true, "stale").await;
    check("another package", Fault::Older(other), true, "stale").await;
    check("an older one", Fault::Older(Answer::json(older)), true, "stale").await;
    check("a redirect", Fault::RedirectTo("https://elsewhere.example/login".to_owned()), true, "stale").await;
    check("404", Fault::Status(404), false, "gone").await;
    check("401", Fault::Status(401), false, "stale").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_better_index_replaces_the_one_that_is_held() {
    let world = World::new();
    world.upstream.serve_npm(NPM, &[left_pad(&["1.0.0"])]);
    let old = get(&world.session(), INDEX).await.body.unwrap();
    world.upstream.serve_npm(NPM, &[left_pad(&["1.0.0", "1.1.0"])]);
    world.pass_time();
    let new = get(&world.session(), INDEX).await;
    assert_ne!(new.body.as_ref().unwrap(), &old);
    new.state("");
    assert_eq!(world.generations(INDEX).len(), 2, "both stay");
    assert_eq!(world.n_events(|event| matches!(event, Event::Rejected { .. })), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_with_an_earlier_date_may_know_more_but_not_less() {
    // Neither has a date of its own inside.
    const SATURDAY: &str = "Sat, 03 Jan 2026 00:00:00 GMT";
    const SUNDAY: &str = "Sun, 04 Jan 2026 00:00:00 GMT";
    const MONDAY: &str = "Mon, 05 Jan 2026 00:00:00 GMT";
    const TUESDAY: &str = "Tue, 06 Jan 2026 00:00:00 GMT";
    let world = World::new();
    let mut n_given = 0;
    let mut serve = |versions: &[&str], date: &str| {
        let mut packument = left_pad(versions).packument(NPM);
        packument.as_object_mut().unwrap().retain(|key, _| key != "modified" && key != "time");
        let answer = Answer::json(packument.to_string()).header("last-modified", date);
        world.upstream.put(NPM, "/left-pad", answer);
        world.pass_time();
        n_given += 1;
        n_given
    };
    // The controls: a version that nobody needs may go, and a server may have been put back.
    for (versions, date) in
        [(&["1.0.0", "1.1.0"][..], MONDAY), (&["1.0.0"], TUESDAY), (&["1.0.0", "1.2.0"], SUNDAY)]
    {
        let n_given = serve(versions, date);
        get(&world.session(), INDEX).await.state("");
        assert_eq!(world.generations(INDEX).len(), n_given, "{versions:?} of {date}");
    }
    let good = get(&world.session(), INDEX).await.body.unwrap();
    serve(&["1.0.0"], SATURDAY);
    get(&world.session(), INDEX).await.is(200, &good).state("stale");
    let is_older = |reason: &str| reason.ends_with(&format!("is from {SATURDAY}, older than {SUNDAY}"));
    let n = world.n_events(|event| matches!(event, Event::Rejected { reason, .. } if is_older(reason)));
    assert_eq!(n, 1, "{:?}", world.events());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_gone_stays_and_says_so() {
    let world = World::new();
    let package = left_pad(&["1.0.0"]);
    world.upstream.serve_npm(NPM, std::slice::from_ref(&package));
    let good = get(&world.session(), INDEX).await.body.unwrap();
    get(&world.session(), &tarball(&package, "1.0.0")).await;
    world.upstream.remove(NPM, "/left-pad");
    world.upstream.remove(NPM, &package.tarball_path("1.0.0"));
    for _ in 0..2 {
        world.pass_time();
        get(&world.session(), INDEX).await.is(200, &good).state("gone");
        get(&world.session(), &tarball(&package, "1.0.0")).await.is(200, package.tarball("1.0.0"));
    }
    assert_eq!(world.n_events(|event| matches!(event, Event::Gone { .. })), 1, "once, when it vanished");
    get(&world.drill("all"), INDEX).await.is(200, &good).state("gone");
    world.upstream.serve_npm(NPM, &[package]);
    world.pass_time();
    get(&world.session(), INDEX).await.is(200, &good).state("");
}

/// Holds a document, plays `fault`, and asserts which of both the client gets.
async fn check_document(fault: Fault, is_copy: bool) {
    let world = World::new();
    world.upstream.put(WEB, "/page", text("good"));
    get(&world.session(), PAGE).await;
    world.upstream.put(WEB, "/page", text("newer"));
    let what = format!("{fault:?}");
    world.upstream.on(WEB, "/page", fault);
    let got = get(&world.session(), PAGE).await;
    assert_eq!((got.status, &got.body.as_ref().unwrap()[..]) == (200, b"good"), is_copy, "{what} {got:?}");
    let newest = world.held(PAGE).unwrap();
    assert_eq!(newest.sha256 == Sha256::of(b"good"), is_copy, "{what}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_is_not_replaced_by_a_worse_answer() {
    for status in [401, 403, 404, 410, 429, 451, 500, 502, 503] {
        check_document(Fault::Status(status), true).await;
    }
    check_document(Fault::Html200, true).await;
    check_document(Fault::RedirectTo("https://elsewhere.example/login".to_owned()), true).await;
    check_document(Fault::RedirectTo("https://web.example/moved".to_owned()), false).await;
    check_document(Fault::Older(Answer::text("new")), false).await;
    check_document(Fault::Short, true).await;
    check_document(Fault::SlowFirstByte(Duration::from_secs(5)), true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_web_page_may_change_as_it_likes() {
    let world = World::new();
    for content in ["<p>one</p>", "<p>two</p>"] {
        world.upstream.put(WEB, "/page", Answer::bytes("text/html", content));
        get(&world.session(), PAGE).await.is(200, content.as_bytes()).state("");
    }
    assert_eq!(world.n_events(|event| matches!(event, Event::Rejected { .. })), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_root_that_leads_nowhere_any_more_is_an_outage_of_its_builder() {
    const HOST: &str = "repo.packagist.org";
    const ROOT: &str = "https://repo.packagist.org/packages.json";
    let root = serde_json::json!({
        "packages": [], "metadata-url": "/p2/%package%.json",
        "security-advisories": { "metadata": true, "api-url": "https://packagist.org/api/security-advisories/" },
    });
    let without = |key: &str| {
        let mut root = root.clone();
        root.as_object_mut().unwrap().remove(key);
        root.to_string()
    };
    for worse in ["{\"packages\":[]}".to_owned(), without("security-advisories"), without("metadata-url")] {
        let world = World::new();
        world.upstream.put(HOST, "/packages.json", Answer::json(root.to_string()));
        get(&world.session(), ROOT).await.is(200, root.to_string().as_bytes());
        world.pass_time();
        world.upstream.put(HOST, "/packages.json", Answer::json(worse.clone()));
        let session = world.session();
        for _ in 0..3 {
            get(&session, ROOT).await.state("stale");
        }
        let n_rejected = world.n_events(|event| matches!(event, Event::Rejected { .. }));
        assert_eq!(n_rejected, 1, "told once: {worse}");
        let held = get(&world.drill("all"), ROOT).await.body.unwrap();
        assert!(String::from_utf8_lossy(&held).contains("security-advisories"), "{worse}");
        // The control: what leads on, and more, is taken.
        let mut better = root.clone();
        better["filter"] = serde_json::json!({ "metadata": true });
        world.upstream.put(HOST, "/packages.json", Answer::json(better.to_string()));
        world.pass_time();
        get(&world.session(), ROOT).await.is(200, better.to_string().as_bytes());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_of_versions_that_may_be_cut_is_not_believed() {
    const ONE: &str = "https://index.crates.io/de/mo/demo";
    let world = World::new();
    world.upstream.speak_http1("index.crates.io");
    let crates = ["1.0.0", "1.1.0"].map(|version| fakes::cargo::crate_("demo", version));
    world.upstream.serve_cargo("index.crates.io", "static.crates.io", &crates);
    let whole = get(&world.session(), ONE).await.body.unwrap();
    world.pass_time();
    let line = format!("{}\n", crates[0].line());
    world.upstream.put("index.crates.io", "/de/mo/demo", Answer::text(line.clone()));
    world.upstream.on("index.crates.io", "/de/mo/demo", Fault::WithoutLength);
    get(&world.session(), ONE).await.is(200, &whole).state("stale");
    // The control: with its length it is what the registry says.
    world.upstream.clear_faults();
    get(&world.session(), ONE).await.is(200, line.as_bytes());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_serial_never_goes_back() {
    const SIX: &str = "https://pypi.org/simple/six/";
    let (json, html) = ("application/vnd.pypi.simple.v1+json", "text/html");
    let page = |version: &str, serial: &str| {
        let link = format!(
            "<!DOCTYPE html><html><body><a href=\"https://files.pythonhosted.org/six-{version}.tar.gz\">six-{version}.tar.gz</a></body></html>"
        );
        Answer::bytes("text/html", link).header("x-pypi-last-serial", serial)
    };
    let ask_for = async |session: &proxy::Session, form: &str| {
        ask(session, "GET", SIX, &[("accept", form), ("user-agent", "pip/26")], b"").await
    };
    let text = |got: &Got| String::from_utf8_lossy(got.body.as_ref().unwrap()).into_owned();
    let world = World::new();
    world.upstream.put("pypi.org", "/simple/six/", page("2.0", "100"));
    assert!(text(&ask_for(&world.session(), html).await).contains("2.0"));
    world.pass_time();
    world.upstream.put("pypi.org", "/simple/six/", page("1.0", "80"));
    let got = ask_for(&world.session(), html).await;
    assert!(text(&got).contains("2.0"), "{got:?}");
    got.state("stale");
    world.upstream.put("pypi.org", "/simple/six/", page("3.0", "101"));
    assert!(text(&ask_for(&world.session(), html).await).contains("3.0"), "the control");
    // What is known by one form binds the other.
    let world = World::new();
    world.upstream.serve_pypi(&[fakes::pypi::project("six").release("2.0", &[])]);
    let body = ask_for(&world.session(), json).await.body.unwrap();
    let listed = Answer::bytes(json, body).header("x-pypi-last-serial", "100");
    world.upstream.handle("pypi.org", "/simple/six/", move |_| Some(listed.clone()));
    world.pass_time();
    ask_for(&world.session(), json).await;
    world.upstream.put("pypi.org", "/simple/six/", page("1.0", "90"));
    assert!(text(&ask_for(&world.session(), html).await).contains("2.0"));
}
