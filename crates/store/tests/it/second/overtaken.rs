//! Two who bring one copy up to date at the same time: a person beside a server, or a slow one whom the next overtakes.

use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering};

use model::Sha256;
use store::{BlobReader, CopyError, CopyFolder, Head, Look, Part, SecondCopy, Store};

use super::{assert_same, copy};
use crate::world::*;

/// Adds some blobs, and so many lines that a segment is closed.
fn grow(store: &Store, name: &str) {
    for round in 0..5 {
        let path = format!("{name}-{round}");
        keep(store, &path, path.as_bytes());
        store.append(None, vec![rejected(&path, &"y".repeat(1_000_000))]).unwrap();
    }
    store.flush().unwrap();
}

/// A carrier that waits before one of its steps, until another one has carried everything, and more.
#[derive(Debug)]
struct Overtaken<'a> {
    to: CopyFolder,
    store: &'a Store,
    second: &'a Home,
    n_left: AtomicUsize,
}

impl Overtaken<'_> {
    fn step(&self) {
        let stepped = self.n_left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1));
        if stepped == Ok(1) {
            grow(self.store, "meanwhile");
            copy(self.store, self.second, Look::There).unwrap();
        }
    }

    fn was_overtaken(&self) -> bool {
        self.n_left.load(Ordering::Relaxed) == 0
    }
}

impl SecondCopy for Overtaken<'_> {
    fn place(&self) -> String {
        self.to.place()
    }

    fn head(&self) -> Result<Option<Head>, CopyError> {
        self.step();
        self.to.head()
    }

    fn missing(&self, blobs: &[Sha256], look: Look, size_bytes: u64) -> Result<Vec<Sha256>, CopyError> {
        self.step();
        self.to.missing(blobs, look, size_bytes)
    }

    fn put(&self, blobs: Vec<BlobReader>) -> Result<Vec<Sha256>, CopyError> {
        self.step();
        self.to.put(blobs)
    }

    fn append(&self, part: Part<'_>) -> Result<(), CopyError> {
        self.step();
        self.to.append(part)
    }

    fn get(&self, sha256: &Sha256, to: &mut dyn Write) -> Result<(), CopyError> {
        self.to.get(sha256, to)
    }
}

#[test]
fn who_is_overtaken_is_told_so_or_goes_on_and_never_that_the_copy_has_other_entries() {
    let (mut n_moved, mut n_whole) = (0, 0);
    for was_begun in [false, true] {
        for n_left in 1.. {
            let (home, second) = (Home::new(), Home::new());
            let store = home.open();
            keep(&store, "before", b"before");
            if was_begun {
                copy(&store, &second, Look::There).unwrap();
            }
            grow(&store, "since");
            let to = CopyFolder::create(second.path(), &store.journal_id().unwrap()).unwrap();
            let to = Overtaken { to, store: &store, second: &second, n_left: AtomicUsize::new(n_left) };
            match store.copy_to(&to, Look::There, &mut |_| {}) {
                Ok(_) => n_whole += 1,
                Err(CopyError::Moved { .. }) => n_moved += 1,
                Err(error) => panic!("before step {n_left}: {error}"),
            }
            copy(&store, &second, Look::There).unwrap();
            assert_same(&store, &second);
            if !to.was_overtaken() {
                break;
            }
        }
    }
    assert!(n_moved >= 2 && n_whole >= 4, "{n_moved} moved, {n_whole} whole");
}
