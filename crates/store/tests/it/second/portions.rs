//! What is read back at a time: nobody waits for the disk of the other side without knowing for how long.

use std::fs;
use std::sync::Mutex;

use model::{Event, Held, Sha256};
use store::{CopyFolder, Look};

use super::hooked::{Hooked, Step};
use crate::world::*;

#[test]
fn large_blobs_are_read_back_a_few_at_a_time() {
    const MB: u64 = 1 << 20;
    let (home, second) = (Home::new(), Home::new());
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
    // The copy has them all.
    let to = CopyFolder::create(second.path(), &store.journal_id().unwrap()).unwrap();
    for n in 0..sizes.len() {
        let sha256 = Sha256::of(n.to_string().as_bytes());
        let path = second.blob_path(&sha256);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, n.to_string()).unwrap();
    }
    let asked = Mutex::new(Vec::new());
    let to = Hooked::new(to, |step| {
        if let Step::Missing { n_blobs, look: Look::Whole, size_bytes } = step {
            asked.lock().unwrap().push((n_blobs, size_bytes));
        }
        Ok(())
    });
    store.copy_to(&to, Look::Whole, &mut |_| {}).unwrap();
    drop(to);
    let asked = asked.into_inner().unwrap();
    assert!(asked.iter().all(|(n, size_bytes)| *n == 1 || *size_bytes <= 1024 * MB), "{asked:?}");
    assert!(asked.iter().any(|(n, _)| *n > 1), "not each alone: {asked:?}");
    let all = asked.iter().fold((0, 0), |(n, bytes), (more, more_bytes)| (n + more, bytes + more_bytes));
    assert_eq!(all, (sizes.len(), sizes.iter().sum()), "{asked:?}");
}
