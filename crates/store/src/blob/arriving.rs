//! The bytes of a blob on their way into a temporary file.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use model::{Sha256, Sha256Hasher};

use super::{Stage, Temporary, second_name};

/// A blob on its way; dropped before it is finished, nothing stays.
#[derive(Debug)]
pub struct Arriving {
    /// `None` once the file belongs to a folder of blobs.
    path: Option<PathBuf>,
    file: File,
    hasher: Sha256Hasher,
    size_bytes: u64,
}

impl Arriving {
    /// Takes a new temporary file.
    pub(crate) fn new((path, file): (PathBuf, File)) -> Self {
        Self { path: Some(path), file, hasher: Sha256Hasher::new(), size_bytes: 0 }
    }

    /// Returns how many bytes have come.
    pub(crate) const fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// Returns the digest of what has come.
    pub(crate) fn sha256(&self) -> Sha256 {
        self.hasher.clone().finish()
    }

    /// Returns a handle of its own at the beginning of the file, which sees bytes as they come.
    pub(crate) fn reader(&self) -> io::Result<File> {
        self.path.as_ref().map_or_else(|| Err(io::ErrorKind::NotFound.into()), File::open)
    }

    /// Gives the file another name; where the disk has no links, its bytes are copied.
    pub(crate) fn link(&self, path: &Path) -> io::Result<()> {
        let Some(own) = &self.path else { return Err(io::ErrorKind::NotFound.into()) };
        second_name(own, path)
    }

    /// Gives the file away, whole under the digest of what has come; `None` where that was done before.
    pub(crate) fn give_away(&mut self) -> Option<Temporary> {
        let (sha256, size_bytes) = (self.sha256(), self.size_bytes);
        self.path.take().map(|path| Temporary { sha256, size_bytes, path, stage: Stage::Written })
    }
}

impl Write for Arriving {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = self.file.write(bytes)?;
        self.hasher.update(&bytes[..n]);
        self.size_bytes += n as u64;
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Arriving {
    fn drop(&mut self) {
        if let Some(path) = self.path.take() {
            // A leftover is swept when its folder is opened next.
            let _ = fs::remove_file(path);
        }
    }
}
