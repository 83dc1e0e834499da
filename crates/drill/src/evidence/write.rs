//! Writes an evidence folder.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use model::Sha256;

use super::{ATTESTATION_PART, PARTS, Part, VerifyError, readme, verify};
use crate::action::Action;
use crate::attest;
use crate::key::SigningKey;
use crate::page;
use crate::report::Report;

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The folder.
    pub folder: PathBuf,
    /// The digest of attestation.dsse.json, which the next drill names as its predecessor.
    pub attestation_sha256: Sha256,
}

/// Writes a drill's evidence into a folder that does not exist yet or is empty.
///
/// The predecessor is the report's `previous_sha256`. Everything is written into a hidden folder next to the final
/// one, synced, read back and verified, and renamed: after a crash the folder is there as a whole or not at all.
/// Failure points: `evidence.written`, `evidence.renamed`.
pub fn write(
    folder: &Path,
    report: &Report,
    journal: &[Action],
    key: &SigningKey,
) -> Result<Written, WriteError> {
    let failed = |source| WriteError::Io { folder: folder.to_owned(), source };
    let files = render(report, journal, key)?;
    let name = folder.file_name().ok_or_else(|| failed(io::ErrorKind::InvalidInput.into()))?;
    let parent = folder.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    host::file::create_folder(parent).map_err(failed)?;

    let random = u32::from_be_bytes(host::random::bytes());
    let temporary = parent.join(format!("{TEMPORARY_PREFIX}{random:08x}{TEMPORARY_SUFFIX}"));
    let written = write_files(&temporary, &files).map_err(failed).and_then(|()| {
        let checked = verify(&temporary, key.public(), report.previous_sha256)
            .map_err(|source| WriteError::ReadBack { source })?;
        host::failpoint::pass("evidence.written").map_err(failed)?;
        fs::rename(&temporary, folder).map_err(|source| match source.kind() {
            io::ErrorKind::DirectoryNotEmpty
            | io::ErrorKind::AlreadyExists
            | io::ErrorKind::NotADirectory => WriteError::Exists { folder: parent.join(name) },
            _ => failed(source),
        })?;
        Ok(checked.attestation_sha256)
    });
    if written.is_err() {
        // The error that matters is the first one; a leftover is swept later.
        let _ = fs::remove_dir_all(&temporary);
    }
    let attestation_sha256 = written?;
    host::failpoint::pass("evidence.renamed").map_err(failed)?;
    host::file::sync_folder(parent).map_err(failed)?;
    Ok(Written { folder: folder.to_owned(), attestation_sha256 })
}

/// Removes what drills that were killed while writing have left next to their folders, and returns how many there
/// were.
///
/// For a caller who knows that no other drill is being written there, such as the holder of the home's lock.
pub fn sweep(evidence: &Path) -> io::Result<usize> {
    let mut n_removed = 0;
    for entry in fs::read_dir(evidence)? {
        let entry = entry?;
        let name = entry.file_name();
        let is_leftover = name
            .to_str()
            .is_some_and(|name| name.starts_with(TEMPORARY_PREFIX) && name.ends_with(TEMPORARY_SUFFIX));
        if is_leftover && entry.file_type()?.is_dir() {
            fs::remove_dir_all(entry.path())?;
            n_removed += 1;
        }
    }
    Ok(n_removed)
}

const TEMPORARY_PREFIX: &str = ".evidence-";
const TEMPORARY_SUFFIX: &str = ".tmp";

/// Returns every file's name and bytes, the attestation last.
fn render(
    report: &Report,
    journal: &[Action],
    key: &SigningKey,
) -> Result<Vec<(&'static str, Vec<u8>)>, WriteError> {
    let malformed = |source| WriteError::Json { source };
    let mut report_json = serde_json::to_vec_pretty(report).map_err(malformed)?;
    report_json.push(b'\n');
    let mut journal_lines = Vec::new();
    for action in journal {
        serde_json::to_writer(&mut journal_lines, action).map_err(malformed)?;
        journal_lines.push(b'\n');
    }
    let mut files = Vec::new();
    for part in PARTS {
        let bytes = match part.name {
            "README.txt" => readme().into_bytes(),
            "journal.jsonl" => std::mem::take(&mut journal_lines),
            "report.html" => page::render(report, key.public()).into_bytes(),
            _ => std::mem::take(&mut report_json),
        };
        files.push((part.name, bounded(part, bytes)?));
    }
    let digests: Vec<_> = files.iter().map(|(name, bytes)| (*name, Sha256::of(bytes))).collect();
    let statement = serde_json::to_vec(&attest::statement(report, &digests)).map_err(malformed)?;
    files.push((ATTESTATION_PART.name, bounded(ATTESTATION_PART, attest::seal(&statement, key))?));
    Ok(files)
}

/// What is larger than [`verify()`] reads must not be written either.
fn bounded(part: Part, bytes: Vec<u8>) -> Result<Vec<u8>, WriteError> {
    if bytes.len() as u64 > part.bytes_max {
        return Err(WriteError::TooLarge { name: part.name, size_bytes: bytes.len() as u64 });
    }
    Ok(bytes)
}

fn write_files(folder: &Path, files: &[(&'static str, Vec<u8>)]) -> io::Result<()> {
    fs::create_dir(folder)?;
    for (name, bytes) in files {
        let mut file: File = OpenOptions::new().write(true).create_new(true).open(folder.join(name))?;
        file.write_all(bytes)?;
        file.sync_all()?;
    }
    host::file::sync_folder(folder)
}

/// Why evidence could not be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// There is something in its place.
    #[error("`{}` exists already and is not an empty folder", folder.display())]
    Exists {
        /// The folder.
        folder: PathBuf,
    },
    /// A file would be larger than evidence may be.
    #[error("`{name}` would have {size_bytes} bytes, more than evidence may have")]
    TooLarge {
        /// The file.
        name: &'static str,
        /// Its size.
        size_bytes: u64,
    },
    /// The report or the journal cannot be written as JSON.
    #[error("the report cannot be written as JSON")]
    Json {
        /// Why.
        source: serde_json::Error,
    },
    /// The disk refused.
    #[error("cannot write evidence to `{}`", folder.display())]
    Io {
        /// The folder.
        folder: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// What was written could not be verified when it was read back.
    #[error("the evidence is not what was written")]
    ReadBack {
        /// Why.
        source: VerifyError,
    },
}
