//! tar, plain or inside gzip.

use std::io::{self, Read, Seek, SeekFrom};

use super::{ArchiveError, Content, Tree, checked};

const BLOCK_BYTES: u64 = 512;

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
    let mut archive = ::tar::Archive::new(bytes);
    for entry in archive.entries()? {
        let mut entry = entry?;
        let kind = entry.header().entry_type();
        // What git writes about the whole archive: the commit.
        if kind.is_pax_global_extensions() {
            continue;
        }
        let name = checked(&entry.path_bytes())?;
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
            Content::File { is_executable, sha256: tree.hash(&mut entry)? }
        };
        tree.add(name, content)?;
    }
    Ok(())
}
