//! Takes the bytes of a blob as they come.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::PathBuf;

use host::failpoint;
use model::{Sha256, Sha256Hasher};

use super::{Blob, Stage, Temporary};
use crate::error::WriteError;
use crate::store::Store;

/// Writes a new blob into a temporary file; dropped before [`BlobWriter::finish`], nothing stays.
#[derive(Debug)]
pub struct BlobWriter {
    store: Store,
    /// `None` once the file belongs to the store.
    path: Option<PathBuf>,
    file: File,
    hasher: Sha256Hasher,
    size_bytes: u64,
}

impl BlobWriter {
    pub(crate) fn new(store: Store) -> Result<Self, WriteError> {
        store.shared().access.check_write()?;
        let (path, file) = store.shared().folder.temporary()?;
        Ok(Self { store, path: Some(path), file, hasher: Sha256Hasher::new(), size_bytes: 0 })
    }

    /// Returns how many bytes were written.
    pub const fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// Returns a handle of its own at the beginning of the file, which sees bytes as they are written.
    pub fn reader(&self) -> io::Result<File> {
        self.path.as_ref().map_or_else(|| Err(io::ErrorKind::NotFound.into()), File::open)
    }

    /// Hands the blob over: readable in this process at once, durable after the store's next flush.
    ///
    /// Waits only while far too much is waiting for the disk.
    pub fn finish(mut self) -> Result<Blob, WriteError> {
        failpoint::pass("blob.temporary_written")?;
        let sha256 = std::mem::take(&mut self.hasher).finish();
        let blob = Blob { sha256, size_bytes: self.size_bytes };
        if let Some(path) = self.path.take() {
            let temporary =
                Temporary { sha256, size_bytes: self.size_bytes, path: path.clone(), stage: Stage::Written };
            if let Err(error) = self.store.shared().take_blob(temporary) {
                let _ = fs::remove_file(path);
                return Err(error);
            }
        }
        Ok(blob)
    }

    /// Returns the digest of what was written so far.
    pub fn sha256(&self) -> Sha256 {
        self.hasher.clone().finish()
    }
}

impl Write for BlobWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        failpoint::pass("blob.write")?;
        let n = self.file.write(bytes)?;
        self.hasher.update(&bytes[..n]);
        self.size_bytes += n as u64;
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for BlobWriter {
    fn drop(&mut self) {
        if let Some(path) = self.path.take() {
            // A leftover is swept when the store is opened next.
            let _ = fs::remove_file(path);
        }
    }
}
