//! A disk that is really full, or read-only: a small file system of the test's own, mounted where nobody else sees it.

use std::fs::{self, File};
use std::io::Write as _;
use std::process::Command;

use model::Sha256;
use store::{AppendError, Store, WriteError};

use crate::rebuild::answers;
use crate::workload::Workload;
use crate::world::*;

const INSIDE: &str = "STORE_TEST_INSIDE";

/// Runs a test again in a mount namespace of its own: whatever happens there, nothing stays mounted.
fn apart(test: &str, act: fn()) {
    if std::env::var_os(INSIDE).is_some() {
        return act();
    }
    // Root needs no user namespace, and a container may not give one.
    let is_root = fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0);
    let output = Command::new("unshare")
        .args([if is_root { "-m" } else { "-rm" }, "--propagation", "private", "--"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(INSIDE, "1")
        .output()
        .unwrap();
    let told =
        [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    assert!(output.status.success() && told.contains("1 passed"), "{told}");
}

fn mount(arguments: &[&str], home: &Home) {
    let status = Command::new("mount").args(arguments).arg(home.path()).status().unwrap();
    assert!(status.success(), "{arguments:?}");
}

/// A home on a disk of 8 MB, with something in it; returns what it answers as well.
fn small() -> (Home, String) {
    let home = Home::new();
    mount(&["-t", "tmpfs", "-o", "size=8m", "tmpfs"], &home);
    let store = home.open();
    Workload::new(3).run(&store, 100, &mut |_| {});
    store.flush().unwrap();
    let before = answers(&store);
    assert!(before.len() > 5_000);
    drop(store);
    (home, before)
}

/// Fills the disk except for some pages.
fn fill(home: &Home, n_pages_free: usize) {
    let path = home.path().join("filler");
    let mut filler = File::create(&path).unwrap();
    while filler.write_all(&[1; 4096]).is_ok() {}
    let size_bytes = filler.metadata().unwrap().len();
    filler.set_len((size_bytes & !4095) - 4096 * n_pages_free as u64).unwrap();
}

fn make_room(home: &Home) {
    fs::remove_file(home.path().join("filler")).unwrap();
}

/// Asserts that a store on a full disk answers as before, takes nothing, and goes on when there is room.
fn check(home: &Home, before: &str, what: &str) {
    let store = home.open();
    assert_eq!(answers(&store), before, "{what}");
    assert_good(&store);
    store.check_writable().unwrap();
    drop(store);
    make_room(home);
    let store = home.open();
    assert_eq!(answers(&store), before, "{what}: with room again");
    assert_good(&store);
}

#[test]
fn a_full_disk_keeps_nobody_from_reading() {
    apart("disk::a_full_disk_keeps_nobody_from_reading", || {
        let (home, before) = small();
        for n_pages_free in [0, 1, 2, 5, 8, 9, 10, 12, 20, 100] {
            fill(&home, n_pages_free);
            check(&home, &before, &format!("{n_pages_free} pages free"));
            home.forget_index();
            fill(&home, n_pages_free);
            assert!(n_pages_free > 2 || home.open().stat().is_ok() && !home.path().join("index.db").exists());
            check(&home, &before, &format!("{n_pages_free} pages free and no index"));
            assert!(!home.path().join("index.db.tmp").exists());
        }
    });
}

#[test]
fn a_store_that_was_opened_on_a_full_disk_writes_when_there_is_room() {
    apart("disk::a_store_that_was_opened_on_a_full_disk_writes_when_there_is_room", || {
        let (home, before) = small();
        fill(&home, 0);
        let store = home.open();
        let refused = store.put(b"much");
        assert!(matches!(refused, Err(WriteError::NoSpace { .. })), "{refused:?}");
        store.record(vec![rejected("waits", &"x".repeat(10_000))]).unwrap();
        assert!(matches!(store.flush(), Err(WriteError::NoSpace { .. })));
        assert!(store.append(None, vec![drilled(1)]).is_err());
        make_room(&home);
        keep(&store, "later", b"much");
        store.flush().unwrap();
        store.append(None, vec![drilled(2)]).unwrap();
        assert_eq!(store.lookup(&key("later")).unwrap().unwrap().sha256, Sha256::of(b"much"));
        assert_good(&store);
        // What it knows from memory is what everybody else finds on disk.
        let after = answers(&store);
        assert_ne!(after, before);
        assert_eq!(answers(&home.open()), after);
        drop(store);
        assert_eq!(answers(&home.open()), after);
    });
}

#[test]
fn an_index_in_memory_is_read_while_it_is_written() {
    apart("disk::an_index_in_memory_is_read_while_it_is_written", || {
        let (home, _) = small();
        home.forget_index();
        fill(&home, 0);
        let store = home.open();
        make_room(&home);
        assert!(!home.path().join("index.db").exists(), "it is in memory");
        std::thread::scope(|scope| {
            for reader in 0..3 {
                let store = &store;
                scope.spawn(move || {
                    for number in 0..200 {
                        store.lookup(&key(&format!("{reader}/{number}"))).unwrap();
                        store.drills().unwrap();
                    }
                });
            }
            for number in 0..60 {
                keep(&store, &format!("0/{number}"), &[number]);
                store.flush().unwrap();
            }
        });
        assert_eq!(store.lookup(&key("0/59")).unwrap().unwrap().sha256, Sha256::of(&[59]));
        assert_good(&store);
    });
}

/// Asserts that a store that may not be written to answers as before, takes nothing and changes nothing.
fn check_read_only(home: &Home, before: &str) {
    let files = |home: &Home| {
        let find = Command::new("find").arg(home.path()).args(["-printf", "%p %s %T@\n"]).output().unwrap();
        String::from_utf8(find.stdout).unwrap()
    };
    let found = files(home);
    let store = home.open();
    assert_eq!(answers(&store), before);
    let report = store.verify(&mut |_| {}).unwrap();
    assert!(report.is_good() && report.checked > 10, "{report:?}");
    let refused = |told: Result<(), WriteError>| {
        assert!(matches!(told, Err(WriteError::ReadOnly { .. })), "{told:?}");
    };
    refused(store.check_writable());
    refused(store.put(b"much").map(|_| ()));
    refused(store.writer().map(|_| ()));
    refused(store.record(vec![gone("a", 3)]));
    let appended = store.append(None, vec![drilled(1)]);
    assert!(
        matches!(appended, Err(AppendError::Write { source: WriteError::ReadOnly { .. } })),
        "{appended:?}"
    );
    assert!(Store::rebuild_index(home.path(), clock()).is_err());
    assert_eq!(answers(&store), before, "nothing of it is seen later");
    drop(store);
    assert_eq!(files(home), found);
}

#[test]
fn a_read_only_disk_is_read_and_nothing_else() {
    apart("disk::a_read_only_disk_is_read_and_nothing_else", || {
        let (home, before) = small();
        let journal = fs::read_to_string(home.current()).unwrap();
        let end = journal.trim_end().rfind('\n').unwrap() + 1;
        mount(&["-o", "remount,ro"], &home);
        check_read_only(&home, &before);
        mount(&["-o", "remount,rw"], &home);
        // What a crash left is not mended, and does not count.
        fs::write(home.current(), format!("{journal}{{\"seq\":")).unwrap();
        mount(&["-o", "remount,ro"], &home);
        let store = home.open();
        assert_eq!(answers(&store), before);
        drop(store);
        mount(&["-o", "remount,rw"], &home);
        // What was lost is told here, too.
        fs::write(home.current(), &journal[..end]).unwrap();
        mount(&["-o", "remount,ro"], &home);
        assert!(!home.open().verify(&mut |_| {}).unwrap().is_good(), "the last line is gone");
        mount(&["-o", "remount,rw"], &home);
        fs::write(home.current(), &journal).unwrap();
        home.forget_index();
        fs::remove_file(home.path().join("journal/lock")).unwrap();
        mount(&["-o", "remount,ro"], &home);
        check_read_only(&home, &before);
        mount(&["-o", "remount,rw"], &home);
        assert_good(&home.open());
    });
}

#[test]
fn whoever_only_reads_sees_what_others_write_meanwhile() {
    apart("disk::whoever_only_reads_sees_what_others_write_meanwhile", || {
        let (home, view) = (Home::new(), Home::new());
        let writer = home.open();
        mount(&["--bind", "-o", "ro", home.path().to_str().unwrap()], &view);
        let reader = view.open();
        assert!(reader.put(b"1").is_err());
        for number in 0..6 {
            keep(&writer, &format!("{number}"), b"1");
            writer.append(None, vec![rejected(&format!("{number}"), &"x".repeat(1_000_000))]).unwrap();
            assert!(reader.lookup(&key(&format!("{number}"))).unwrap().is_some());
            assert_eq!(answers(&reader), answers(&writer));
        }
        assert!(!home.closed_segments().is_empty());
        assert_good(&reader);
        assert_eq!(answers(&view.open()), answers(&writer));
        // SQLite keeps files of one process open for as long as any of them is locked.
        drop((reader, writer));
        assert!(Command::new("umount").arg(view.path()).status().unwrap().success());
    });
}
