//! The bytes of a blob on their way into a temporary file.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use model::{Sha256, Sha256Hasher};

use super::{Stage, Temporary};

/// A blob on its way; dropped before it is finished, nothing stays.
#[derive(Debug)]
pub struct Arriving {
    /// `None` once the file belongs to a folder of blobs.
    path: Option<PathBuf>,
    file: File,
    digest: Digest,
    size_bytes: u64,
}

/// Where the digest comes from.
#[derive(Debug)]
enum Digest {
    /// From the bytes as they come.
    Hashed(Sha256Hasher),
    /// From whoever has all of them already.
    Known(Sha256),
}

impl Arriving {
    /// Takes a new temporary file.
    pub(crate) fn new(temporary: (PathBuf, File)) -> Self {
        Self::with(temporary, Digest::Hashed(Sha256Hasher::new()))
    }

    /// Takes a new temporary file for bytes whose digest is known.
    pub(crate) fn named(temporary: (PathBuf, File), sha256: Sha256) -> Self {
        Self::with(temporary, Digest::Known(sha256))
    }

    fn with((path, file): (PathBuf, File), digest: Digest) -> Self {
        Self { path: Some(path), file, digest, size_bytes: 0 }
    }

    /// Returns how many bytes have come.
    pub(crate) const fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// Returns the digest of what has come; where it is known, of all that will.
    pub(crate) fn sha256(&self) -> Sha256 {
        match &self.digest {
            Digest::Hashed(hasher) => hasher.clone().finish(),
            Digest::Known(sha256) => *sha256,
        }
    }

    /// Returns a handle of its own at the beginning of the file, which sees bytes as they come.
    pub(crate) fn reader(&self) -> io::Result<File> {
        self.path.as_ref().map_or_else(|| Err(io::ErrorKind::NotFound.into()), File::open)
    }

    /// Gives the file another name; where the disk has no links, its bytes are copied.
    pub(crate) fn link(&self, path: &Path) -> io::Result<()> {
        let Some(own) = &self.path else { return Err(io::ErrorKind::NotFound.into()) };
        match fs::hard_link(own, path) {
            Err(error) if matches!(error.kind(), io::ErrorKind::AlreadyExists | io::ErrorKind::NotFound) => {
                Err(error)
            }
            // Another disk, or one without links.
            Err(_) => fs::copy(own, path).map(|_| ()),
            Ok(()) => Ok(()),
        }
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
        if let Digest::Hashed(hasher) = &mut self.digest {
            hasher.update(&bytes[..n]);
        }
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
