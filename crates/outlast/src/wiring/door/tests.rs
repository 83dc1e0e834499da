//! Which names exist in a room.

use host::http::{Client, Proxies, Roots, Settings};
use model::{Held, ObjectKey, ObjectUrl, Proof, Sha256};

use super::*;

/// A name that this machine's resolver knows without asking anybody.
const REAL: &str = "localhost";
const KEPT: &str = "kept.example";

struct World {
    home: tempfile::TempDir,
    store: Store,
}

fn world() -> World {
    let home = tempfile::tempdir().unwrap();
    let clock = host::Clock::manual("2026-11-24T12:00:00Z".parse().unwrap());
    let store = Store::open(home.path(), clock).unwrap();
    let held = Held {
        status: 200,
        headers: Vec::new(),
        sha256: Sha256::of(b""),
        size_bytes: 0,
        ecosystem: "generic".to_owned(),
        proof: Proof::FirstSeen,
        immutable: false,
        confirmed_at: "2026-11-24T12:00:00Z".parse().unwrap(),
        gone_since: None,
    };
    let key = ObjectKey::get(ObjectUrl::parse(&format!("https://{KEPT}/a")).unwrap());
    store.put(b"").unwrap();
    store.record(vec![model::Event::Kept { key, held }]).unwrap();
    store.flush().unwrap();
    World { home, store }
}

/// Resolves a name, and returns whether it was noted as unanswered, too.
async fn resolve(world: &World, purpose: Purpose, cut: &str, name: &str) -> (Resolution, bool) {
    let clock = host::Clock::manual("2026-11-24T12:00:00Z".parse().unwrap());
    let roots = Roots::empty();
    let engine = proxy::Engine {
        store: world.store.clone(),
        client: Client::new(Settings {
            roots,
            upstreams: Vec::new(),
            allow: Vec::new(),
            public_hosts: Vec::new(),
            server: None,
            proxies: Proxies::default(),
        }),
        credential_key: proxy::CredentialKey::new(&[7; 32]),
        clock: clock.clone(),
        index_fresh_for: std::time::Duration::ZERO,
        healer: None,
        private: proxy::Private::default(),
        blocks: Vec::new(),
        mirrors: [].into(),
    };
    let cuts: Vec<Cut> = cut.parse().into_iter().collect();
    let plan = proxy::SessionPlan { cuts: cuts.clone(), ..proxy::SessionPlan::new(purpose) };
    let door = Door {
        session: engine.session(plan),
        authority: Arc::new(Authority::new(clock.now(), "test", None).unwrap()),
        store: world.store.clone(),
        purpose,
        has_server: false,
        placed: BTreeSet::from(["placed.example".to_owned()]),
        proxies: Proxies::default(),
        passthrough: Vec::new(),
        cuts,
        heard: Arc::default(),
    };
    let resolution = door.exists(name).await;
    (resolution, door.heard.unanswered() == [name])
}

#[tokio::test]
async fn a_cut_takes_names_away_only_of_hosts_that_were_cut_and_are_not_kept() {
    let world = world();
    let check = async |purpose, cut: &str, name: &str, resolution, is_unanswered| {
        let found = resolve(&world, purpose, cut, name).await;
        assert_eq!(found, (resolution, is_unanswered), "{purpose:?} {cut} {name}");
    };
    check(Purpose::Drill, "all", REAL, Resolution::Nxdomain, true).await;
    check(Purpose::Drill, REAL, REAL, Resolution::Nxdomain, true).await;
    check(Purpose::Drill, "other.example", REAL, Resolution::Answer, false).await;
    check(Purpose::Record, "all", REAL, Resolution::Answer, false).await;
    for name in [KEPT, "placed.example"] {
        check(Purpose::Drill, "all", name, Resolution::Answer, false).await;
    }
}

#[tokio::test]
async fn what_the_store_cannot_say_is_no_absence() {
    let world = world();
    // What lies in its place can neither be opened nor be made anew.
    let index = world.home.path().join("index.db");
    std::fs::remove_file(&index).unwrap();
    std::fs::create_dir(&index).unwrap();
    assert!(world.store.knows_host(REAL).is_err(), "the control: it cannot say");
    assert_eq!(resolve(&world, Purpose::Drill, "all", REAL).await, (Resolution::Unknown, true));
    assert_eq!(resolve(&world, Purpose::Drill, "other.example", REAL).await, (Resolution::Answer, false));
}
