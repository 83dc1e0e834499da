//! Lock files: which bytes a project has decided on.

use std::fmt;

use model::{DigestError, DigestSet, ObjectUrl};

use crate::coordinate::Coordinate;
use crate::ecosystem::ALL;

/// The largest lock that is read; the largest seen in public repositories is under 10 MB.
pub const LOCK_BYTES_MAX: usize = 64 * 1024 * 1024;

/// One kind of lock file.
#[derive(Clone, Copy)]
pub struct Lock {
    /// The name of the file, with the folder it must lie in if that tells it from others; one `*` in the name stands
    /// for anything.
    pub file_name: &'static str,
    /// Reads its bytes; called through [`read_locks`], which bounds them.
    pub read: fn(&[u8]) -> Result<Vec<Pin>, LockError>,
}

impl Lock {
    /// Returns whether a file of this name, with or without folders before it, is such a lock.
    pub fn fits(&self, path: &str) -> bool {
        let n_folders = self.file_name.matches('/').count();
        let start = path.rmatch_indices('/').nth(n_folders).map_or(0, |(slash, _)| slash + 1);
        let name = &path[start..];
        match self.file_name.split_once('*') {
            None => self.file_name == name,
            Some((start, end)) => {
                name.len() >= start.len() + end.len() && name.starts_with(start) && name.ends_with(end)
            }
        }
    }
}

/// Returns the lock that a file of this name is, with or without folders before it.
pub fn lock_of(path: &str) -> Option<&'static Lock> {
    ALL.iter().flat_map(|ecosystem| ecosystem.locks()).find(|lock| lock.fits(path))
}

impl fmt::Debug for Lock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.file_name)
    }
}

/// One file that a lock has decided on. At least one of `coordinate` and `url` is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pin {
    /// Which version of which package; its registry is `*` where the lock does not say.
    pub coordinate: Option<Coordinate>,
    /// Where the lock says that the file lies.
    pub url: Option<ObjectUrl>,
    /// What its bytes must be; empty where the lock only names the file.
    pub digests: DigestSet,
}

/// Why a lock could not be read.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Larger than [`LOCK_BYTES_MAX`].
    #[error("lock of {size_bytes} bytes is larger than {LOCK_BYTES_MAX}")]
    TooLarge {
        /// Its size.
        size_bytes: usize,
    },
    /// Not text.
    #[error("lock is not UTF-8")]
    NotText {
        /// Where it stops being text.
        source: std::str::Utf8Error,
    },
    /// Not proper JSON, or not the fields of a lock.
    #[error("lock is not the JSON that was expected")]
    Json {
        /// The parser's reason.
        source: serde_json::Error,
    },
    /// Not proper TOML, or not the fields of a lock.
    #[error("lock is not the TOML that was expected")]
    Toml {
        /// The parser's reason.
        source: Box<toml::de::Error>,
    },
    /// A format that nobody here knows.
    #[error("lock has none of the known formats")]
    Format,
    /// A digest that is no digest.
    #[error("digest of `{package}` cannot be read")]
    Digest {
        /// The package as the lock names it.
        package: String,
        /// Why.
        source: DigestError,
    },
}

/// Reads the lock file at `path`, with or without folders in it; `None` if no ecosystem knows that name.
pub fn read_locks(path: &str, bytes: &[u8]) -> Option<Result<Vec<Pin>, LockError>> {
    let lock = lock_of(path)?;
    if bytes.len() > LOCK_BYTES_MAX {
        return Some(Err(LockError::TooLarge { size_bytes: bytes.len() }));
    }
    Some((lock.read)(bytes))
}
