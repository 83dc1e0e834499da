//! uv.lock: each file with its address and digest.

use serde::Deserialize;

use super::{address_pin, hash, toml};
use crate::lock::{LockError, Pin};

#[derive(Deserialize)]
struct Lock {
    /// Every lock of uv has it.
    #[serde(rename = "version")]
    _version: u32,
    #[serde(default)]
    package: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    sdist: Option<File>,
    #[serde(default)]
    wheels: Vec<File>,
}

#[derive(Deserialize)]
struct File {
    url: Option<String>,
    hash: Option<String>,
}

/// Reads a lock. Files without an address lie in a folder of the project.
pub(super) fn read(bytes: &[u8]) -> Result<Vec<Pin>, LockError> {
    let lock: Lock = toml(bytes)?;
    let mut pins = Vec::new();
    for package in &lock.package {
        for file in package.sdist.iter().chain(&package.wheels) {
            if let (Some(url), Some(text)) = (&file.url, &file.hash) {
                pins.extend(address_pin(url, hash(&package.name, text)?));
            }
        }
    }
    Ok(pins)
}
