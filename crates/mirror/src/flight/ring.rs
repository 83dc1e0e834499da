//! Where the bytes of an answer lie until every client has them: a file that becomes a ring once it may not grow any more.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::Arc;

use host::failpoint;
use host::file::{free_bytes_beside, in_memory, unnamed};

/// The longest answer that anybody may join who comes late; of a longer one so much lies between the fastest client and the slowest.
pub(super) const FILE_BYTES_MAX: u64 = 4 << 30;
/// What is free on the disk is looked at whenever so much was written.
const LOOK_EVERY: u64 = 8 << 20;
/// Of what is free, a file may have one part in so many: thirty of them at once leave a third.
const FREE_PARTS: u64 = 16;
/// How much of an answer is in memory where the disk takes nothing.
pub(super) const MEMORY_BYTES: u64 = 1 << 20;
/// What is read at a time.
const PIECE_BYTES: u64 = 64 << 10;

/// A part of an answer, from one byte of it on; cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Ring {
    file: Arc<File>,
    pub(super) is_in_memory: bool,
    /// The byte of the answer that lies first in it.
    from: u64,
    pub(super) capacity: u64,
    /// The byte of the answer before which the disk is looked at again.
    look_at: u64,
}

impl Ring {
    /// Makes one on the disk.
    pub(super) fn on_disk(folder: &Path, capacity: u64) -> io::Result<Self> {
        let file = Arc::new(unnamed(folder)?);
        Ok(Self { file, is_in_memory: false, from: 0, capacity, look_at: 0 })
    }

    /// Makes one in memory, for what follows a byte.
    pub(super) fn in_memory(from: u64) -> io::Result<Self> {
        let file = Arc::new(in_memory("answer")?);
        Ok(Self { file, is_in_memory: true, from, capacity: MEMORY_BYTES, look_at: u64::MAX })
    }

    /// Lets it grow no more where the disk has little left; it has everything before `end`.
    ///
    /// # Errors
    /// Where it would be too small to be of use.
    pub(super) fn look(&mut self, end: u64) -> io::Result<()> {
        if !(self.look_at..self.capacity).contains(&end) {
            return Ok(());
        }
        self.look_at = end + LOOK_EVERY;
        if end < free_bytes_beside(&self.file)? / FREE_PARTS {
            return Ok(());
        }
        if end < MEMORY_BYTES {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.capacity = end;
        Ok(())
    }

    /// Writes bytes of the answer, which lie at `offset` in it, over what lay there before.
    pub(super) fn write(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        if !self.is_in_memory {
            failpoint::pass("git.answer_written")?;
        }
        let (place, until_end) = self.place(offset);
        let (first, second) = bytes.split_at(bytes.len().min(until_end));
        self.file.write_all_at(first, place)?;
        self.file.write_all_at(second, 0)
    }

    /// Returns bytes of the answer from `offset` on, of which all before `end` are here.
    pub(super) fn read(&self, offset: u64, end: u64) -> io::Result<Vec<u8>> {
        let (place, until_end) = self.place(offset);
        let size = usize::try_from((end - offset).min(PIECE_BYTES)).unwrap_or(usize::MAX).min(until_end);
        let mut bytes = vec![0; size];
        self.file.read_exact_at(&mut bytes, place)?;
        Ok(bytes)
    }

    /// Returns where a byte of the answer lies, and how many follow it before the ring's end.
    fn place(&self, offset: u64) -> (u64, usize) {
        let place = (offset - self.from) % self.capacity;
        (place, usize::try_from(self.capacity - place).unwrap_or(usize::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_wherever_it_lies() {
        let folder = tempfile::tempdir().unwrap();
        let rings = [
            Ring { capacity: 10, ..Ring::on_disk(folder.path(), FILE_BYTES_MAX).unwrap() },
            Ring { capacity: 10, ..Ring::in_memory(0).unwrap() },
            Ring { capacity: 10, ..Ring::in_memory(3).unwrap() },
        ];
        for ring in rings {
            for offset in 3..40 {
                ring.write(b"abcdefgh", offset).unwrap();
                let mut read = ring.read(offset, offset + 8).unwrap();
                while read.len() < 8 {
                    read.extend(ring.read(offset + read.len() as u64, offset + 8).unwrap());
                }
                assert_eq!(read, b"abcdefgh", "at {offset} in {ring:?}");
            }
        }
    }

    #[test]
    fn a_file_grows_no_more_where_it_may_not() {
        let folder = tempfile::tempdir().unwrap();
        let mut ring = Ring::on_disk(folder.path(), FILE_BYTES_MAX).unwrap();
        ring.look(0).unwrap();
        ring.look(5).unwrap();
        assert_eq!((ring.look_at, ring.capacity), (LOOK_EVERY, FILE_BYTES_MAX), "not at every write");
        // More than any disk has.
        ring = Ring { capacity: u64::MAX, ..ring };
        ring.look(1 << 60).unwrap();
        assert_eq!(ring.capacity, 1 << 60);
        ring.look(1 << 61).unwrap();
        assert_eq!(ring.capacity, 1 << 60, "it does not grow");
    }
}
