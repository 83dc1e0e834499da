//! What was handed over and is not durable yet.

use std::collections::{HashMap, VecDeque};
use std::sync::mpsc::Sender;

use model::Sha256;

use crate::blob::Temporary;
use crate::error::{AppendError, WriteError};
use crate::journal::Draft;

/// What waits for the disk is bounded: beyond this, whoever hands over more waits as well.
const N_BLOBS_MAX: usize = 4096;
/// As above, in bytes of blobs; a disk of 100 MB/s writes this in five seconds.
const BLOB_BYTES_MAX: u64 = 512 << 20;
/// As above, in entries; about 16 MB of memory.
const N_EVENTS_MAX: usize = 16_384;

/// Events that were handed over together.
#[derive(Debug)]
pub(crate) struct Item {
    /// The number that everything handed over got up to here.
    pub(crate) upto: u64,
    pub(crate) drafts: Vec<Draft>,
    pub(crate) guarded: Option<Guarded>,
}

/// Somebody waits for the outcome.
#[derive(Debug)]
pub(crate) struct Guarded {
    pub(crate) expect: Option<(String, u64)>,
    pub(crate) answer: Sender<Result<u64, AppendError>>,
}

#[derive(Debug, Default)]
pub(crate) struct Queue {
    /// Blobs whose bytes are in a temporary file.
    pub(crate) blobs: HashMap<Sha256, Temporary>,
    pub(crate) n_blob_bytes: u64,
    /// Events in the order in which they were handed over.
    pub(crate) items: VecDeque<Item>,
    pub(crate) n_events: usize,
    /// Everything handed over is counted; everything up to `durable` is durable.
    pub(crate) handed: u64,
    pub(crate) durable: u64,
    /// Attempts to commit that have begun.
    pub(crate) n_attempts: u64,
    /// The last attempt and its error, if it failed.
    pub(crate) failure: Option<(u64, WriteError)>,
    /// The committing thread waits for work.
    pub(crate) is_idle: bool,
    /// Somebody waits: no gathering, no back-off.
    pub(crate) is_urgent: bool,
    /// The store is being closed.
    pub(crate) is_closing: bool,
    /// The committing thread is gone.
    pub(crate) is_stopped: bool,
}

impl Queue {
    pub(crate) fn has_room_for_blob(&self) -> bool {
        self.blobs.len() < N_BLOBS_MAX && self.n_blob_bytes < BLOB_BYTES_MAX
    }

    /// What lies here already has no bytes to be written.
    pub(crate) fn has_room_for_held(&self) -> bool {
        self.blobs.len() < N_BLOBS_MAX
    }

    pub(crate) const fn has_room_for_event(&self) -> bool {
        self.n_events < N_EVENTS_MAX
    }
}
