//! Pipfile.lock: each version with the digests of all its files.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::{add_address, add_version, hashes, text};
use crate::lock::{LockError, Locked, Unpinned};

#[derive(Deserialize)]
struct Lock {
    /// Every lock of Pipenv has it.
    #[serde(rename = "_meta")]
    _meta: Value,
    /// `default`, `develop` and whatever else the project calls its groups.
    #[serde(flatten)]
    groups: BTreeMap<String, BTreeMap<String, Package>>,
}

#[derive(Deserialize)]
struct Package {
    version: Option<String>,
    file: Option<String>,
    git: Option<String>,
    /// Pipenv resolves whatever the project asks for to a commit.
    #[serde(rename = "ref")]
    commit: Option<String>,
    hg: Option<String>,
    svn: Option<String>,
    bzr: Option<String>,
    path: Option<String>,
    #[serde(default)]
    hashes: Vec<String>,
}

/// Reads a lock.
pub(super) fn read(bytes: &[u8]) -> Result<Locked, LockError> {
    let lock: Lock = serde_json::from_str(text(bytes)?).map_err(|source| LockError::Json { source })?;
    let mut locked = Locked::default();
    for (name, package) in lock.groups.values().flatten() {
        add(&mut locked, name, package)?;
    }
    Ok(locked)
}

fn add(locked: &mut Locked, name: &str, package: &Package) -> Result<(), LockError> {
    let Package { version, file, git, commit, hg, svn, bzr, path, hashes: texts } = package;
    if path.is_some() {
        return Ok(());
    }
    if let Some(address) = git {
        return locked.pin_repository(name, address, commit.as_deref());
    }
    if hg.is_some() || svn.is_some() || bzr.is_some() {
        return locked.leave(name, Unpinned::OTHER_REPOSITORY);
    }
    let digests = hashes(locked, name, texts.iter().map(String::as_str))?;
    match (file, version) {
        (Some(url), _) => add_address(locked, name, url, digests),
        (None, Some(version)) => add_version(locked, name, version.trim_start_matches('='), digests),
        (None, None) => locked.leave(name, Unpinned::UNDECIDED),
    }
}
