//! Pipfile.lock: each version with the digests of all its files.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::{address_pin, hashes, text, version_pin};
use crate::lock::{LockError, Pin};

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
    path: Option<String>,
    #[serde(default)]
    hashes: Vec<String>,
}

/// Reads a lock.
pub(super) fn read(bytes: &[u8]) -> Result<Vec<Pin>, LockError> {
    let lock: Lock = serde_json::from_str(text(bytes)?).map_err(|source| LockError::Json { source })?;
    let mut pins = Vec::new();
    for (name, package) in lock.groups.values().flatten() {
        if package.git.is_some() || package.path.is_some() || package.hashes.is_empty() {
            continue;
        }
        let digests = hashes(name, package.hashes.iter().map(String::as_str))?;
        pins.extend(match (&package.file, &package.version) {
            (Some(url), _) => address_pin(url, digests),
            (None, Some(version)) => version_pin(name, version.trim_start_matches('='), digests),
            (None, None) => None,
        });
    }
    Ok(pins)
}
