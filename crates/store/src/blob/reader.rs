//! Gives the bytes of a blob, and breaks rather than give wrong ones as a whole.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;
use std::time::Duration;

use model::{Sha256, Sha256Hasher};

use super::{BlobError, BlobFault, FileState, fault_of};
use crate::commit::Shared;

/// Reads one blob.
///
/// Read from beginning to end, the last bytes come only if all bytes are right: a damaged blob arrives as a broken
/// transfer, never as a complete wrong one. [`BlobReader::read_at`] is not verified; call [`BlobReader::verify`] before.
#[derive(Debug)]
pub struct BlobReader {
    shared: Arc<Shared>,
    sha256: Sha256,
    file: File,
    size_bytes: u64,
    position: u64,
    hasher: Sha256Hasher,
}

impl BlobReader {
    /// Wraps an open file, whose length must be the one that was kept where that is known.
    pub(crate) fn new(
        shared: Arc<Shared>,
        sha256: Sha256,
        file: File,
        expected: Option<u64>,
    ) -> Result<Self, BlobError> {
        let size_bytes = file.metadata()?.len();
        let reader = Self { shared, sha256, file, size_bytes, position: 0, hasher: Sha256Hasher::new() };
        if expected.is_some_and(|expected| expected != size_bytes) {
            return Err(reader.damaged(fault_of(size_bytes, expected)));
        }
        // An empty file has no last byte that could be held back.
        if size_bytes == 0 && sha256 != Sha256::of(b"") {
            return Err(reader.damaged(BlobFault::Truncated));
        }
        Ok(reader)
    }

    /// Returns the blob's length.
    pub const fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// Returns the blob's name.
    pub const fn sha256(&self) -> Sha256 {
        self.sha256
    }

    /// Returns the open file, for whoever hands it to the kernel after [`BlobReader::verify`].
    pub const fn file(&self) -> &File {
        &self.file
    }

    /// Reads at a place, without verifying.
    pub fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        self.file.read_at(bytes, offset)
    }

    /// Hashes the whole blob, wherever it was read before.
    pub fn verify(&self) -> Result<(), BlobError> {
        let before = FileState::of(&self.file.metadata()?);
        let at = self.shared.clock.elapsed();
        let mut hasher = Sha256Hasher::new();
        let mut chunk = vec![0; 128 * 1024];
        let mut offset = 0;
        loop {
            let n = self.file.read_at(&mut chunk, offset)?;
            if n == 0 {
                break;
            }
            hasher.update(&chunk[..n]);
            offset += n as u64;
        }
        if hasher.finish() != self.sha256 {
            return Err(self.damaged(BlobFault::Flipped));
        }
        if FileState::of(&self.file.metadata()?) == before {
            self.shared.hashed().note(self.sha256, before, at, self.shared.clock.now());
        }
        Ok(())
    }

    /// Returns whether it was hashed at most so long ago, and nothing has touched its file since.
    pub fn is_verified(&self, at_most: Duration) -> io::Result<bool> {
        let state = FileState::of(&self.file.metadata()?);
        let since = self.shared.clock.elapsed().saturating_sub(at_most);
        Ok(self.shared.hashed().knows(&self.sha256, &state, since))
    }

    /// Reads everything and verifies it before it returns.
    pub(crate) fn read_whole(mut self) -> Result<Vec<u8>, BlobError> {
        let mut bytes = Vec::with_capacity(usize::try_from(self.size_bytes).unwrap_or_default());
        (&mut self.file).take(self.size_bytes + 1).read_to_end(&mut bytes)?;
        if Sha256::of(&bytes) == self.sha256 { Ok(bytes) } else { Err(self.damaged(BlobFault::Flipped)) }
    }

    /// Remembers that the blob must be replaced when its bytes come again.
    fn damaged(&self, fault: BlobFault) -> BlobError {
        self.shared.note_damage(self.sha256);
        BlobError::Damaged { fault }
    }
}

impl Read for BlobReader {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let n = self.file.read(bytes)?;
        self.hasher.update(&bytes[..n]);
        self.position += n as u64;
        let is_end = self.position >= self.size_bytes || (n == 0 && !bytes.is_empty());
        if is_end && self.hasher.clone().finish() != self.sha256 {
            return Err(io::Error::new(io::ErrorKind::InvalidData, self.damaged(BlobFault::Flipped)));
        }
        Ok(n)
    }
}
