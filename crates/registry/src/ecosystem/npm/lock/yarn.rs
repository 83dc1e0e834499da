//! `yarn.lock` of Yarn 1.
//!
//! Yarn 2 and later keep the digest of an archive they build themselves, which says nothing about what is fetched:
//! such a lock is read, and pins nothing.

use model::{Algorithm, Digest, DigestSet};

use super::{Locked, pin};
use crate::lock::{LockError, Pin};

/// Reads the pins of a lock.
pub(super) fn read(bytes: &[u8]) -> Result<Vec<Pin>, LockError> {
    let text = std::str::from_utf8(bytes).map_err(|source| LockError::NotText { source })?;
    if text.lines().any(|line| line.trim_end() == "__metadata:") {
        return Ok(Vec::new());
    }
    if !text.lines().any(|line| line.trim_end() == "# yarn lockfile v1") {
        return Err(LockError::Format);
    }
    let mut pins = Vec::new();
    let mut entry = Entry::default();
    for line in text.lines() {
        if !line.starts_with(' ') {
            pins.extend(entry.pin()?);
            entry = Entry { name: line, ..Entry::default() };
        } else if let Some(value) = line.strip_prefix("  resolved ") {
            entry.resolved = Some(value.trim().trim_matches('"'));
        } else if let Some(value) = line.strip_prefix("  integrity ") {
            entry.integrity = Some(value.trim().trim_matches('"'));
        }
    }
    pins.extend(entry.pin()?);
    Ok(pins)
}

/// One package, from its key to the next.
#[derive(Default)]
struct Entry<'a> {
    name: &'a str,
    resolved: Option<&'a str>,
    integrity: Option<&'a str>,
}

impl Entry<'_> {
    /// Every entry names its address, with the file's SHA-1 as a fragment; locks from before 2018 have only that.
    fn pin(&self) -> Result<Option<Pin>, LockError> {
        let Some(resolved) = self.resolved else {
            return Ok(None);
        };
        let locked =
            Locked { name: self.name, version: "", resolved: Some(resolved), integrity: self.integrity };
        if self.integrity.is_some() {
            return pin(&locked);
        }
        let Some(digest) = resolved
            .split_once('#')
            .and_then(|(_, fragment)| Digest::from_hex(Algorithm::Sha1, fragment).ok())
        else {
            return Ok(None);
        };
        let Ok(url) = model::ObjectUrl::parse(resolved) else {
            return Ok(None);
        };
        let coordinate = super::route::tarball_coordinate(&url);
        Ok(Some(Pin { coordinate, url: Some(url), digests: DigestSet::from(digest) }))
    }
}
