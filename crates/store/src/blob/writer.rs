//! Takes the bytes of a blob as they come.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use host::failpoint;
use model::Sha256;

use super::{Arriving, Blob};
use crate::error::WriteError;
use crate::store::Store;

/// Writes a new blob into a temporary file; dropped before [`BlobWriter::finish`], nothing stays.
#[derive(Debug)]
pub struct BlobWriter {
    store: Store,
    blob: Arriving,
}

impl BlobWriter {
    pub(crate) fn new(store: Store) -> Result<Self, WriteError> {
        Self::with(store, Arriving::new)
    }

    /// Begins a blob whose digest the caller has computed of all its bytes: they are not hashed again.
    pub(crate) fn named(store: Store, sha256: Sha256) -> Result<Self, WriteError> {
        Self::with(store, |temporary| Arriving::named(temporary, sha256))
    }

    fn with(store: Store, begin: impl FnOnce((PathBuf, File)) -> Arriving) -> Result<Self, WriteError> {
        store.shared().access.check_write()?;
        let blob = begin(store.shared().folder.temporary()?);
        Ok(Self { store, blob })
    }

    /// Returns how many bytes were written.
    pub const fn size_bytes(&self) -> u64 {
        self.blob.size_bytes()
    }

    /// Returns a handle of its own at the beginning of the file, which sees bytes as they are written.
    pub fn reader(&self) -> io::Result<File> {
        self.blob.reader()
    }

    /// Gives what was written so far another name on the same disk; nobody may write to it there.
    pub fn link(&self, path: &Path) -> io::Result<()> {
        self.blob.link(path)
    }

    /// Hands the blob over: readable in this process at once, durable after the store's next flush.
    ///
    /// Waits only while far too much is waiting for the disk.
    pub fn finish(mut self) -> Result<Blob, WriteError> {
        failpoint::pass("blob.temporary_written")?;
        let blob = Blob { sha256: self.sha256(), size_bytes: self.size_bytes() };
        if let Some(temporary) = self.blob.give_away() {
            let path = temporary.path.clone();
            if let Err(error) = self.store.shared().take_blob(temporary) {
                let _ = fs::remove_file(path);
                return Err(error);
            }
        }
        Ok(blob)
    }

    /// Returns the digest of what was written so far.
    pub fn sha256(&self) -> Sha256 {
        self.blob.sha256()
    }
}

impl Write for BlobWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        failpoint::pass("blob.write")?;
        self.blob.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.blob.flush()
    }
}
