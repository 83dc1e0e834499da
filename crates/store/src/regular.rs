//! Opens what must be a regular file. Anything else under its name is damage: a pipe would make its reader wait for ever,
//! and a link leads to bytes that somebody else looks after.

use std::fs::{self, File};
use std::io;
use std::path::Path;

/// Opens a regular file for reading; see [`is_other`].
pub(crate) fn open(path: &Path) -> io::Result<File> {
    if fs::symlink_metadata(path)?.is_file() {
        File::open(path)
    } else {
        Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file"))
    }
}

/// Reads a regular file whole; see [`is_other`].
pub(crate) fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    io::Read::read_to_end(&mut open(path)?, &mut bytes)?;
    Ok(bytes)
}

/// Returns whether something other than a regular file has the name.
pub(crate) fn is_other(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::InvalidInput
}
