//! Who vouches for the bytes: a lock, an index, the first bytes seen.

use fakes::{Answer, Fault};
use model::{Event, Proof, Sha256};
use proxy::Ending;

use crate::world::*;

const TOOL: &str = "https://web.example/tool.tar.gz";

fn quarantined(event: &Event) -> Option<(Option<Sha256>, &str, &str, &str)> {
    match event {
        Event::Quarantined { sha256, expected, got, vouched_by, .. } => {
            Some((*sha256, expected, got, vouched_by))
        }
        _ => None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_lock_pins_is_verified_against_it() {
    let world = World::new();
    world.upstream.put(WEB, "/tool.tar.gz", file("right"));
    get(&world.pinned(vec![pin(TOOL, b"right")]), TOOL).await.is(200, b"right");
    let held = world.held(TOOL).unwrap();
    assert_eq!((held.proof, held.immutable), (Proof::Verified, false), "for others it may move on");
    assert_eq!(world.n_events(|event| quarantined(event).is_some()), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_bytes_are_quarantined_with_both_digests_and_not_served() {
    let world = World::new();
    world.upstream.put(WEB, "/tool.tar.gz", file("wrong"));
    let session = world.pinned(vec![pin(TOOL, b"right")]);
    let got = get(&session, TOOL).await;
    assert_eq!(got.status, 503, "{got:?}");
    assert!(matches!(ending(&session).await, Ending::Missing { .. }));
    assert_eq!(world.held(TOOL), None);
    let events = world.events();
    let (sha256, expected, seen, vouched_by) = events.iter().find_map(quarantined).unwrap();
    let sha512 = |bytes: &[u8]| pin(TOOL, bytes).digests.to_string();
    assert_eq!((expected, seen), (&*sha512(b"right"), &*sha512(b"wrong")));
    assert_eq!(vouched_by, "the.lock");
    assert_eq!(world.store.read_blob(&sha256.unwrap(), 10).unwrap(), b"wrong", "for a person to look at");
    world.upstream.put(WEB, "/tool.tar.gz", file("right"));
    get(&world.pinned(vec![pin(TOOL, b"right")]), TOOL).await.is(200, b"right");
    world.assert_good();
}

#[tokio::test(flavor = "multi_thread")]
async fn large_wrong_bytes_arrive_as_a_broken_transfer() {
    let world = World::new();
    let body = noise(LARGE_BYTES, 1);
    world.upstream.put(WEB, "/tool.tar.gz", file(body.clone()));
    world.upstream.on(WEB, "/tool.tar.gz", Fault::WrongBytes);
    let session = world.pinned(vec![pin(TOOL, &body)]);
    // Broken where it had begun; a client that comes when it is over is told so at once.
    get(&session, TOOL).await.is_refused();
    assert!(matches!(ending(&session).await, Ending::Missing { .. }));
    assert_eq!(world.held(TOOL), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_bytes_are_found_when_only_the_file_is_asked_for() {
    let world = World::new();
    let package = fakes::npm::package("left-pad", &[("1.0.0", &[])]);
    world.upstream.serve_npm(NPM, std::slice::from_ref(&package));
    let url = tarball(&package, "1.0.0");
    world.upstream.on(NPM, &package.tarball_path("1.0.0"), Fault::WrongBytes);
    get(&world.session(), &url).await.is_refused();
    assert_eq!(world.held(&url), None);
    let vouched_by =
        world.events().iter().find_map(|event| quarantined(event).map(|q| q.3.to_owned())).unwrap();
    assert_eq!(vouched_by, format!("https://{NPM}/left-pad"));
    world.upstream.clear_faults();
    get(&world.session(), &url).await.is(200, package.tarball("1.0.0"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crate_is_vouched_for_by_the_index_at_another_host() {
    let world = World::new();
    let one = fakes::cargo::crate_("one", "1.0.0");
    world.upstream.serve_cargo("index.crates.io", "static.crates.io", std::slice::from_ref(&one));
    let url = format!("https://static.crates.io{}", one.file_path());
    world.upstream.on("static.crates.io", &one.file_path(), Fault::WrongBytes);
    get(&world.session(), &url).await.is_refused();
    world.upstream.clear_faults();
    get(&world.session(), &url).await.is(200, &one.file());
    assert_eq!(world.held(&url).unwrap().proof, Proof::Verified);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_digest_decides_and_not_the_kind_that_the_server_names() {
    let world = World::new();
    let package = fakes::npm::package("left-pad", &[("1.0.0", &[])]);
    world.upstream.serve_npm(NPM, std::slice::from_ref(&package));
    let tarball_bytes = package.tarball("1.0.0").clone();
    let mislabelled = Answer::bytes("text/html", tarball_bytes.clone());
    world.upstream.put(NPM, &package.tarball_path("1.0.0"), mislabelled);
    get(&world.session(), &tarball(&package, "1.0.0")).await.is(200, &tarball_bytes);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_that_comes_later_vouches_for_what_is_held() {
    let world = World::new();
    world.upstream.put(WEB, "/tool.tar.gz", file("right"));
    get(&world.session(), TOOL).await.is(200, b"right");
    assert_eq!(world.held(TOOL).unwrap().proof, Proof::FirstSeen);
    let session = world.pinned(vec![pin(TOOL, b"right")]);
    for _ in 0..2 {
        get(&session, TOOL).await.is(200, b"right").state("");
    }
    let held = world.held(TOOL).unwrap();
    assert_eq!((held.proof, held.immutable), (Proof::Verified, false), "for others it may move on");
    assert_eq!(world.upstream.n_asked(WEB, "/tool.tar.gz"), 1, "nobody needs to be asked");
    let proofs: Vec<Proof> = world.generations(TOOL).iter().map(|held| held.proof).collect();
    assert_eq!(proofs.last(), Some(&Proof::Verified));
    world.assert_good();
}

#[tokio::test(flavor = "multi_thread")]
async fn held_bytes_that_a_lock_contradicts_are_quarantined_and_fetched_anew() {
    let world = World::new();
    world.upstream.put(WEB, "/tool.tar.gz", file("wrong"));
    get(&world.session(), TOOL).await.is(200, b"wrong");

    world.upstream.on(WEB, "*", Fault::Status(502));
    let session = world.pinned(vec![pin(TOOL, b"right")]);
    for _ in 0..2 {
        let got = get(&session, TOOL).await;
        assert_eq!(got.status, 503, "nothing right is there");
        let told = String::from_utf8(got.body.unwrap().to_vec()).unwrap();
        assert!(told.contains("what is held is not what the lock names"), "{told}");
    }
    assert_eq!(world.n_events(|event| quarantined(event).is_some()), 1, "once is enough");

    world.upstream.clear_faults();
    world.upstream.put(WEB, "/tool.tar.gz", file("right"));
    get(&session, TOOL).await.is(200, b"right").state("");
    get(&session, TOOL).await.is(200, b"right");
    assert_eq!(world.held(TOOL).unwrap().proof, Proof::Verified);
    let bytes: Vec<Sha256> = world.generations(TOOL).iter().map(|held| held.sha256).collect();
    assert_eq!(bytes, [Sha256::of(b"wrong"), Sha256::of(b"right")], "nothing is lost");
    get(&world.session(), TOOL).await.is(200, b"right");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_sessions_at_once_the_first_bytes_win() {
    let world = World::new();
    let package = fakes::npm::package("left-pad", &[("1.0.0", &[])]);
    let (path, url) = (package.tarball_path("1.0.0"), tarball(&package, "1.0.0"));
    world.upstream.put(NPM, &path, file(packed("second")));
    world.upstream.on_first(1, NPM, &path, Fault::SlowFirstByte(std::time::Duration::from_millis(400)));
    let slow = tokio::spawn({
        let (session, url) = (world.session(), url.clone());
        async move { get(&session, &url).await }
    });
    while world.upstream.n_asked(NPM, &path) == 0 {
        tokio::task::yield_now().await;
    }
    world.upstream.put(NPM, &path, file(packed("first")));
    get(&world.session(), &url).await.is(200, &packed("first"));
    slow.await.unwrap().is(200, &packed("first"));
    assert_eq!(world.generations(&url).len(), 1);
    get(&world.session(), &url).await.is(200, &packed("first"));
    assert_eq!(world.n_events(|event| matches!(event, Event::Rejected { .. })), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_file_is_first_seen_and_never_replaced() {
    let world = World::new();
    let package = fakes::npm::package("left-pad", &[("1.0.0", &[])]);
    // Only the file: its index is a 404, so nobody vouches.
    world.upstream.put(NPM, &package.tarball_path("1.0.0"), file(packed("first")));
    let url = tarball(&package, "1.0.0");
    get(&world.session(), &url).await.is(200, &packed("first"));
    assert_eq!(world.held(&url).unwrap().proof, Proof::FirstSeen);
    world.upstream.put(NPM, &package.tarball_path("1.0.0"), file(packed("second")));
    get(&world.session(), &url).await.is(200, &packed("first")).state("");
    assert_eq!(world.generations(&url).len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_excuse_is_no_archive_though_nobody_vouches() {
    let world = World::new();
    let addresses = [
        (NPM, "/left-pad/-/left-pad-1.0.0.tgz"),
        ("static.crates.io", "/crates/itoa/itoa-1.0.15.crate"),
        ("files.pythonhosted.org", "/packages/aa/six-1.16.0-py2.py3-none-any.whl"),
    ];
    for (host, path) in addresses {
        let url = format!("https://{host}{path}");
        for excuse in
            [file("{\"error\": \"busy, come again\"}"), file(packed("cut")[..40].to_vec()), file("")]
        {
            world.upstream.put(host, path, excuse);
            get(&world.session(), &url).await.is_refused();
            assert!(world.held(&url).is_none_or(|held| held.status != 200), "{url}");
        }
        let body = if path.ends_with(".whl") { fakes::zip(&[("six.py", b"six")]) } else { packed("six") };
        world.upstream.put(host, path, file(body.clone()));
        get(&world.session(), &url).await.is(200, &body);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_finds_the_bytes_it_pins_though_the_address_moved_on() {
    let world = World::new();
    world.upstream.put(WEB, "/tool.tar.gz", file("one"));
    get(&world.pinned(vec![pin(TOOL, b"one")]), TOOL).await.is(200, b"one");
    world.upstream.put(WEB, "/tool.tar.gz", file("two"));
    get(&world.pinned(vec![pin(TOOL, b"two")]), TOOL).await.is(200, b"two");
    // The first project still has its own, and whoever has no lock gets what is there now.
    get(&world.pinned(vec![pin(TOOL, b"one")]), TOOL).await.is(200, b"one");
    get(&world.session(), TOOL).await.is(200, b"two").state("");
    world.upstream.put(WEB, "/tool.tar.gz", file("three"));
    get(&world.session(), TOOL).await.is(200, b"three").state("");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_that_only_names_a_file_takes_no_digest_away() {
    let named = || registry::Pin { digests: model::DigestSet::default(), ..pin(TOOL, b"right") };
    for pins in [vec![pin(TOOL, b"right"), named()], vec![named(), pin(TOOL, b"right")]] {
        let world = World::new();
        world.upstream.put(WEB, "/tool.tar.gz", file("wrong"));
        get(&world.pinned(pins), TOOL).await.is_refused();
    }
}

/// A pin of a version of `demo`, of all its files or of the one at `url`.
fn version(url: Option<&str>, bodies: &[&[u8]]) -> registry::Pin {
    let coordinate = registry::Coordinate {
        ecosystem: "pypi",
        registry: registry::ANY_REGISTRY.to_owned(),
        name: "demo".to_owned(),
        version: "1.5".to_owned(),
        file: None,
    };
    let digests = bodies.iter().map(|body| model::Digest::from(Sha256::of(body))).collect();
    registry::Pin {
        coordinate: Some(coordinate),
        url: url.map(|url| model::ObjectUrl::parse(url).unwrap()),
        digests,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_lock_may_know_another_file_of_a_version() {
    let files = "https://files.pythonhosted.org/packages/";
    let (wheel, source) = (format!("{files}demo-1.5-py3-none-any.whl"), format!("{files}demo-1.5.tar.gz"));
    for pins in [
        vec![version(None, &[b"wheel"]), version(None, &[b"source"])],
        vec![version(None, &[b"wheel", b"source"])],
    ] {
        let world = World::new();
        world.upstream.put("files.pythonhosted.org", "/packages/demo-1.5-py3-none-any.whl", file("wheel"));
        world.upstream.put("files.pythonhosted.org", "/packages/demo-1.5.tar.gz", file("source"));
        let fetch = async |url: &str| get(&world.pinned(pins.clone()), url).await;
        fetch(&wheel).await.is(200, b"wheel");
        fetch(&source).await.is(200, b"source");
        assert_eq!(world.held(&wheel).unwrap().proof, Proof::Verified);
        world.upstream.put("files.pythonhosted.org", "/packages/demo-1.5.tar.gz", file("evil"));
        world.damage(&Sha256::of(b"source"));
        fetch(&source).await.is_refused();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_a_lock_names_without_a_digest_is_not_bound_by_another_lock() {
    let world = World::new();
    world.upstream.put(WEB, "/tool.tar.gz", file("packed by the forge"));
    let pins = vec![
        version(Some("https://elsewhere.example/demo.zip"), &[b"packed by Satis"]),
        version(Some(TOOL), &[]),
    ];
    get(&world.pinned(pins), TOOL).await.is(200, b"packed by the forge");
}

#[tokio::test(flavor = "multi_thread")]
async fn locks_that_know_different_digests_of_one_address_are_both_right() {
    let (sha512, sha256) =
        (pin(TOOL, b"first"), pin(TOOL, b"first").digests.iter().next().unwrap().algorithm());
    assert_ne!(sha256, model::Algorithm::Sha256, "the helper pins by another algorithm");
    let second =
        registry::Pin { digests: model::Digest::from(Sha256::of(b"second")).into(), ..pin(TOOL, b"") };
    for body in ["first", "second"] {
        let world = World::new();
        world.upstream.put(WEB, "/tool.tar.gz", file(body));
        let pins = vec![sha512.clone(), second.clone()];
        get(&world.pinned(pins.clone()), TOOL).await.is(200, body.as_bytes());
        get(&world.pinned(pins.clone()), TOOL).await.is(200, body.as_bytes()).state("");
        world.upstream.put(WEB, "/tool.tar.gz", file("third"));
        world.damage(&Sha256::of(body.as_bytes()));
        get(&world.pinned(pins), TOOL).await.is_refused();
    }
}
