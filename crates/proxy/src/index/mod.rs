//! Takes an index: read whole, understood, and compared with the one that is held before it may replace it.

pub(crate) mod mend;

use std::collections::BTreeSet;
use std::io::Read as _;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};
use model::{Freshness, Held, SavedHeader, Sha256};
use registry::{IndexFacts, IndexRequest, Older, Vouched, Worse};

use crate::copy::Prior;
use crate::decide;
use crate::fetch::passed;
use crate::flight::End;
use crate::headers;
use crate::health::breaker::{Attempt, Outcome};
use crate::limits::INDEX_BYTES_MAX;
use crate::session::Inner;
use crate::state::{from_http_date, http_date};
use crate::transfer::incoming::read;
use crate::upstream::{Giver, Reply};
use crate::vouch::tables::Table;
use crate::want::{Shape, Want};

/// An index that was read.
pub(crate) struct Arrived {
    pub(crate) headers: Vec<SavedHeader>,
    pub(crate) body: Bytes,
    pub(crate) facts: IndexFacts,
    pub(crate) giver: Giver,
}

impl Inner {
    /// Takes an upstream's index, or says why the one that is held is better.
    pub(crate) async fn take_index(
        &self,
        want: &Want,
        index: &IndexRequest,
        reply: Reply,
        prior: Prior,
        attempt: &Attempt,
    ) -> End {
        let (giver, reply_headers) = (reply.giver, reply.headers.clone());
        let may_be_cut = !reply.is_delimited && !want.ecosystem.has_end();
        let encoded = match read(reply.body, INDEX_BYTES_MAX).await {
            Ok(body) => body,
            Err(unread) => {
                let reason = unread.to_string();
                self.note_outcome(attempt, Outcome::Failed, &reason);
                return self.stand_in(want, prior, &reason);
            }
        };
        if giver != Giver::Drill {
            self.note_outcome(attempt, Outcome::Answered, "");
        }
        self.count(&attempt.host, giver, encoded.len() as u64);
        let (body, reply_headers, facts) = match understand(want, index, reply_headers, encoded).await {
            Ok(understood) => understood,
            Err(reason) => return self.reject(&attempt.host, want, prior, &reason),
        };
        // Others may have kept a newer one while this one came.
        let prior = self.newest(want, prior);
        let arrived = Arrived { headers: self.dated(want, &reply_headers), body, facts, giver };
        if may_be_cut {
            let reason = "its end could not be told from a broken connection";
            return match prior.good() {
                Some(_) => self.reject(&attempt.host, want, prior, reason),
                None => passed(StatusCode::OK, arrived.headers, arrived.body, reason),
            };
        }
        let Some(held) = prior.good().cloned() else {
            let ahead = || self.in_other_form(want, Freshness::Stale);
            let ahead = self.is_behind_other_form(want, &arrived).then(ahead).flatten();
            return ahead.unwrap_or_else(|| self.accept(want, arrived));
        };
        let sent = self.as_sent(want);
        let newest = sent.as_ref().unwrap_or(&held);
        if newest.sha256 == Sha256::of(&arrived.body) {
            if sent.is_none() {
                self.learn(want, held.sha256, arrived.facts);
            }
            return self.confirm(want, prior, giver.source(), giver);
        }
        let worse = tokio::task::block_in_place(|| self.worse(want, index, &held, newest, &arrived));
        let Some(worse) = worse else {
            // Nothing has to stand as it stood any more.
            if sent.is_some()
                && let Err(reason) = self.keep_sent(want, &arrived)
            {
                return passed(StatusCode::OK, arrived.headers, arrived.body, &reason.reason());
            }
            return self.accept(want, arrived);
        };
        let reason = format!("it {worse}");
        tokio::task::block_in_place(|| match self.mend(want, index, &held, &arrived, worse) {
            Some(mended) => self.accept_mended(want, index, &held, sent.as_ref(), arrived, mended),
            None => self.reject(&attempt.host, want, prior, &reason),
        })
    }

    /// Returns the headers that are kept of an index, with a date where its clients want one and its upstream gave none: that of its
    /// arrival, since which these are the bytes.
    fn dated(&self, want: &Want, reply: &HeaderMap) -> Vec<SavedHeader> {
        let mut saved = saved_headers(reply);
        let has_date = headers::saved(&saved, "last-modified").is_some();
        let date = http_date(self.engine.clock.now()).filter(|_| want.ecosystem.wants_date() && !has_date);
        if let Some(date) = date.as_ref().and_then(|date| date.to_str().ok()) {
            saved.push(SavedHeader("last-modified".to_owned(), date.to_owned()));
            saved.push(SavedHeader(headers::DATED.to_owned(), "1".to_owned()));
        }
        saved
    }

    /// Keeps an index, and serves it.
    pub(crate) fn accept(&self, want: &Want, arrived: Arrived) -> End {
        let Arrived { headers, body, facts, giver } = arrived;
        match self.keep_bytes(want, StatusCode::OK, headers.clone(), &body, giver) {
            Ok(new) => {
                self.learn(want, new.sha256, facts);
                End::landed(new, giver.source(), giver.freshness())
            }
            Err(reason) => passed(StatusCode::OK, headers, body, &reason.reason()),
        }
    }

    fn learn(&self, want: &Want, sha256: Sha256, facts: IndexFacts) {
        if let Shape::Index(index) = &want.shape {
            let table = Table::new(want.ecosystem, index.clone(), facts);
            self.vouchers.learn(want.key.clone(), sha256, Arc::new(table));
        }
    }

    fn reject(&self, host: &str, want: &Want, prior: Prior, reason: &str) -> End {
        let reason = format!("what `{host}` gave for `{}` was rejected: {reason}", want.url);
        self.refuse_answer(host, want, prior, reason)
    }

    /// Returns in what a new index is worse than the one that is held: older, of other bytes under a version that we have
    /// seen, or without a version that a lock pins or of which we hold the file. `newest` is what the upstream gave last.
    fn worse(
        &self,
        want: &Want,
        index: &IndexRequest,
        held: &Held,
        newest: &Held,
        arrived: &Arrived,
    ) -> Option<Worse> {
        let previous = self.table(want.ecosystem, index, &want.key, held)?;
        let new = &arrived.facts;
        let judged = want.ecosystem.judge(&previous.facts, new);
        // Others may begin to count anew.
        if want.host() == "pypi.org"
            && let Some(older) = earlier_serial(&newest.headers, &arrived.headers)
        {
            return Some(Worse { older: Some(older), ..judged.unwrap_or_default() });
        }
        let mut worse = judged?;
        // A server may be put back in time and still know better; one that knows less is behind, as an edge of Packagist
        // was on 2026-05-12 (composer#12843).
        if worse.older.is_none() && !worse.lost.is_empty() {
            worse.older = older(&newest.headers, &arrived.headers);
        }
        // A list that is suddenly empty is a fault, as a package that is suddenly gone.
        if new.versions.is_empty() {
            return Some(worse);
        }
        // What nobody here needs may go: it may be malware that was removed.
        let lost: BTreeSet<&str> = worse.lost.iter().map(String::as_str).collect();
        let files = previous.facts.vouched.iter().filter(|file| lost.contains(file.version.as_str()));
        let needed: BTreeSet<&str> =
            files.filter(|file| self.is_needed(file)).map(|file| file.version.as_str()).collect();
        worse.lost.retain(|version| needed.contains(version.as_str()));
        (worse != Worse::default()).then_some(worse)
    }

    /// Returns whether an index is held in another form that knows of more.
    fn is_behind_other_form(&self, want: &Want, arrived: &Arrived) -> bool {
        let Some(serial_now) = serial(&arrived.headers) else { return false };
        let variants = self.engine.store.variants(want.key.method, &want.key.url).unwrap_or_default();
        variants.iter().any(|(_, held)| decide::is_good(held) && serial(&held.headers) > Some(serial_now))
    }

    fn is_needed(&self, file: &Vouched) -> bool {
        self.vouchers.pins(file) || file.url.as_ref().is_some_and(|url| self.holds_file(url))
    }

    fn holds_file(&self, url: &model::ObjectUrl) -> bool {
        // Whoever fetched it, with or without credentials.
        let variants = self.engine.store.variants(model::Method::Get, url).unwrap_or_default();
        variants.iter().any(|(_, held)| held.status == 200)
    }
}

/// Unpacks and reads an index, on a thread of its own: it may have megabytes.
async fn understand(
    want: &Want,
    index: &IndexRequest,
    headers: HeaderMap,
    encoded: Bytes,
) -> Result<(Bytes, HeaderMap, IndexFacts), String> {
    let (ecosystem, index) = (want.ecosystem, index.clone());
    let read = tokio::task::spawn_blocking(move || {
        let body = decode(&headers, encoded)?;
        let facts = ecosystem.read_index(&index, &body).map_err(|error| error.to_string())?;
        Ok((body, headers, facts))
    });
    read.await.unwrap_or_else(|_| Err("reading it failed".to_owned()))
}

/// Returns whether an answer knows of fewer of its registry's changes than the one before it, as PyPI says in a header.
fn earlier_serial(before: &[SavedHeader], now: &[SavedHeader]) -> Option<Older> {
    let (held, new) = (serial(before)?, serial(now)?);
    (new < held).then(|| Older { held: format!("change {held}"), new: format!("change {new}") })
}

fn serial(headers: &[SavedHeader]) -> Option<u64> {
    headers::saved(headers, "x-pypi-last-serial")?.parse().ok()
}

/// Returns whether an answer's own date is before that of the one before it.
fn older(before: &[SavedHeader], now: &[SavedHeader]) -> Option<Older> {
    let [held, new] = [before, now].map(|headers| headers::saved(headers, "last-modified"));
    let (held, new) = (held?, new?);
    (from_http_date(new)? < from_http_date(held)?)
        .then(|| Older { held: held.to_owned(), new: new.to_owned() })
}

/// Returns the headers that are kept of an index: what is kept is the decoded document.
fn saved_headers(reply: &HeaderMap) -> Vec<SavedHeader> {
    let mut saved = headers::to_save(reply);
    saved.retain(|header| header.0 != "content-encoding");
    saved
}

/// Returns a body without its content encoding.
pub(crate) fn decode(headers: &HeaderMap, body: Bytes) -> Result<Bytes, String> {
    match headers.get(header::CONTENT_ENCODING).map(|value| value.to_str().unwrap_or("?")) {
        None | Some("identity" | "") => Ok(body),
        Some("gzip" | "x-gzip") => {
            let mut decoded = Vec::new();
            flate2::bufread::MultiGzDecoder::new(body.as_ref())
                .take(INDEX_BYTES_MAX + 1)
                .read_to_end(&mut decoded)
                .map_err(|error| format!("it is no proper gzip: {error}"))?;
            if decoded.len() as u64 > INDEX_BYTES_MAX {
                return Err(format!("unpacked it is larger than {INDEX_BYTES_MAX} bytes"));
            }
            Ok(decoded.into())
        }
        Some(other) => Err(format!("its content encoding is `{other}`, which was not asked for")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bomb_is_refused_while_it_unpacks() {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        let zeros = vec![0; 1 << 20];
        for _ in 0..65 {
            std::io::Write::write_all(&mut encoder, &zeros).unwrap();
        }
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_ENCODING, "gzip".parse().unwrap());
        let bomb = Bytes::from(encoder.finish().unwrap());
        assert!(decode(&headers, bomb).unwrap_err().contains("larger"));
        assert!(decode(&headers, Bytes::from_static(b"plain")).unwrap_err().contains("gzip"));
        headers.insert(header::CONTENT_ENCODING, "br".parse().unwrap());
        assert!(decode(&headers, Bytes::new()).is_err());
        assert_eq!(decode(&HeaderMap::new(), Bytes::from_static(b"a")).unwrap(), "a");
    }
}
