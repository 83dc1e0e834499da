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
#[derive(Debug, Default)]
struct Entry<'a> {
    name: &'a str,
    version: &'a str,
    /// Where it lies; nothing where that follows from name and version.
    resolved: Option<&'a str>,
    digests: DigestSet,
}

/// Adds a package to what a lock says. What lies in a folder of the project is nothing to fetch.
fn add(locked: &mut Locked, entry: Entry<'_>) -> Result<(), LockError> {
    let Entry { name, version, resolved, digests } = entry;
    let Some(resolved) = resolved else {
        if !is_version(version) {
            return locked.leave(name, Unpinned::UNDECIDED);
        }
        let coordinate = Some(coordinate(ANY_REGISTRY, name, version));
        return locked.pin(Pin { coordinate, url: None, digests });
    };
    if git::is_repository(resolved) {
        return locked.pin_repository(name, &git::address(resolved), git::commit(resolved));
    }
    match ObjectUrl::parse(resolved) {
        Ok(url) => locked.pin(Pin { coordinate: route::tarball_coordinate(&url), url: Some(url), digests }),
        Err(_) if is_local(resolved) => Ok(()),
        Err(_) => locked.leave(name, Unpinned::NOWHERE),
    }
}

/// Reads the digests of an `integrity`; none where there is nothing that decides.
fn digests(package: &str, integrity: Option<&str>) -> Result<DigestSet, LockError> {
    match integrity.map(DigestSet::from_sri) {
        Some(Ok(digests)) => Ok(digests),
        // Nothing but md5, say: npm would not check it either.
        None | Some(Err(DigestError::Algorithm)) => Ok(DigestSet::default()),
        Some(Err(source)) => Err(LockError::Digest { package: package.to_owned(), source }),
    }
}

/// Splits `name@rest`, where the name may have a scope.
fn split_name(text: &str) -> Option<(&str, &str)> {
    let start = usize::from(text.starts_with('@'));
    let (name, rest) = text[start..].split_once('@')?;
    Some((&text[..start + name.len()], rest))
}
