//! `Cargo.lock`, in all its versions.
//!
//! Not read with the crate `cargo-lock`: its version 11.1 slices a checksum at fixed bytes and panics when one has a
//! character of several bytes. Versions 2 to 4 keep the checksum beside the package, version 1 in `[metadata]`.

use std::collections::BTreeMap;

use model::{Algorithm, Digest, DigestError, ObjectUrl};
use serde::Deserialize;

use super::{CRATES_IO, NAME, registry_of};
use crate::coordinate::Coordinate;
use crate::lock::{LockError, Pin};

/// The index of crates.io that Cargo writes into every lock, whatever protocol it used.
const CRATES_IO_INDEX: &str = "https://github.com/rust-lang/crates.io-index";

#[derive(Deserialize)]
struct CargoLock {
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

/// Returns a pin for every package of a registry; paths and git repositories have no digest and no pin.
pub(super) fn read(bytes: &[u8]) -> Result<Vec<Pin>, LockError> {
    let text = std::str::from_utf8(bytes).map_err(|source| LockError::NotText { source })?;
    let lock: CargoLock =
        toml::from_str(text).map_err(|source| LockError::Toml { source: Box::new(source) })?;
    let mut pins = Vec::new();
    for package in lock.package {
        let Some(source) = &package.source else {
            continue;
        };
        let Some(registry) = registry(source) else {
            continue;
        };
        let key = format!("checksum {} {} ({source})", package.name, package.version);
        let Some(checksum) = package.checksum.as_ref().or_else(|| lock.metadata.get(&key)) else {
            continue;
        };
        if checksum == "<none>" {
            continue;
        }
        let digest = Digest::from_hex(Algorithm::Sha256, checksum)
            .map_err(|source: DigestError| LockError::Digest { package: package.name.clone(), source })?;
        let coordinate = Coordinate {
            ecosystem: NAME,
            registry,
            name: package.name,
            version: package.version,
            file: None,
        };
        pins.push(Pin { coordinate: Some(coordinate), url: None, digests: digest.into() });
    }
    Ok(pins)
}

fn registry(source: &str) -> Option<String> {
    let address = source.strip_prefix("registry+").or_else(|| source.strip_prefix("sparse+"))?;
    if address.trim_end_matches('/') == CRATES_IO_INDEX {
        return Some(CRATES_IO.to_owned());
    }
    Some(registry_of(ObjectUrl::parse(address).ok()?.authority()))
}
