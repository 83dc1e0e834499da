//! What is held under a key, and which of two answers stays.

use serde::{Deserialize, Serialize};

use crate::digest::Sha256;
use crate::time::Timestamp;
use crate::word::Proof;

/// One response header kept with an object; only headers on the proxy's list are, never credentials.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedHeader(pub String, pub String);

/// What is held under a key: an answer of an upstream, and how far it can be trusted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// The upstream's status: 200, a redirect, a proved 404 or 410, or a 401 that says how to ask.
    pub status: u16,
    /// The headers that a client needs.
    pub headers: Vec<SavedHeader>,
    /// The blob with the body, transfer and content encodings removed.
    pub sha256: Sha256,
    /// Its size.
    pub size_bytes: u64,
    /// The ecosystem that understood it.
    pub ecosystem: String,
    /// Who answers for the bytes.
    pub proof: Proof,
    /// Whether other bytes under the same key would be wrong, rather than newer.
    pub immutable: bool,
    /// When the upstream last said that these are the bytes.
    pub confirmed_at: Timestamp,
    /// Since when the upstream says that the object does not exist, if it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gone_since: Option<Timestamp>,
}

/// The header that is kept with an archive which no upstream gave: the repository, `@`, and the commit from which it was packed.
pub const BUILT_FROM: &str = "outlast-built-from";

impl Held {
    /// Returns from which repository and commit the bytes were packed, where no upstream gave them.
    pub fn built_from(&self) -> Option<&str> {
        self.headers.iter().find(|header| header.0 == BUILT_FROM).map(|header| &*header.1)
    }

    /// Returns whether `later` must not take this one's place: other bytes of what cannot change, for which nobody
    /// vouches.
    pub fn outlasts(&self, later: &Self) -> bool {
        self.immutable && self.sha256 != later.sha256 && later.proof == Proof::FirstSeen
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(body: &[u8], proof: Proof, immutable: bool) -> Held {
        Held {
            status: 200,
            headers: Vec::new(),
            sha256: Sha256::of(body),
            size_bytes: body.len() as u64,
            ecosystem: "npm".to_owned(),
            proof,
            immutable,
            confirmed_at: "2026-11-01T00:00:00Z".parse().unwrap(),
            gone_since: None,
        }
    }

    #[test]
    fn only_the_first_bytes_of_what_cannot_change_stay() {
        let first = held(b"first", Proof::FirstSeen, true);
        assert!(first.outlasts(&held(b"other", Proof::FirstSeen, true)));
        assert!(!first.outlasts(&held(b"other", Proof::Verified, true)), "a lock has the last word");
        assert!(!first.outlasts(&held(b"first", Proof::FirstSeen, true)), "the same bytes");
        let index = held(b"first", Proof::FirstSeen, false);
        assert!(!index.outlasts(&held(b"other", Proof::FirstSeen, false)), "a newer index");
    }
}
