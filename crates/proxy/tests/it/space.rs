//! A full disk: clients still get every byte, nothing half is kept, and it recovers by itself.

use host::failpoint;
use proxy::Ending;

use crate::world::*;

const PAGE: &str = "https://web.example/page";
const LARGE: &str = "https://web.example/large";

async fn full_disk_in_a_blob(failpoint: &str) {
    let world = World::new();
    world.upstream.serve_npm(NPM, &[fakes::npm::package("left-pad", &[("1.0.0", &[])])]);
    let index = format!("https://{NPM}/left-pad");
    let body = noise(LARGE_BYTES, 1);
    world.upstream.put(WEB, "/page", text("page"));
    world.upstream.put(WEB, "/large", file(body.clone()));
    let urls = [LARGE, PAGE, &index];
    for url in urls {
        failpoint::arm(failpoint).unwrap();
        let session = world.session();
        let got = get(&session, url).await;
        assert_eq!(got.status, 200, "{failpoint} {url}");
        let bytes = got.body.unwrap();
        match url {
            LARGE => assert!(bytes == body, "{failpoint}: {} bytes", bytes.len()),
            PAGE => assert_eq!(bytes, "page", "{failpoint}"),
            _ => assert!(bytes.len() > 100, "{failpoint}"),
        }
        let ending = ending(&session).await;
        let Ending::NotKept { reason, .. } = ending else { panic!("{failpoint} {ending:?}") };
        assert!(reason.contains("could not be stored"), "{reason}");
        assert_eq!(world.held(url), None, "{failpoint}");
    }
    failpoint::arm("").unwrap();
    let (session, drill) = (world.session(), world.drill("all"));
    for url in urls {
        let live = get(&session, url).await.body.unwrap();
        get(&drill, url).await.is(200, &live);
    }
    world.assert_good();
}

#[test]
fn a_full_disk_in_the_middle_of_a_blob_is_no_matter_for_clients() {
    alone("space::a_full_disk_in_the_middle_of_a_blob_is_no_matter_for_clients", || async {
        for failpoint in ["blob.write=nospace+", "blob.write=broken+", "blob.write=nospace"] {
            full_disk_in_a_blob(failpoint).await;
        }
    });
}

#[test]
fn a_full_disk_at_the_end_of_a_blob_is_no_matter_for_clients() {
    alone("space::a_full_disk_at_the_end_of_a_blob_is_no_matter_for_clients", || {
        full_disk_in_a_blob("blob.temporary_written=nospace+")
    });
}

#[test]
fn a_full_disk_under_a_new_generation_leaves_the_old_one() {
    alone("space::a_full_disk_under_a_new_generation_leaves_the_old_one", || async {
        for point in ["blob.write=nospace+", "blob.write=nospace@5+", "blob.temporary_written=nospace+"] {
            let world = World::new();
            let (old, new) = (noise(LARGE_BYTES, 2), noise(LARGE_BYTES, 3));
            world.upstream.put(WEB, "/large", file(old.clone()));
            get(&world.session(), LARGE).await.is(200, &old);
            world.store.flush().unwrap();
            world.upstream.put(WEB, "/large", file(new.clone()));
            failpoint::arm(point).unwrap();
            get(&world.session(), LARGE).await.is(200, &new);
            failpoint::arm("").unwrap();
            get(&world.drill("all"), LARGE).await.is(200, &old);
            world.assert_good();
        }
    });
}

#[test]
fn a_full_disk_at_the_journal_is_no_matter_for_clients() {
    alone("space::a_full_disk_at_the_journal_is_no_matter_for_clients", || async {
        let world = World::new();
        let body = noise(LARGE_BYTES, 4);
        world.upstream.put(WEB, "/page", text("page"));
        world.upstream.put(WEB, "/large", file(body.clone()));
        failpoint::arm("journal.append=nospace+").unwrap();
        let session = world.session();
        get(&session, LARGE).await.is(200, &body);
        get(&session, PAGE).await.is(200, b"page");
        finish(&session).await;
        assert!(world.store.flush().is_err(), "what is not durable is not acknowledged");
        get(&world.drill("all"), PAGE).await.is(200, b"page");
        failpoint::arm("").unwrap();
        world.store.flush().unwrap();
        let again = store::Store::open(world.home.path(), world.clock.clone()).unwrap();
        let engine = proxy::Engine { store: again, ..world.engine() };
        let plan = proxy::SessionPlan {
            cuts: vec!["all".parse().unwrap()],
            ..proxy::SessionPlan::new(proxy::Purpose::Drill)
        };
        let session = engine.session(plan);
        get(&session, LARGE).await.is(200, &body);
        get(&session, PAGE).await.is(200, b"page");
        world.assert_good();
    });
}
