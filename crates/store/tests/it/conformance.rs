//! One test per sentence of the store's contract.

use std::collections::BTreeSet;
use std::io::{Read, Write};

use model::{Event, Held, Method, ObjectKey, Proof, Sha256, Timestamp};
use store::{AppendError, BlobError, BlobFault, Expect, Store, WriteError};

use crate::world::*;

#[test]
fn what_goes_in_comes_out() {
    let home = Home::new();
    let store = home.open();
    for bytes in [&b""[..], b"a", &[7; 300_000]] {
        let blob = store.put(bytes).unwrap();
        assert_eq!((blob.sha256, blob.size_bytes), (Sha256::of(bytes), bytes.len() as u64));
        assert_eq!(store.read_blob(&blob.sha256, 1 << 20).unwrap(), bytes, "before it is durable");
    }
    store.flush().unwrap();
    for bytes in [&b""[..], b"a", &[7; 300_000]] {
        let mut read = Vec::new();
        store.open_blob(&Sha256::of(bytes)).unwrap().read_to_end(&mut read).unwrap();
        assert_eq!(read, bytes, "after");
        assert_eq!(std::fs::read(home.blob_path(&Sha256::of(bytes))).unwrap(), bytes);
    }
}

#[test]
fn what_is_not_held_is_missing() {
    let home = Home::new();
    let store = home.open();
    let sha256 = Sha256::of(b"never");
    assert!(!store.has_blob(&sha256));
    assert!(matches!(store.open_blob(&sha256), Err(BlobError::Missing)));
    assert_eq!(store.lookup(&key("never")).unwrap(), None);
    assert_eq!(store.generations(&key("never")).unwrap(), []);
    assert!(!store.knows_host("example.com").unwrap());
    assert_eq!(store.head("runs").unwrap(), None);
    assert_eq!(store.run(&run_id(1)).unwrap(), None);
}

#[test]
fn a_blob_longer_than_the_caller_can_take_is_not_read() {
    let home = Home::new();
    let store = home.open();
    let blob = store.put(b"four").unwrap();
    assert!(matches!(store.read_blob(&blob.sha256, 3), Err(BlobError::TooLarge { size_bytes: 4 })));
    assert_eq!(store.read_blob(&blob.sha256, 4).unwrap(), b"four");
}

#[test]
fn a_writer_shows_bytes_as_they_come_and_leaves_nothing_when_dropped() {
    let home = Home::new();
    let store = home.open();
    let mut writer = store.writer().unwrap();
    let mut reader = writer.reader().unwrap();
    let mut seen = Vec::new();
    writer.write_all(b"one").unwrap();
    reader.read_to_end(&mut seen).unwrap();
    writer.write_all(b" two").unwrap();
    reader.read_to_end(&mut seen).unwrap();
    assert_eq!((seen.as_slice(), writer.size_bytes()), (&b"one two"[..], 7));
    drop(writer);
    store.flush().unwrap();
    assert!(!store.has_blob(&Sha256::of(b"one two")));
    assert_eq!(store.stat().unwrap().n_blobs, 0);
}

#[test]
fn every_lookup_sees_what_was_recorded_before_and_after_it_is_durable() {
    let home = Home::new();
    let store = home.open();
    keep(&store, "a", b"1");
    keep(&store, "a", b"2");
    store.record(vec![confirmed("a", b"1", 5), gone("a", 7), gone("a", 9)]).unwrap();
    let check = |store: &store::Store| {
        let newest = store.lookup(&key("a")).unwrap().unwrap();
        assert_eq!((newest.sha256, newest.gone_since), (Sha256::of(b"2"), Some(time(7))));
        let generations = store.generations(&key("a")).unwrap();
        assert_eq!(generations.len(), 2);
        assert_eq!(generations[0].confirmed_at, time(5));
        assert_eq!(generations[1], newest);
        assert!(store.knows_host("example.com").unwrap());
        assert!(!store.knows_host("example.org").unwrap());
        let below = |folder: &str, variant: &str| {
            let found = store.below(folder, variant).unwrap();
            found.into_iter().map(|(url, sha256)| (url.path().to_owned(), sha256)).collect::<BTreeSet<_>>()
        };
        let both = [b"1", b"2"].map(|bytes| ("/a".to_owned(), Sha256::of(bytes)));
        assert_eq!(below("https://example.com/", ""), BTreeSet::from(both));
        assert!(
            below("https://example.com/", "other").is_empty()
                && below("https://example.com/a/", "").is_empty()
        );
        assert_eq!(store.head("GET https://example.com/a").unwrap(), Some(5));
        assert_eq!(store.belongs_to(&Sha256::of(b"1")).unwrap(), ["GET https://example.com/a"]);
    };
    check(&store);
    store.flush().unwrap();
    check(&store);
    drop(store);
    check(&home.open());
}

#[test]
fn bytes_given_once_more_are_no_longer_gone() {
    let home = Home::new();
    let store = home.open();
    keep(&store, "a", b"1");
    store.record(vec![gone("a", 7), confirmed("a", b"1", 9)]).unwrap();
    for _ in 0..2 {
        let held = store.lookup(&key("a")).unwrap().unwrap();
        assert_eq!((held.gone_since, held.confirmed_at), (None, time(9)));
        store.flush().unwrap();
    }
}

#[test]
fn variants_of_one_address_are_told_apart() {
    let home = Home::new();
    let store = home.open();
    let variant = |name: &str| ObjectKey { variant: name.to_owned(), ..key("a") };
    store.put(b"1").unwrap();
    for name in ["", "abbreviated"] {
        let event = model::Event::Kept { key: variant(name), held: held(b"1") };
        store.record(vec![event]).unwrap();
    }
    keep(&store, "b", b"1");
    for _ in 0..2 {
        let found = store.variants(Method::Get, &url("a")).unwrap();
        assert_eq!(
            found.iter().map(|(key, _)| key.variant.as_str()).collect::<Vec<_>>(),
            ["", "abbreviated"]
        );
        assert_eq!(store.variants(Method::Post, &url("a")).unwrap(), []);
        store.flush().unwrap();
    }
}

#[test]
fn runs_and_drills_are_found() {
    let home = Home::new();
    let store = home.open();
    let record = b"{}";
    store.put(record).unwrap();
    store.record(vec![ran(1, record, false), ran(2, record, false), ran(3, record, true)]).unwrap();
    store.record(vec![drilled(1), drilled(2)]).unwrap();
    let command = ["make".to_owned(), "all".to_owned()];
    assert_eq!(store.newest_recording(&command, "/project").unwrap().unwrap().event, ran(2, record, false));
    assert_eq!(store.newest_recording(&command, "/other").unwrap(), None);
    assert_eq!(store.newest_recording(&command[..1], "/project").unwrap(), None);
    // The number of a run here is its exit code, too.
    assert_eq!(store.newest_success(&command, "/project").unwrap(), None);
    store.record(vec![ran(0, record, true)]).unwrap();
    assert_eq!(store.newest_success(&command, "/project").unwrap(), None, "a drill's");
    store.record(vec![ran(0, record, false), ran(9, record, false)]).unwrap();
    assert_eq!(store.newest_success(&command, "/project").unwrap().unwrap().event, ran(0, record, false));
    assert_eq!(store.newest_success(&command, "/other").unwrap(), None);
    assert_eq!(store.newest_recording(&command, "/project").unwrap().unwrap().event, ran(9, record, false));
    assert_eq!(store.runs(2).unwrap().iter().map(|entry| entry.subject_seq).collect::<Vec<_>>(), [6, 5]);
    assert_eq!(store.run(&run_id(1)).unwrap().unwrap().event, ran(1, record, false));
    assert_eq!(store.drills().unwrap().iter().map(|entry| entry.seq).collect::<Vec<_>>(), [4, 5]);
    assert_eq!(store.belongs_to(&Sha256::of(record)).unwrap().len(), 5);
    let stat = store.stat().unwrap();
    assert_eq!((stat.n_runs, stat.n_drills, stat.n_entries), (4, 2, 8));
}

#[test]
fn what_was_held_at_a_moment_is_found() {
    let home = Home::new();
    let clock = host::Clock::manual("2026-05-21T10:00:00Z".parse().unwrap());
    let store = Store::open(home.path(), clock.clone()).unwrap();
    let at = |text: &str| text.parse::<Timestamp>().unwrap();
    let hour = std::time::Duration::from_secs(3600);
    keep(&store, "a", b"first");
    clock.advance(hour);
    keep(&store, "a", b"second");
    clock.advance(hour);
    store.record(vec![gone("a", 1)]).unwrap();
    let found = |store: &Store, text: &str| store.lookup_at(&key("a"), at(text)).unwrap();
    let check = |store: &Store| {
        assert_eq!(found(store, "2026-05-21T09:59:59.999Z"), None);
        for (text, bytes) in [
            ("2026-05-21T10:00:00Z", b"first".as_slice()),
            ("2026-05-21T10:59:59.5Z", b"first"),
            ("2026-05-21T11:00:00Z", b"second"),
            ("2027-01-01T00:00:00Z", b"second"),
        ] {
            let held = found(store, text).unwrap();
            assert_eq!(held.sha256, Sha256::of(bytes), "{text}");
            assert!(held.confirmed_at <= at(text), "{text}");
        }
    };
    check(&store);
    store.flush().unwrap();
    drop(store);
    Store::rebuild_index(home.path(), clock.clone()).unwrap();
    let store = Store::open(home.path(), clock).unwrap();
    check(&store);
    assert_eq!(store.lookup_at(&key("b"), at("2027-01-01T00:00:00Z")).unwrap(), None);
}

#[test]
fn the_first_bytes_of_what_cannot_change_stay() {
    let check = |flushes: &[usize]| {
        let home = Home::new();
        let mut store = home.open();
        let steps = [
            (Proof::FirstSeen, true, "one", "one"),
            (Proof::FirstSeen, true, "two", "one"),
            (Proof::FirstSeen, true, "one", "one"),
            (Proof::Verified, true, "three", "three"),
            (Proof::FirstSeen, true, "four", "three"),
        ];
        for (number, (proof, immutable, bytes, expected)) in steps.into_iter().enumerate() {
            store.put(bytes.as_bytes()).unwrap();
            let held = Held { proof, immutable, ..held(bytes.as_bytes()) };
            store.record(vec![Event::Kept { key: key("a"), held }]).unwrap();
            if flushes.contains(&number) {
                store.flush().unwrap();
            }
            let newest = store.lookup(&key("a")).unwrap().unwrap();
            assert_eq!(newest.sha256, Sha256::of(expected.as_bytes()), "{number} {flushes:?}");
        }
        let far: Timestamp = "2100-01-01T00:00:00Z".parse().unwrap();
        let newest = |store: &Store| store.lookup_at(&key("a"), far).unwrap().unwrap().sha256;
        assert_eq!(newest(&store), Sha256::of(b"three"));
        store.flush().unwrap();
        drop(store);
        Store::rebuild_index(home.path(), host::Clock::real()).unwrap();
        store = home.open();
        assert_eq!(newest(&store), Sha256::of(b"three"));
        assert_eq!(store.lookup(&key("a")).unwrap().unwrap().sha256, Sha256::of(b"three"));
    };
    for flushes in [&[][..], &[0], &[1, 3], &[0, 1, 2, 3, 4]] {
        check(flushes);
    }
}

#[test]
fn who_lost_a_race_is_told() {
    let home = Home::new();
    let store = home.open();
    let expect = |subject_seq| Some(Expect { subject: "drills".to_owned(), subject_seq });
    assert_eq!(store.append(expect(0), vec![drilled(1)]).unwrap(), 1);
    let lost = store.append(expect(0), vec![drilled(2)]);
    assert!(matches!(lost, Err(AppendError::Moved { at: 1, .. })), "{lost:?}");
    assert_eq!(store.append(expect(1), vec![drilled(3), drilled(4)]).unwrap(), 3);
    assert_eq!(store.append(None, vec![drilled(5)]).unwrap(), 4);
    // What was recorded before counts, durable or not.
    store.record(vec![drilled(6)]).unwrap();
    assert!(matches!(store.append(expect(4), vec![drilled(7)]), Err(AppendError::Moved { at: 5, .. })));
    assert_eq!(store.drills().unwrap().len(), 5);
}

#[test]
fn an_event_that_names_no_blob_is_refused() {
    let home = Home::new();
    let store = home.open();
    let refused = store.record(vec![kept("a", b"never put")]);
    assert!(matches!(refused, Err(WriteError::NoBlob { .. })), "{refused:?}");
    assert_eq!(store.lookup(&key("a")).unwrap(), None);
    let refused = store.record(vec![rejected("a", &"x".repeat(2 << 20))]);
    assert!(matches!(refused, Err(WriteError::TooLong { .. })), "{refused:?}");
}

#[test]
fn a_damaged_blob_never_leaves_whole_and_is_replaced_when_its_bytes_come_again() {
    let home = Home::new();
    let store = home.open();
    let bytes = vec![5; 200_000];
    keep(&store, "a", &bytes);
    store.flush().unwrap();
    let sha256 = Sha256::of(&bytes);
    let mut wrong = bytes.clone();
    wrong[100_000] ^= 1;
    std::fs::write(home.blob_path(&sha256), &wrong).unwrap();

    let mut reader = store.open_blob(&sha256).unwrap();
    let mut read = Vec::new();
    assert_eq!(reader.read_to_end(&mut read).unwrap_err().kind(), std::io::ErrorKind::InvalidData);
    assert!(read.len() < bytes.len(), "the last bytes must not come");
    assert!(matches!(
        store.read_blob(&sha256, 1 << 20),
        Err(BlobError::Damaged { fault: BlobFault::Flipped })
    ));
    assert!(!store.has_blob(&sha256));

    store.put(&bytes).unwrap();
    store.flush().unwrap();
    assert_eq!(store.read_blob(&sha256, 1 << 20).unwrap(), bytes);
    assert!(store.has_blob(&sha256));
}

#[test]
fn a_truncated_blob_gives_no_byte() {
    let home = Home::new();
    let store = home.open();
    keep(&store, "a", b"0123456789");
    store.flush().unwrap();
    let sha256 = Sha256::of(b"0123456789");
    for end in [0, 4] {
        std::fs::write(home.blob_path(&sha256), &b"0123456789"[..end]).unwrap();
        let opened = store.open_blob(&sha256);
        assert!(matches!(opened, Err(BlobError::Damaged { fault: BlobFault::Truncated })), "{opened:?}");
    }
}

#[test]
fn the_same_bytes_are_kept_once() {
    let home = Home::new();
    let store = home.open();
    for _ in 0..3 {
        store.put(b"same").unwrap();
        store.flush().unwrap();
        store.put(b"same").unwrap();
    }
    let stat = store.stat().unwrap();
    assert_eq!((stat.n_blobs, stat.size_bytes), (1, 4));
}

#[test]
fn what_was_handed_over_is_written_when_the_store_is_closed() {
    let home = Home::new();
    let store = home.open();
    keep(&store, "a", b"1");
    drop(store);
    let store = home.open();
    assert!(store.lookup(&key("a")).unwrap().is_some());
    assert_good(&store);
    let left: Vec<_> = std::fs::read_dir(home.path().join("blobs"))
        .unwrap()
        .filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().starts_with("tmp-"))
        .collect();
    assert_eq!(left.len(), 0, "the closed store has no temporaries, and the open one has written nothing");
}

#[test]
fn counts_are_by_ecosystem_and_by_host() {
    let home = Home::new();
    let store = home.open();
    keep(&store, "a", b"1");
    keep(&store, "b", b"22");
    let stat = store.stat().unwrap();
    assert_eq!((stat.n_objects, stat.n_blobs, stat.size_bytes), (2, 2, 3));
    assert_eq!(
        (stat.hosts[0].name.as_str(), stat.hosts[0].n_objects, stat.hosts[0].size_bytes),
        ("example.com", 2, 3)
    );
    assert_eq!(stat.ecosystems[0].name, "generic");
    assert!(stat.journal_bytes > 100);
}
