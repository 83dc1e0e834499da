//! What is read back at a time: nobody waits for the disk of the other side without knowing for how long.

use std::io::Write;
use std::sync::Mutex;

use model::{Event, Held, Sha256};
use store::{BlobReader, CopyError, Head, Look, Part, SecondCopy};

use crate::world::*;

/// A copy that has everything, and notes what it had to read back.
#[derive(Debug, Default)]
struct Noting(Mutex<Vec<(usize, u64)>>);

impl SecondCopy for Noting {
    fn place(&self) -> String {
        "there".to_owned()
    }

    fn head(&self) -> Result<Option<Head>, CopyError> {
        Ok(None)
    }

    fn missing(&self, blobs: &[Sha256], look: Look, size_bytes: u64) -> Result<Vec<Sha256>, CopyError> {
        if look == Look::Whole {
            self.0.lock().unwrap().push((blobs.len(), size_bytes));
        }
        Ok(Vec::new())
    }

    fn put(&self, _: Vec<BlobReader>) -> Result<Vec<Sha256>, CopyError> {
        Ok(Vec::new())
    }

    fn append(&self, _: Part<'_>) -> Result<(), CopyError> {
        Ok(())
    }

    fn get(&self, _: &Sha256, _: &mut dyn Write) -> Result<(), CopyError> {
        Ok(())
    }
}

#[test]
fn large_blobs_are_read_back_a_few_at_a_time() {
    const MB: u64 = 1 << 20;
    let home = Home::new();
    let store = home.open();
    // The journal says that they are long; nobody opens them.
    let sizes = [&[400 * MB; 7][..], &[3000 * MB], &[20 * MB; 9]].concat();
    for (n, size_bytes) in sizes.iter().enumerate() {
        let name = n.to_string();
        let held = Held { size_bytes: *size_bytes, ..held(name.as_bytes()) };
        store.put(name.as_bytes()).unwrap();
        store.record(vec![Event::Kept { key: key(&name), held }]).unwrap();
    }
    store.flush().unwrap();
    let to = Noting::default();
    store.copy_to(&to, Look::Whole, &mut |_| {}).unwrap();
    let asked = to.0.into_inner().unwrap();
    assert!(asked.iter().all(|(n, size_bytes)| *n == 1 || *size_bytes <= 1024 * MB), "{asked:?}");
    assert!(asked.iter().any(|(n, _)| *n > 1), "not each alone: {asked:?}");
    let all = asked.iter().fold((0, 0), |(n, bytes), (more, more_bytes)| (n + more, bytes + more_bytes));
    assert_eq!(all, (sizes.len(), sizes.iter().sum()), "{asked:?}");
}
