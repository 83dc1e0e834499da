//! The versions of a package, and what one of them says about its bytes.

use std::borrow::Cow;

use model::{Algorithm, Digest, DigestError, DigestSet, ObjectUrl};
use serde::Deserialize;

use super::NAME;
use crate::coordinate::Coordinate;
use crate::index::{INDEX_BYTES_MAX, Vouched};
use crate::splice::{Items, Members};

/// What a minified list writes for a key that the entry before had and this one has not.
pub(super) const UNSET: &str = "\"__unset\"";

/// The most versions of one package that are read; the largest package of Packagist has about 10,000. An entry may be as
/// short as `{}` and inherit everything, so the bytes of a document bound too little.
const N_VERSIONS_MAX: usize = 250_000;

/// The most keys of one version. Composer knows about forty; they are looked for one after the other.
const N_KEYS_MAX: usize = 256;

/// The most bytes that all versions say about their archives, each with what it inherits.
const DISTS_BYTES_MAX: usize = INDEX_BYTES_MAX;

/// Why a list of versions is not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum ListError {
    /// An entry is something else than a version.
    #[error("a version is no object")]
    NoObject,
    /// More versions than any package has.
    #[error("a package has more than {N_VERSIONS_MAX} versions")]
    ManyVersions,
    /// More keys than any version has.
    #[error("a version has more than {N_KEYS_MAX} keys")]
    ManyKeys,
    /// Expanded, it is far larger than any document.
    #[error("the archives of all versions take more than {DISTS_BYTES_MAX} bytes to name")]
    LargeDists,
}

/// Whether each entry says only in what it differs from the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Whole,
    Minified,
}

/// One version with all its keys, each value as it stands in the document.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Expanded<'a>(pub(super) Vec<(Cow<'a, str>, &'a str)>);

impl<'a> Expanded<'a> {
    /// Returns a key's value as JSON.
    pub(super) fn get(&self, key: &str) -> Option<&'a str> {
        self.0.iter().find(|(name, _)| name == key).map(|(_, value)| *value)
    }

    /// Returns the version as its author writes it.
    pub(super) fn version(&self) -> Option<String> {
        serde_json::from_str(self.get("version")?).ok()
    }

    /// Lets an entry of the list say in what the next version differs.
    fn change(&mut self, members: Members<'a>) -> Result<(), ListError> {
        for (name, value) in members.0 {
            let place = self.0.iter().position(|(known, _)| *known == name);
            match (place, value == UNSET) {
                (Some(place), true) => drop(self.0.remove(place)),
                (Some(place), false) => self.0[place].1 = value,
                (None, true) => {}
                (None, false) if self.0.len() == N_KEYS_MAX => return Err(ListError::ManyKeys),
                (None, false) => self.0.push((name, value)),
            }
        }
        Ok(())
    }
}

/// Expands a list, one version after the other.
pub(super) fn expand<'a>(
    entries: &Items<'a>,
    form: Form,
    mut each: impl FnMut(&Expanded<'a>),
) -> Result<(), ListError> {
    if entries.0.len() > N_VERSIONS_MAX {
        return Err(ListError::ManyVersions);
    }
    let mut version = Expanded::default();
    let mut dists_bytes = 0;
    for entry in &entries.0 {
        if form == Form::Whole {
            version.0.clear();
        }
        version.change(Members::read(entry).ok_or(ListError::NoObject)?)?;
        dists_bytes += version.get("dist").map_or(0, str::len);
        if dists_bytes > DISTS_BYTES_MAX {
            return Err(ListError::LargeDists);
        }
        each(&version);
    }
    Ok(())
}

#[derive(Deserialize)]
struct Dist<'a> {
    #[serde(borrow)]
    url: Option<Cow<'a, str>>,
    #[serde(borrow)]
    reference: Option<Cow<'a, str>>,
    #[serde(borrow)]
    shasum: Option<Cow<'a, str>>,
}

/// Returns what a version says about its archive, under the name `listed`; nothing where it has none.
pub(super) fn vouch(
    registry: &str,
    package: &str,
    listed: String,
    version: &Expanded<'_>,
) -> Option<Vouched> {
    let dist: Option<Dist<'_>> = serde_json::from_str(version.get("dist")?).ok()?;
    let Dist { url, reference, shasum } = dist?;
    // Without a commit it is the version alone, as a lock has it, whatever else `listed` says.
    let reference = reference.filter(|text| !text.is_empty()).map(Cow::into_owned);
    let named = reference.or_else(|| version.version())?;
    Some(Vouched {
        version: listed,
        coordinate: Some(coordinate(registry, package, named)),
        url: url.and_then(|url| ObjectUrl::parse(&url).ok()),
        // One that cannot be read says nothing about the bytes; the rest of the index still counts.
        digests: shasum.and_then(|shasum| digests(&shasum).ok()).unwrap_or_default(),
    })
}

/// Returns the digests of a `shasum`, which is SHA-1 or, for most archives, empty.
pub(super) fn digests(shasum: &str) -> Result<DigestSet, DigestError> {
    match shasum {
        "" => Ok(DigestSet::default()),
        shasum => Digest::from_hex(Algorithm::Sha1, shasum).map(DigestSet::from),
    }
}

pub(super) fn coordinate(registry: &str, package: &str, version: String) -> Coordinate {
    Coordinate {
        ecosystem: NAME,
        registry: registry.to_owned(),
        name: package.to_ascii_lowercase(),
        version,
        file: None,
    }
}

/// The longest reference that names an archive; a commit has 40 or 64 digits, other systems have numbers and paths.
const REFERENCE_BYTES_MAX: usize = 200;

/// Returns whether a text can name an archive in records and in the journal.
pub(super) fn is_reference(text: &str) -> bool {
    (1..=REFERENCE_BYTES_MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Returns whether a version is a branch, which moves by nature: `dev-main`, `2.x-dev`.
pub(super) fn is_branch(version: &str) -> bool {
    let version = version.rsplit(' ').next().unwrap_or(version);
    version.starts_with("dev-") || version.ends_with("-dev")
}
