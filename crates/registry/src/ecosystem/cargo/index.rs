//! An entry of a sparse index: one JSON object a line, one line a version; and the config.json above them.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};

use model::{Algorithm, Digest, ObjectUrl};
use serde::Deserialize;

use super::{CRATES_IO, FILES_HOST, NAME, registry_of};
use crate::class::IndexRequest;
use crate::coordinate::{Coordinate, is_version};
use crate::index::{INDEX_BYTES_MAX, IndexError, IndexFacts, Vouched};

/// What must be there of one line; the rest is Cargo's affair.
#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow)]
    vers: Cow<'a, str>,
    #[serde(borrow)]
    cksum: Cow<'a, str>,
}

/// A registry's settings. Without `dl` nothing can be downloaded.
#[derive(Deserialize)]
struct Config<'a> {
    #[serde(borrow, rename = "dl")]
    _download: Cow<'a, str>,
}

/// Reads an entry, or the settings where the request has no subject.
pub(super) fn read(request: &IndexRequest, body: &[u8]) -> Result<IndexFacts, IndexError> {
    if body.len() > INDEX_BYTES_MAX {
        return Err(IndexError::TooLarge { size_bytes: body.len() });
    }
    if request.subject.is_empty() {
        serde_json::from_slice::<Config<'_>>(body).map_err(|source| IndexError::Syntax { source })?;
        return Ok(IndexFacts::default());
    }
    let registry = registry_of(request.url.authority());
    let mut facts = IndexFacts::default();
    for (number, line) in body.split(|&byte| byte == b'\n').enumerate() {
        if line.trim_ascii().is_empty() {
            continue;
        }
        let vouched = read_line(&request.subject, &registry, number + 1, line)?;
        facts.versions.push(vouched.version.clone());
        facts.vouched.push(vouched);
    }
    if facts.versions.is_empty() {
        return Err(IndexError::Empty);
    }
    Ok(facts)
}

/// Returns settings that say that Cargo has to send a token, with every request.
pub(super) fn guarded(settings: &[u8]) -> Option<Vec<u8>> {
    let mut settings: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(settings).ok()?;
    settings.insert("auth-required".to_owned(), true.into());
    serde_json::to_vec(&settings).ok()
}

/// The file is named in lower case, its lines have the name as its author wrote it.
fn read_line(subject: &str, registry: &str, number: usize, line: &[u8]) -> Result<Vouched, IndexError> {
    let line: Line<'_> =
        serde_json::from_slice(line).map_err(|source| IndexError::Line { line: number, source })?;
    if !line.name.eq_ignore_ascii_case(subject) {
        return Err(IndexError::OtherSubject { wanted: subject.to_owned(), got: line.name.into_owned() });
    }
    if !is_version(&line.vers) {
        return Err(IndexError::Version { line: number });
    }
    let digest = Digest::from_hex(Algorithm::Sha256, &line.cksum)
        .map_err(|source| IndexError::Digest { version: line.vers.clone().into_owned(), source })?;
    let coordinate = Coordinate {
        ecosystem: NAME,
        registry: registry.to_owned(),
        name: line.name.into_owned(),
        version: line.vers.into_owned(),
        file: None,
    };
    // Other registries say in their settings where files lie; crates.io has had one place for years.
    let url = (registry == CRATES_IO)
        .then(|| format!("https://{FILES_HOST}/crates/{}/{}/download", coordinate.name, coordinate.version))
        .and_then(|address| ObjectUrl::parse(&address).ok());
    Ok(Vouched {
        version: coordinate.version.clone(),
        coordinate: Some(coordinate),
        url,
        digests: digest.into(),
    })
}

/// Returns `new` with the lines of these versions as `held` has them; those that vanished come at the end, since lines
/// have no order that means anything.
pub(super) fn with_versions(new: &[u8], held: &[u8], versions: &BTreeSet<&str>) -> Option<Vec<u8>> {
    if versions.is_empty() {
        return Some(new.to_vec());
    }
    let before: HashMap<_, _> = lines(held).filter(|(version, _)| versions.contains(&**version)).collect();
    let mut result = Vec::with_capacity(new.len());
    let mut found = BTreeSet::new();
    for (version, line) in lines(new) {
        result.extend_from_slice(before.get(&version).copied().unwrap_or(line));
        result.push(b'\n');
        found.insert(version);
    }
    for version in versions {
        let line = before.get(*version)?;
        if !found.contains(*version) {
            result.extend_from_slice(line);
            result.push(b'\n');
        }
    }
    Some(result)
}

/// Returns the lines of an entry with their versions; those that are none are left out.
fn lines(body: &[u8]) -> impl Iterator<Item = (Cow<'_, str>, &[u8])> {
    body.split(|&byte| byte == b'\n')
        .filter_map(|line| Some((serde_json::from_slice::<Line<'_>>(line).ok()?.vers, line)))
}
