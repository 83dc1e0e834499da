//! A journal of an earlier Outlast: it is read, answers as it did, and would be written alike today.
//!
//! `testdata/journal.jsonl` was written on 2026-11-30 by Outlast at 3a73970, with one or two entries of each kind there was.

use model::{Event, Sha256};

use crate::world::*;

const JOURNAL: &str = include_str!("../../testdata/journal.jsonl");

/// Makes a home with nothing but a journal.
fn with_journal(text: &str) -> Home {
    let home = Home::new();
    std::fs::create_dir(home.path().join("journal")).unwrap();
    std::fs::write(home.current(), text).unwrap();
    home
}

#[test]
fn an_old_journal_answers_as_it_did() {
    let home = with_journal(JOURNAL);
    let store = home.open();
    let entries = store.events_since(0, 100).unwrap();
    assert_eq!(entries.len(), 24);
    for entry in &entries {
        assert_eq!(entry.event.subject(), entry.subject);
    }
    let attention = store.attention(100).unwrap();
    let seqs: Vec<u64> = attention.entries.iter().map(|entry| entry.seq).collect();
    assert_eq!((seqs, attention.n_more), (vec![12, 11, 10, 9, 8, 7, 6, 5, 4], 0));
    let outages: Vec<u64> = store.outages().unwrap().iter().map(|entry| entry.seq).collect();
    assert_eq!(outages, [17, 18]);
    let mut needed: Vec<Sha256> = [&b"1"[..], b"22", b"wrong", b"{}"].map(Sha256::of).into();
    needed.sort_unstable();
    assert_eq!(store.needed().unwrap(), needed);
    let check = |bytes: &[u8], expected: &[&str]| {
        assert_eq!(store.belongs_to(&Sha256::of(bytes)).unwrap(), expected);
    };
    check(b"1", &["GET https://example.com/a"]);
    check(b"wrong", &["GET https://example.com/a"]);
    check(b"{}", &["run 20260521T100006Z-00000001", "run 20260521T100007Z-00000002"]);
    assert!(store.lookup(&key("a")).unwrap().unwrap().gone_since.is_some());
    store.append(None, vec![rejected("c", "since")]).unwrap();
    assert!(std::fs::read_to_string(home.current()).unwrap().starts_with(JOURNAL));
}

#[test]
fn what_was_written_then_is_written_alike_now() {
    let old = with_journal(JOURNAL);
    let (header, _) = JOURNAL.split_once('\n').unwrap();
    let home = with_journal(&format!("{header}\n"));
    let store = home.open();
    for bytes in [&b"1"[..], b"22", b"wrong", b"{}"] {
        store.put(bytes).unwrap();
    }
    let events: Vec<Event> =
        old.open().events_since(0, 100).unwrap().into_iter().map(|entry| entry.event).collect();
    store.append(None, events).unwrap();
    assert_eq!(std::fs::read_to_string(home.current()).unwrap(), JOURNAL);
}
