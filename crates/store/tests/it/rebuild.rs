//! The index is never the only place of anything.

use std::fmt::Write as _;
use std::fs;

use model::{Method, Sha256};
use store::Store;

use crate::workload::Workload;
use crate::world::*;

/// Everything that a store answers, as text.
pub(crate) fn answers(store: &Store) -> String {
    let mut text = String::new();
    for entry in store.events_since(0, usize::MAX).unwrap() {
        writeln!(text, "{entry:?} {:?}", store.head(&entry.subject).unwrap()).unwrap();
    }
    for number in 0..40 {
        let path = Workload::path(number);
        let key = key(&path);
        let variants = store.variants(Method::Get, &key.url).unwrap();
        let held = store.lookup(&key).unwrap();
        let belongs_to = held.as_ref().map(|held| store.belongs_to(&held.sha256).unwrap());
        writeln!(text, "{held:?} {:?} {variants:?} {belongs_to:?}", store.generations(&key).unwrap())
            .unwrap();
    }
    let command = ["make".to_owned(), "all".to_owned()];
    writeln!(
        text,
        "{:?} {:?}",
        store.runs(100).unwrap(),
        store.newest_recording(&command, "/project").unwrap()
    )
    .unwrap();
    writeln!(text, "{:?} {:?}", store.drills().unwrap(), store.attention(100).unwrap()).unwrap();
    let stat = store.stat().unwrap();
    writeln!(text, "{:?} {:?} {:?}", stat.n_objects, stat.hosts, store.knows_host("example.com").unwrap())
        .unwrap();
    text
}

fn filled() -> (Home, String) {
    let home = Home::new();
    let store = home.open();
    Workload::new(7).run(&store, 200, &mut |_| {});
    store.flush().unwrap();
    let before = answers(&store);
    assert!(before.len() > 10_000);
    (home, before)
}

#[test]
fn a_deleted_index_is_made_anew_and_gives_the_same_answers() {
    let (home, before) = filled();
    home.forget_index();
    assert_eq!(answers(&home.open()), before);
    home.forget_index();
    let report = Store::rebuild_index(home.path(), clock()).unwrap();
    assert!(report.journal.is_empty() && report.n_entries > 100, "{report:?}");
    assert_eq!(answers(&home.open()), before);
}

#[test]
fn a_corrupt_or_foreign_index_is_made_anew() {
    let (home, before) = filled();
    let (other, _) = filled();
    let path = home.path().join("index.db");
    drop(other.open());
    let foreign = fs::read(other.path().join("index.db")).unwrap();
    let garbage = vec![b'x'; 50_000];
    for bytes in [&foreign[..], &garbage, b"", &foreign[..5000]] {
        home.forget_index();
        fs::write(&path, bytes).unwrap();
        assert_eq!(answers(&home.open()), before);
    }
}

#[test]
fn a_row_that_was_changed_is_not_served() {
    let (home, before) = filled();
    let store = home.open();
    assert_eq!(answers(&store), before);
    drop(store);
    let connection = rusqlite::Connection::open(home.path().join("index.db")).unwrap();
    let changed = connection
        .execute(r#"UPDATE generations SET held = replace(held, '"status":200', '"status":204')"#, []);
    assert!(changed.unwrap() > 10);
    drop(connection);
    assert_eq!(answers(&home.open()), before);
}

#[test]
fn an_open_store_goes_on_when_its_index_is_made_anew_or_deleted() {
    let (home, before) = filled();
    let store = home.open();
    Store::rebuild_index(home.path(), clock()).unwrap();
    assert_eq!(answers(&store), before);
    keep(&store, "later", b"later");
    store.flush().unwrap();
    home.forget_index();
    keep(&store, "later still", b"later still");
    store.flush().unwrap();
    for store in [&store, &home.open()] {
        assert!(store.lookup(&key("later")).unwrap().is_some());
        assert_eq!(store.lookup(&key("later still")).unwrap().unwrap().sha256, Sha256::of(b"later still"));
    }
    assert_good(&store);
}

#[test]
fn an_index_that_fell_behind_catches_up() {
    let (home, _) = filled();
    let behind = fs::read(home.path().join("index.db")).unwrap();
    let store = home.open();
    for number in 0..10 {
        store.append(None, vec![rejected(&format!("{number}"), &"x".repeat(1_000_000))]).unwrap();
    }
    let before = answers(&store);
    drop(store);
    assert!(!home.closed_segments().is_empty(), "also across segments");
    home.forget_index();
    fs::write(home.path().join("index.db"), behind).unwrap();
    assert_eq!(answers(&home.open()), before);
}

/// Loses a part of the journal and asserts that this is told for ever, however often the index is to be made anew.
fn check_loss_stays_visible(what: &str, lose: impl Fn(&Home)) {
    let (home, _) = filled();
    let whole = fs::read(home.current()).unwrap();
    let before = Store::open(home.path(), clock()).unwrap().lookup(&key(&Workload::path(0))).unwrap();
    lose(&home);
    for _ in 0..2 {
        let report = Store::rebuild_index(home.path(), clock()).unwrap();
        assert!(!report.journal.is_empty(), "{what}");
        let store = home.open();
        assert!(!store.verify(&mut |_| {}).unwrap().is_good(), "{what}");
        assert_eq!(store.lookup(&key(&Workload::path(0))).unwrap(), before, "{what}: what it knew it knows");
        assert!(store.append(None, vec![drilled(1)]).is_err(), "{what}");
    }
    fs::write(home.current(), whole).unwrap();
    assert!(Store::rebuild_index(home.path(), clock()).unwrap().journal.is_empty(), "{what}: put back");
    assert_good(&home.open());
}

#[test]
fn a_loss_that_only_the_index_shows_outlives_rebuilding() {
    check_loss_stays_visible("the open segment is gone", |home| fs::remove_file(home.current()).unwrap());
    let cut = |home: &Home, n_bytes_more: usize| {
        let text = fs::read_to_string(home.current()).unwrap();
        let start = text.trim_end().rfind('\n').unwrap() + 1;
        fs::write(home.current(), &text[..start + n_bytes_more]).unwrap();
    };
    check_loss_stays_visible("the last line is gone", |home| cut(home, 0));
    check_loss_stays_visible("the last line is torn", |home| cut(home, 20));
    check_loss_stays_visible("a line is changed", |home| {
        let text = fs::read_to_string(home.current()).unwrap();
        fs::write(home.current(), text.replacen("example", "exbmple", 1)).unwrap();
    });
}

#[test]
fn a_corrupt_index_that_shows_a_loss_is_not_mended_away() {
    let (home, _) = filled();
    let path = Workload::path(0);
    let connection = rusqlite::Connection::open(home.path().join("index.db")).unwrap();
    connection
        .execute(r#"UPDATE generations SET held = replace(held, '"status":200', '"status":204')"#, [])
        .unwrap();
    drop(connection);
    let text = fs::read_to_string(home.current()).unwrap();
    fs::write(home.current(), &text[..=text.trim_end().rfind('\n').unwrap()]).unwrap();
    for _ in 0..2 {
        let store = home.open();
        assert!(store.generations(&key(&path)).is_err(), "no answer rather than a wrong one");
        assert!(!store.verify(&mut |_| {}).unwrap().is_good());
    }
    fs::write(home.current(), text).unwrap();
    assert!(!home.open().generations(&key(&path)).unwrap().is_empty());
}
