//! The store of a drill that asks a server: what a new machine has.

use model::Event;
use proxy::Purpose;
use store::{Attention, Store};
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
    /// The home's own.
    home: Store,
    _folder: TempDir,
    /// While it is there, nobody sweeps the home.
    _writing: mend::Writing,
}

impl Scratch {
    pub(super) fn of(home: &Home, own: &Store, task: &Task) -> Result<Option<Self>, Failure> {
        if task.purpose != Purpose::Drill || task.via.is_none() {
            return Ok(None);
        }
        let writing = mend::writing(&home.path)?;
        let folder = tempfile::Builder::new().prefix(mend::SCRATCH).tempdir_in(&home.path)?;
        let store = Store::open(folder.path(), home.clock.clone())?;
        Ok(Some(Self { store, home: own.clone(), _folder: folder, _writing: writing }))
    }

    /// Writes into the home's own store what a person should see of the drill: a server that gave wrong bytes did so for good.
    fn hand_over(&self) -> Result<(), Failure> {
        let Attention { entries, n_more } = self.store.attention(N_HANDED_MAX)?;
        if n_more > 0 {
            tracing::warn!("{n_more} more events of this drill are not written down");
        }
        let mut events = Vec::new();
        for mut event in entries.into_iter().rev().map(|entry| entry.event) {
            match &mut event {
                Event::Quarantined { sha256, .. } => {
                    let bytes = sha256.and_then(|it| self.store.read_blob(&it, BLOB_BYTES_MAX).ok());
                    *sha256 = bytes.map(|bytes| self.home.put(&bytes)).transpose()?.map(|blob| blob.sha256);
                }
                Event::Rejected { .. } => {}
                _ => continue,
            }
            events.push(event);
        }
        if !events.is_empty() {
            self.home.record(events)?;
            self.home.flush()?;
        }
        Ok(())
    }
}

impl Drop for Scratch {
    /// However the drill ended, and after its record: what is told here is no part of it.
    fn drop(&mut self) {
        if let Err(failure) = self.hand_over() {
            tracing::error!("what happened in this drill could not be written down: {failure}");
        }
    }
}
