//! The lock files of npm, pnpm and Yarn.

use model::{DigestError, DigestSet, ObjectUrl};

use super::{coordinate, route};
use crate::coordinate::ANY_REGISTRY;
use crate::lock::{Lock, LockError, Pin};

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
struct Locked<'a> {
    name: &'a str,
    version: &'a str,
    resolved: Option<&'a str>,
    integrity: Option<&'a str>,
}

/// Makes a pin; `None` where the lock has no digest to hold anybody to.
fn pin(locked: &Locked<'_>) -> Result<Option<Pin>, LockError> {
    let Some(integrity) = locked.integrity else {
        return Ok(None);
    };
    let digests = match DigestSet::from_sri(integrity) {
        Ok(digests) => digests,
        // Nothing but md5, say: npm would not check it either.
        Err(DigestError::Algorithm) => return Ok(None),
        Err(source) => return Err(LockError::Digest { package: locked.name.to_owned(), source }),
    };
    let url = match locked.resolved {
        Some(resolved) => match ObjectUrl::parse(resolved) {
            Ok(url) => Some(url),
            // `file:` or `git+ssh:`, which are not fetched over HTTP.
            Err(_) => return Ok(None),
        },
        None => None,
    };
    let coordinate = match &url {
        Some(url) => route::tarball_coordinate(url),
        None => crate::coordinate::is_version(locked.version)
            .then(|| coordinate(ANY_REGISTRY, locked.name, locked.version)),
    };
    Ok((coordinate.is_some() || url.is_some()).then_some(Pin { coordinate, url, digests }))
}
