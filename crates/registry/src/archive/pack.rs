//! Makes an archive of what was unpacked: the same files make the same bytes, at any time and on any machine.

use std::io::{self, Cursor, Write as _};

use zip::write::SimpleFileOptions;
use zip::{DateTime, ZipWriter};

/// The modes that clients care about.
const FILE: u32 = 0o644;
const PROGRAM: u32 = 0o755;

/// Packs files, each with its name, its bytes and whether it is a program, below one folder: clients of archives take a single
/// folder at the top away.
pub fn pack(folder: &str, files: &[(String, Vec<u8>, bool)]) -> io::Result<Vec<u8>> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes, is_program) in files {
        let mode = if *is_program { PROGRAM } else { FILE };
        let options = SimpleFileOptions::default()
            .compression_method(zip::CompressionMethod::Deflated)
            .last_modified_time(DateTime::default())
            .unix_permissions(mode);
        archive.start_file(format!("{folder}/{name}"), options).map_err(io::Error::other)?;
        archive.write_all(bytes)?;
    }
    Ok(archive.finish().map_err(io::Error::other)?.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive;

    #[test]
    fn the_same_files_make_the_same_bytes_which_are_a_whole_archive() {
        let files =
            [("src/a.php".to_owned(), b"<?php".to_vec(), false), ("bin/b".to_owned(), b"#!".to_vec(), true)];
        let made = pack("acme-lib", &files).unwrap();
        assert_eq!(pack("acme-lib", &files).unwrap(), made);
        let mut other = files.clone();
        other[0].1.push(b' ');
        assert_ne!(pack("acme-lib", &other).unwrap(), made);
        let whole = archive::completeness(&mut Cursor::new(&made)).unwrap();
        assert_eq!(whole, archive::Completeness::Whole);
    }
}
