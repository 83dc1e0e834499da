//! What this process may do with a home: a backup, a read-only disk or somebody else's home can be read all the same.

use std::io;
use std::sync::Arc;

use crate::error::WriteError;

/// What this process may do with a home.
#[derive(Debug, Clone)]
pub(crate) enum Access {
    /// Everything.
    Write,
    /// Nothing is made, mended, swept or written.
    Read {
        /// Why no more.
        reason: Arc<io::Error>,
    },
}

impl Access {
    /// Returns whether an error says that there is no leave to write.
    pub(crate) fn is_denied(error: &io::Error) -> bool {
        matches!(error.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem)
    }

    /// Refuses to write where there is no leave to.
    pub(crate) fn check_write(&self) -> Result<(), WriteError> {
        match self {
            Self::Write => Ok(()),
            Self::Read { reason } => Err(WriteError::ReadOnly { source: reason.clone() }),
        }
    }
}
