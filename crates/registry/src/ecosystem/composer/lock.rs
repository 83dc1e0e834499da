//! composer.lock: each package with the commit it was made from and where its archive lies.

use std::borrow::Cow;

use model::ObjectUrl;
use serde::Deserialize;

use super::entry::{coordinate, digests};
use crate::coordinate::ANY_REGISTRY;
use crate::lock::{LockError, Pin};

#[derive(Deserialize)]
struct Lock<'a> {
    /// A lock always has it, if only as an empty list.
    #[serde(borrow)]
    packages: Vec<Package<'a>>,
    #[serde(borrow, rename = "packages-dev")]
    packages_dev: Option<Vec<Package<'a>>>,
}

#[derive(Deserialize)]
struct Package<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow)]
    version: Cow<'a, str>,
    #[serde(borrow)]
    dist: Option<Dist<'a>>,
}

#[derive(Deserialize)]
struct Dist<'a> {
    #[serde(borrow, rename = "type")]
    kind: Option<Cow<'a, str>>,
    #[serde(borrow)]
    url: Option<Cow<'a, str>>,
    #[serde(borrow)]
    reference: Option<Cow<'a, str>>,
    #[serde(borrow)]
    shasum: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    mirrors: Vec<Mirror<'a>>,
}

#[derive(Deserialize)]
struct Mirror<'a> {
    #[serde(borrow)]
    url: Cow<'a, str>,
}

/// Reads a lock. A package in a folder of the project, or without an archive, is no pin.
pub(super) fn read(bytes: &[u8]) -> Result<Vec<Pin>, LockError> {
    let text = std::str::from_utf8(bytes).map_err(|source| LockError::NotText { source })?;
    let lock: Lock<'_> = serde_json::from_str(text).map_err(|source| LockError::Json { source })?;
    let mut pins = Vec::new();
    for package in lock.packages.iter().chain(lock.packages_dev.iter().flatten()) {
        let Some(dist) = package.dist.as_ref().filter(|dist| dist.kind.as_deref() != Some("path")) else {
            continue;
        };
        let reference = dist.reference.as_deref().filter(|text| !text.is_empty());
        let named = coordinate(ANY_REGISTRY, &package.name, reference.unwrap_or(&package.version).to_owned());
        let digests = dist.shasum.as_deref().map(digests).unwrap_or_default();
        let mirrors = dist.mirrors.iter().filter_map(|mirror| expanded(&mirror.url, package, dist));
        let own = dist.url.as_deref().map(str::to_owned);
        let mut urls =
            own.into_iter().chain(mirrors).filter_map(|url| ObjectUrl::parse(&url).ok()).peekable();
        if urls.peek().is_none() {
            pins.push(Pin { coordinate: Some(named.clone()), url: None, digests: digests.clone() });
        }
        pins.extend(urls.map(|url| Pin {
            coordinate: Some(named.clone()),
            url: Some(url),
            digests: digests.clone(),
        }));
    }
    Ok(pins)
}

/// Returns a mirror's address of a package; nothing where it has the normalised version in it, which a lock does not.
fn expanded(pattern: &str, package: &Package<'_>, dist: &Dist<'_>) -> Option<String> {
    if pattern.contains("%version%") {
        return None;
    }
    let reference = dist.reference.as_deref().unwrap_or_default();
    let is_hex = reference.bytes().all(|byte| byte.is_ascii_hexdigit());
    if pattern.contains("%reference%") && !is_hex {
        return None;
    }
    Some(
        pattern
            .replace("%package%", &package.name)
            .replace("%prettyVersion%", &package.version)
            .replace("%reference%", reference)
            .replace("%type%", dist.kind.as_deref().unwrap_or_default()),
    )
}
