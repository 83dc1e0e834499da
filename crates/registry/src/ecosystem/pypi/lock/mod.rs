//! What Python projects lock: requirements with hashes, uv.lock, poetry.lock, pdm.lock, pylock.toml, Pipfile.lock.

mod pipfile;
mod poetry;
mod pylock;
mod requirements;
#[cfg(test)]
mod tests;
mod uv;

use model::{DigestError, DigestSet, ObjectUrl};
use serde::de::DeserializeOwned;

use super::version::canonical;
use super::{coordinate, index, name, registry_of};
use crate::coordinate::ANY_REGISTRY;
use crate::lock::{Lock, LockError, Locked, Pin, Unpinned, is_local};
use crate::path;

/// The names that projects use.
pub(super) static LOCKS: &[Lock] = &[
    Lock { file_name: "requirements*.txt", read: requirements::read },
    Lock { file_name: "requirements/*.txt", read: requirements::read },
    Lock { file_name: "constraints*.txt", read: requirements::read },
    Lock { file_name: "uv.lock", read: uv::read },
    Lock { file_name: "poetry.lock", read: poetry::read },
    Lock { file_name: "pdm.lock", read: poetry::read },
    Lock { file_name: "pylock.toml", read: pylock::read },
    Lock { file_name: "pylock.*.toml", read: pylock::read },
    Lock { file_name: "Pipfile.lock", read: pipfile::read },
];

fn text(bytes: &[u8]) -> Result<&str, LockError> {
    let text = std::str::from_utf8(bytes).map_err(|source| LockError::NotText { source })?;
    Ok(text.strip_prefix('\u{feff}').unwrap_or(text))
}

fn toml<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, LockError> {
    toml::from_str(text(bytes)?).map_err(|source| LockError::Toml { source: Box::new(source) })
}

/// What a lock says that a file's bytes must be, if that can be read.
type Digests = Result<DigestSet, DigestError>;

/// Reads `sha256:<hex>`.
fn hash(text: &str) -> Digests {
    let (algorithm, hex) = text.split_once(':').ok_or(DigestError::Algorithm)?;
    index::digest(algorithm, hex)
}

/// Reads the digests that all files of a version share. What cannot be read fits no file, and is named; without it those that
/// can be read decide, if there are any.
///
/// Of several algorithms none decides: which file has which digest is not known, and pip takes any that fits.
fn hashes<'a>(
    locked: &mut Locked,
    package: &str,
    texts: impl IntoIterator<Item = &'a str>,
) -> Result<Digests, LockError> {
    let (mut digests, mut unread) = (Vec::new(), None);
    for text in texts {
        match hash(text) {
            Ok(read) => digests.extend(read.iter().cloned()),
            Err(error) => unread = Some(error),
        }
    }
    if let Some(error) = unread {
        locked.leave(package, Unpinned::DIGEST)?;
        if digests.is_empty() {
            return Ok(Err(error));
        }
    }
    let is_mixed = digests.windows(2).any(|pair| pair[0].algorithm() != pair[1].algorithm());
    Ok(Ok(if is_mixed { DigestSet::default() } else { digests.into_iter().collect() }))
}

/// Adds a version of which a lock knows no file; nothing is decided where it names a range, or no project.
fn add_version(locked: &mut Locked, project: &str, version: &str, digests: Digests) -> Result<(), LockError> {
    let is_one = !version.is_empty() && !version.contains([',', '*', '<', '>', '~', '=']);
    let Ok(digests) = digests else { return locked.leave(project, Unpinned::DIGEST) };
    match version_pin(project, version, digests).filter(|_| is_one) {
        Some(pin) => locked.pin(pin),
        None => locked.leave(project, Unpinned::UNDECIDED),
    }
}

/// Adds a file that has a name.
fn add_file(
    locked: &mut Locked,
    project: &str,
    version: &str,
    (file, digests): (&str, Digests),
) -> Result<(), LockError> {
    let Ok(digests) = digests else { return locked.leave(project, Unpinned::DIGEST) };
    match file_pin(project, version, file, digests) {
        Some(pin) => locked.pin(pin),
        None => locked.leave(project, Unpinned::NOWHERE),
    }
}

/// Adds what lies at an address; a path on this machine is nothing to fetch.
fn add_address(locked: &mut Locked, project: &str, address: &str, digests: Digests) -> Result<(), LockError> {
    if let Some((kind, address)) = repository(address) {
        return add_repository(locked, project, kind, revision(address));
    }
    if is_local(address) {
        return Ok(());
    }
    let Ok(digests) = digests else { return locked.leave(project, Unpinned::DIGEST) };
    match address_pin(address, digests) {
        Some(pin) => locked.pin(pin),
        None => locked.leave(project, Unpinned::NOWHERE),
    }
}

/// Adds a package that is in a repository of some kind, named as in addresses: `git`, `hg`.
fn add_repository(
    locked: &mut Locked,
    project: &str,
    kind: &str,
    (address, commit): (&str, Option<&str>),
) -> Result<(), LockError> {
    match kind {
        "git" => locked.pin_repository(project, address, commit),
        _ => locked.leave(project, Unpinned::OTHER_REPOSITORY),
    }
}

/// Splits `git+https://…` into its kind and the address of the repository, if it is on another machine.
fn repository(address: &str) -> Option<(&str, &str)> {
    let (kind, rest) = address.split_once('+')?;
    let is_one = ["git", "hg", "svn", "bzr"].contains(&kind) && !rest.starts_with("file:");
    is_one.then_some((kind, rest))
}

/// Splits what pip has checked out off an address: `https://host/path@v1#egg=name`.
fn revision(address: &str) -> (&str, Option<&str>) {
    let address = address.split('#').next().unwrap_or(address);
    let path = match address.split_once("://") {
        Some((_, rest)) => rest.split_once('/').map_or("", |(_, path)| path),
        None => address.split_once(':').map_or("", |(_, path)| path),
    };
    // A user stands before the path, and a branch may have a slash.
    let revision = path.rsplit_once('@').map(|(_, revision)| revision);
    let n_bytes = revision.map_or(0, |revision| revision.len() + 1);
    (&address[..address.len() - n_bytes], revision)
}

/// A version that a lock names, wherever its files lie.
fn version_pin(project: &str, version: &str, digests: DigestSet) -> Option<Pin> {
    let coordinate = coordinate(ANY_REGISTRY, &name::normalized(project)?, &canonical(version), None);
    Some(Pin { coordinate: Some(coordinate), url: None, digests })
}

/// A file that a lock names, wherever it lies.
fn file_pin(project: &str, version: &str, file: &str, digests: DigestSet) -> Option<Pin> {
    let project = name::normalized(project)?;
    let version = name::version_in(&project, file).unwrap_or_else(|| canonical(version));
    let coordinate = coordinate(ANY_REGISTRY, &project, &version, Some(file));
    Some(Pin { coordinate: Some(coordinate), url: None, digests })
}

/// A file at an address: it has the coordinate that its address has when it is asked for.
fn address_pin(address: &str, digests: DigestSet) -> Option<Pin> {
    let url = ObjectUrl::parse(address).ok()?;
    let file = path::segments(url.path())?.pop()?.text.into_owned();
    let coordinate = name::of_file(&file)
        .map(|(project, version)| coordinate(&registry_of(&url, ""), &project, &version, Some(&file)));
    Some(Pin { coordinate, url: Some(url), digests })
}
