//! requirements.txt with `--hash`: pip's hash-checking mode.
//!
//! The format: <https://pip.pypa.io/en/stable/reference/requirements-file-format/> (read 2026-11).

use model::{DigestSet, ObjectUrl};

use super::{hash, text};
use crate::coordinate::ANY_REGISTRY;
use crate::ecosystem::pypi::version::canonical;
use crate::ecosystem::pypi::{coordinate, name};
use crate::lock::{LockError, Pin};

/// Reads the requirements that have hashes; all of a version's files share them.
pub(super) fn read(bytes: &[u8]) -> Result<Vec<Pin>, LockError> {
    let text = text(bytes)?.replace("\\\r\n", " ").replace("\\\n", " ");
    let mut pins = Vec::new();
    for line in text.lines() {
        let line = line.split(" #").next().unwrap_or(line).trim();
        if line.is_empty() || line.starts_with(['#', '-']) {
            continue;
        }
        let (requirement, options) = line
            .split_once(" --")
            .map_or((line, String::new()), |(requirement, rest)| (requirement, format!("--{rest}")));
        let mut digests = DigestSet::default();
        for option in options.split_whitespace() {
            if let Some(value) = option.strip_prefix("--hash=") {
                digests.merge(&hash(requirement, value)?);
            }
        }
        pins.extend(pin(requirement, digests));
    }
    Ok(pins)
}

/// Reads `name[extra]==1.0 ; marker` or `name @ https://…`; other requirements decide on no bytes.
fn pin(requirement: &str, digests: DigestSet) -> Option<Pin> {
    if digests.is_empty() {
        return None;
    }
    let requirement = requirement.split(';').next()?.trim();
    if let Some((_, url)) = requirement.split_once(" @ ") {
        return Some(Pin { coordinate: None, url: ObjectUrl::parse(url.trim()).ok(), digests })
            .filter(|pin| pin.url.is_some());
    }
    let (named, version) = requirement.split_once("==")?;
    let project = name::normalized(named.split('[').next()?.trim())?;
    let version = canonical(version.trim().trim_start_matches('='));
    Some(Pin { coordinate: Some(coordinate(ANY_REGISTRY, &project, &version, None)), url: None, digests })
}
