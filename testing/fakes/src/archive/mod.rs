//! Archives with the same bytes on every machine and day.

mod zip;

use std::io::Write as _;

use flate2::{Compression, GzBuilder};

pub use zip::zip;

const BLOCK_BYTES: usize = 512;
/// 1985-10-26T08:15:00Z, which npm gives every file it packs.
const FIXED_TIME: u64 = 499_162_500;

/// Returns a .tar.gz of files under a folder, owned by nobody in particular and with one fixed date.
///
/// # Panics
/// When a path is longer than the 100 bytes of a plain tar header.
pub fn tar_gz(folder: &str, files: &[(&str, &str)]) -> Vec<u8> {
    let mut gz = GzBuilder::new().mtime(0).write(Vec::new(), Compression::default());
    for (name, text) in files {
        let bytes = text.as_bytes();
        let padding = bytes.len().next_multiple_of(BLOCK_BYTES) - bytes.len();
        let header = header(&format!("{folder}/{name}"), bytes.len());
        let parts = [header.as_slice(), bytes, &[0; BLOCK_BYTES][..padding]];
        for part in parts {
            gz.write_all(part).expect("memory takes every byte");
        }
    }
    gz.write_all(&[0; 2 * BLOCK_BYTES]).expect("memory takes every byte");
    gz.finish().expect("memory takes every byte")
}

/// Returns the ustar header of a plain file (POSIX.1-1988).
fn header(path: &str, size: usize) -> [u8; BLOCK_BYTES] {
    assert!(path.len() <= 100, "`{path}` is too long for a plain tar header");
    let mut header = [0; BLOCK_BYTES];
    let mut put = |at: usize, bytes: &[u8]| header[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, path.as_bytes());
    put(100, b"0000644\0");
    put(108, b"0000000\0");
    put(116, b"0000000\0");
    put(124, format!("{size:011o}\0").as_bytes());
    put(136, format!("{FIXED_TIME:011o}\0").as_bytes());
    put(148, b"        ");
    put(156, b"0");
    put(257, b"ustar\x0000");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    header
}

/// Returns bytes as lower-case hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
