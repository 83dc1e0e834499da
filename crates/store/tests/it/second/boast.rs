//! A copy that says of its last entry what it likes: how far it is, its bytes show.

use store::{CopyFolder, Head, Look};

use super::hooked::Hooked;
use super::{assert_same, copy};
use crate::world::*;

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
        let to = Hooked::new(to, |_| Ok(())).saying(|head| Head { seq, ..head });
        assert_eq!(store.n_behind(&to).unwrap(), 3, "{seq}");
        let report = store.copy_to(&to, Look::New, &mut |_| {}).unwrap();
        assert_eq!((report.n_entries, report.n_blobs), (3, 3), "{seq}");
        drop(to);
        assert_same(&store, &second);
    }
}
