//! POSTs that only ask: remembered for the same body, and never an all-clear that nobody gave.

use std::time::Duration;

use fakes::{Answer, Fault};
use model::{Event, Source};
use proxy::Ending;

use crate::world::*;

const AUDIT: &str = "https://registry.npmjs.org/-/npm/v1/security/advisories/bulk";
const PATH: &str = "/-/npm/v1/security/advisories/bulk";
const ADVISORY: &[u8] = b"{\"left-pad\":[{\"id\":1}]}";

async fn audit(session: &proxy::Session, body: &[u8]) -> Got {
    ask(session, "POST", AUDIT, &[("content-type", "application/json")], body).await
}

/// A world that remembers one answer.
async fn with_answer() -> World {
    let world = World::new();
    world.upstream.put(NPM, PATH, Answer::json(ADVISORY));
    audit(&world.session(), b"{\"a\":1}").await.is(200, ADVISORY);
    world
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_question_has_the_same_answer_and_another_has_none() {
    let world = with_answer().await;
    for fault in ["refuse", "reset", "hang", "502", "nxdomain", "wrong"] {
        let drill = world.drill(&format!("all={fault}"));
        audit(&drill, b"{\"a\":1}").await.is(200, ADVISORY).state("stale");
        let Ending::Object { source, .. } = ending(&drill).await else { panic!("{fault}") };
        assert_eq!(source, Source::Copy);
        let drill = world.drill(&format!("all={fault}"));
        let other = audit(&drill, b"{\"b\":1}").await;
        assert_eq!(other.status, 503, "{fault}: never a false all-clear");
        assert!(matches!(ending(&drill).await, Ending::Missing { .. }), "{fault}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_live_answer_is_the_newest() {
    let world = with_answer().await;
    world.upstream.put(NPM, PATH, Answer::json("{}"));
    audit(&world.session(), b"{\"a\":1}").await.is(200, b"{}").state("");
    audit(&world.drill("all"), b"{\"a\":1}").await.is(200, b"{}");
    let seen = world.upstream.log().pop().unwrap();
    assert_eq!(&seen.body[..], b"{\"a\":1}", "the question reaches the upstream as it is");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_answer_is_neither_given_nor_remembered() {
    for fault in [
        Fault::Html200,
        Fault::TruncatedJson,
        Fault::Older(Answer::json("")),
        // What npm would count as no vulnerabilities.
        Fault::Older(Answer::json("[]")),
        Fault::Older(Answer::json("null")),
        Fault::Older(Answer::json("{\"error\":\"not now\"}")),
        Fault::Status(500),
        Fault::RetryAfter429(9),
        Fault::Reset,
        Fault::Short,
    ] {
        let world = with_answer().await;
        let what = format!("{fault:?}");
        world.upstream.on(NPM, PATH, fault);
        audit(&world.session(), b"{\"a\":1}").await.is(200, ADVISORY).state("stale");
        let other = audit(&world.session(), b"{\"b\":1}").await;
        assert_ne!(other.status, 200, "{what}");
        world.upstream.clear_faults();
        audit(&world.drill("all"), b"{\"a\":1}").await.is(200, ADVISORY);
        assert_eq!(audit(&world.drill("all"), b"{\"b\":1}").await.status, 503, "{what}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn that_there_is_nobody_to_ask_is_remembered_and_replaces_no_answer() {
    let world = World::new();
    world.upstream.put(NPM, PATH, Answer::status(405));
    audit(&world.session(), b"{}").await.is(405, Answer::status(405).body());
    audit(&world.drill("all"), b"{}").await.is(405, Answer::status(405).body());
    let world = with_answer().await;
    world.upstream.put(NPM, PATH, Answer::status(405));
    audit(&world.session(), b"{\"a\":1}").await.is(200, ADVISORY).state("stale");
    audit(&world.drill("all"), b"{\"a\":1}").await.is(200, ADVISORY);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_answer_is_one_generation() {
    let world = with_answer().await;
    audit(&world.session(), b"{\"a\":1}").await.is(200, ADVISORY).state("");
    let n_kept = world.n_events(|event| matches!(event, Event::Kept { .. }));
    let n_confirmed = world.n_events(|event| matches!(event, Event::Confirmed { .. }));
    assert_eq!((n_kept, n_confirmed), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_beyond_all_bounds_is_refused() {
    let world = with_answer().await;
    world.upstream.clear_log();
    let session = world.session();
    assert_eq!(audit(&session, &vec![b' '; 17 << 20]).await.status, 413);
    assert!(matches!(ending(&session).await, Ending::Refused { .. }));
    assert!(world.upstream.log().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notice_takes_no_turn_of_a_question() {
    let world = with_answer().await;
    world.upstream.put(NPM, "/downloads/", Answer::json("{}"));
    let session = world.session();
    world.upstream.on(NPM, PATH, Fault::Hang);
    audit(&session, b"{\"a\":1}").await.is(200, ADVISORY).state("stale");
    world.clock.advance(Duration::from_secs(31));
    world.upstream.clear_faults();
    // Nobody waits for it for long, and that says nothing about the upstream.
    world.upstream.on(NPM, "/downloads/", Fault::Hang);
    let notice = format!("https://{NPM}/downloads/");
    ask(&session, "POST", &notice, &[("user-agent", "Composer/2.8.1")], b"{}").await.is(200, b"{}");
    audit(&session, b"{\"a\":1}").await.is(200, ADVISORY).state("");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hanging_upstream_is_waited_for_once() {
    let world = with_answer().await;
    world.upstream.on(NPM, PATH, Fault::Hang);
    let session = world.session();
    let (got, time) = timed(audit(&session, b"{\"a\":1}")).await;
    got.is(200, ADVISORY).state("stale");
    assert!(time < Duration::from_secs(7), "{time:?}");
    let (got, time) = timed(audit(&session, b"{\"a\":1}")).await;
    got.is(200, ADVISORY).state("stale");
    assert!(time < Duration::from_millis(500), "{time:?}");
}
