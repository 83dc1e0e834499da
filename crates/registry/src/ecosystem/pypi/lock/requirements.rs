//! requirements.txt with `--hash`: pip's hash-checking mode.
//!
//! The format: <https://pip.pypa.io/en/stable/reference/requirements-file-format/> (read 2026-11).

use super::{address_pin, hashes, text, version_pin};
use crate::lock::{LockError, Pin};

/// Reads the requirements that have hashes; all of a version's files share them.
pub(super) fn read(bytes: &[u8]) -> Result<Vec<Pin>, LockError> {
    let text = text(bytes)?.replace("\\\r\n", " ").replace("\\\n", " ").replace('\t', " ");
    let mut pins = Vec::new();
    for line in text.lines() {
        let line = line.split(" #").next().unwrap_or(line).trim();
        if line.starts_with(['#', '-']) {
            continue;
        }
        let Some((requirement, options)) = line.find(" --").map(|at| line.split_at(at)) else { continue };
        let given = hash_options(options);
        if given.is_empty() {
            continue;
        }
        let name = requirement.split(['=', ' ', '[', '@', ';']).next().unwrap_or_default();
        let digests = hashes(name, given)?;
        pins.extend(match (address(requirement), pinned(requirement)) {
            (Some(url), _) => address_pin(url, digests),
            (None, Some((name, version))) => version_pin(name, version, digests),
            (None, None) => None,
        });
    }
    Ok(pins)
}

/// Returns the values of `--hash=…` and `--hash …`.
fn hash_options(options: &str) -> Vec<&str> {
    let mut words = options.split_whitespace();
    let mut values = Vec::new();
    while let Some(word) = words.next() {
        let value = if word == "--hash" { words.next() } else { word.strip_prefix("--hash=") };
        values.extend(value.map(|value| value.trim_matches(['"', '\''])));
    }
    values
}

/// Returns the address in `name @ https://… ; marker`, or in an address alone.
fn address(requirement: &str) -> Option<&str> {
    let requirement = requirement.split(" ;").next()?.trim();
    let is_address = |text: &&str| text.starts_with("https://") || text.starts_with("http://");
    let named = requirement.split_once('@').map(|(_, url)| url.trim());
    named.filter(is_address).or(Some(requirement).filter(is_address))
}

/// Returns name and version of `name[extra]==1.0 ; marker`; other requirements decide on no version.
fn pinned(requirement: &str) -> Option<(&str, &str)> {
    let requirement = requirement.split(';').next()?.trim();
    let (named, version) = requirement.split_once("==")?;
    let version = version.trim_start_matches('=').trim();
    let is_one = !version.contains([',', '*']);
    is_one.then(|| (named.split('[').next().unwrap_or(named).trim(), version))
}
