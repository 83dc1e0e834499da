//! What is known about an upstream outlives the run that found it out.

use std::time::Duration;

use fakes::Fault;
use host::failpoint;
use model::Event;

use crate::world::*;

const INDEX: &str = "https://registry.npmjs.org/left-pad";

async fn with_index() -> World {
    let world = World::new();
    world.upstream.serve_npm(NPM, &[fakes::npm::package("left-pad", &[("1.0.0", &[])])]);
    get(&world.session(), INDEX).await;
    world.pass_time();
    world.upstream.clear_log();
    world
}

fn n_down(world: &World) -> usize {
    world
        .n_events(|event| matches!(event, Event::Down { host, what, .. } if host == NPM && what == "indexes"))
}

fn n_up(world: &World) -> usize {
    world.n_events(|event| matches!(event, Event::Up { host, what, .. } if host == NPM && what == "indexes"))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_run_does_not_wait_again() {
    let world = with_index().await;
    world.upstream.on(NPM, "*", Fault::Hang);
    let (got, time) = timed(get(&world.session(), INDEX)).await;
    got.state("stale");
    assert!(time < Duration::from_secs(2), "{time:?}");
    assert_eq!((n_down(&world), n_up(&world)), (1, 0));
    let (got, time) = timed(get(&world.session(), INDEX)).await;
    got.state("stale");
    assert!(time < Duration::from_millis(500), "{time:?} in another run");
    assert_eq!(world.upstream.n_asked(NPM, "/left-pad"), 1);
    // Half a minute later one may try, and it answers again.
    world.upstream.clear_faults();
    world.clock.advance(Duration::from_secs(31));
    let session = world.session();
    let (got, time) = timed(get(&session, INDEX)).await;
    got.state("stale");
    assert!(time < Duration::from_millis(500), "{time:?}: nobody waits for the probe");
    fresh(&session, INDEX).await;
    assert_eq!((n_down(&world), n_up(&world)), (1, 1));
    assert!(world.store.outages().unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn each_copy_says_for_what_reason_of_its_own_it_is_served() {
    let world = World::new();
    let names = ["left-pad", "right-pad", "pad"];
    let packages = names.map(|name| fakes::npm::package(name, &[("1.0.0", &[])]));
    world.upstream.serve_npm(NPM, &packages);
    let url = |name: &str| format!("https://registry.npmjs.org/{name}");
    for name in names {
        get(&world.session(), &url(name)).await;
    }
    world.pass_time();
    world.upstream.on(NPM, "/left-pad", Fault::Status(502));
    world.upstream.on(NPM, "/right-pad", Fault::Hang);
    let session = world.session();
    let why = async |name: &str| get(&session, &url(name)).await.header("outlast-state").to_owned();
    let asked = why("left-pad").await;
    assert!(asked.contains("status 502"), "{asked}");
    let hung = why("right-pad").await;
    assert!(hung.contains("no usable answer within a second"), "{hung}");
    // Nobody was asked for this one: what it says is why nobody is.
    let not_asked = why("pad").await;
    assert!(not_asked.contains("no usable answer within a second"), "{not_asked}");
    assert_eq!(world.upstream.n_asked(NPM, "/pad"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_held_is_waited_for_less_once_its_host_is_known_to_hang() {
    let world = World::new();
    world.upstream.on(NPM, "*", Fault::Hang);
    let session = world.session();
    let url = |n: usize| format!("https://registry.npmjs.org/pad-{n}");
    let first = tokio::spawn({
        let session = session.clone();
        async move { get(&session, &url(0)).await.status }
    });
    tokio::time::sleep(Duration::from_secs(16)).await;
    let (got, time) = timed(get(&session, &url(1))).await;
    assert_eq!(got.status, 503);
    assert!((Duration::from_secs(4)..Duration::from_secs(9)).contains(&time), "{time:?}");
    assert!(!first.is_finished(), "the control: whoever came first still waits");
    assert_eq!(n_down(&world), 1);
    // And what is slow, and not dead, still comes.
    world.upstream.clear_faults();
    world.upstream.serve_npm(NPM, &[fakes::npm::package("pad-2", &[("1.0.0", &[])])]);
    world.upstream.on(NPM, "*", Fault::SlowFirstByte(Duration::from_secs(2)));
    assert_eq!(get(&session, &url(2)).await.status, 200);
    first.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_drill_plays_is_no_finding() {
    let world = with_index().await;
    let session = world.drill("all=hang");
    get(&session, INDEX).await.state("stale");
    assert_eq!(n_down(&world), 0);
    get(&world.session(), INDEX).await.state("");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_probe_in_each_half_minute_however_many_ask() {
    let world = with_index().await;
    world.upstream.on(NPM, "*", Fault::Hang);
    let session = world.session();
    get(&session, INDEX).await.state("stale");
    for n_probes in 1..=3 {
        world.clock.advance(Duration::from_secs(31));
        let clients: Vec<_> = (0..20)
            .map(|_| {
                let session = session.clone();
                tokio::spawn(async move { timed(get(&session, INDEX)).await })
            })
            .collect();
        for client in clients {
            let (got, time) = client.await.unwrap();
            got.state("stale");
            assert!(time < Duration::from_millis(500), "{time:?}");
        }
        // The probe is asked beside them, and hangs.
        tokio::time::sleep(Duration::from_millis(1100)).await;
        assert_eq!(world.upstream.n_asked(NPM, "/left-pad"), 1 + n_probes, "one each half minute");
    }
    assert_eq!(n_down(&world), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_to_be_left_alone_is_even_where_nothing_is_held() {
    let world = World::new();
    world.upstream.serve_npm(NPM, &[fakes::npm::package("left-pad", &[("1.0.0", &[])])]);
    world.upstream.on(NPM, "/left-pad", Fault::RetryAfter429(40));
    let session = world.session();
    let first = get(&session, INDEX).await;
    assert_eq!((first.status, first.header("retry-after")), (429, "40"), "as it came");
    world.clock.advance(Duration::from_secs(10));
    let second = get(&session, INDEX).await;
    assert_eq!((second.status, second.header("retry-after")), (503, "31"));
    assert_eq!(world.upstream.n_asked(NPM, "/left-pad"), 1, "it was not asked again");
    world.clock.advance(Duration::from_secs(31));
    world.upstream.clear_faults();
    assert_eq!(get(&session, INDEX).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_absence_is_not_asked_for_twice_in_a_moment() {
    let world = World::new();
    let session = world.session();
    for n_asked in [1, 1] {
        assert_eq!(get(&session, INDEX).await.status, 404);
        assert_eq!(world.upstream.n_asked(NPM, "/left-pad"), n_asked);
    }
    world.upstream.serve_npm(NPM, &[fakes::npm::package("left-pad", &[("1.0.0", &[])])]);
    world.clock.advance(Duration::from_secs(31));
    assert_eq!(get(&session, INDEX).await.status, 200);
}

#[test]
fn a_leader_that_dies_is_followed_by_another() {
    alone("health::a_leader_that_dies_is_followed_by_another", || async {
        let world = World::new();
        world.upstream.serve_npm(NPM, &[fakes::npm::package("left-pad", &[("1.0.0", &[])])]);
        failpoint::arm("proxy.asking=panic").unwrap();
        let session = world.session();
        let clients: Vec<_> = (0..20)
            .map(|_| {
                let session = session.clone();
                tokio::spawn(async move { get(&session, INDEX).await })
            })
            .collect();
        for client in clients {
            assert_eq!(client.await.unwrap().status, 200);
        }
        assert!(world.upstream.n_asked(NPM, "/left-pad") <= 2);
        // One that dies every time is not tried for ever.
        failpoint::arm("proxy.asking=panic+").unwrap();
        world.pass_time();
        let other = "https://registry.npmjs.org/right-pad";
        get(&session, other).await.is_refused();
        get(&session, INDEX).await.state("stale");
        failpoint::arm("").unwrap();
    });
}

/// Returns since when each `Stale` of the journal says that copies are served, oldest first.
fn stale_since(world: &World) -> Vec<model::Timestamp> {
    let since = |event: &Event| if let Event::Stale { since, .. } = event { Some(*since) } else { None };
    world.events().iter().filter_map(since).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_began_when_an_earlier_run_met_it() {
    let world = with_index().await;
    world.upstream.on(NPM, "*", Fault::Hang);
    let began = world.clock.now();
    get(&world.session(), INDEX).await.state("stale");
    // While nobody waits for it, when it may be probed, and when that it hung is forgotten.
    for seconds in [10, 25, 3600] {
        world.clock.advance(Duration::from_secs(seconds));
        let got = get(&world.session(), INDEX).await;
        let state = got.header("outlast-state");
        assert!(state.contains(&format!("since={}", stale_since(&world)[0])), "{seconds}: {state}");
    }
    let since = stale_since(&world);
    assert_eq!(since.len(), 4, "each run tells it");
    assert!(since.iter().all(|at| *at == since[0] && *at >= began), "{since:?}");
    world.upstream.clear_faults();
    world.clock.advance(Duration::from_secs(3600));
    get(&world.session(), INDEX).await.state("");
    assert_eq!(n_up(&world), 1, "though nobody remembered that it was down");
    assert!(world.store.outages().unwrap().is_empty());
    world.upstream.on(NPM, "*", Fault::Hang);
    world.pass_time();
    get(&world.session(), INDEX).await.state("stale");
    assert!(stale_since(&world)[4] > since[0], "another one");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_others_give_does_not_end_an_outage_of_what_was_not_given() {
    let world = with_index().await;
    let other = "https://registry.npmjs.org/right-pad";
    let packages = ["left-pad", "right-pad"].map(|name| fakes::npm::package(name, &[("1.0.0", &[])]));
    world.upstream.serve_npm(NPM, &packages);
    let n_outages = || {
        let outages = world.store.outages().unwrap();
        outages.into_iter().map(|entry| entry.subject).collect::<std::collections::BTreeSet<_>>().len()
    };
    world.upstream.on(NPM, "/left-pad", Fault::Status(500));
    let session = world.session();
    get(&session, INDEX).await.state("stale");
    get(&session, other).await.state("");
    assert_eq!(n_outages(), 1, "one of two");
    world.upstream.clear_faults();
    fresh(&session, INDEX).await;
    assert_eq!(n_outages(), 0);
    // A page about trouble is no recovery either.
    world.upstream.on(NPM, "/left-pad", Fault::Html200);
    for _ in 0..2 {
        world.pass_time();
        get(&world.session(), INDEX).await.state("stale");
        assert_eq!(n_outages(), 1);
        assert_eq!(stale_since(&world).last(), stale_since(&world).get(1));
    }
}
