//! The lock files of npm, pnpm and Yarn.

use model::{DigestError, DigestSet, ObjectUrl};

use super::{coordinate, route};
use crate::coordinate::{ANY_REGISTRY, is_version};
use crate::lock::{Lock, LockError, Locked, Pin, Unpinned, is_local};

mod berry;
mod git;
mod package_lock;
mod pnpm;
#[cfg(test)]
mod tests;
mod yarn;

pub(super) const LOCKS: &[Lock] = &[
    Lock { file_name: "package-lock.json", read: package_lock::read },
    Lock { file_name: "npm-shrinkwrap.json", read: package_lock::read },
    Lock { file_name: "pnpm-lock.yaml", read: pnpm::read },
    Lock { file_name: "yarn.lock", read: yarn::read },
];

/// What a lock says about one package.
#[derive(Debug)]
struct Entry<'a> {
    name: &'a str,
    version: &'a str,
    /// Where it lies; nothing where that follows from name and version.
    resolved: Option<&'a str>,
    digests: Result<DigestSet, DigestError>,
}

impl Default for Entry<'_> {
    fn default() -> Self {
        Self { name: "", version: "", resolved: None, digests: Ok(DigestSet::default()) }
    }
}

/// Adds a package to what a lock says. What lies in a folder of the project is nothing to fetch.
fn add(locked: &mut Locked, entry: Entry<'_>) -> Result<(), LockError> {
    let Entry { name, version, resolved, digests } = entry;
    if let Some(repository) = resolved.filter(|resolved| git::is_repository(resolved)) {
        return locked.pin_repository(name, &git::address(repository), git::commit(repository));
    }
    let (coordinate, url) = match resolved.map(|resolved| (resolved, ObjectUrl::parse(resolved))) {
        None if !is_version(version) => return locked.leave(name, Unpinned::UNDECIDED),
        None => (Some(coordinate(ANY_REGISTRY, name, version)), None),
        Some((_, Ok(url))) => (route::tarball_coordinate(&url), Some(url)),
        Some((resolved, Err(_))) if is_local(resolved) => return Ok(()),
        Some((_, Err(_))) => return locked.leave(name, Unpinned::NOWHERE),
    };
    match digests {
        Ok(digests) => locked.pin(Pin { coordinate, url, digests }),
        Err(_) => locked.leave(name, Unpinned::DIGEST),
    }
}

/// Reads the digests of an `integrity`; none where there is nothing that decides.
fn digests(integrity: Option<&str>) -> Result<DigestSet, DigestError> {
    match integrity.map(|text| (text, DigestSet::from_sri(text))) {
        // Nothing but md5, say: npm would not check it either.
        Some((text, Err(DigestError::Algorithm))) if text.is_empty() || text.contains('-') => {
            Ok(DigestSet::default())
        }
        Some((_, read)) => read,
        None => Ok(DigestSet::default()),
    }
}

/// Splits `name@rest`, where the name may have a scope.
fn split_name(text: &str) -> Option<(&str, &str)> {
    let start = usize::from(text.starts_with('@'));
    let (name, rest) = text[start..].split_once('@')?;
    Some((&text[..start + name.len()], rest))
}
