//! A copy that says of its last entry what it likes: how far it is, its bytes show.

use std::io::Write;

use model::Sha256;
use store::{BlobReader, CopyError, CopyFolder, Head, Look, Part, SecondCopy};

use super::{assert_same, copy};
use crate::world::*;

/// A copy whose bytes are right, and which is said to end elsewhere.
#[derive(Debug)]
struct Boasting {
    to: CopyFolder,
    seq: u64,
}

impl SecondCopy for Boasting {
    fn place(&self) -> String {
        self.to.place()
    }

    fn head(&self) -> Result<Option<Head>, CopyError> {
        Ok(self.to.head()?.map(|head| Head { seq: self.seq, ..head }))
    }

    fn missing(&self, blobs: &[Sha256], look: Look, size_bytes: u64) -> Result<Vec<Sha256>, CopyError> {
        self.to.missing(blobs, look, size_bytes)
    }

    fn put(&self, blobs: Vec<BlobReader>) -> Result<Vec<Sha256>, CopyError> {
        self.to.put(blobs)
    }

    fn append(&self, part: Part<'_>) -> Result<(), CopyError> {
        self.to.append(part)
    }

    fn get(&self, sha256: &Sha256, to: &mut dyn Write) -> Result<(), CopyError> {
        self.to.get(sha256, to)
    }
}

#[test]
fn what_a_copy_says_of_its_last_entry_skips_nothing() {
    for seq in [0, 2, u64::MAX] {
        let (home, second) = (Home::new(), Home::new());
        let store = home.open();
        keep(&store, "old", b"old bytes");
        store.flush().unwrap();
        copy(&store, &second, Look::New).unwrap();
        for name in ["a", "b", "c"] {
            keep(&store, name, format!("bytes of {name}").as_bytes());
        }
        store.flush().unwrap();
        let to = CopyFolder::open(second.path(), &store.journal_id().unwrap()).unwrap();
        let to = Boasting { to, seq };
        assert_eq!(store.n_behind(&to).unwrap(), 3, "{seq}");
        let report = store.copy_to(&to, Look::New, &mut |_| {}).unwrap();
        assert_eq!((report.n_entries, report.n_blobs), (3, 3), "{seq}");
        drop(to);
        assert_same(&store, &second);
    }
}
