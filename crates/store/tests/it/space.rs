//! A full disk: an error, nothing lost, nothing wrong, and it goes on by itself.

use std::fs;
use std::io::{ErrorKind, Write};

use host::failpoint;
use model::Sha256;
use store::{AppendError, Expect, WriteError};

use crate::processes::alone;
use crate::world::*;

#[test]
fn a_full_disk_in_the_middle_of_a_blob_leaves_nothing() {
    alone("space::a_full_disk_in_the_middle_of_a_blob_leaves_nothing", || {
        let home = Home::new();
        let store = home.open();
        failpoint::arm("blob.write=nospace@2").unwrap();
        let mut writer = store.writer().unwrap();
        writer.write_all(b"half").unwrap();
        assert_eq!(writer.write_all(b" more").unwrap_err().kind(), ErrorKind::StorageFull);
        drop(writer);
        assert!(!store.has_blob(&Sha256::of(b"half")) && !store.has_blob(&Sha256::of(b"half more")));
        keep(&store, "a", b"half more");
        store.flush().unwrap();
        assert_eq!(store.read_blob(&Sha256::of(b"half more"), 100).unwrap(), b"half more");
        assert_good(&store);
    });
}

#[test]
fn a_full_disk_at_any_step_is_told_and_passes() {
    alone("space::a_full_disk_at_any_step_is_told_and_passes", || {
        for point in store::FAILURE_POINTS {
            for failure in ["nospace", "broken"] {
                // Before finish() the caller has the error at once, and the blob is not handed over; segments and the
                // index are below.
                let is_elsewhere = point.starts_with("segment") || point.starts_with("index");
                if !is_elsewhere && !matches!(point, "blob.write" | "blob.temporary_written") {
                    check(point, failure);
                }
            }
        }
    });
}

fn check(point: &str, failure: &str) {
    let home = Home::new();
    let store = home.open();
    keep(&store, "before", b"before");
    store.flush().unwrap();
    failpoint::arm(&format!("{point}={failure}+")).unwrap();
    keep(&store, "a", b"1");
    keep(&store, "b", b"2");
    for _ in 0..3 {
        let told = store.flush();
        match failure {
            "nospace" => assert!(matches!(told, Err(WriteError::NoSpace { .. })), "{point}: {told:?}"),
            _ => assert!(matches!(told, Err(WriteError::Disk { .. })), "{point}: {told:?}"),
        }
        for (path, bytes) in [("before", &b"before"[..]), ("a", b"1"), ("b", b"2")] {
            assert_eq!(store.lookup(&key(path)).unwrap().unwrap().sha256, Sha256::of(bytes), "{point}");
            assert_eq!(store.generations(&key(path)).unwrap().len(), 1, "{point}");
            assert_eq!(store.read_blob(&Sha256::of(bytes), 10).unwrap(), bytes, "{point}");
        }
        let appended = store.append(None, vec![drilled(1)]);
        assert!(matches!(appended, Err(AppendError::Write { .. })), "{point}: {appended:?}");
    }
    failpoint::arm("").unwrap();
    store.flush().unwrap();
    assert_good(&store);
    assert_eq!(store.drills().unwrap(), [], "{point}: what failed is not done later");
    let order: Vec<String> =
        store.events_since(0, 10).unwrap().into_iter().map(|entry| entry.subject).collect();
    assert_eq!(order, ["before", "a", "b"].map(|path| key(path).to_string()), "{point}");
    drop(store);
    assert_eq!(home.open().stat().unwrap().n_blobs, 3, "{point}");
}

#[test]
fn what_the_journal_has_is_durable_whatever_becomes_of_the_index() {
    alone("space::what_the_journal_has_is_durable_whatever_becomes_of_the_index", || {
        for point in ["index.update", "index.updated"] {
            for failure in ["nospace", "broken"] {
                check_index(point, failure);
            }
        }
    });
}

fn check_index(point: &str, failure: &str) {
    let home = Home::new();
    let store = home.open();
    keep(&store, "a", b"0");
    store.append(None, vec![drilled(1)]).unwrap();
    failpoint::arm(&format!("{point}={failure}+")).unwrap();
    let subject = key("a").to_string();
    for number in 1..5 {
        keep(&store, "a", &[number]);
        store.flush().unwrap();
        // In the journal it has its number, though the index never heard of those before it.
        let expect = |subject_seq| Some(Expect { subject: "drills".to_owned(), subject_seq });
        let drill = || vec![drilled(number + 1)];
        store.append(expect(u64::from(number)), drill()).unwrap();
        let again = store.append(expect(u64::from(number)), drill());
        assert!(
            matches!(again, Err(AppendError::Moved { at, .. }) if at == u64::from(number) + 1),
            "{again:?}"
        );
        let held = store.lookup(&key("a")).unwrap().unwrap().sha256;
        assert_eq!(held, Sha256::of(&[number]), "{point}");
        assert_eq!(store.head(&subject).unwrap(), Some(u64::from(number) + 1), "{point}");
        // Another process, which has to find out on its own how far the journal has got.
        let other = home.open();
        assert_eq!(other.lookup(&key("a")).unwrap().unwrap().sha256, held, "{point}");
    }
    // Killed now, it has lost nothing.
    let journal = fs::read_to_string(home.current()).unwrap();
    assert_eq!(journal.lines().count(), 11, "{point}: {journal}");
    failpoint::arm("").unwrap();
    for store in [&store, &home.open()] {
        assert_good(store);
        assert_eq!(store.generations(&key("a")).unwrap().len(), 5, "{point}");
        let numbers: Vec<u64> = store.drills().unwrap().iter().map(|entry| entry.subject_seq).collect();
        assert_eq!(numbers, [1, 2, 3, 4, 5], "{point}");
    }
}

#[test]
fn an_index_that_takes_nothing_more_hides_nothing() {
    alone("space::an_index_that_takes_nothing_more_hides_nothing", || {
        let home = Home::new();
        let (one, two) = (home.open(), home.open());
        keep(&one, "a", b"1");
        one.flush().unwrap();
        failpoint::arm("index.update=nospace+").unwrap();
        keep(&one, "a", b"2");
        keep(&one, "b", b"3");
        one.flush().unwrap();
        // They are in the journal: everybody sees them, once, also who opens the store only now.
        keep(&two, "c", b"4");
        two.flush().unwrap();
        let fresh = home.open();
        for store in [&one, &two, &fresh] {
            for _ in 0..2 {
                assert_eq!(store.generations(&key("a")).unwrap().len(), 2);
                assert_eq!(store.lookup(&key("b")).unwrap().unwrap().sha256, Sha256::of(b"3"));
                assert_eq!(store.head(&key("a").to_string()).unwrap(), Some(2));
            }
        }
        for store in [&one, &two] {
            assert!(store.events_since(0, 10).is_err(), "a list would not be whole");
        }
        // Whoever opens the store now makes an index in memory, which takes everything.
        assert_eq!(fresh.events_since(0, 10).unwrap().len(), 4);
        failpoint::arm("").unwrap();
        two.flush().unwrap();
        for store in [&one, &two] {
            assert_eq!(store.generations(&key("a")).unwrap().len(), 2);
            assert_eq!(store.events_since(0, 10).unwrap().len(), 4);
            assert_good(store);
        }
    });
}

#[test]
fn space_that_returns_is_used_without_being_asked() {
    alone("space::space_that_returns_is_used_without_being_asked", || {
        let home = Home::new();
        let store = home.open();
        failpoint::arm("journal.append=nospace+").unwrap();
        keep(&store, "a", b"1");
        assert!(store.flush().is_err());
        failpoint::arm("").unwrap();
        // Nobody flushes: another store sees it when the pause is over.
        let other = home.open();
        let mut n_asked = 0;
        while other.lookup(&key("a")).unwrap().is_none() {
            n_asked += 1;
            assert!(n_asked < 5_000_000, "it never came");
            std::thread::yield_now();
        }
        assert_good(&other);
    });
}

#[test]
fn a_full_disk_while_a_segment_is_closed_is_told_and_passes() {
    alone("space::a_full_disk_while_a_segment_is_closed_is_told_and_passes", || {
        for point in ["segment.written", "segment.closed", "file.written", "file.synced", "file.renamed"] {
            let home = Home::new();
            let store = home.open();
            for number in 0..5 {
                store.append(None, vec![rejected(&format!("{number}"), &"x".repeat(1_000_000))]).unwrap();
            }
            failpoint::arm(&format!("{point}=nospace")).unwrap();
            let told = store.append(None, vec![drilled(1)]);
            assert!(told.is_err(), "{point}");
            store.append(None, vec![drilled(2)]).unwrap();
            assert_eq!(store.drills().unwrap().len(), 1, "{point}");
            assert_good(&store);
            assert_eq!(home.closed_segments().len(), 1, "{point}");
        }
    });
}
