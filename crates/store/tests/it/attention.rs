//! What a person should see: what happened, and of what may be over only what holds.

use model::{Event, Sha256, Timestamp};
use store::Store;

use crate::world::*;

#[test]
fn events_come_in_order_and_those_for_a_person_newest_first() {
    let home = Home::new();
    let store = home.open();
    keep(&store, "a", b"1");
    store.record(vec![rejected("a", "first"), gone("a", 1), rejected("b", "second")]).unwrap();
    let all = store.events_since(0, 100).unwrap();
    assert_eq!(all.iter().map(|entry| entry.seq).collect::<Vec<_>>(), [1, 2, 3, 4]);
    assert_eq!(store.events_since(2, 1).unwrap(), &all[2..3]);
    let check = |limit: usize, expected: &[u64], n_more: u64| {
        let attention = store.attention(limit).unwrap();
        let found: Vec<u64> = attention.entries.iter().map(|entry| entry.seq).collect();
        assert_eq!((found.as_slice(), attention.n_more), (expected, n_more), "{limit}");
    };
    check(2, &[4, 3, 2], 0);
    check(1, &[4, 3], 1);
    check(0, &[3], 2);
}

#[test]
fn what_is_damaged_or_gone_needs_attention_as_long_as_it_is() {
    let home = Home::new();
    let store = home.open();
    let events = |store: &Store| {
        let entries = store.attention(9).unwrap().entries.into_iter();
        entries.map(|entry| entry.event).collect::<Vec<_>>()
    };
    keep(&store, "a", b"1");
    store.flush().unwrap();
    let damaged = |path: &str| Event::Damaged {
        key: key(path),
        sha256: Sha256::of(b"1"),
        reason: "blob is damaged".to_owned(),
    };
    store.record(vec![damaged("a")]).unwrap();
    assert_eq!(events(&store), [], "it is whole");
    let blob = home.blob_path(&Sha256::of(b"1"));
    std::fs::remove_file(&blob).unwrap();
    std::fs::write(&blob, b"2").unwrap();
    store.record(vec![damaged("a"), damaged("b")]).unwrap();
    assert_eq!(events(&store), [damaged("b")], "one blob, told of once");
    assert_eq!(store.generations(&key("a")).unwrap().len(), 1, "what is held stays held");
    drop(store);
    home.forget_index();
    let store = home.open();
    assert_eq!(events(&store), [damaged("b")], "in a new index, too");
    keep(&store, "c", b"1");
    store.flush().unwrap();
    assert_eq!(events(&store), [], "its bytes came again");

    std::fs::remove_file(&blob).unwrap();
    store.record(vec![damaged("a")]).unwrap();
    assert_eq!(events(&store).len(), 1);
    keep(&store, "a", b"4");
    store.flush().unwrap();
    assert_eq!(events(&store), [damaged("b")], "of `a` other bytes are given now, of `b` these would be");
    keep(&store, "b", b"4");
    assert_eq!(events(&store), []);
    assert!(!store.verify(&mut |_| {}).unwrap().is_good(), "an older copy is damaged all the same");

    store.record(vec![gone("a", 1), gone("a", 2), gone("never held", 3)]).unwrap();
    assert_eq!(events(&store), [gone("never held", 3), gone("a", 2)]);
    keep(&store, "a", b"3");
    assert_eq!(events(&store), [gone("never held", 3)]);
}

#[test]
fn an_outage_lasts_from_its_first_entry_until_the_upstream_is_up() {
    let home = Home::new();
    let store = home.open();
    let at: Timestamp = "2026-05-21T10:00:05Z".parse().unwrap();
    let down = |host: &str, what: &str, reason: &str| Event::Down {
        host: host.to_owned(),
        what: what.to_owned(),
        since: at,
        until: at,
        reason: reason.to_owned(),
        is_absent: false,
    };
    let up = |host: &str, what: &str| Event::Up { host: host.to_owned(), what: what.to_owned(), at };
    let stale = |host: &str, what: &str, reason: &str| Event::Stale {
        host: host.to_owned(),
        what: what.to_owned(),
        since: at,
        reason: reason.to_owned(),
    };
    let reasons = |store: &Store| {
        let outages = store.outages().unwrap().into_iter();
        let reason = |entry: store::Entry| match entry.event {
            Event::Down { reason, .. } | Event::Stale { reason, .. } => reason,
            _ => panic!("{entry:?}"),
        };
        outages.map(reason).collect::<Vec<_>>()
    };
    assert!(reasons(&store).is_empty());
    store.record(vec![down("a", "files", "1"), down("a", "indexes", "2"), down("b", "files", "3")]).unwrap();
    store.record(vec![down("a", "files", "more"), down("a", "files", "again"), up("b", "files")]).unwrap();
    assert_eq!(reasons(&store), ["1", "2", "again"]);
    store.record(["4", "5", "6"].map(|reason| stale("a", "files", reason)).into()).unwrap();
    assert_eq!(reasons(&store), ["1", "2", "again", "6"]);
    store.record(vec![up("a", "indexes"), up("a", "files")]).unwrap();
    assert!(reasons(&store).is_empty());
    store.record(["7", "8", "9"].map(|reason| stale("a", "files", reason)).into()).unwrap();
    assert_eq!(reasons(&store), ["7", "9"], "another one");
    store.record(vec![stale("a", "", "of before there was a word for what is meant")]).unwrap();
    assert_eq!(reasons(&store).len(), 3);
}
