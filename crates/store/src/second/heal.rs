//! Makes damaged blobs whole again.

use std::io::{self, Write};

use model::{Event, Sha256};

use super::{CopyError, SecondCopy};
use crate::store::Store;

/// What is taken where nobody has written down how long a blob is: the longest that is ever kept.
pub const BLOB_BYTES_MAX: u64 = 16 << 30;

impl Store {
    /// Replaces a damaged or missing blob by what a second copy has under its name, and notes that in the journal; durable
    /// when it returns.
    pub fn heal(&self, sha256: &Sha256, from: &dyn SecondCopy) -> Result<(), CopyError> {
        let mut writer = self.writer()?;
        let n_left = self.blob_size(sha256)?.unwrap_or(BLOB_BYTES_MAX);
        from.get(sha256, &mut Bounded { to: &mut writer, n_left })?;
        if writer.sha256() != *sha256 {
            return Err(CopyError::Wrong { place: from.place(), sha256: *sha256 });
        }
        writer.finish()?;
        self.note_healed(sha256, &from.place())?;
        Ok(self.flush()?)
    }

    /// Notes in the journal that a blob that was damaged has come again.
    pub fn note_healed(&self, sha256: &Sha256, from: &str) -> Result<(), CopyError> {
        let belongs_to = self.belongs_to(sha256)?;
        Ok(self.record(vec![Event::Healed { sha256: *sha256, belongs_to, from: from.to_owned() }])?)
    }
}

/// Takes so many bytes and no more: whoever has the copy may be hostile.
pub(super) struct Bounded<'a, W> {
    pub(super) to: &'a mut W,
    pub(super) n_left: u64,
}

impl<W: Write> Write for Bounded<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let too_long =
            || io::Error::new(io::ErrorKind::FileTooLarge, "it gives more bytes than the blob has");
        self.n_left = self.n_left.checked_sub(bytes.len() as u64).ok_or_else(too_long)?;
        self.to.write_all(bytes).map(|()| bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}
