//! The second copy: it is a store, it only grows, it is never given a wrong byte, and it gives back what this one lost.

mod boast;
mod hooked;
mod links;
mod overtaken;
mod portions;

use std::fs;
use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use model::{Event, Sha256};
use store::{BlobReader, CopyError, CopyFolder, CopyReport, Head, Look, Part, SecondCopy, Store};

use self::hooked::{Countdown, Hooked, Step};
use crate::processes::again;
use crate::workload::Workload;
use crate::world::*;

/// Work that fills some segments.
fn work(store: &Store, seed: u64) {
    let mut workload = Workload::new(seed);
    for round in 0..6 {
        workload.run(store, 20, &mut |_| {});
        let long = rejected(&format!("large-{round}"), &"y".repeat(1_000_000));
        store.append(None, vec![long]).unwrap();
    }
    store.flush().unwrap();
}

fn copy(store: &Store, to: &Home, look: Look) -> Result<CopyReport, CopyError> {
    let to = CopyFolder::create(to.path(), &store.journal_id()?)?;
    store.copy_to(&to, look, &mut |_| {})
}

/// Asserts that a copy is a good store in which everything of another one is, and in the same order.
fn assert_same(store: &Store, copy: &Home) {
    let copy = copy.open();
    assert_good(&copy);
    let all = |store: &Store| store.events_since(0, usize::MAX).unwrap();
    assert_eq!(all(&copy), all(store));
}

#[test]
fn a_copy_is_a_store_and_grows_with_what_is_new() {
    let (home, second) = (Home::new(), Home::new());
    let store = home.open();
    work(&store, 1);
    let first = copy(&store, &second, Look::There).unwrap();
    assert!(first.n_blobs > 20 && first.damaged.is_empty(), "{first:?}");
    assert_same(&store, &second);
    assert!(!second.closed_segments().is_empty(), "also across segments");

    assert!(matches!(to_folder(&store, &second), Stands { n_absent: 0, n_behind: Ok(0) }));
    keep(&store, "new", b"new bytes");
    store.flush().unwrap();
    assert!(matches!(to_folder(&store, &second).n_behind, Ok(1)));
    let next = copy(&store, &second, Look::There).unwrap();
    assert_eq!((next.n_entries, next.n_blobs, next.size_bytes), (1, 1, 9));
    let nothing = copy(&store, &second, Look::There).unwrap();
    assert_eq!((nothing.n_entries, nothing.n_blobs, nothing.seq), (0, 0, next.seq));

    // Another segment is closed here meanwhile.
    work(&store, 2);
    copy(&store, &second, Look::There).unwrap();
    assert_same(&store, &second);
}

#[test]
fn one_that_breaks_off_leaves_a_good_store_and_the_next_goes_on() {
    let home = Home::new();
    let store = home.open();
    work(&store, 3);
    let mut n_broken = 0;
    for n_left in 0.. {
        let second = Home::new();
        let to = CopyFolder::create(second.path(), &store.journal_id().unwrap()).unwrap();
        let left = Countdown::new(n_left);
        let to = Hooked::new(to, |step| match step {
            Step::Put | Step::Append if left.step() == 0 => {
                Err(CopyError::at("there")(std::io::Error::other("unplugged")))
            }
            _ => Ok(()),
        });
        let ended = store.copy_to(&to, Look::There, &mut |_| {});
        drop(to);
        // A power cut tears off the end of the last line.
        let torn = fs::read(second.current()).unwrap_or_default();
        if torn.iter().filter(|byte| **byte == b'\n').count() > 1 {
            fs::write(second.current(), &torn[..torn.len() - 7]).unwrap();
        }
        copy(&store, &second, Look::There).unwrap();
        assert_same(&store, &second);
        if ended.is_ok() {
            break;
        }
        n_broken += 1;
    }
    assert!(n_broken >= 4, "{n_broken}");
}

const CHILD: &str = "second::killed";

/// The child of the test below: copies with a failure point armed.
#[test]
fn killed() {
    let variable = |name| std::env::var(name);
    let Ok(home) = variable("STORE_TEST_HOME") else { return };
    let store = Store::open(Path::new(&home), clock()).unwrap();
    let path = variable("STORE_TEST_COPY").unwrap();
    let to = CopyFolder::create(Path::new(&path), &store.journal_id().unwrap()).unwrap();
    host::failpoint::arm(&variable("STORE_TEST_FAILPOINTS").unwrap()).unwrap();
    store.copy_to(&to, Look::There, &mut |_| {}).unwrap();
}

#[test]
fn kill_at_every_step_leaves_a_good_store_and_the_next_goes_on() {
    let home = Home::new();
    let store = home.open();
    work(&store, 4);
    let points = [
        "blob.synced",
        "blob.renamed",
        "blob.folder_synced",
        "segment.written",
        "segment.closed",
        "file.written",
        "file.renamed",
        "journal.append",
        "journal.appended",
        "journal.synced",
    ];
    for point in points {
        let second = Home::new();
        let environment = [
            ("STORE_TEST_HOME", home.path().to_str().unwrap().to_owned()),
            ("STORE_TEST_COPY", second.path().to_str().unwrap().to_owned()),
            ("STORE_TEST_FAILPOINTS", format!("{point}=kill")),
        ];
        let output = again(CHILD, &environment).wait_with_output().unwrap();
        assert_eq!(std::os::unix::process::ExitStatusExt::signal(&output.status), Some(9), "{point}");
        if second.current().exists() {
            assert_good(&second.open());
        }
        copy(&store, &second, Look::There).unwrap();
        assert_same(&store, &second);
    }
}

#[test]
fn what_is_damaged_here_is_not_carried_on_until_it_is_whole() {
    let (home, second) = (Home::new(), Home::new());
    let store = home.open();
    keep(&store, "good", b"good bytes");
    keep(&store, "bad", b"bytes to be flipped");
    store.flush().unwrap();
    let bad = Sha256::of(b"bytes to be flipped");
    fs::write(home.blob_path(&bad), b"bytes to bE flipped").unwrap();
    let report = copy(&store, &second, Look::There).unwrap();
    assert_eq!((report.n_blobs, report.damaged.as_slice()), (1, &[bad][..]));
    assert!(!second.blob_path(&bad).exists(), "no wrong byte leaves");

    // It is named as long as it is, also by whoever looks at what is new alone.
    let again = (0..40).map(|_| copy(&store, &second, Look::New).unwrap());
    assert!(again.into_iter().any(|report| report.damaged == [bad]), "chosen at least once, and no error");

    store.put(b"bytes to be flipped").unwrap();
    store.note_healed(&bad, "example.com").unwrap();
    let report = copy(&store, &second, Look::There).unwrap();
    assert_eq!((report.n_blobs, report.damaged.len()), (1, 0));
    assert_same(&store, &second);
}

#[test]
fn a_copy_that_is_read_back_is_made_whole() {
    let (home, second) = (Home::new(), Home::new());
    let store = home.open();
    work(&store, 5);
    // Longer than those of which a few are fetched back by chance: that would find it at once.
    let mut flipped = vec![b'a'; 17 << 20];
    keep(&store, "a", &flipped);
    keep(&store, "b", b"a removed one");
    copy(&store, &second, Look::There).unwrap();
    let (a, b) = (Sha256::of(&flipped), Sha256::of(b"a removed one"));
    flipped[1 << 20] = b'b';
    fs::write(second.blob_path(&a), &flipped).unwrap();
    fs::remove_file(second.blob_path(&b)).unwrap();
    assert_eq!(to_folder(&store, &second).n_absent, 1);
    let report = copy(&store, &second, Look::There).unwrap();
    assert_eq!((report.n_healed, report.n_blobs), (1, 1), "what is there is not read");
    let report = copy(&store, &second, Look::Whole).unwrap();
    assert_eq!((report.n_healed, report.n_blobs), (1, 1));
    assert_same(&store, &second);
}

/// How a copy stands.
struct Stands {
    n_absent: u64,
    n_behind: Result<u64, CopyError>,
}

fn to_folder(store: &Store, second: &Home) -> Stands {
    let copy = CopyFolder::open(second.path(), &store.journal_id().unwrap()).unwrap();
    Stands { n_absent: store.n_absent(&copy).unwrap(), n_behind: store.n_behind(&copy) }
}

/// A copy that says it has everything, and gives what it likes.
#[derive(Debug)]
struct Liar(Vec<u8>);

impl SecondCopy for Liar {
    fn place(&self) -> String {
        "a liar".to_owned()
    }

    fn head(&self) -> Result<Option<Head>, CopyError> {
        Ok(None)
    }

    fn missing(&self, _: &[Sha256], _: Look, _: u64) -> Result<Vec<Sha256>, CopyError> {
        Ok(Vec::new())
    }

    fn put(&self, _: Vec<BlobReader>) -> Result<Vec<Sha256>, CopyError> {
        Ok(Vec::new())
    }

    fn append(&self, _: Part<'_>) -> Result<(), CopyError> {
        Ok(())
    }

    fn get(&self, _: &Sha256, to: &mut dyn Write) -> Result<(), CopyError> {
        loop {
            to.write_all(&self.0).map_err(CopyError::at("a liar"))?;
            if self.0.len() < 100_000 {
                return Ok(());
            }
        }
    }
}

#[test]
fn what_a_copy_says_of_itself_is_not_believed() {
    let home = Home::new();
    let store = home.open();
    keep(&store, "a", b"bytes");
    store.flush().unwrap();
    let copied = |liar: &Liar| store.copy_to(liar, Look::There, &mut |_| {});
    assert!(copied(&Liar(b"bytes".to_vec())).is_ok(), "the control: one that gives them back");
    assert!(matches!(copied(&Liar(b"other".to_vec())), Err(CopyError::Wrong { .. })));
    // One that gives bytes without end fills no disk.
    let endless = Liar(vec![b'x'; 100_000]);
    assert!(copied(&endless).is_err());
    let bytes = Sha256::of(b"bytes");
    fs::write(home.blob_path(&bytes), "BYTES").unwrap();
    assert!(store.heal(&bytes, &endless).is_err());
    let temporaries = || fs::read_dir(home.path().join("blobs")).unwrap().filter_map(Result::ok);
    let left = temporaries().filter(|entry| entry.file_name().to_string_lossy().starts_with("tmp-"));
    let n_files: usize = left.map(|folder| fs::read_dir(folder.path()).unwrap().count()).sum();
    assert_eq!(n_files, 1, "only the file that says that its owner is alive");
}

#[test]
fn what_is_no_copy_of_this_store_stays_as_it_is() {
    let (home, second, other) = (Home::new(), Home::new(), Home::new());
    let store = home.open();
    keep(&store, "a", b"bytes");
    copy(&store, &second, Look::There).unwrap();
    // Somebody used it as a home.
    keep(&second.open(), "b", b"of the copy alone");
    keep(&store, "c", b"more");
    let before = fs::read(second.current()).unwrap();
    assert!(matches!(copy(&store, &second, Look::There), Err(CopyError::Diverged { .. })));
    assert!(matches!(to_folder(&store, &second).n_behind, Err(CopyError::Diverged { .. })));
    assert_eq!(fs::read(second.current()).unwrap(), before);

    keep(&other.open(), "d", b"another store's");
    let refused = copy(&store, &other, Look::There).unwrap_err().to_string();
    assert!(refused.ends_with("has the journal of another store"), "{refused}");
    let folder = Home::new();
    fs::write(folder.path().join("letter.txt"), "mine").unwrap();
    let refused = copy(&store, &folder, Look::There).unwrap_err().to_string();
    assert!(refused.ends_with("is a folder with something else in it"), "{refused}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    // A disk that is not there today is no reason to begin anew.
    let gone = folder.path().join("gone");
    assert!(matches!(CopyFolder::open(&gone, "x"), Err(CopyError::Foreign { .. })));
    assert!(!gone.exists());
}

#[test]
fn a_damaged_blob_is_healed_and_the_journal_says_so() {
    let (home, second) = (Home::new(), Home::new());
    let store = home.open();
    keep(&store, "a", b"bytes to be lost");
    copy(&store, &second, Look::There).unwrap();
    let sha256 = Sha256::of(b"bytes to be lost");
    let from = CopyFolder::open(second.path(), &store.journal_id().unwrap()).unwrap();
    for lost in [Some(&b"bytes to bE lost"[..]), Some(b""), None] {
        match lost {
            Some(bytes) => fs::write(home.blob_path(&sha256), bytes).unwrap(),
            None => fs::remove_file(home.blob_path(&sha256)).unwrap(),
        }
        assert!(store.read_blob(&sha256, 99).is_err());
        store.heal(&sha256, &from).unwrap();
        assert_eq!(store.read_blob(&sha256, 99).unwrap(), b"bytes to be lost");
    }
    assert_good(&store);
    let last = store.events_since(0, 99).unwrap().pop().unwrap();
    let expected = Event::Healed {
        sha256,
        belongs_to: vec!["GET https://example.com/a".to_owned()],
        from: second.path().display().to_string(),
    };
    assert_eq!(last.event, expected);
    assert_eq!(store.attention(9).unwrap().entries.len(), 3);

    // What the copy has is damaged as well: nothing is healed, and nothing worse than before.
    fs::write(second.blob_path(&sha256), b"bytes to be LOST").unwrap();
    fs::write(home.blob_path(&sha256), b"bytes to bE lost").unwrap();
    assert!(matches!(store.heal(&sha256, &from), Err(CopyError::Wrong { .. })));
    fs::remove_file(second.blob_path(&sha256)).unwrap();
    assert!(matches!(store.heal(&sha256, &from), Err(CopyError::Missing { .. })));
    assert!(store.read_blob(&sha256, 99).is_err());
}

#[test]
fn a_store_is_copied_while_it_is_written_to() {
    let (home, second) = (Home::new(), Home::new());
    let store = home.open();
    work(&store, 6);
    let is_done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for seed in 7.. {
                Workload::new(seed).run(&store, 20, &mut |_| {});
                if is_done.load(Ordering::Relaxed) {
                    break;
                }
            }
        });
        for _ in 0..5 {
            let report = copy(&store, &second, Look::There);
            is_done.store(report.is_err(), Ordering::Relaxed);
            assert!(report.unwrap().damaged.is_empty());
        }
        is_done.store(true, Ordering::Relaxed);
    });
    copy(&store, &second, Look::There).unwrap();
    assert_same(&store, &second);
}

#[test]
fn what_a_loss_of_power_left_behind_the_last_entry_is_no_other_entry() {
    let (home, second) = (Home::new(), Home::new());
    let store = home.open();
    keep(&store, "old", b"old bytes");
    store.flush().unwrap();
    copy(&store, &second, Look::There).unwrap();
    let leftovers: [&[u8]; 2] = [&[0; 700], br#"{"seq":2,"time":"2026-05-21T1"#];
    for (n, leftover) in leftovers.into_iter().enumerate() {
        let whole = fs::read(second.current()).unwrap();
        fs::write(second.current(), [&whole[..], leftover].concat()).unwrap();
        keep(&store, &format!("new-{n}"), b"new bytes");
        store.flush().unwrap();
        assert!(matches!(to_folder(&store, &second).n_behind, Ok(1)), "{n}");
        copy(&store, &second, Look::There).unwrap();
        assert_same(&store, &second);
    }
}
