//! Two who bring one copy up to date at the same time: a person beside a server, or a slow one whom the next overtakes.

use store::{CopyError, CopyFolder, Look, Store};

use super::hooked::{Countdown, Hooked};
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
            // The carrier waits before one of its steps, until another one has carried everything, and more.
            let left = Countdown::new(n_left);
            let to = Hooked::new(to, |_| {
                if left.step() == 1 {
                    grow(&store, "meanwhile");
                    copy(&store, &second, Look::There).unwrap();
                }
                Ok(())
            });
            match store.copy_to(&to, Look::There, &mut |_| {}) {
                Ok(_) => n_whole += 1,
                Err(CopyError::Moved { .. }) => n_moved += 1,
                Err(error) => panic!("before step {n_left}: {error}"),
            }
            copy(&store, &second, Look::There).unwrap();
            assert_same(&store, &second);
            if !left.is_over() {
                break;
            }
        }
    }
    assert!(n_moved >= 2 && n_whole >= 4, "{n_moved} moved, {n_whole} whole");
}
