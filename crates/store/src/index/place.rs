//! Where an index lies, and how SQLite is told.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};

/// Where an index lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// In a file.
    File(PathBuf),
    /// In this process, under a name that SQLite knows: there is no room for a file, or no leave to write it.
    Memory(String),
}

impl Place {
    /// Returns a place in memory that nothing else has.
    pub(crate) fn memory() -> Self {
        let name = u64::from_be_bytes(host::random::bytes());
        Self::Memory(format!("file:/outlast-{name:016x}?vfs=memdb"))
    }

    /// Returns what tells a file from another that took its name; in memory nothing does.
    pub(super) fn inode(&self) -> io::Result<u64> {
        let Self::File(path) = self else { return Ok(0) };
        let metadata = fs::metadata(path)?;
        // A pipe in its place would be waited for; it is made anew like one that is not there.
        if metadata.is_file() { Ok(metadata.ino()) } else { Err(io::ErrorKind::NotFound.into()) }
    }

    pub(super) fn open(&self, flags: OpenFlags) -> rusqlite::Result<Connection> {
        let flags = flags | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        match self {
            Self::File(path) => Connection::open_with_flags(path, flags),
            Self::Memory(name) => Connection::open_with_flags(name, flags | OpenFlags::SQLITE_OPEN_URI),
        }
    }
}

/// Opens a database that cannot be written to, not even its locks; without what only its log has.
pub(super) fn open_immutable(path: &Path) -> Option<Connection> {
    let path = path.to_str()?.replace('%', "%25").replace('?', "%3f").replace('#', "%23");
    let flags =
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    Connection::open_with_flags(format!("file:{path}?immutable=1"), flags).ok()
}
