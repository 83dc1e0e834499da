//! Says whether drills follow one another without a gap, so that a failed one cannot be dropped.

use std::path::{Path, PathBuf};

use super::{Checked, VerifyError, verify};
use crate::key::PublicKey;

/// Verifies folders, oldest first: the first has no predecessor, and each names the one before it.
///
/// A chain from which the newest were cut off looks whole; compare its last attestation with the journal's newest
/// `drilled` entry.
pub fn verify_chain(folders: &[impl AsRef<Path>], key: &PublicKey) -> Result<Vec<Checked>, ChainError> {
    let mut checked: Vec<Checked> = Vec::new();
    for folder in folders {
        let folder = folder.as_ref();
        let broken = |source| ChainError { folder: folder.to_owned(), source };
        let this = verify(folder, key, None).map_err(broken)?;
        let expected = checked.last().map(|before| before.attestation_sha256);
        if this.previous_sha256 != expected {
            return Err(broken(VerifyError::Chain { expected, found: this.previous_sha256 }));
        }
        checked.push(this);
    }
    Ok(checked)
}

/// Where a chain breaks, and why.
#[derive(Debug, thiserror::Error)]
#[error("the chain of drills breaks at `{}`", folder.display())]
pub struct ChainError {
    /// The folder.
    pub folder: PathBuf,
    /// Why.
    pub source: VerifyError,
}
