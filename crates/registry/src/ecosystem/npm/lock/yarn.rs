//! `yarn.lock`, of Yarn 1. That of later ones has the same name, and is read next door.

use model::{Algorithm, Digest, DigestSet};

use super::{add, berry, digests, git, split_name};
use crate::coordinate::is_version;
use crate::lock::{LockError, Locked};

/// Reads a lock.
pub(super) fn read(bytes: &[u8]) -> Result<Locked, LockError> {
    let text = std::str::from_utf8(bytes).map_err(|source| LockError::NotText { source })?;
    if text.lines().any(|line| line.trim_end() == "__metadata:") {
        return berry::read(text);
    }
    if !text.lines().any(|line| line.trim_end() == "# yarn lockfile v1") {
        return Err(LockError::Format);
    }
    let mut locked = Locked::default();
    let mut entry = Entry::default();
    for line in text.lines() {
        if !line.starts_with(' ') {
            entry.add_to(&mut locked)?;
            entry = Entry { key: line, ..Entry::default() };
        } else if let Some(value) = line.strip_prefix("  version ") {
            entry.version = unquote(value);
        } else if let Some(value) = line.strip_prefix("  resolved ") {
            entry.resolved = Some(unquote(value));
        } else if let Some(value) = line.strip_prefix("  integrity ") {
            entry.integrity = Some(unquote(value));
        }
    }
    entry.add_to(&mut locked)?;
    Ok(locked)
}

/// One package, from its key to the next.
#[derive(Default)]
struct Entry<'a> {
    /// `a@^1.0.0, a@^1.1.0:`, in quotes where it needs them.
    key: &'a str,
    version: &'a str,
    resolved: Option<&'a str>,
    integrity: Option<&'a str>,
}

impl<'a> Entry<'a> {
    fn add_to(&self, locked: &mut Locked) -> Result<(), LockError> {
        let (name, wanted) = self.name_and_wanted();
        let entry = |digests| super::Entry { name, version: self.version, resolved: self.resolved, digests };
        match self.resolved {
            Some(resolved) if self.integrity.is_none() => add(locked, entry(Ok(sha1(resolved)))),
            Some(_) => add(locked, entry(digests(self.integrity))),
            // Without an address it is a folder or an archive of the project, unless a version of it was asked for.
            None if is_version(self.version) && !wanted.contains([':', '/']) => {
                add(locked, entry(digests(self.integrity)))
            }
            None => Ok(()),
        }
    }

    /// Returns the package, and the first of the ranges or places that the project asks for.
    fn name_and_wanted(&self) -> (&'a str, &'a str) {
        let key = self.key.trim_end().trim_end_matches(':');
        let first = key.split(", ").next().unwrap_or(key).trim_matches('"');
        split_name(first).unwrap_or((first, ""))
    }
}

/// Every entry of a registry names the file's SHA-1 as a fragment; locks from before 2018 have only that. For a repository
/// the fragment is the commit.
fn sha1(resolved: &str) -> DigestSet {
    let fragment = resolved.split_once('#').filter(|_| !git::is_repository(resolved));
    let digest = fragment.and_then(|(_, fragment)| Digest::from_hex(Algorithm::Sha1, fragment).ok());
    digest.map(DigestSet::from).unwrap_or_default()
}

fn unquote(text: &str) -> &str {
    text.trim().trim_matches('"')
}
