//! Keeps: blobs by their SHA-256, the journal of what was seen and decided, and the index derived from both.
//!
//! Files are the truth (docs/FORMAT.md); the index is a fold of them. Nothing here deletes what was kept. The caller's
//! path never waits for the disk: one thread in the background makes things durable in batches.

mod access;
mod blob;
mod care;
mod commit;
mod error;
mod index;
mod journal;
mod lookup;
mod regular;
mod repos;
mod second;
mod store;

pub use blob::{Arriving, Blob, BlobError, BlobFault, BlobReader, BlobWriter};
pub use care::{Count, Damaged, RebuildReport, Stat, StatError, VerifyError, VerifyProgress, VerifyReport};
pub use error::{AppendError, IndexError, OpenError, WriteError};
pub use index::FirstSeen;
pub use journal::Entry;
pub use lookup::Attention;
pub use second::{
    BLOB_BYTES_MAX, CopyError, CopyFolder, CopyProgress, CopyReport, Head, Look, Part, SecondCopy,
};
pub use store::{Expect, Store};

/// Every failure point of the store, in the order in which a commit passes them.
///
/// `blob.write`, `journal.append` and `index.update` stand before a write, for a full disk; the others after a step is done.
pub const FAILURE_POINTS: [&str; 12] = [
    "blob.write",
    "blob.temporary_written",
    "blob.synced",
    "blob.renamed",
    "blob.folder_synced",
    "journal.append",
    "journal.appended",
    "journal.synced",
    "segment.written",
    "segment.closed",
    "index.update",
    "index.updated",
];
