//! Copies that rotted on the disk.

use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::time::Duration;

use fakes::{Answer, Fault};
use model::{Event, Sha256};
use proxy::Ending;

use crate::world::*;

const PAGE: &str = "https://web.example/page";

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_copy_is_fetched_anew_while_the_upstream_lives() {
    let world = World::new();
    for (path, size) in [("/small", 1000), ("/large", LARGE_BYTES)] {
        let (body, url) = (noise(size, 1), format!("https://{WEB}{path}"));
        world.upstream.put(WEB, path, file(body.clone()));
        get(&world.session(), &url).await.is(200, &body);
        world.damage(&Sha256::of(&body));
        let session = world.session();
        get(&session, &url).await.is(200, &body).state("");
        assert_eq!(world.upstream.n_asked(WEB, path), 2, "{path}");
        let sha256 = Sha256::of(&body);
        let is_it = |event: &Event| matches!(event, Event::Damaged { sha256: found, .. } if *found == sha256);
        assert_eq!(world.n_events(is_it), 1, "{path}: somebody is told");
        world.store.flush().unwrap();
        get(&world.drill("all"), &url).await.is(200, &body);
    }
    world.assert_good();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_copy_is_missing_when_the_upstream_is_cut_or_down() {
    let world = World::new();
    for (path, size) in [("/small", 1000), ("/large", LARGE_BYTES)] {
        let (body, url) = (noise(size, 2), format!("https://{WEB}{path}"));
        let sha256 = Sha256::of(&body);
        world.upstream.put(WEB, path, file(body.clone()));
        get(&world.session(), &url).await.is(200, &body);
        world.damage(&sha256);
        world.upstream.on(WEB, path, Fault::Status(500));
        for session in [world.drill("all"), world.drill("all=502"), world.session()] {
            let got = get(&session, &url).await;
            assert_eq!(got.status, 503, "{got:?}");
            let Ending::Missing { sha256: named, .. } = ending(&session).await else { panic!("{path}") };
            assert_eq!(named, Some(sha256), "{path}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_file_is_hashed_again_once_somebody_touched_it() {
    let world = World::new();
    let package = fakes::npm::package("left-pad", &[("1.0.0", &[])]);
    let (path, url) = (package.tarball_path("1.0.0"), tarball(&package, "1.0.0"));
    let text: String = noise(LARGE_BYTES, 3).iter().map(|byte| format!("{byte:02x}")).collect();
    let body = packed(&text);
    world.upstream.put(NPM, &path, file(body.clone()));
    get(&world.session(), &url).await.is(200, &body);
    world.store.flush().unwrap();
    // Much later than the time that the disk wrote down.
    world.clock.advance(Duration::from_secs(100 * 365 * 86_400));
    let sha256 = Sha256::of(&body);
    let is_remembered = || {
        let blob = world.store.open_blob(&sha256).unwrap();
        blob.is_verified(Duration::from_secs(60)).unwrap()
    };
    assert!(!is_remembered());
    get(&world.session(), &url).await.is(200, &body);
    assert!(is_remembered());
    let place = world.blob_path(&sha256);
    let changed_at = || place.metadata().unwrap().ctime_nsec();
    let before = changed_at();
    // Within one tick of the disk's clock it would not show, which is why nothing is remembered that was touched just now.
    while changed_at() == before {
        let blob = std::fs::File::options().write(true).open(&place).unwrap();
        blob.write_all_at(&[body[9] ^ 1], 9).unwrap();
    }
    assert!(!is_remembered());
    world.upstream.on(NPM, &path, Fault::Status(500));
    get(&world.session(), &url).await.is_refused();
    world.upstream.clear_faults();
    get(&world.session(), &url).await.is(200, &body);
    world.store.flush().unwrap();
    get(&world.drill("all"), &url).await.is(200, &body);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_copy_does_not_become_an_absence() {
    let world = World::new();
    world.upstream.put(WEB, "/page", text("here"));
    get(&world.session(), PAGE).await;
    world.damage(&Sha256::of(b"here"));
    world.upstream.remove(WEB, "/page");
    assert_eq!(get(&world.session(), PAGE).await.status, 503);
    let held = world.held(PAGE).unwrap();
    assert_eq!((held.status, held.sha256), (200, Sha256::of(b"here")));
    assert!(held.gone_since.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn other_bytes_do_not_replace_a_damaged_file() {
    let world = World::new();
    let package = fakes::npm::package("left-pad", &[("1.0.0", &[])]);
    let (path, url) = (package.tarball_path("1.0.0"), tarball(&package, "1.0.0"));
    world.upstream.put(NPM, &path, file(packed("first")));
    get(&world.session(), &url).await.is(200, &packed("first"));
    world.damage(&Sha256::of(&packed("first")));
    world.upstream.put(NPM, &path, file(packed("other")));
    get(&world.session(), &url).await.is_refused();
    let by_first_bytes = |event: &Event| matches!(event, Event::Quarantined { vouched_by, .. } if vouched_by == "the first bytes seen");
    assert_eq!(world.n_events(by_first_bytes), 1);
    assert_eq!(world.held(&url).unwrap().sha256, Sha256::of(&packed("first")));
    world.upstream.put(NPM, &path, file(packed("first")));
    get(&world.session(), &url).await.is(200, &packed("first"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_does_not_replace_a_damaged_file() {
    let world = World::new();
    let package = fakes::npm::package("left-pad", &[("1.0.0", &[])]);
    let (path, url) = (package.tarball_path("1.0.0"), tarball(&package, "1.0.0"));
    world.upstream.serve_npm(NPM, std::slice::from_ref(&package));
    get(&world.session(), &url).await.is(200, package.tarball("1.0.0"));
    let sha256 = Sha256::of(package.tarball("1.0.0"));
    world.damage(&sha256);
    world.upstream.on(NPM, &path, Fault::RedirectTo("/elsewhere.tgz".to_owned()));
    let session = world.session();
    assert_eq!(get(&session, &url).await.status, 302, "the command may follow it");
    assert!(matches!(ending(&session).await, Ending::NotKept { .. }));
    assert_eq!(world.held(&url).unwrap().sha256, sha256);
    world.upstream.clear_faults();
    get(&world.session(), &url).await.is(200, package.tarball("1.0.0"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_answer_to_a_question_is_missing() {
    let world = World::new();
    let url = "https://api.osv.dev/v1/query";
    world.upstream.put("api.osv.dev", "/v1/query", Answer::json("{\"vulns\":[1]}"));
    ask(&world.session(), "POST", url, &[], b"{}").await.is(200, b"{\"vulns\":[1]}");
    world.damage(&Sha256::of(b"{\"vulns\":[1]}"));
    let drill = world.drill("all");
    assert_eq!(ask(&drill, "POST", url, &[], b"{}").await.status, 503);
    assert!(matches!(ending(&drill).await, Ending::Missing { sha256: Some(_), .. }));
}
