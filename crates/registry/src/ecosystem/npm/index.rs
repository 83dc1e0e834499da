//! A packument, full or abbreviated: which versions exist, and the digests of their files.
//!
//! Up to 21 MB, of which a few fields are wanted: the rest is skipped where it stands, never built.

use std::borrow::Cow;
use std::fmt;

use model::{Algorithm, Digest, DigestSet, ObjectUrl};
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};

use super::{coordinate, registry_of, route};
use crate::class::IndexRequest;
use crate::index::{INDEX_BYTES_MAX, IndexError, IndexFacts, Vouched};

#[derive(Deserialize)]
struct Packument<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    /// In the abbreviated form.
    modified: Option<String>,
    /// In the full form.
    time: Option<Time>,
    /// Absent when every version was unpublished.
    #[serde(borrow, default)]
    versions: Versions<'a>,
}

#[derive(Deserialize)]
struct Time {
    modified: Option<String>,
}

/// The map of versions as a list, in the order of the document.
#[derive(Default)]
struct Versions<'a>(Vec<(Cow<'a, str>, Entry<'a>)>);

#[derive(Deserialize)]
struct Entry<'a> {
    #[serde(borrow)]
    dist: Option<Dist<'a>>,
}

#[derive(Deserialize)]
struct Dist<'a> {
    #[serde(borrow)]
    integrity: Option<Text<'a>>,
    #[serde(borrow)]
    shasum: Option<Text<'a>>,
    #[serde(borrow)]
    tarball: Option<Text<'a>>,
}

#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Versions<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;

        impl<'de> Visitor<'de> for Collect {
            type Value = Versions<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map of versions")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut versions = Vec::new();
                while let Some((Text(version), entry)) = map.next_entry::<Text<'de>, Entry<'de>>()? {
                    versions.push((version, entry));
                }
                Ok(Versions(versions))
            }
        }

        deserializer.deserialize_map(Collect)
    }
}

/// Reads a packument, in whichever form it came.
pub(super) fn read(request: &IndexRequest, body: &[u8]) -> Result<IndexFacts, IndexError> {
    if body.len() > INDEX_BYTES_MAX {
        return Err(IndexError::TooLarge { size_bytes: body.len() });
    }
    if body.is_empty() {
        return Err(IndexError::Empty);
    }
    let packument: Packument<'_> =
        serde_json::from_slice(body).map_err(|source| IndexError::Syntax { source })?;
    if packument.name != request.subject {
        return Err(IndexError::OtherSubject {
            wanted: request.subject.clone(),
            got: packument.name.into_owned(),
        });
    }
    let base = route::packument_base(&request.url, &request.subject);
    let registry = registry_of(&request.url, base);
    let mut facts = IndexFacts {
        modified: packument.modified.or_else(|| packument.time.and_then(|time| time.modified)),
        ..IndexFacts::default()
    };
    for (version, entry) in packument.versions.0 {
        if let Some(dist) = &entry.dist {
            facts.vouched.extend(vouch(request, &registry, &version, dist));
        }
        facts.versions.push(version.into_owned());
    }
    Ok(facts)
}

/// Digests that cannot be read are left out, as npm does: some versions from 2012 have none that can.
fn vouch(request: &IndexRequest, registry: &str, version: &str, dist: &Dist<'_>) -> Option<Vouched> {
    let mut digests =
        dist.integrity.as_ref().and_then(|Text(sri)| DigestSet::from_sri(sri).ok()).unwrap_or_default();
    if let Some(Text(hex)) = &dist.shasum
        && let Ok(digest) = Digest::from_hex(Algorithm::Sha1, hex)
    {
        digests.insert(digest);
    }
    if digests.is_empty() {
        return None;
    }
    let url = dist
        .tarball
        .as_ref()
        .and_then(|Text(tarball)| ObjectUrl::parse(tarball).ok())
        .filter(|tarball| may_vouch(registry, tarball));
    let coordinate = Some(coordinate(registry, &request.subject, version));
    Some(Vouched { version: version.to_owned(), coordinate, url, digests })
}

/// A registry does not vouch for an address that is plainly another registry's: that one has an index of its own, and
/// a hostile index could otherwise have good files refused.
fn may_vouch(registry: &str, tarball: &ObjectUrl) -> bool {
    route::tarball_coordinate(tarball).is_none_or(|coordinate| coordinate.registry == registry)
}
