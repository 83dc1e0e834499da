//! Lets versions of an index stand as they stood, although the upstream's newest document no longer lists them, or lists
//! other bytes.
//!
//! What is served then lies under the index's own name; the upstream's document lies beside it, marked as sent, for its
//! validators and for whoever wants to see what it said.

use std::collections::BTreeSet;

use bytes::Bytes;
use http::StatusCode;
use model::{Event, Held, SavedHeader, Sha256};
use registry::{IndexFacts, IndexRequest, Worse};

use crate::decide::Kind;
use crate::fetch::passed;
use crate::flight::End;
use crate::headers;
use crate::index::Arrived;
use crate::keep::NotKept;
use crate::limits::INDEX_BYTES_MAX;
use crate::session::Inner;
use crate::state::http_date;
use crate::want::{Want, as_sent};

/// A document that was made here, and what it says.
pub(crate) struct Mended {
    body: Bytes,
    facts: IndexFacts,
    worse: Worse,
}

impl Inner {
    /// Returns the upstream's own document, where another one is served in its place.
    pub(crate) fn as_sent(&self, want: &Want) -> Option<Held> {
        if want.kind() != Kind::Index {
            return None;
        }
        self.engine.store.lookup(&as_sent(&want.key)).ok().flatten()
    }

    /// Keeps the upstream's own document beside the one that is served.
    pub(crate) fn keep_sent(&self, want: &Want, arrived: &Arrived) -> Result<Held, NotKept> {
        let key = as_sent(&want.key);
        self.keep_bytes_as(&key, want, StatusCode::OK, arrived.headers.clone(), &arrived.body, arrived.giver)
    }

    /// Returns the new document in which what got worse stands as it stood; nothing where that cannot be done, or would
    /// not help.
    pub(crate) fn mend(
        &self,
        want: &Want,
        index: &IndexRequest,
        held: &Held,
        arrived: &Arrived,
        worse: Worse,
    ) -> Option<Mended> {
        if worse.older.is_some() || !worse.misleads.is_empty() {
            return None;
        }
        let before = self.engine.store.read_blob(&held.sha256, INDEX_BYTES_MAX).ok()?;
        let versions: BTreeSet<&str> = worse.lost.iter().chain(&worse.changed).map(String::as_str).collect();
        let body = want.ecosystem.with_versions(index, &arrived.body, &before, &versions)?;
        let facts = want.ecosystem.read_index(index, &body).ok()?;
        Some(Mended { body: body.into(), facts, worse })
    }

    /// Takes a new document, and serves the mended one.
    pub(crate) fn accept_mended(
        &self,
        want: &Want,
        index: &IndexRequest,
        held: &Held,
        sent: Option<&Held>,
        arrived: Arrived,
        mended: Mended,
    ) -> End {
        self.tell(want, index, held, sent, &mended.worse);
        let mut saved = arrived.headers.clone();
        saved.retain(|header| header.0 != "etag" && header.0 != "last-modified");
        let etag = format!("\"outlast-{}\"", &Sha256::of(&mended.body).to_string()[..32]);
        saved.push(SavedHeader("etag".to_owned(), etag));
        if let Some(date) = self.date(held, &mended.body) {
            saved.push(SavedHeader("last-modified".to_owned(), date));
        }
        if let Err(reason) = self.keep_sent(want, &arrived) {
            return passed(StatusCode::OK, saved, mended.body, &reason.reason());
        }
        let Mended { body, facts, .. } = mended;
        self.accept(want, Arrived { headers: saved, body, facts, giver: arrived.giver })
    }

    /// Returns the date of a mended document: it moves when the bytes do, and only then.
    fn date(&self, held: &Held, body: &[u8]) -> Option<String> {
        let before = headers::saved(&held.headers, "last-modified").map(str::to_owned);
        if held.sha256 == Sha256::of(body) {
            return before;
        }
        Some(http_date(self.engine.clock.now())?.to_str().ok()?.to_owned())
    }

    /// Tells a person what got worse, once: a document that says the same as the last one is no news.
    fn tell(&self, want: &Want, index: &IndexRequest, held: &Held, sent: Option<&Held>, worse: &Worse) {
        let known = || {
            let previous = self.table(want.ecosystem, index, &want.key, held)?;
            let body = self.engine.store.read_blob(&sent?.sha256, INDEX_BYTES_MAX).ok()?;
            want.ecosystem.judge(&previous.facts, &want.ecosystem.read_index(index, &body).ok()?)
        };
        let known = known().unwrap_or_default();
        let news = |now: &[String], before: &[String]| -> Vec<String> {
            now.iter().filter(|version| !before.contains(version)).cloned().collect()
        };
        let (lost, changed) = (news(&worse.lost, &known.lost), news(&worse.changed, &known.changed));
        let key = || want.key.clone();
        if !lost.is_empty() {
            self.journal(want.host(), Event::Vanished { key: key(), versions: lost });
        }
        if !changed.is_empty() {
            self.journal(want.host(), Event::Republished { key: key(), versions: changed });
        }
    }
}
