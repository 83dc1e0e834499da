//! What Python projects lock: requirements with hashes, uv.lock, poetry.lock, pylock.toml.

mod poetry;
mod pylock;
mod requirements;
#[cfg(test)]
mod tests;
mod uv;

use model::{DigestError, DigestSet, ObjectUrl};
use serde::de::DeserializeOwned;

use super::{coordinate, name, registry_of};
use crate::coordinate::ANY_REGISTRY;
use crate::lock::{Lock, LockError, Pin};

/// The names that projects use; `*` stands for anything.
pub(super) static LOCKS: &[Lock] = &[
    Lock { file_name: "requirements*.txt", read: requirements::read },
    Lock { file_name: "constraints*.txt", read: requirements::read },
    Lock { file_name: "uv.lock", read: uv::read },
    Lock { file_name: "poetry.lock", read: poetry::read },
    Lock { file_name: "pylock*.toml", read: pylock::read },
];

fn text(bytes: &[u8]) -> Result<&str, LockError> {
    std::str::from_utf8(bytes).map_err(|source| LockError::NotText { source })
}

fn toml<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, LockError> {
    toml::from_str(text(bytes)?).map_err(|source| LockError::Toml { source: Box::new(source) })
}

/// Reads `sha256:<hex>`.
fn hash(package: &str, text: &str) -> Result<DigestSet, LockError> {
    let read = || {
        let (algorithm, hex) = text.split_once(':').ok_or(DigestError::Algorithm)?;
        super::index::digest(algorithm, hex)
    };
    read().map_err(|source| LockError::Digest { package: package.to_owned(), source })
}

/// A file that a lock names, at an address or by its name alone.
fn file_pin(
    project: &str,
    version: &str,
    file: &str,
    url: Option<ObjectUrl>,
    digests: DigestSet,
) -> Option<Pin> {
    let project = name::normalized(project)?;
    let registry = url.as_ref().map_or_else(|| ANY_REGISTRY.to_owned(), |url| registry_of(url, ""));
    // A file lies elsewhere than its index, whose name is not known then.
    let registry = if registry == super::PYPI { registry } else { ANY_REGISTRY.to_owned() };
    let version = name::version_in(&project, file).unwrap_or_else(|| super::version::canonical(version));
    Some(Pin { coordinate: Some(coordinate(&registry, &project, &version, Some(file))), url, digests })
}
