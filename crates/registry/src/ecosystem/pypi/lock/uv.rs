//! uv.lock: each file with its address and digest.

use model::ObjectUrl;
use serde::Deserialize;

use super::{file_pin, hash, toml};
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
    /// Absent where the project computes it.
    #[serde(default)]
    version: String,
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
            let (Some(url), Some(text)) = (&file.url, &file.hash) else { continue };
            let digests = hash(&package.name, text)?;
            let Ok(url) = ObjectUrl::parse(url) else { continue };
            let name = url.path().rsplit('/').next().unwrap_or_default().to_owned();
            pins.extend(file_pin(&package.name, &package.version, &name, Some(url), digests));
        }
    }
    Ok(pins)
}
