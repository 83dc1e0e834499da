//! Zip files (APPNOTE.TXT 6.3) of what is stored as it is, with one fixed date.

use flate2::Crc;

/// 1980-01-01, the first day that a zip can name.
const FIRST_DAY: u16 = 0x0021;
const VERSION: u16 = 20;

/// Returns a zip of files, uncompressed.
///
/// # Panics
/// When it would be larger than a plain zip can be.
pub fn zip(files: &[(&str, &[u8])]) -> Vec<u8> {
    let (mut all, mut directory) = (Vec::new(), Vec::new());
    for (name, bytes) in files {
        let start = size_of_zip(all.len());
        let entry = entry(name, bytes);
        all.extend_from_slice(b"PK\x03\x04");
        all.extend_from_slice(&entry);
        all.extend_from_slice(name.as_bytes());
        all.extend_from_slice(bytes);
        directory.extend_from_slice(b"PK\x01\x02");
        directory.extend_from_slice(&VERSION.to_le_bytes());
        directory.extend_from_slice(&entry);
        // No comment, first disk, no kind, nobody's permissions.
        directory.extend_from_slice(&[0; 10]);
        directory.extend_from_slice(&start.to_le_bytes());
        directory.extend_from_slice(name.as_bytes());
    }
    let start = size_of_zip(all.len());
    let n_files = u16::try_from(files.len()).expect("fewer files than a zip can list").to_le_bytes();
    all.extend_from_slice(&directory);
    all.extend_from_slice(b"PK\x05\x06\0\0\0\0");
    all.extend_from_slice(&[n_files, n_files].concat());
    all.extend_from_slice(&size_of_zip(directory.len()).to_le_bytes());
    all.extend_from_slice(&start.to_le_bytes());
    all.extend_from_slice(&[0; 2]);
    all
}

/// Returns what both of a file's headers say of it: version, flags, method, time, checksum, sizes, lengths of name and extra.
fn entry(name: &str, bytes: &[u8]) -> Vec<u8> {
    let mut crc = Crc::new();
    crc.update(bytes);
    let size = size_of_zip(bytes.len()).to_le_bytes();
    let name_size = u16::try_from(name.len()).expect("a name that a zip can have").to_le_bytes();
    let mut entry = VERSION.to_le_bytes().to_vec();
    entry.extend_from_slice(&[0; 6]);
    entry.extend_from_slice(&FIRST_DAY.to_le_bytes());
    entry.extend_from_slice(&crc.sum().to_le_bytes());
    entry.extend_from_slice(&[size, size].concat());
    entry.extend_from_slice(&name_size);
    entry.extend_from_slice(&[0; 2]);
    entry
}

fn size_of_zip(size: usize) -> u32 {
    u32::try_from(size).expect("no more than a plain zip holds")
}
