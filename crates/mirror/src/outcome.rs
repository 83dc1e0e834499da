//! What becomes of a sync.

use std::io;

use git::{BareError, GitError, LeftOut, PackError, RemoteError};
use store::{AppendError, IndexError, WriteError};

use crate::ask::Trouble;
use crate::copy::CopyError;

/// How an upstream is that gave nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outage {
    /// It says that the repository is not there, or not for us.
    Absent,
    /// Nobody at its host could be asked, whatever for.
    Silent,
    /// It answered with something else, or broke off.
    Failing,
}

/// What became of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Synced {
    /// The upstream lists what it listed before.
    Unchanged,
    /// It does, and git finds fault with what is held, as it does with much old history: this is said once.
    Flawed {
        /// The first of what it finds, in its words.
        flaws: Vec<String>,
    },
    /// Refs moved, or cannot; everything that those that can need is held.
    Moved {
        /// How many the copy follows.
        n_applied: usize,
        /// How many wait for a person.
        n_held: usize,
        /// Why they wait.
        reasons: Vec<String>,
        /// How many bytes came.
        size_bytes: u64,
        /// Names that are listed and left out.
        left_out: LeftOut,
    },
    /// The upstream has it no longer, or not for us, or cannot be asked; the copy stays as it is.
    Unavailable {
        /// Why.
        reason: String,
        /// How it is.
        outage: Outage,
    },
    /// What the upstream gave cannot be the repository; the copy stays as it is.
    Refused {
        /// What is wrong.
        reason: String,
    },
}

impl Synced {
    /// Returns whether the copy has everything that the upstream has.
    pub const fn is_whole(&self) -> bool {
        matches!(
            self,
            Self::Unchanged | Self::Flawed { .. } | Self::Moved { left_out: LeftOut { n: 0, .. }, .. }
        )
    }

    /// Returns whether the upstream was asked, and everything of it that a copy can have is held.
    pub const fn is_followed(&self) -> bool {
        matches!(self, Self::Unchanged | Self::Flawed { .. } | Self::Moved { .. })
    }
}

/// Why nothing could be done here.
#[derive(Debug, thiserror::Error)]
pub enum SyncError {
    /// The copy on disk.
    #[error(transparent)]
    Copy(#[from] CopyError),
    /// The store.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The index.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// The journal.
    #[error(transparent)]
    Append(#[from] AppendError),
    /// Git.
    #[error(transparent)]
    Git(#[from] GitError),
    /// The disk.
    #[error("what came could not be written; free space or mend the disk")]
    Disk(#[source] io::Error),
}

impl From<BareError> for SyncError {
    fn from(error: BareError) -> Self {
        Self::Copy(error.into())
    }
}

/// What stops a sync.
pub(crate) enum Stop {
    Here(SyncError),
    There(Trouble),
}

impl Stop {
    pub(crate) fn pack(error: PackError) -> Self {
        match error {
            PackError::Git(error) => Self::Here(error.into()),
            error => Self::There(Trouble::Bad { reason: error.to_string() }),
        }
    }

    pub(crate) fn remote(error: RemoteError) -> Self {
        match error {
            RemoteError::Git(error) => Self::Here(error.into()),
            RemoteError::Protocol(error) => Self::There(error.into()),
            // Whether it is gone or cannot be reached is said in words alone.
            error => Self::There(Trouble::Unavailable { reason: error.to_string() }),
        }
    }
}

impl From<Trouble> for Stop {
    fn from(trouble: Trouble) -> Self {
        Self::There(trouble)
    }
}

impl<E: Into<SyncError>> From<E> for Stop {
    fn from(error: E) -> Self {
        Self::Here(error.into())
    }
}
