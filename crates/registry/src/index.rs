//! What an index vouches for, and whether a new one is worse than the one that is held.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use model::{Digest, DigestError, DigestSet, ObjectUrl, Timestamp};

use crate::class::Class;
use crate::coordinate::Coordinate;

/// The largest index that is read: 21 MB is the largest seen, the rest is room to grow.
pub const INDEX_BYTES_MAX: usize = 64 * 1024 * 1024;

/// How many versions a message names before it only counts.
const N_NAMED_MAX: usize = 5;

/// What an index says that the engine needs to know.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct IndexFacts {
    /// Files and their digests.
    pub vouched: Vec<Vouched>,
    /// Every version it lists, with or without a digest.
    pub versions: Vec<String>,
    /// When it says that it was last modified.
    pub modified: Option<String>,
    /// The number of the registry's last change that it knows of.
    pub serial: Option<u64>,
    /// What is wanted of addresses to which its clients post; their paths alone do not say so.
    pub posts: Vec<(ObjectUrl, Class)>,
    /// What it leads to besides: without it, its clients take what they do not find there for what there is not.
    pub leads_to: Vec<&'static str>,
    /// Documents whose addresses stay while their bytes change, and what each is as long as this index is the newest.
    pub documents: Vec<Listed>,
    /// Until when its clients believe it.
    pub valid_until: Option<Timestamp>,
}

/// A document of an index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Where it lies by its name.
    pub url: ObjectUrl,
    /// What its bytes are.
    pub digests: DigestSet,
    /// Where the same bytes lie by their digests.
    pub by_digest: Vec<ObjectUrl>,
}

/// One file that an index lists. At least one of `coordinate` and `url` is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vouched {
    /// The version under which it is listed: one of [`IndexFacts::versions`].
    pub version: String,
    /// Which version of which package.
    pub coordinate: Option<Coordinate>,
    /// Where the index says that the file lies.
    pub url: Option<ObjectUrl>,
    /// What its bytes must be; empty where the index says only that this file is this version.
    pub digests: DigestSet,
}

impl Vouched {
    /// Returns the name that two states of one index share for this file.
    fn slot(&self) -> &str {
        self.coordinate.as_ref().and_then(|coordinate| coordinate.file.as_deref()).unwrap_or(&self.version)
    }

    /// Returns whether another state of the index lists other bytes here: other digests, or another commit.
    fn contradicts(&self, other: &Self) -> bool {
        contradict(&self.digests, &other.digests)
            || matches!((&self.coordinate, &other.coordinate), (Some(one), Some(other)) if one != other)
    }
}

/// In what a new index is worse than the one that is held. At least one field is not empty.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Worse {
    /// Versions that are no longer listed.
    pub lost: Vec<String>,
    /// Versions that have other bytes now.
    pub changed: Vec<String>,
    /// It claims to be older.
    pub older: Option<Older>,
    /// What it no longer leads to.
    pub misleads: Vec<&'static str>,
}

/// An index that claims to be older than the one that is held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Older {
    /// When the held one was modified.
    pub held: String,
    /// When the new one claims to have been.
    pub new: String,
}

impl fmt::Display for Worse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for (what, versions) in [("no longer lists", &self.lost), ("has other bytes for", &self.changed)] {
            if versions.is_empty() {
                continue;
            }
            let named = &versions[..versions.len().min(N_NAMED_MAX)];
            write!(f, "{separator}{what} {}", named.join(", "))?;
            if versions.len() > named.len() {
                write!(f, " and {} more", versions.len() - named.len())?;
            }
            separator = "; ";
        }
        if let Some(Older { held, new }) = &self.older {
            write!(f, "{separator}is from {new}, older than {held}")?;
            separator = "; ";
        }
        if !self.misleads.is_empty() {
            write!(f, "{separator}no longer leads to {}", self.misleads.join(", "))?;
        }
        Ok(())
    }
}

/// Why an answer is not the index that was asked for.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// Larger than [`INDEX_BYTES_MAX`].
    #[error("index of {size_bytes} bytes is larger than {INDEX_BYTES_MAX}")]
    TooLarge {
        /// Its size.
        size_bytes: usize,
    },
    /// Nothing in it.
    #[error("index is empty")]
    Empty,
    /// Not the form of an index: a web page, a cut document, an error message.
    #[error("not an index")]
    Syntax {
        /// The parser's reason.
        source: serde_json::Error,
    },
    /// Not the form of an index that is plain text.
    #[error("not an index: {reason}")]
    Text {
        /// What is wrong with it.
        reason: &'static str,
    },
    /// One line is not the form of an index.
    #[error("line {line} is not an index entry")]
    Line {
        /// The line, counted from 1.
        line: usize,
        /// The parser's reason.
        source: serde_json::Error,
    },
    /// About something else.
    #[error("index is about `{got}`, not about `{wanted}`")]
    OtherSubject {
        /// What was asked for.
        wanted: String,
        /// What came.
        got: String,
    },
    /// A version that is no version.
    #[error("line {line} has no proper version")]
    Version {
        /// The line, counted from 1.
        line: usize,
    },
    /// A digest that is no digest.
    #[error("digest of `{version}` cannot be read")]
    Digest {
        /// The version it belongs to.
        version: String,
        /// Why.
        source: DigestError,
    },
    /// The ecosystem has no indexes.
    #[error("this ecosystem has no indexes")]
    NoIndexes,
}

/// Returns in what `new` is worse than `previous`, if it is.
///
/// A flipped `yanked` or a new version is not worse; a lost version, other bytes for a version, or an older date is.
pub fn compare(previous: &IndexFacts, new: &IndexFacts) -> Option<Worse> {
    let listed: BTreeSet<&str> = new.versions.iter().map(String::as_str).collect();
    let lost = previous
        .versions
        .iter()
        .filter(|version| !listed.contains(version.as_str()))
        .cloned()
        .collect::<Vec<_>>();

    let now: BTreeMap<&str, &Vouched> = new.vouched.iter().map(|vouched| (vouched.slot(), vouched)).collect();
    let mut changed = Vec::new();
    for vouched in &previous.vouched {
        if now.get(vouched.slot()).is_some_and(|now| vouched.contradicts(now)) {
            changed.push(vouched.version.clone());
        }
    }
    changed.dedup();

    let older = match (&previous.modified, &new.modified) {
        (Some(held), Some(new)) if is_before(new, held) => {
            Some(Older { held: held.clone(), new: new.clone() })
        }
        _ => match (previous.serial, new.serial) {
            (Some(held), Some(new)) if new < held => {
                Some(Older { held: format!("change {held}"), new: format!("change {new}") })
            }
            _ => None,
        },
    };
    let misleads = previous.leads_to.iter().filter(|what| !new.leads_to.contains(what)).copied().collect();
    let worse = Worse { lost, changed, older, misleads };
    (worse != Worse::default()).then_some(worse)
}

/// Two sets contradict each other when they share an algorithm and no digest of it; one may know algorithms that the
/// other does not, as npm added `integrity` to versions that only had `shasum`.
fn contradict(one: &DigestSet, other: &DigestSet) -> bool {
    let of = |set: &DigestSet, digest: &Digest| -> Vec<Digest> {
        set.iter().filter(|candidate| candidate.algorithm() == digest.algorithm()).cloned().collect()
    };
    one.iter().any(|digest| {
        let here = of(one, digest);
        let there = of(other, digest);
        !there.is_empty() && !there.iter().any(|digest| here.contains(digest))
    })
}

fn is_before(one: &str, other: &str) -> bool {
    match (one.parse::<Timestamp>(), other.parse::<Timestamp>()) {
        (Ok(one), Ok(other)) => one < other,
        _ => false,
    }
}
