//! Tells other bytes of the same content from other content: forges pack their archives anew at times.

use std::collections::VecDeque;
use std::fs::File;
use std::sync::{Arc, Mutex};

use model::{Event, ObjectKey, Sha256};
use registry::archive;
use store::Store;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::decide::Kind;
use crate::limits::{N_TO_UNPACK_MAX, N_UNPACKED_AT_ONCE, UNPACKED_BYTES_MAX};
use crate::session::{Inner, lock};
use crate::want::Want;

/// What is to be unpacked, oldest first. It holds names alone: whose turn it is has its blob opened.
#[derive(Debug)]
pub(crate) struct Unpacking {
    waiting: Mutex<VecDeque<Packed>>,
    turns: Arc<Semaphore>,
}

/// An archive that lies in the store.
#[derive(Debug, PartialEq, Eq)]
struct Packed {
    key: ObjectKey,
    sha256: Sha256,
    /// Which release it is, where anybody says so.
    release: Option<String>,
}

impl Default for Unpacking {
    fn default() -> Self {
        Self { waiting: Mutex::default(), turns: Arc::new(Semaphore::new(N_UNPACKED_AT_ONCE)) }
    }
}

impl Unpacking {
    /// Returns the archive with its turn if one is free; otherwise it waits, as long as not too many do.
    fn add(&self, packed: Packed) -> Option<(Packed, OwnedSemaphorePermit)> {
        let mut waiting = lock(&self.waiting);
        match self.turns.clone().try_acquire_owned() {
            Ok(turn) => return Some((packed, turn)),
            Err(_) if waiting.len() < N_TO_UNPACK_MAX => waiting.push_back(packed),
            Err(_) => {}
        }
        None
    }

    /// Hands a turn on to the archive that waits longest, or gives it back.
    fn next(&self, turn: OwnedSemaphorePermit) -> Option<(Packed, OwnedSemaphorePermit)> {
        // Given back under the lock, or what is added at this moment would wait for a turn that nobody hands on.
        let mut waiting = lock(&self.waiting);
        match waiting.pop_front() {
            Some(packed) => Some((packed, turn)),
            None => {
                drop(turn);
                None
            }
        }
    }

    /// Drops what waits: a build does not end later for what may never be needed.
    pub(crate) fn drop_waiting(&self) {
        lock(&self.waiting).clear();
    }
}

impl Inner {
    /// Notes what a file holds for which nobody vouches, when the command does not wait for it any more.
    pub(crate) fn note_tree(self: &Arc<Self>, want: &Want, sha256: Sha256, size_bytes: u64) {
        if want.kind() != Kind::File || size_bytes > UNPACKED_BYTES_MAX {
            return;
        }
        let packed = Packed { key: want.key.clone(), sha256, release: self.release(want) };
        let Some(mut begun) = self.unpacking.add(packed) else { return };
        let inner = self.clone();
        self.go_on_beside(async move {
            loop {
                let (Packed { key, sha256, release }, turn) = begun;
                let store = inner.engine.store.clone();
                let unpacked = tokio::task::spawn_blocking(move || new_tree_of(&store, &sha256)).await;
                if let Ok(Some(tree)) = unpacked {
                    let event = Event::Unpacked { key: key.clone(), sha256, tree, release: release.clone() };
                    inner.journal(key.url.host(), event);
                    if let Some(release) = release {
                        inner.compare_with_first(key, sha256, tree, release);
                    }
                }
                let Some(next) = inner.unpacking.next(turn) else { return };
                begun = next;
            }
        });
    }

    /// Tells where a release holds something else than it did at the address where it was seen first.
    fn compare_with_first(&self, key: ObjectKey, sha256: Sha256, tree: Sha256, release: String) {
        match self.engine.store.first_of(&release) {
            Ok(Some(first)) if first.tree != tree && first.url != key.url => {
                let (first_url, first) = (first.url, first.sha256);
                let host = key.url.host().to_owned();
                self.journal(&host, Event::Differs { key, sha256, release, first_url, first });
            }
            Ok(_) => {}
            Err(error) => tracing::error!("where {release} was seen first could not be read: {error}"),
        }
    }

    /// Returns whether what came holds the same as the first bytes, which are lost.
    pub(crate) async fn is_repacked(&self, first: &Sha256, file: Option<&File>) -> bool {
        let Ok(Some(known)) = self.engine.store.tree_of(first) else { return false };
        let Some(Ok(mut file)) = file.map(File::try_clone) else { return false };
        let unpacked = tokio::task::spawn_blocking(move || archive::tree(&mut file).ok()).await;
        unpacked.ok().flatten() == Some(known)
    }
}

/// Returns the tree of an archive in the store; nothing if it is known already.
fn new_tree_of(store: &Store, sha256: &Sha256) -> Option<Sha256> {
    if store.tree_of(sha256).ok()?.is_some() {
        return None;
    }
    let blob = store.open_blob(sha256).ok()?;
    blob.verify().ok()?;
    archive::tree(&mut blob.file()).ok()
}

#[cfg(test)]
mod tests {
    use model::{Method, ObjectUrl};

    use super::*;

    fn packed(number: usize) -> Packed {
        let url = ObjectUrl::parse(&format!("https://example.com/{number}.zip")).unwrap();
        let key = ObjectKey { method: Method::Get, url, variant: String::new() };
        Packed { key, sha256: Sha256::of(&number.to_le_bytes()), release: None }
    }

    #[test]
    fn only_a_few_are_unpacked_at_once_and_the_others_in_their_order() {
        let unpacking = Unpacking::default();
        let mut turns: Vec<_> =
            (0..N_UNPACKED_AT_ONCE + 2).filter_map(|number| unpacking.add(packed(number))).collect();
        assert_eq!(turns.len(), N_UNPACKED_AT_ONCE);
        for number in N_UNPACKED_AT_ONCE..N_UNPACKED_AT_ONCE + 2 {
            let (next, turn) = unpacking.next(turns.remove(0).1).unwrap();
            assert_eq!(next, packed(number));
            turns.push((next, turn));
        }
        assert!(unpacking.next(turns.remove(0).1).is_none());
        assert!(unpacking.add(packed(9)).is_some(), "its turn was given back");
    }

    #[test]
    fn what_waits_is_bounded_and_dropped_at_the_end() {
        let unpacking = Unpacking::default();
        let mut turns: Vec<_> =
            (0..N_TO_UNPACK_MAX + 10).filter_map(|number| unpacking.add(packed(number))).collect();
        assert_eq!(lock(&unpacking.waiting).len(), N_TO_UNPACK_MAX);
        unpacking.drop_waiting();
        assert!(unpacking.next(turns.remove(0).1).is_none());
    }
}
