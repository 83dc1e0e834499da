//! `Cargo.lock`, in all its versions.
//!
//! Not read with the crate `cargo-lock`: its version 11.1 slices a checksum at fixed bytes and panics when one has a
//! character of several bytes. Versions 2 to 4 keep the checksum beside the package, version 1 in `[metadata]`.

use std::collections::BTreeMap;

use model::{Algorithm, Digest, DigestSet, ObjectUrl};
use serde::Deserialize;

use super::{CRATES_IO, NAME, registry_of};
use crate::coordinate::Coordinate;
use crate::lock::{LockError, Locked, Pin, Unpinned, check_version, is_local};

/// The index of crates.io that Cargo writes into every lock, whatever protocol it used.
const CRATES_IO_INDEX: &str = "https://github.com/rust-lang/crates.io-index";

/// The newest version that Cargo writes.
const VERSION: u64 = 4;

#[derive(Deserialize)]
struct CargoLock {
    /// The first two have none.
    version: Option<u64>,
    #[serde(default)]
    package: Vec<Package>,
    #[serde(default)]
    metadata: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    version: String,
    source: Option<String>,
    checksum: Option<String>,
}

/// Reads a lock. A package without a source lies in a folder of the project.
pub(super) fn read(bytes: &[u8]) -> Result<Locked, LockError> {
    let text = std::str::from_utf8(bytes).map_err(|source| LockError::NotText { source })?;
    let lock: CargoLock =
        toml::from_str(text).map_err(|source| LockError::Toml { source: Box::new(source) })?;
    if lock.version.is_none() && lock.package.is_empty() {
        return Err(LockError::Format);
    }
    check_version(lock.version.unwrap_or_default(), VERSION)?;
    let mut locked = Locked::default();
    for package in lock.package {
        let Some(source) = &package.source else { continue };
        if source.starts_with("git+") && !is_local(source) {
            let commit = source.split_once('#').map(|(_, commit)| commit);
            locked.pin_repository(&package.name, source, commit)?;
            continue;
        }
        let Some(registry) = registry(source) else {
            // Of a registry whose index is fetched over SSH, only that index knows where archives lie.
            if !is_local(source) {
                locked.leave(&package.name, Unpinned::NOWHERE)?;
            }
            continue;
        };
        let key = format!("checksum {} {} ({source})", package.name, package.version);
        let checksum = package.checksum.as_ref().or_else(|| lock.metadata.get(&key));
        let digests = match checksum.map(String::as_str) {
            // Cargo writes that where the registry had none.
            None | Some("<none>") => DigestSet::default(),
            Some(checksum) => match Digest::from_hex(Algorithm::Sha256, checksum) {
                Ok(digest) => digest.into(),
                Err(_) => {
                    locked.leave(&package.name, Unpinned::DIGEST)?;
                    continue;
                }
            },
        };
        let coordinate = Coordinate {
            ecosystem: NAME,
            registry,
            name: package.name,
            version: package.version,
            file: None,
        };
        locked.pin(Pin { coordinate: Some(coordinate), url: None, digests })?;
    }
    Ok(locked)
}

fn registry(source: &str) -> Option<String> {
    let address = source.strip_prefix("registry+").or_else(|| source.strip_prefix("sparse+"))?;
    if address.trim_end_matches('/') == CRATES_IO_INDEX {
        return Some(CRATES_IO.to_owned());
    }
    Some(registry_of(ObjectUrl::parse(address).ok()?.authority()))
}
