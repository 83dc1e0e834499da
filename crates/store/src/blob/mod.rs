//! Immutable bytes under their SHA-256: `blobs/ab/cd/<64 hex>`, plain, so that `sha256sum` of a file is its name.

mod arriving;
mod folder;
mod hashed;
mod reader;
mod writer;

use std::fmt;
use std::io;

use model::Sha256;
use serde::{Deserialize, Serialize};

pub use arriving::Arriving;
pub(crate) use folder::{Folder, Stage, Temporary, fault_of, hash_file};
pub(crate) use hashed::{FileState, Hashed};
pub use reader::BlobReader;
pub use writer::BlobWriter;

/// Names a blob and says how long it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Blob {
    /// Its name.
    pub sha256: Sha256,
    /// Its length.
    pub size_bytes: u64,
}

/// What is wrong with a blob on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BlobFault {
    /// The right length or more, and other bytes.
    Flipped,
    /// Shorter than what was kept.
    Truncated,
    /// Named by the journal, and not there; or what is there is no file.
    Missing,
}

impl fmt::Display for BlobFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Flipped => "flipped",
            Self::Truncated => "truncated",
            Self::Missing => "missing",
        })
    }
}

/// Why a blob could not be read.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    /// It is not held.
    #[error("blob is not held")]
    Missing,
    /// It is not what was kept. It is replaced as soon as the right bytes are written again.
    #[error("blob is damaged ({fault})")]
    Damaged {
        /// What is wrong with it.
        fault: BlobFault,
    },
    /// It is longer than the caller can take.
    #[error("blob of {size_bytes} bytes is too large")]
    TooLarge {
        /// Its length.
        size_bytes: u64,
    },
    /// The disk failed.
    #[error("could not read the blob")]
    Io {
        /// The system's reason.
        #[from]
        source: io::Error,
    },
}
