//! `yarn.lock` of Yarn 2 and later, which its authors call Berry.
//!
//! Its `checksum` is that of an archive that Yarn builds itself, which says nothing about what is fetched: the files are named
//! and have no digests. A `resolution` says what a package is: <https://yarnpkg.com/protocols> (read 2026-11).

use super::{Entry, add, git, split_name};
use crate::lock::{LockError, Locked, Unpinned};
use crate::path::decoded;

/// What lies in the project: folders and archives, what a script makes, and other packages with a patch. Those are entries of
/// their own.
const OF_PROJECT: [&str; 6] = ["workspace:", "link:", "portal:", "file:", "exec:", "patch:"];

/// Where a package lies whose registry does not have it at the usual address.
const ADDRESS: &str = "__archiveUrl=";

/// Reads a lock.
pub(super) fn read(text: &str) -> Result<Locked, LockError> {
    let mut locked = Locked::default();
    for line in text.lines() {
        let Some(resolution) = line.strip_prefix("  resolution: ") else { continue };
        if let Some((name, reference)) = split_name(resolution.trim().trim_matches('"')) {
            add_package(&mut locked, name, reference)?;
        }
    }
    Ok(locked)
}

fn add_package(locked: &mut Locked, name: &str, reference: &str) -> Result<(), LockError> {
    if OF_PROJECT.iter().any(|start| reference.starts_with(start)) {
        return Ok(());
    }
    let Some(version) = reference.strip_prefix("npm:") else {
        if reference.starts_with("http") || git::is_repository(reference) {
            return add(locked, Entry { name, resolved: Some(reference), ..Entry::default() });
        }
        return locked.leave(name, Unpinned::NOWHERE);
    };
    let (version, parameters) = version.split_once("::").unwrap_or((version, ""));
    let Some(address) = parameters.split('&').find_map(|parameter| parameter.strip_prefix(ADDRESS)) else {
        return add(locked, Entry { name, version, ..Entry::default() });
    };
    match decoded(address) {
        Some(address) => add(locked, Entry { name, version, resolved: Some(&address), ..Entry::default() }),
        None => locked.leave(name, Unpinned::NOWHERE),
    }
}
