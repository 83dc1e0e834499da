//! poetry.lock: each file with its name and digest, beside the package or, before 1.5, in a table of their own.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{file_pin, hash, toml};
use crate::lock::{LockError, Pin};

#[derive(Deserialize)]
struct Lock {
    #[serde(default)]
    package: Vec<Package>,
    metadata: Metadata,
}

#[derive(Deserialize)]
struct Metadata {
    #[serde(default)]
    files: BTreeMap<String, Vec<File>>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    version: String,
    #[serde(default)]
    files: Vec<File>,
}

#[derive(Deserialize)]
struct File {
    file: String,
    hash: String,
}

/// Reads a lock.
pub(super) fn read(bytes: &[u8]) -> Result<Vec<Pin>, LockError> {
    let lock: Lock = toml(bytes)?;
    let mut pins = Vec::new();
    for package in &lock.package {
        let beside = lock.metadata.files.get(&package.name).into_iter().flatten();
        for file in package.files.iter().chain(beside) {
            let digests = hash(&package.name, &file.hash)?;
            pins.extend(file_pin(&package.name, &package.version, &file.file, None, digests));
        }
    }
    Ok(pins)
}
