//! uv.lock: each file with its address and digest.

use model::DigestSet;
use serde::Deserialize;

use super::{add_address, add_version, hash, toml};
use crate::lock::{LockError, Locked, check_version, is_local};

/// The newest version that uv writes; what it adds to it without a new one it calls revisions.
const VERSION: u64 = 1;

#[derive(Deserialize)]
struct Lock {
    version: u64,
    #[serde(default)]
    package: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    #[serde(default)]
    version: String,
    #[serde(default)]
    source: Source,
    sdist: Option<File>,
    #[serde(default)]
    wheels: Vec<File>,
}

/// Where a package is from; none of these for a folder or an archive of the project.
#[derive(Deserialize, Default)]
struct Source {
    registry: Option<String>,
    git: Option<String>,
    url: Option<String>,
}

#[derive(Deserialize)]
struct File {
    url: Option<String>,
    /// Where it lies in an index that is a folder.
    path: Option<String>,
    hash: Option<String>,
}

/// Reads a lock. Files without an address lie in a folder of the project.
pub(super) fn read(bytes: &[u8]) -> Result<Locked, LockError> {
    let lock: Lock = toml(bytes)?;
    check_version(lock.version, VERSION)?;
    let mut locked = Locked::default();
    for package in &lock.package {
        add(&mut locked, package)?;
    }
    Ok(locked)
}

fn add(locked: &mut Locked, package: &Package) -> Result<(), LockError> {
    let Package { name, version, source, sdist, wheels } = package;
    if let Some(git) = source.git.as_ref().filter(|git| !is_local(git)) {
        locked.pin_repository(name, git, git.split_once('#').map(|(_, commit)| commit))?;
    }
    for file in sdist.iter().chain(wheels) {
        // An archive that the project names by its address has it as its source alone.
        let address = file.url.as_ref().or(source.url.as_ref().filter(|_| file.path.is_none()));
        let digests = file.hash.as_deref().map_or_else(|| Ok(DigestSet::default()), hash);
        if let Some(address) = address {
            add_address(locked, name, address, digests)?;
        }
    }
    if sdist.is_some() || !wheels.is_empty() {
        return Ok(());
    }
    match (&source.url, &source.registry) {
        (Some(url), _) => add_address(locked, name, url, Ok(DigestSet::default())),
        (None, Some(registry)) if !is_local(registry) => {
            add_version(locked, name, version, Ok(DigestSet::default()))
        }
        (None, _) => Ok(()),
    }
}
