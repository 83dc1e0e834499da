//! What was found damaged when everything was read back, for those who do not read everything.
//!
//! It lies in a file beside the index, and not in the journal: a second copy may be read back as well, and nobody but the home
//! that it is a copy of adds to its journal.

use std::{fs, io};

use model::{Sha256, Timestamp};
use serde::{Deserialize, Serialize};
use store::{BlobFault, Damaged, Store};

use super::heal::is_whole;
use crate::failure::Failure;
use crate::home::Home;

const FILE: &str = "damaged.json";

/// A blob that was not what was kept.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Damage {
    pub(crate) sha256: Sha256,
    /// Subjects of the journal, and `run <id>`.
    pub(crate) belongs_to: Vec<String>,
    pub(crate) fault: BlobFault,
    /// When it was read.
    pub(crate) at: Timestamp,
}

/// Notes what is damaged, in place of what was noted before.
pub(crate) fn note(home: &Home, damaged: &[Damaged]) -> Result<(), Failure> {
    let (path, at) = (home.path.join(FILE), home.clock.now());
    let one = |Damaged { sha256, belongs_to, fault, .. }: &Damaged| {
        let belongs_to = belongs_to.clone();
        Damage { sha256: *sha256, belongs_to, fault: *fault, at }
    };
    let all: Vec<Damage> = damaged.iter().filter(|it| !it.belongs_to.is_empty()).map(one).collect();
    let noted = match all.is_empty() {
        true => fs::remove_file(path),
        false => host::file::write_atomically(&path, &serde_json::to_vec(&all).map_err(Failure::no)?),
    };
    match noted {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        // A home that can only be read is read all the same.
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied
            ) =>
        {
            tracing::debug!("what is damaged could not be noted: {error}");
            Ok(())
        }
        noted => Ok(noted?),
    }
}

/// Returns what was noted, and is still so: needed, and not whole.
pub(crate) fn known(home: &Home, store: &Store) -> Result<Vec<Damage>, Failure> {
    let all: Vec<Damage> = match fs::read(home.path.join(FILE)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        // What cannot be read was not written by this Outlast; the next look at everything writes it anew.
        read => serde_json::from_slice(&read?).unwrap_or_default(),
    };
    let mut known = Vec::new();
    for damage in all {
        if !store.belongs_to(&damage.sha256)?.is_empty() && !is_whole(store, &damage.sha256) {
            known.push(damage);
        }
    }
    Ok(known)
}
