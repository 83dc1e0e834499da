//! `verify` finds every flipped bit, every truncation and everything that is missing, and names what it belonged to.

use std::fs;
use std::path::Path;
use std::process::Command;

use model::Sha256;
use store::{BlobError, BlobFault, Store, VerifyReport, WriteError};

use crate::world::*;

const BYTES: &[u8] = b"twenty bytes of blob";

/// A home with a few blobs and a closed store.
fn filled() -> Home {
    let home = Home::new();
    let store = home.open();
    keep(&store, "a", BYTES);
    keep(&store, "b", BYTES);
    keep(&store, "c", b"");
    store.put(b"{}").unwrap();
    store.record(vec![ran(1, b"{}", false), gone("a", 3)]).unwrap();
    store.put(b"named by nobody").unwrap();
    store.flush().unwrap();
    drop(store);
    home
}

fn verify(home: &Home) -> VerifyReport {
    home.open().verify(&mut |_| {}).unwrap()
}

/// Asserts that exactly one blob is damaged, and how.
fn check_blob(home: &Home, fault: BlobFault, belongs_to: &[&str], what: &str) {
    let report = verify(home);
    assert_eq!(report.n_damaged, 1, "{what}");
    assert_eq!(
        (report.damaged[0].fault, report.damaged[0].belongs_to.as_slice()),
        (fault, &*owned(belongs_to)),
        "{what}"
    );
    assert!(report.journal.is_empty(), "{what}: {report:?}");
}

fn owned(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

#[test]
fn a_whole_store_is_good_and_a_blob_that_nobody_names_is_counted() {
    let home = filled();
    let mut seen = Vec::new();
    let report = home.open().verify(&mut |progress| seen.push(progress)).unwrap();
    assert!(report.is_good(), "{report:?}");
    assert_eq!((report.checked, report.n_unnamed), (4, 1));
    assert_eq!((seen.len(), seen[3].checked, seen[3].n_blobs), (4, 4, 4));
}

#[test]
fn every_flipped_bit_of_a_blob_is_found() {
    let home = filled();
    let path = home.blob_path(&Sha256::of(BYTES));
    let subjects = ["GET https://example.com/a", "GET https://example.com/b"];
    for place in 0..BYTES.len() * 8 {
        let mut bytes = BYTES.to_vec();
        bytes[place / 8] ^= 1 << (place % 8);
        fs::write(&path, &bytes).unwrap();
        check_blob(&home, BlobFault::Flipped, &subjects, &format!("bit {place}"));
    }
    fs::write(&path, [BYTES, b"!"].concat()).unwrap();
    check_blob(&home, BlobFault::Flipped, &subjects, "longer");
    fs::write(&path, BYTES).unwrap();
    assert!(verify(&home).is_good());
}

#[test]
fn every_truncation_and_every_removal_of_a_blob_is_found() {
    let home = filled();
    let path = home.blob_path(&Sha256::of(BYTES));
    let subjects = ["GET https://example.com/a", "GET https://example.com/b"];
    for end in 0..BYTES.len() {
        fs::write(&path, &BYTES[..end]).unwrap();
        check_blob(&home, BlobFault::Truncated, &subjects, &format!("cut at {end}"));
    }
    fs::remove_file(&path).unwrap();
    check_blob(&home, BlobFault::Missing, &subjects, "removed");
    fs::write(&path, BYTES).unwrap();
    fs::remove_file(home.blob_path(&Sha256::of(b""))).unwrap();
    check_blob(&home, BlobFault::Missing, &["GET https://example.com/c"], "the empty one removed");
    fs::write(home.blob_path(&Sha256::of(b"")), b"").unwrap();
    fs::remove_file(home.blob_path(&Sha256::of(b"{}"))).unwrap();
    check_blob(&home, BlobFault::Missing, &[&format!("run {}", run_id(1))], "a record removed");
}

#[test]
fn a_report_has_the_fields_of_the_interface() {
    let home = filled();
    fs::remove_file(home.blob_path(&Sha256::of(b""))).unwrap();
    let report = serde_json::to_value(verify(&home)).unwrap();
    assert_eq!(report["checked"], 3);
    assert_eq!(report["n_damaged"], 1);
    assert_eq!(report["damaged"][0]["fault"], "missing");
    assert_eq!(report["damaged"][0]["belongs_to"][0], "GET https://example.com/c");
    assert_eq!(report["damaged"][0]["sha256"], Sha256::of(b"").to_string());
}

/// Asserts that a change of the journal is found, or was mended to what it had been.
fn check_journal(home: &Home, path: &Path, whole: &[u8], changed: &[u8], what: &str) {
    fs::write(path, changed).unwrap();
    let store = home.open();
    let report = store.verify(&mut |_| {}).unwrap();
    let is_mended = fs::read(path).unwrap() == whole;
    assert!(is_mended || !report.journal.is_empty(), "{what}");
    assert_eq!(report.n_damaged, 0, "{what}: {report:?}");
    drop(store);
    if !is_mended {
        assert_eq!(fs::read(path).unwrap(), changed, "{what}: a damaged journal is left as it is");
        fs::write(path, whole).unwrap();
    }
}

#[test]
fn every_damaged_byte_of_the_open_segment_is_found() {
    let home = filled();
    let path = home.current();
    let whole = fs::read(&path).unwrap();
    for place in 0..whole.len() {
        let mut changed = whole.clone();
        changed[place] ^= 1 << (place % 8);
        check_journal(&home, &path, &whole, &changed, &format!("byte {place}"));
    }
    assert!(verify(&home).is_good());
}

#[test]
fn every_truncation_of_the_open_segment_is_found() {
    let home = filled();
    let path = home.current();
    let whole = fs::read(&path).unwrap();
    for end in 0..whole.len() {
        check_journal(&home, &path, &whole, &whole[..end], &format!("cut at {end}"));
    }
    fs::remove_file(&path).unwrap();
    assert!(!verify(&home).is_good());
    fs::write(&path, &whole).unwrap();
    assert!(verify(&home).is_good());
}

#[test]
fn a_damaged_journal_is_read_but_takes_no_more() {
    let home = filled();
    let whole = fs::read_to_string(home.current()).unwrap();
    fs::write(home.current(), whole.replacen("example", "exbmple", 1)).unwrap();
    let store = home.open();
    let refused = store.append(None, vec![drilled(1)]);
    assert!(
        matches!(refused, Err(store::AppendError::Write { source: WriteError::Damaged { .. } })),
        "{refused:?}"
    );
    assert_eq!(store.lookup(&key("a")).unwrap().unwrap().gone_since, Some(time(3)));
    drop(store);
    // Also when the index is lost: every entry that is whole is still found.
    home.forget_index();
    let store = home.open();
    assert_eq!(store.lookup(&key("a")).unwrap(), None, "the entry that is damaged");
    assert!(store.lookup(&key("b")).unwrap().is_some());
    drop(store);
    fs::write(home.current(), whole).unwrap();
    assert!(Store::rebuild_index(home.path(), clock()).unwrap().journal.is_empty());
    home.open().append(None, vec![drilled(1)]).unwrap();
}

#[test]
fn a_line_that_a_crash_cut_off_is_cut_off_and_nothing_else() {
    let home = filled();
    let whole = fs::read(home.current()).unwrap();
    let torn = [&whole[..], br#"{"seq":6,"time":"2026-05-21T1"#].concat();
    fs::write(home.current(), torn).unwrap();
    let store = home.open();
    assert_good(&store);
    assert_eq!(fs::read(home.current()).unwrap(), whole);
    assert_eq!(store.append(None, vec![drilled(1)]).unwrap(), 6);
}

/// A home with three closed segments.
fn segmented() -> Home {
    let home = Home::new();
    let store = home.open();
    for number in 0..15 {
        store.append(None, vec![rejected(&format!("{number}"), &"x".repeat(1_000_000))]).unwrap();
    }
    keep(&store, "a", BYTES);
    store.flush().unwrap();
    drop(store);
    assert_eq!(home.closed_segments().len(), 3);
    home
}

#[test]
fn every_damage_to_a_closed_segment_is_found() {
    let home = segmented();
    assert!(verify(&home).is_good());
    for path in home.closed_segments() {
        let whole = fs::read(&path).unwrap();
        for place in (0..whole.len()).step_by(whole.len() / 20 + 1) {
            let mut changed = whole.clone();
            changed[place] ^= 1 << (place % 8);
            check_journal(&home, &path, &whole, &changed, &format!("{}: byte {place}", path.display()));
        }
        check_journal(&home, &path, &whole, &whole[..whole.len() - 1], "cut");
        check_journal(&home, &path, &whole, &[&whole[..], b"!"].concat(), "longer");
        fs::remove_file(&path).unwrap();
        assert!(!verify(&home).journal.is_empty(), "removed");
        let other = path.with_file_name(format!("{}.jsonl.zst", Sha256::of(b"other")));
        fs::write(&other, &whole).unwrap();
        assert!(!verify(&home).journal.is_empty(), "renamed");
        fs::rename(&other, &path).unwrap();
    }
    assert!(verify(&home).is_good());
}

/// Puts something other than a file where a file was, asks, and puts the file back.
fn in_place_of(path: &Path, ask: impl Fn(&str)) {
    let whole = fs::read(path).unwrap();
    let aside = path.with_extension("aside");
    for what in ["pipe", "link", "folder"] {
        fs::rename(path, &aside).unwrap();
        match what {
            "pipe" => assert!(Command::new("mkfifo").arg(path).status().unwrap().success()),
            "link" => std::os::unix::fs::symlink(&aside, path).unwrap(),
            _ => fs::create_dir(path).unwrap(),
        }
        ask(what);
        assert!(!fs::symlink_metadata(path).unwrap().is_file(), "{what}: left as it was");
        fs::rename(&aside, path)
            .or_else(|_| fs::remove_dir(path).and_then(|()| fs::rename(&aside, path)))
            .unwrap();
    }
    assert_eq!(fs::read(path).unwrap(), whole);
}

#[test]
fn what_is_no_file_is_damaged_and_nobody_waits_for_it() {
    let home = filled();
    let sha256 = Sha256::of(BYTES);
    in_place_of(&home.blob_path(&sha256), |what| {
        let subjects = ["GET https://example.com/a", "GET https://example.com/b"];
        check_blob(&home, BlobFault::Missing, &subjects, what);
        let store = home.open();
        assert!(!store.has_blob(&sha256), "{what}");
        let opened = store.read_blob(&sha256, 100);
        let fault = BlobFault::Missing;
        assert!(
            matches!(opened, Err(BlobError::Damaged { fault: told }) if told == fault),
            "{what}: {opened:?}"
        );
        assert_eq!(store.stat().unwrap().n_blobs, 4, "{what}");
    });
    in_place_of(&home.current(), |what| {
        let store = home.open();
        assert!(!store.verify(&mut |_| {}).unwrap().journal.is_empty(), "{what}");
        assert!(store.lookup(&key("a")).unwrap().is_some(), "{what}");
        assert!(store.append(None, vec![drilled(1)]).is_err(), "{what}");
    });
    let home = segmented();
    in_place_of(&home.closed_segments()[1], |what| {
        assert!(!verify(&home).journal.is_empty(), "{what}");
        assert!(!Store::rebuild_index(home.path(), clock()).unwrap().journal.is_empty(), "{what}");
    });
    assert!(verify(&home).is_good());
}

#[test]
fn a_pipe_in_place_of_a_blob_is_replaced_when_its_bytes_come_again() {
    let home = filled();
    let path = home.blob_path(&Sha256::of(BYTES));
    fs::remove_file(&path).unwrap();
    assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
    let store = home.open();
    store.put(BYTES).unwrap();
    store.flush().unwrap();
    assert_good(&store);
    // The index as well: it is made anew.
    drop(store);
    home.forget_index();
    assert!(Command::new("mkfifo").arg(home.path().join("index.db")).status().unwrap().success());
    assert!(home.open().lookup(&key("a")).unwrap().is_some());
}

#[test]
fn a_folder_in_place_of_a_blob_is_named_and_nothing_is_lost_meanwhile() {
    let home = Home::new();
    let store = home.open();
    keep(&store, "before", b"before");
    store.flush().unwrap();
    // In place of a blob, and of the folder that it would lie in.
    for (content, is_leaf) in [(&b"1"[..], true), (b"2", false)] {
        let place = home.blob_path(&Sha256::of(content));
        let place = if is_leaf { place } else { place.parent().unwrap().to_owned() };
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        if is_leaf { fs::create_dir(&place) } else { fs::write(&place, "") }.unwrap();
        keep(&store, "a", content);
        for _ in 0..2 {
            let Err(WriteError::Obstructed { source }) = store.flush() else { panic!("{}", place.display()) };
            assert!(source.to_string().contains(place.to_str().unwrap()), "{source}");
            assert_eq!(store.lookup(&key("a")).unwrap().unwrap().sha256, Sha256::of(content));
            assert_eq!(store.read_blob(&Sha256::of(content), 10).unwrap(), content);
        }
        if is_leaf {
            check_blob(&home, BlobFault::Missing, &[], "named by nobody yet");
            assert_eq!(verify(&home).damaged[0].obstructed.as_ref(), Some(&place));
        }
        assert_eq!(fs::remove_dir(&place).is_ok(), is_leaf);
        assert_eq!(fs::remove_file(&place).is_ok(), !is_leaf);
        store.flush().unwrap();
        assert_good(&store);
    }
    assert_eq!(store.generations(&key("a")).unwrap().len(), 2);
}

#[test]
fn a_record_of_a_run_that_is_cut_is_truncated_where_its_length_is_known() {
    let home = filled();
    let (record, subject) = (home.blob_path(&Sha256::of(b"{}")), format!("run {}", run_id(1)));
    let check = |bytes: &[u8], fault: BlobFault| {
        fs::write(&record, bytes).unwrap();
        check_blob(&home, fault, &[&subject], &format!("{bytes:?}"));
    };
    check(b"", BlobFault::Truncated);
    check(b"{", BlobFault::Truncated);
    check(b"{ ", BlobFault::Flipped);
    check(b"{} ", BlobFault::Flipped);
    fs::write(&record, b"{}").unwrap();
    assert!(verify(&home).is_good());

    // Of the runs of old it is not, unless nothing is left.
    let home = Home::new();
    let store = home.open();
    store.put(b"{}").unwrap();
    let mut ran = ran(1, b"{}", false);
    if let model::Event::Ran { record_bytes, .. } = &mut ran {
        *record_bytes = None;
    }
    store.append(None, vec![ran]).unwrap();
    drop(store);
    assert!(!fs::read_to_string(home.current()).unwrap().contains("record_bytes"), "as it was written then");
    for (bytes, fault) in [(&b""[..], BlobFault::Truncated), (b"{", BlobFault::Flipped)] {
        fs::write(home.blob_path(&Sha256::of(b"{}")), bytes).unwrap();
        check_blob(&home, fault, &[&subject], "of old");
    }
}

#[test]
fn a_damaged_blob_that_nobody_has_noticed_is_mended_by_its_own_bytes() {
    let check = |damage: &dyn Fn(&Path), what: &str| {
        let home = filled();
        let path = home.blob_path(&Sha256::of(BYTES));
        damage(&path);
        // Nothing has read it in this process: its length is all that is known of it.
        let store = home.open();
        store.put(BYTES).unwrap();
        assert_eq!(store.read_blob(&Sha256::of(BYTES), 1 << 20).unwrap(), BYTES, "{what}: at once");
        keep(&store, "again", BYTES);
        store.flush().unwrap();
        assert_eq!(fs::read(&path).unwrap(), BYTES, "{what}: on disk");
        assert_eq!(store.read_blob(&Sha256::of(BYTES), 1 << 20).unwrap(), BYTES, "{what}: after the flush");
        drop(store);
        assert!(verify(&home).is_good(), "{what}");
    };
    check(&|_| {}, "the control");
    check(&|path| fs::write(path, vec![b'x'; BYTES.len()]).unwrap(), "flipped");
    check(&|path| fs::write(path, &BYTES[1..]).unwrap(), "truncated");
    check(&|path| fs::remove_file(path).unwrap(), "missing");
    check(
        &|path| {
            fs::remove_file(path).unwrap();
            std::os::unix::fs::symlink("/dev/null", path).unwrap();
        },
        "a link",
    );
}

#[test]
fn a_blob_that_is_held_and_whole_stays_the_file_it_is() {
    use std::os::unix::fs::MetadataExt as _;
    let home = filled();
    let path = home.blob_path(&Sha256::of(BYTES));
    let before = fs::metadata(&path).unwrap().ino();
    let store = home.open();
    keep(&store, "again", BYTES);
    store.flush().unwrap();
    assert_eq!(fs::metadata(&path).unwrap().ino(), before);
}
