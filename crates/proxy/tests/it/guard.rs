//! Where nobody is led: into this machine, or along a redirect.

use fakes::{Answer, Upstream};
use model::Event;
use proxy::Ending;

use crate::world::*;

/// Asks for a name that leads into this machine, and returns whether it was asked.
async fn is_asked(allow: &[&str]) -> bool {
    let upstream = Upstream::start_blocking();
    let client = client(&upstream, Vec::new(), allow);
    let world = World::with_client(upstream, client);
    world.upstream.put("localhost", "/page", text("inside"));
    let session = world.session();
    let url = format!("http://localhost:{}/page", world.upstream.plain_address().port());
    let got = get(&session, &url).await;
    let is_asked = !world.upstream.log().is_empty();
    assert_eq!(got.status, if is_asked { 200 } else { 503 });
    let findings = finish(&session).await;
    assert_eq!(findings.hosts["localhost"].detected_ms, None, "what was not asked is not down");
    assert_eq!(matches!(findings.exchanges[0].ending, Ending::Missing { .. }), !is_asked);
    assert_eq!(world.n_events(|event| matches!(event, Event::Stale { .. })), 0);
    is_asked
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_leads_into_this_machine_is_asked_only_where_that_is_allowed() {
    assert!(!is_asked(&[]).await);
    assert!(is_asked(&["127.0.0.0/8", "::1"]).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn redirects_are_handed_back_and_never_followed() {
    let world = World::new();
    for (status, target) in [(301, "http://127.0.0.1/"), (302, "http://169.254.169.254/"), (307, "/loop")] {
        world.upstream.handle(WEB, "/", move |_| Some(Answer::status(status).header("location", target)));
        world.upstream.clear_log();
        let got = get(&world.session(), "https://web.example/loop").await;
        assert_eq!((got.status, got.header("location")), (status, target));
        assert_eq!(world.upstream.log().len(), 1);
    }
}
