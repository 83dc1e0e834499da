//! Reads an evidence folder that may have been made by anybody.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use super::{ATTESTATION_PART, PARTS, Part, VerifyError};

/// The bytes of a folder's files: the attestation, then the parts in their order.
pub(super) struct Folder {
    pub(super) attestation: Vec<u8>,
    pub(super) parts: Vec<(&'static str, Vec<u8>)>,
}

/// Reads every file once; a folder with anything more, less or other than plain files is refused.
pub(super) fn folder(folder: &Path) -> Result<Folder, VerifyError> {
    let known = |name: &str| name == ATTESTATION_PART.name || PARTS.iter().any(|part| part.name == name);
    let unreadable = |source| VerifyError::Unreadable { path: folder.to_owned(), source };
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let name = entry.map_err(unreadable)?.file_name();
        if !name.to_str().is_some_and(known) {
            return Err(VerifyError::Added { name: name.to_string_lossy().escape_debug().collect() });
        }
    }
    let attestation = read(folder, ATTESTATION_PART)?;
    let parts = PARTS.iter().map(|part| Ok((part.name, read(folder, *part)?)));
    Ok(Folder { attestation, parts: parts.collect::<Result<_, VerifyError>>()? })
}

fn read(folder: &Path, part: Part) -> Result<Vec<u8>, VerifyError> {
    let path = folder.join(part.name);
    let unreadable = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound => VerifyError::Missing { name: part.name },
        _ => VerifyError::Unreadable { path: path.clone(), source },
    };
    // A symbolic link would let a folder change without being touched; a pipe would never end.
    if !fs::symlink_metadata(&path).map_err(unreadable)?.file_type().is_file() {
        return Err(VerifyError::NotAFile { name: part.name });
    }
    let mut bytes = Vec::new();
    let file = File::open(&path).map_err(unreadable)?;
    file.take(part.bytes_max + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > part.bytes_max {
        return Err(VerifyError::TooLarge { name: part.name, bytes_max: part.bytes_max });
    }
    Ok(bytes)
}
