//! As of yesterday: documents as they were held at a moment, files as ever.

use std::time::Duration;

use proxy::{Purpose, Session, SessionPlan};

use crate::world::*;

const INDEX: &str = "https://registry.npmjs.org/left-pad";
const AUDIT: &str = "https://registry.npmjs.org/-/npm/v1/security/advisories/bulk";

fn session_at(world: &World, at: model::Timestamp) -> Session {
    world.engine().session(SessionPlan { at: Some(at), ..SessionPlan::new(Purpose::Record) })
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_is_what_it_was_and_nobody_is_asked_for_it() {
    let world = World::new();
    let package = |versions: &[&str]| {
        versions.iter().fold(fakes::npm::package("left-pad", &[]), |package, version| {
            package.version(version, &serde_json::json!({}), &[])
        })
    };
    let before = world.clock.now();
    world.clock.advance(Duration::from_secs(60));
    world.upstream.serve_npm(NPM, &[package(&["1.0.0"])]);
    let old = get(&world.session(), INDEX).await.body.unwrap();
    let yesterday = world.clock.now();
    world.clock.advance(Duration::from_secs(86_400));
    world.upstream.serve_npm(NPM, &[package(&["1.0.0", "1.1.0"])]);
    let new = get(&world.session(), INDEX).await.body.unwrap();
    assert_ne!(old, new);
    world.upstream.clear_log();
    for _ in 0..2 {
        get(&session_at(&world, yesterday), INDEX).await.is(200, &old).state("stale");
    }
    get(&session_at(&world, world.clock.now()), INDEX).await.is(200, &new);
    get(&session_at(&world, before), INDEX).await.is_refused();
    let other = get(&session_at(&world, yesterday), "https://registry.npmjs.org/right-pad").await;
    assert_eq!(other.status, 503, "what was not held is not asked for");
    let told = String::from_utf8(other.body.unwrap().to_vec()).unwrap();
    assert!(told.contains("leave --at out") && !told.contains("exec --fresh"), "{told}");
    assert!(world.upstream.log().is_empty());
    // A file that is not here yet is fetched, and what vouches for it is the index of then.
    let file = package(&["1.0.0"]);
    get(&session_at(&world, yesterday), &tarball(&file, "1.0.0")).await.is(200, file.tarball("1.0.0"));
    assert_eq!(world.upstream.log().len(), 1, "the file alone");
    assert_eq!(world.held(&tarball(&file, "1.0.0")).unwrap().proof, model::Proof::Verified);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_has_the_answer_it_had() {
    let world = World::new();
    let answer = |text: &str| {
        world.upstream.put(NPM, "/-/npm/v1/security/advisories/bulk", fakes::Answer::json(text.to_owned()));
    };
    answer("{\"old\":[]}");
    ask(&world.session(), "POST", AUDIT, &[], b"{}").await.is(200, b"{\"old\":[]}");
    let yesterday = world.clock.now();
    world.clock.advance(Duration::from_secs(86_400));
    answer("{\"new\":[]}");
    ask(&world.session(), "POST", AUDIT, &[], b"{}").await.is(200, b"{\"new\":[]}");
    let then = session_at(&world, yesterday);
    ask(&then, "POST", AUDIT, &[], b"{}").await.is(200, b"{\"old\":[]}").state("stale");
    assert_eq!(ask(&then, "POST", AUDIT, &[], b"{\"a\":[]}").await.status, 503, "no all-clear is made up");
}
