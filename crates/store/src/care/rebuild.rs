//! Makes the index anew from journal and blobs alone.

use std::path::Path;

use serde::Serialize;

use crate::commit::Desk;
use crate::error::OpenError;
use crate::store::Store;

/// What was found on the way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RebuildReport {
    /// Entries folded.
    pub n_entries: u64,
    /// Objects held.
    pub n_objects: u64,
    /// What was wrong with the journal, in words for a person; then an index that could be read was left as it was.
    pub journal: Vec<String>,
}

impl Store {
    /// Makes the index anew; the old one stays until the new one is whole. Others may have the store open.
    ///
    /// Where the journal is damaged, or an index that can be read had seen more of it, that index stays: it may be all
    /// that shows the loss. Put the journal back first; or delete the index, to have one of what is left.
    pub fn rebuild_index(home: &Path, clock: host::Clock) -> Result<RebuildReport, OpenError> {
        let lock = Self::lock(home)?;
        let (desk, whole) = Desk::rebuild(home).map_err(|source| OpenError::Index { source })?;
        let n_entries = desk.n_folded().map_err(|source| OpenError::Index { source })?;
        drop(desk);
        lock.unlock().map_err(OpenError::at(home))?;
        let store = Self::open(home, clock)?;
        let n_objects = store.n_objects().map_err(|source| OpenError::Index { source })?;
        Ok(RebuildReport { n_entries, n_objects, journal: whole.problems })
    }
}
