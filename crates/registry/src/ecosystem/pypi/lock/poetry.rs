//! poetry.lock: each file with its name and digest, beside the package or, before Poetry 1.3, in a table of their own.
//! PDM writes the same table, with an address in place of the name where it was told to.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{address_pin, file_pin, hash, toml};
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
    source: Option<Source>,
}

#[derive(Deserialize)]
struct File {
    file: Option<String>,
    url: Option<String>,
    hash: String,
}

/// Where a package is from, if that is not PyPI.
#[derive(Deserialize)]
struct Source {
    #[serde(rename = "type")]
    kind: String,
    url: String,
}

impl Source {
    fn is_registry(&self) -> bool {
        self.kind == "legacy"
    }
}

/// Reads a lock.
pub(super) fn read(bytes: &[u8]) -> Result<Vec<Pin>, LockError> {
    let lock: Lock = toml(bytes)?;
    let mut pins = Vec::new();
    for package in &lock.package {
        let beside = lock.metadata.files.get(&package.name).into_iter().flatten();
        let files: Vec<&File> = package.files.iter().chain(beside).collect();
        let elsewhere = package.source.as_ref().filter(|source| !source.is_registry());
        match (elsewhere, files.as_slice()) {
            (Some(Source { kind, url }), [file]) if kind == "url" => {
                pins.extend(address_pin(url, hash(&package.name, &file.hash)?));
            }
            // A repository or a folder.
            (Some(_), _) => {}
            (None, files) => {
                for file in files {
                    pins.extend(pin(package, file)?);
                }
            }
        }
    }
    Ok(pins)
}

fn pin(package: &Package, file: &File) -> Result<Option<Pin>, LockError> {
    let digests = hash(&package.name, &file.hash)?;
    Ok(match (&file.url, &file.file) {
        (Some(url), _) => address_pin(url, digests),
        (None, Some(file)) => file_pin(&package.name, &package.version, file, digests),
        (None, None) => None,
    })
}
