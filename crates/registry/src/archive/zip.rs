//! zip: a directory at the end says what is inside (PKWARE APPNOTE 6.3.10, §4.3).

use std::io::{self, Read, Seek, SeekFrom};

use zip::ZipArchive;
use zip::result::ZipError;

use super::{ArchiveError, Content, N_ENTRIES_MAX, Tree, checked};

/// The end of the directory, and the longest comment after it.
const END_BYTES: u64 = 22;
const COMMENT_BYTES_MAX: u64 = 0xffff;
const END: [u8; 4] = *b"PK\x05\x06";
/// What stands for a number that is in the larger directory of zip64.
const IN_ZIP64: u16 = 0xffff;

/// Returns whether its directory is there and every entry that it names begins where it should.
pub(super) fn has_end(file: &mut (impl Read + Seek)) -> io::Result<bool> {
    let Some(n_listed) = n_listed(file)? else { return Ok(false) };
    file.seek(SeekFrom::Start(0))?;
    Ok(ZipArchive::new(file).is_ok_and(|archive| is_count(n_listed, archive.len())))
}

/// Reads every entry.
pub(super) fn read(file: &mut (impl Read + Seek), tree: &mut Tree) -> Result<(), ArchiveError> {
    let broken = |source: ZipError| match source {
        // Packed in a way, or locked, that others may know.
        ZipError::UnsupportedArchive(_) | ZipError::InvalidPassword => ArchiveError::Kind,
        source => ArchiveError::Broken { source: io::Error::other(source) },
    };
    let cut = || ArchiveError::Broken { source: io::ErrorKind::UnexpectedEof.into() };
    let n_listed = n_listed(file)?.ok_or_else(cut)?;
    file.seek(SeekFrom::Start(0))?;
    let mut archive = ZipArchive::new(file).map_err(broken)?;
    if archive.len() > N_ENTRIES_MAX || archive.has_overlapping_files().map_err(broken)? {
        return Err(ArchiveError::Bomb);
    }
    // Of two entries with one name the reader knows one.
    if !is_count(n_listed, archive.len()) {
        return Err(ArchiveError::Twice { name: "a name".to_owned() });
    }
    for number in 0..archive.len() {
        let mut entry = archive.by_index(number).map_err(broken)?;
        let name = checked(entry.name_raw())?;
        if name.is_empty() {
            continue;
        }
        let content = if entry.is_dir() {
            Content::Folder
        } else if entry.is_symlink() {
            let mut target = Vec::new();
            (&mut entry).take(4096).read_to_end(&mut target)?;
            Content::Link { target }
        } else {
            let is_executable = entry.unix_mode().is_some_and(|mode| mode & 0o100 != 0);
            Content::File { is_executable, sha256: tree.hash(&mut entry)? }
        };
        tree.add(name, content)?;
    }
    Ok(())
}

fn is_count(n_listed: u16, n_read: usize) -> bool {
    n_listed == IN_ZIP64 || usize::from(n_listed) == n_read
}

/// Returns how many entries the end of the directory says there are; nothing if there is no end.
fn n_listed(file: &mut (impl Read + Seek)) -> io::Result<Option<u16>> {
    let size_bytes = file.seek(SeekFrom::End(0))?;
    let start = size_bytes.saturating_sub(END_BYTES + COMMENT_BYTES_MAX);
    file.seek(SeekFrom::Start(start))?;
    let mut tail = Vec::new();
    file.take(END_BYTES + COMMENT_BYTES_MAX).read_to_end(&mut tail)?;
    let found = tail.windows(22).enumerate().rev().find(|(at, end)| {
        let n_comment = usize::from(u16::from_le_bytes([end[20], end[21]]));
        end[..4] == END && at + 22 + n_comment == tail.len()
    });
    Ok(found.map(|(_, end)| u16::from_le_bytes([end[10], end[11]])))
}
