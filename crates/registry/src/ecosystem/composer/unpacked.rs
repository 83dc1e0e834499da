//! What Composer leaves on a machine: archives in its cache, and what it unpacked into `vendor/`.

use std::borrow::Cow;

use model::ObjectUrl;
use ring::digest;
use serde::Deserialize;

use crate::cached::Cached;
use crate::coordinate::Coordinate;

/// Composer names an archive in its cache after the SHA-1 of its address (FileDownloader, read 2026-11).
pub(super) fn cached(coordinate: &Coordinate, urls: &[ObjectUrl]) -> Vec<Cached> {
    let mut places = Vec::new();
    for url in urls {
        let sha1 = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, url.as_str().as_bytes());
        let hex: String = sha1.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        let path = format!("files/{}/{hex}.zip", coordinate.name);
        places.extend(Cached::at("COMPOSER_CACHE_DIR", ".cache/composer", path.clone()));
        places.extend(Cached::at("COMPOSER_CACHE_DIR", ".composer/cache", path));
    }
    places
}

/// `vendor/composer/installed.json` of Composer 2; that of Composer 1 is the list alone.
#[derive(Deserialize)]
struct Manifest<'a> {
    #[serde(borrow)]
    packages: Vec<Package<'a>>,
}

#[derive(Deserialize)]
struct Package<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow, default)]
    version: Cow<'a, str>,
    #[serde(borrow)]
    dist: Option<Dist<'a>>,
}

#[derive(Deserialize)]
struct Dist<'a> {
    #[serde(borrow)]
    reference: Option<Cow<'a, str>>,
}

/// Returns whether a package was unpacked from the archive of this very commit, or of this version where there is no commit.
pub(super) fn says_installed(manifest: &[u8], coordinate: &Coordinate) -> bool {
    let manifest: Result<Manifest<'_>, _> = serde_json::from_slice(manifest);
    let is_it = |package: &Package<'_>| {
        let reference = package.dist.as_ref().and_then(|dist| dist.reference.as_deref());
        let version = reference.filter(|_| coordinate.is_of_a_commit()).unwrap_or(&package.version);
        package.name.eq_ignore_ascii_case(&coordinate.name)
            && version == coordinate.version
            && package.dist.is_some()
    };
    manifest.is_ok_and(|manifest| manifest.packages.iter().any(is_it))
}
