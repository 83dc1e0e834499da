//! Counts what is held.

use std::collections::BTreeMap;
use std::fs;
use std::io;

use model::Kind;
use serde::Serialize;

use crate::error::IndexError;
use crate::index;
use crate::store::Store;

/// How much is held.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Stat {
    /// Blobs on disk.
    pub n_blobs: u64,
    /// Their bytes.
    pub size_bytes: u64,
    /// Entries of the journal.
    pub n_entries: u64,
    /// Bytes of the journal on disk.
    pub journal_bytes: u64,
    /// Objects: methods, addresses and variants of which an answer is held.
    pub n_objects: u64,
    /// Recorded runs; a drill's replay is none.
    pub n_runs: u64,
    /// Drills, whatever their verdict.
    pub n_drills: u64,
    /// The objects by ecosystem, in alphabetical order.
    pub ecosystems: Vec<Count>,
    /// The objects by host, in alphabetical order.
    pub hosts: Vec<Count>,
}

/// The objects of one ecosystem or one host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Count {
    /// The ecosystem or the host.
    pub name: String,
    /// How many objects.
    pub n_objects: u64,
    /// The bytes of their newest generations.
    pub size_bytes: u64,
}

/// Why nothing could be counted.
#[derive(Debug, thiserror::Error)]
pub enum StatError {
    /// The index gave no answer.
    #[error("could not count the objects")]
    Index {
        /// The reason.
        #[from]
        source: IndexError,
    },
    /// The disk failed.
    #[error("could not count the blobs")]
    Io {
        /// The system's reason.
        #[from]
        source: io::Error,
    },
}

impl Store {
    /// Counts what is held. Blobs and entries that wait for the disk are written before.
    pub fn stat(&self) -> Result<Stat, StatError> {
        self.flush().map_err(|source| IndexError::Waiting { source })?;
        let (mut n_blobs, mut size_bytes) = (0, 0);
        self.shared().folder.each_blob(|_, path| {
            n_blobs += 1;
            size_bytes += fs::symlink_metadata(path)?.len();
            Ok(())
        })?;
        let mut journal_bytes = 0;
        for file in fs::read_dir(self.home().join("journal"))? {
            journal_bytes += file?.metadata()?.len();
        }
        let stat = self.list(|connection| {
            let mut ecosystems = BTreeMap::new();
            let mut hosts = BTreeMap::new();
            index::each_object(connection, |host, held| {
                add(&mut ecosystems, held.ecosystem, held.size_bytes);
                add(&mut hosts, host, held.size_bytes);
            })?;
            Ok(Stat {
                n_blobs,
                size_bytes,
                n_entries: index::count(connection, "SELECT count(*) FROM entries")?,
                journal_bytes,
                n_objects: index::count(connection, "SELECT count(*) FROM objects")?,
                n_runs: index::count(connection, "SELECT count(*) FROM runs WHERE is_drill = 0")?,
                n_drills: index::n_of_kind(connection, Kind::Drilled)?,
                ecosystems: ecosystems.into_values().collect(),
                hosts: hosts.into_values().collect(),
            })
        })?;
        Ok(stat)
    }

    pub(super) fn n_objects(&self) -> Result<u64, IndexError> {
        self.list(|connection| index::count(connection, "SELECT count(*) FROM objects"))
    }
}

fn add(counts: &mut BTreeMap<String, Count>, name: String, size_bytes: u64) {
    let count = counts.entry(name.clone()).or_insert(Count { name, n_objects: 0, size_bytes: 0 });
    count.n_objects += 1;
    count.size_bytes += size_bytes;
}
