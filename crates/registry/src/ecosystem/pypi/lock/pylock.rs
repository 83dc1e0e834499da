//! pylock.toml: PEP 751.

use std::collections::BTreeMap;

use model::DigestSet;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::{Digests, add_address, add_file, add_repository, add_version, hash, toml};
use crate::lock::{LockError, Locked, Unpinned};

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
    vcs: Option<Repository>,
    directory: Option<IgnoredAny>,
    sdist: Option<File>,
    archive: Option<File>,
    #[serde(default)]
    wheels: Vec<File>,
}

#[derive(Deserialize)]
struct Repository {
    #[serde(rename = "type")]
    kind: String,
    url: Option<String>,
    #[serde(rename = "commit-id")]
    commit: Option<String>,
    /// Where it lies in the project itself.
    path: Option<String>,
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
pub(super) fn read(bytes: &[u8]) -> Result<Locked, LockError> {
    let lock: Lock = toml(bytes)?;
    let mut locked = Locked::default();
    for package in &lock.packages {
        add(&mut locked, package)?;
    }
    Ok(locked)
}

fn add(locked: &mut Locked, package: &Package) -> Result<(), LockError> {
    if let Some(repository) = package.vcs.as_ref().filter(|repository| repository.path.is_none()) {
        let place = (repository.url.as_deref().unwrap_or_default(), repository.commit.as_deref());
        add_repository(locked, &package.name, &repository.kind, place)?;
    }
    let mut n_files = 0;
    for file in package.sdist.iter().chain(&package.archive).chain(&package.wheels) {
        n_files += 1;
        add_one(locked, package, file)?;
    }
    if n_files > 0 || package.vcs.is_some() || package.directory.is_some() {
        return Ok(());
    }
    add_version(locked, &package.name, &package.version, Ok(DigestSet::default()))
}

fn add_one(locked: &mut Locked, package: &Package, file: &File) -> Result<(), LockError> {
    let digests = digests(file);
    let Package { name: project, version, .. } = package;
    match (&file.url, &file.path, &file.name) {
        (Some(url), ..) => add_address(locked, project, url, digests),
        (None, Some(_), _) => Ok(()),
        (None, None, Some(file)) => add_file(locked, project, version, (file, digests)),
        (None, None, None) => locked.leave(project, Unpinned::NOWHERE),
    }
}

fn digests(file: &File) -> Digests {
    let mut digests = DigestSet::default();
    for (algorithm, hex) in &file.hashes {
        digests.merge(&hash(&format!("{algorithm}:{hex}"))?);
    }
    Ok(digests)
}
