//! The store of a drill that asks a server: what a new machine has.

use model::Event;
use proxy::Purpose;
use store::Store;
use tempfile::TempDir;

use super::Task;
use crate::failure::Failure;
use crate::home::Home;
use crate::mend;

/// What happened that is told of one drill.
const N_HANDED_MAX: usize = 1000;
/// The largest blob that is taken along; larger ones are not in quarantine either.
const BLOB_BYTES_MAX: u64 = 64 << 20;

/// A store of one drill that asks a server: it begins empty, as on a machine on which nothing was ever run, and goes with the
/// drill. It lies in the home, which no room shows.
pub(super) struct Scratch {
    pub(super) store: Store,
    _folder: TempDir,
    /// While it is there, nobody sweeps the home.
    _writing: mend::Writing,
}

impl Scratch {
    pub(super) fn of(home: &Home, task: &Task) -> Result<Option<Self>, Failure> {
        if task.purpose != Purpose::Drill || task.via.is_none() {
            return Ok(None);
        }
        let writing = mend::writing(&home.path)?;
        let folder = tempfile::Builder::new().prefix(mend::SCRATCH).tempdir_in(&home.path)?;
        let store = Store::open(folder.path(), home.clock.clone())?;
        Ok(Some(Self { store, _folder: folder, _writing: writing }))
    }

    /// Writes into the home's own store what a person should see of the drill: a server that gave wrong bytes did so for good.
    pub(super) fn hand_over(&self, store: &Store) -> Result<(), Failure> {
        let mut events = Vec::new();
        for entry in self.store.attention(N_HANDED_MAX)?.entries.into_iter().rev() {
            match entry.event {
                Event::Quarantined { key, sha256, size_bytes, expected, got, vouched_by } => {
                    let bytes = sha256.and_then(|it| self.store.read_blob(&it, BLOB_BYTES_MAX).ok());
                    let sha256 = bytes.map(|bytes| store.put(&bytes)).transpose()?.map(|blob| blob.sha256);
                    events.push(Event::Quarantined { key, sha256, size_bytes, expected, got, vouched_by });
                }
                event @ Event::Rejected { .. } => events.push(event),
                _ => {}
            }
        }
        if !events.is_empty() {
            store.record(events)?;
            store.flush()?;
        }
        Ok(())
    }
}
