//! composer.lock: each package with the commit it was made from and where its archive lies.

use std::borrow::Cow;

use model::{DigestSet, ObjectUrl};
use serde::Deserialize;

use super::entry::{coordinate, digests};
use super::route::is_name;
use super::version::normalized;
use crate::coordinate::ANY_REGISTRY;
use crate::lock::{LockError, Locked, Pin, Unpinned, is_local};

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
    #[serde(borrow)]
    source: Option<Source<'a>>,
}

/// The repository that an archive was made from, or that there is in place of one.
#[derive(Deserialize)]
struct Source<'a> {
    #[serde(borrow, rename = "type")]
    kind: Option<Cow<'a, str>>,
    #[serde(borrow)]
    url: Option<Cow<'a, str>>,
    #[serde(borrow)]
    reference: Option<Cow<'a, str>>,
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
    #[serde(borrow)]
    mirrors: Option<Vec<Mirror<'a>>>,
}

#[derive(Deserialize)]
struct Mirror<'a> {
    #[serde(borrow)]
    url: Cow<'a, str>,
}

/// The type of what lies in a folder of the project.
const PATH: &str = "path";

/// The longest pattern of a mirror's address. With the bounds of names and versions it bounds what comes of it.
const PATTERN_BYTES_MAX: usize = 2 * 1024;

/// The longest version and the longest reference that are put into a mirror's address.
const PLACED_BYTES_MAX: usize = 256;

/// Reads a lock. What lies in a folder of the project is nothing to fetch, nor is a package that only needs others: it has
/// neither an archive nor a repository.
pub(super) fn read(bytes: &[u8]) -> Result<Locked, LockError> {
    let text = std::str::from_utf8(bytes).map_err(|source| LockError::NotText { source })?;
    let lock: Lock<'_> = serde_json::from_str(text).map_err(|source| LockError::Json { source })?;
    let mut locked = Locked::default();
    for package in lock.packages.iter().chain(lock.packages_dev.iter().flatten()) {
        match (&package.dist, &package.source) {
            (Some(dist), source) => {
                add(&mut locked, package, dist)?;
                let is_fetched = dist.kind.as_deref() != Some(PATH);
                let is_git = |source: &&Source<'_>| is_fetched && source.kind.as_deref() == Some("git");
                // Who installs with `--prefer-source` asks there.
                if let Some(Source { url: Some(url), reference, .. }) = source.as_ref().filter(is_git) {
                    locked.pin_source(&package.name, url, reference.as_deref())?;
                }
            }
            (None, Some(Source { kind, url, reference })) => match kind.as_deref().unwrap_or_default() {
                PATH => {}
                "git" => {
                    let address = url.as_deref().unwrap_or_default();
                    locked.pin_repository(&package.name, address, reference.as_deref())?;
                }
                _ => locked.leave(&package.name, Unpinned::OTHER_REPOSITORY)?,
            },
            (None, None) => {}
        }
    }
    Ok(locked)
}

fn add(locked: &mut Locked, package: &Package<'_>, dist: &Dist<'_>) -> Result<(), LockError> {
    if dist.kind.as_deref() == Some(PATH) {
        return Ok(());
    }
    let Ok(digests) = digests(dist.shasum.as_deref().unwrap_or_default()) else {
        return locked.leave(&package.name, Unpinned::DIGEST);
    };
    let pins = pins_of(package, dist, &digests);
    if pins.is_empty() && !is_local(dist.url.as_deref().unwrap_or_default()) {
        locked.leave(&package.name, Unpinned::NOWHERE)?;
    }
    pins.into_iter().try_for_each(|pin| locked.pin(pin))
}

/// Returns one pin for each address of a package, or one without any. What has no name that Composer would give out is known
/// by its address alone.
fn pins_of(package: &Package<'_>, dist: &Dist<'_>, digests: &DigestSet) -> Vec<Pin> {
    let reference = dist.reference.as_deref().filter(|text| !text.is_empty());
    let version = reference.unwrap_or(&package.version);
    let named = is_name(&package.name).then(|| coordinate(ANY_REGISTRY, &package.name, version.to_owned()));
    let own = dist.url.as_deref().map(str::to_owned);
    let mirrors = dist.mirrors.iter().flatten().filter_map(|mirror| expanded(&mirror.url, package, dist));
    let pin = |url| Pin { coordinate: named.clone(), url, digests: digests.clone() };
    let mut pins: Vec<Pin> = own
        .into_iter()
        .chain(mirrors)
        .filter_map(|url| ObjectUrl::parse(&url).ok())
        .map(|url| pin(Some(url)))
        .collect();
    if pins.is_empty() && named.is_some() {
        pins.push(pin(None));
    }
    pins
}

/// Returns a mirror's address of a package as Composer's `ComposerMirror` makes it; nothing where it would need MD5, which
/// stands in for a branch with a slash and for a reference that is no commit.
fn expanded(pattern: &str, package: &Package<'_>, dist: &Dist<'_>) -> Option<String> {
    let reference = dist.reference.as_deref().unwrap_or_default();
    let placed = [&*package.version, reference];
    if pattern.len() > PATTERN_BYTES_MAX
        || !is_name(&package.name)
        || placed.iter().any(|text| text.len() > PLACED_BYTES_MAX)
    {
        return None;
    }
    let is_commit = reference.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    if pattern.contains("%reference%") && !is_commit {
        return None;
    }
    let version = if pattern.contains("%version%") {
        normalized(&package.version).filter(|version| !version.contains('/'))?
    } else {
        String::new()
    };
    Some(
        pattern
            .replace("%package%", &package.name)
            .replace("%version%", &version)
            .replace("%reference%", reference)
            .replace("%type%", dist.kind.as_deref().unwrap_or_default())
            .replace("%prettyVersion%", &package.version),
    )
}
