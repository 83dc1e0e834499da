//! pylock.toml: PEP 751.

use std::collections::BTreeMap;

use model::DigestSet;
use serde::Deserialize;

use super::{address_pin, file_pin, hash, toml};
use crate::lock::{LockError, Pin};

#[derive(Deserialize)]
struct Lock {
    /// The standard requires it.
    #[serde(rename = "lock-version")]
    _version: String,
    #[serde(default)]
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    #[serde(default)]
    version: String,
    sdist: Option<File>,
    archive: Option<File>,
    #[serde(default)]
    wheels: Vec<File>,
}

#[derive(Deserialize)]
struct File {
    name: Option<String>,
    url: Option<String>,
    /// Where it lies in the project itself.
    path: Option<String>,
    #[serde(default)]
    hashes: BTreeMap<String, String>,
}

/// Reads a lock.
pub(super) fn read(bytes: &[u8]) -> Result<Vec<Pin>, LockError> {
    let lock: Lock = toml(bytes)?;
    let mut pins = Vec::new();
    for package in &lock.packages {
        for file in package.sdist.iter().chain(&package.archive).chain(&package.wheels) {
            let mut digests = DigestSet::default();
            for (algorithm, hex) in &file.hashes {
                digests.merge(&hash(&package.name, &format!("{algorithm}:{hex}"))?);
            }
            pins.extend(match (&file.url, &file.name) {
                _ if digests.is_empty() => None,
                (Some(url), _) => address_pin(url, digests),
                (None, Some(name)) if file.path.is_none() => {
                    file_pin(&package.name, &package.version, name, digests)
                }
                (None, _) => None,
            });
        }
    }
    Ok(pins)
}
