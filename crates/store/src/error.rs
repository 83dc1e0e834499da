//! What can go wrong, by outcome.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use model::Sha256;

/// Why a store could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A file or folder of the store could not be read or made.
    #[error("could not open `{}`", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The index could be neither read nor made anew.
    #[error("could not make the index")]
    Index {
        /// The reason.
        source: IndexError,
    },
}

impl OpenError {
    /// Returns a function that says which path an error is about.
    pub(crate) fn at(path: &Path) -> impl FnOnce(io::Error) -> Self + '_ {
        move |source| Self::Io { path: path.to_owned(), source }
    }
}

/// Why something is not durable.
///
/// Cloned to everyone who waits for the same batch.
#[derive(Debug, Clone, thiserror::Error)]
pub enum WriteError {
    /// The disk is full, or a quota is. What was handed over stays readable and is tried again.
    #[error("no space left for the store")]
    NoSpace {
        /// The system's reason.
        source: Arc<io::Error>,
    },
    /// The disk failed. What was handed over stays readable and is tried again.
    #[error("could not write to the store")]
    Disk {
        /// The system's reason.
        source: Arc<io::Error>,
    },
    /// Something that is no blob lies where one belongs; nothing is written until a person has moved it.
    #[error("something lies where a blob belongs")]
    Obstructed {
        /// What, with its path.
        source: Arc<io::Error>,
    },
    /// The home can be read and not be written to: read-only media, a backup, or somebody else's.
    #[error("the store is read-only")]
    ReadOnly {
        /// The system's reason.
        source: Arc<io::Error>,
    },
    /// The index could not be asked, or is too far behind, and without it entries get no numbers. One that is merely
    /// behind the journal is no error: it catches up.
    #[error("could not update the index")]
    Index {
        /// The reason.
        source: Arc<IndexError>,
    },
    /// The journal contradicts itself, so nothing is added to it until a person has looked.
    #[error("the journal is damaged and takes no more entries: {reason}")]
    Damaged {
        /// What is wrong, in words for a person.
        reason: String,
    },
    /// The event names a blob that is not held.
    #[error("no blob `{sha256}` is held")]
    NoBlob {
        /// The blob.
        sha256: Sha256,
    },
    /// The event is longer than an entry of the journal may be.
    #[error("an entry of {size_bytes} bytes is too long for the journal")]
    TooLong {
        /// Its length.
        size_bytes: usize,
    },
}

impl From<io::Error> for WriteError {
    fn from(source: io::Error) -> Self {
        let source = Arc::new(source);
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::NoSpace { source },
            io::ErrorKind::IsADirectory => Self::Obstructed { source },
            _ => Self::Disk { source },
        }
    }
}

/// Why an append that stated what it expects was not done.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// Somebody else was faster: look again.
    #[error("`{subject}` has moved on to {at}")]
    Moved {
        /// The subject.
        subject: String,
        /// Its last number, 0 where it has none.
        at: u64,
    },
    /// It is not durable.
    #[error("could not append")]
    Write {
        /// The reason.
        #[from]
        source: WriteError,
    },
}

/// Why the index gave no answer. It is not a "no".
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// The database failed.
    #[error("the index failed")]
    Database {
        /// The reason.
        #[from]
        source: rusqlite::Error,
    },
    /// A file next to the index could not be read.
    #[error("could not read the store")]
    Io {
        /// The system's reason.
        #[from]
        source: io::Error,
    },
    /// A row does not say what was written into it.
    #[error("the index is damaged at `{place}`")]
    Damaged {
        /// The row.
        place: String,
    },
    /// The index could not take what the journal has, because its disk is full or broken.
    #[error("the index is behind the journal")]
    Behind,
    /// The answer needs entries that could not be made durable yet.
    #[error("entries are waiting to be written")]
    Waiting {
        /// Why they wait.
        source: WriteError,
    },
}

impl IndexError {
    /// Returns whether rebuilding the index mends it.
    pub(crate) fn is_corrupt(&self) -> bool {
        match self {
            Self::Damaged { .. } => true,
            Self::Database { source } => matches!(
                source.sqlite_error_code(),
                Some(rusqlite::ErrorCode::DatabaseCorrupt | rusqlite::ErrorCode::NotADatabase)
            ),
            _ => false,
        }
    }
}
