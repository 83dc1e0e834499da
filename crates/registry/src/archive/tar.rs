//! tar, plain or inside gzip.

use std::cell::Cell;
use std::io::{self, Read, Seek, SeekFrom};

use super::{ArchiveError, Budget, Content, Tree, checked};

const BLOCK_BYTES: u64 = 512;

/// The most that stands before an entry's body: its header, long name, long target and pax record. A path has at most
/// 4096 bytes (Linux's `PATH_MAX`), and a record of git or npm under 1 KB.
const HEADERS_BYTES_MAX: u64 = 64 << 10;

/// Returns whether two empty blocks end it (POSIX.1-1988).
pub(super) fn has_end(file: &mut (impl Read + Seek)) -> io::Result<bool> {
    let size_bytes = file.seek(SeekFrom::End(0))?;
    if size_bytes < 2 * BLOCK_BYTES || size_bytes % BLOCK_BYTES != 0 {
        return Ok(false);
    }
    file.seek(SeekFrom::Start(size_bytes - 2 * BLOCK_BYTES))?;
    let mut end = Vec::new();
    file.take(2 * BLOCK_BYTES).read_to_end(&mut end)?;
    Ok(end.iter().all(|&byte| byte == 0))
}

/// Reads every entry.
pub(super) fn read(bytes: impl Read, tree: &mut Tree) -> Result<(), ArchiveError> {
    // As much as its files may have; here headers and bodies that nobody needs are charged as well.
    let left = Cell::new(tree.left);
    let mut archive = ::tar::Archive::new(Charged { bytes, left: &left });
    let mut entries = archive.entries()?;
    loop {
        // The library reads long names and pax records into memory on its way to the entry that they are about.
        let before = left.get().bytes;
        let headers = before.min(HEADERS_BYTES_MAX);
        left.set(Budget { bytes: headers });
        let Some(entry) = entries.next() else { return Ok(()) };
        let mut entry = entry?;
        left.set(Budget { bytes: before - headers + left.get().bytes });

        let kind = entry.header().entry_type();
        let name = entry.path_bytes().into_owned();
        // Whatever it is: a body that is left to the library is skipped on its way to the next entry.
        let sha256 = tree.hash(&mut entry)?;
        // What git writes about the whole archive: the commit.
        if kind.is_pax_global_extensions() {
            continue;
        }
        let name = checked(&name)?;
        if name.is_empty() {
            continue;
        }
        let content = if kind.is_dir() {
            Content::Folder
        } else if kind.is_symlink() || kind.is_hard_link() {
            let target = entry.link_name_bytes().map(std::borrow::Cow::into_owned).unwrap_or_default();
            Content::Link { target }
        } else {
            let is_executable = entry.header().mode().is_ok_and(|mode| mode & 0o100 != 0);
            Content::File { is_executable, sha256 }
        };
        tree.add(name, content)?;
    }
}

/// What is unpacked of an archive, and how much more of it may be.
struct Charged<'a, R> {
    bytes: R,
    left: &'a Cell<Budget>,
}

impl<R: Read> Read for Charged<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.bytes.read(buffer)?;
        let mut left = self.left.get();
        left.charge(n).map_err(io::Error::other)?;
        self.left.set(left);
        Ok(n)
    }
}
