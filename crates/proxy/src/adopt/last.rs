//! The last places to look for what no upstream has any more: client caches, and what was unpacked into a project.

use std::sync::Arc;

use http::{HeaderMap, StatusCode};
use model::{DigestSet, ObjectUrl, Proof, SafeUrl, SavedHeader, Source, Timestamp};
use registry::Coordinate;

use super::Outcome;
use crate::copy::Prior;
use crate::decide::Kind;
use crate::session::Inner;
use crate::transfer::hashers::Hashers;
use crate::upstream::Giver;

/// Whoever can look where clients leave things.
pub trait LastResort: Send + Sync + std::fmt::Debug {
    /// Returns the bytes of a file that lies at these addresses, if a client has left them; it reads disks. Where there are
    /// digests, they have one of them, or were made here from what was unpacked.
    fn find(&self, coordinate: Option<&Coordinate>, digests: &DigestSet, urls: &[ObjectUrl])
    -> Option<Found>;
}

/// Bytes that a client has left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// Where they were, in words for a person.
    pub place: String,
    /// When the client got them: no upstream has confirmed them since.
    pub got_at: Timestamp,
}

impl Inner {
    /// Keeps what a client has left under the address of a file; nothing where nobody has it, or what is there is not what
    /// locks and indexes vouch for.
    pub(super) async fn rescue(
        self: &Arc<Self>,
        coordinate: Option<&Coordinate>,
        digests: &DigestSet,
        urls: &[ObjectUrl],
    ) -> Option<Outcome> {
        let last = self.last_resort.as_ref()?;
        let url = urls.first()?;
        let Found { bytes, place, got_at } =
            tokio::task::block_in_place(|| last.find(coordinate, digests, urls))?;
        // Wherever a client had it from, it is asked for where its name belongs.
        let url = self.place(SafeUrl::from(url.clone())).ok()?;
        let want = self.wanted(&url, &HeaderMap::new()).await.ok()?;
        if want.kind() != Kind::File {
            return None;
        }
        let expected = self.expectation(&want, &Prior::None).await;
        let proof = match &expected {
            None => Proof::FirstSeen,
            Some(expected) => {
                let mut hashers = Hashers::new(expected.algorithms());
                hashers.update(&bytes);
                let got: Vec<_> = hashers.finish().collect();
                if !expected.accepts(&got) {
                    tracing::warn!("`{place}` is not what {} vouches for", expected.vouched_by);
                    return None;
                }
                expected.proof
            }
        };
        let blob = self.engine.store.put(&bytes).ok()?;
        let headers = vec![SavedHeader("content-type".to_owned(), "application/octet-stream".to_owned())];
        let mut held = self.held(want.ecosystem, StatusCode::OK, headers, &blob, Giver::Upstream);
        (held.proof, held.immutable, held.confirmed_at) = (proof, true, got_at);
        self.keep(&want, held).ok()?;
        let (size_bytes, source) = (blob.size_bytes, Source::Copy);
        Some(Outcome::Kept { size_bytes, proof, source, rescued_from: Some(place) })
    }
}
