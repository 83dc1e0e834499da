//! Says how a copy stands: to programs in headers, to people in what their client prints.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, header};
use model::{Freshness, Held, ObjectKey, Sha256, Timestamp};
use registry::{Ecosystem, Site};

use crate::ask::{Ask, Manner};
use crate::copy::Verified;
use crate::health::outage::Stale;
use crate::limits::INDEX_BYTES_MAX;
use crate::session::Inner;

/// The longest reason in a header; the whole one is in the journal.
const REASON_BYTES_MAX: usize = 200;

impl Inner {
    /// Adds `Outlast-State` and `Age` to a copy that is not fresh: RFC 9111 §5.1 for the latter.
    pub(crate) fn add_state(
        &self,
        headers: &mut HeaderMap,
        held: &Held,
        freshness: Freshness,
        key: &ObjectKey,
    ) {
        if freshness == Freshness::Fresh {
            return self.add_fresh(headers);
        }
        let Stale { since, reason } = self.standing_of(held, freshness, key);
        set_state(headers, freshness, since, &reason);
        headers.insert(header::AGE, self.age(held.confirmed_at));
    }

    fn age(&self, confirmed_at: Timestamp) -> HeaderValue {
        let age = self.engine.clock.now().duration_since(confirmed_at).as_secs().max(0);
        HeaderValue::from(age)
    }

    /// Says that an answer is as the upstream has it. In a room nothing is added to that; whoever asks a server knows that it
    /// is one.
    pub(crate) fn add_fresh(&self, headers: &mut HeaderMap) {
        if self.site.is_some() {
            headers.insert("outlast-state", HeaderValue::from_static("fresh"));
        }
    }

    /// Adds `Age` to what is not fresh, as it is now; another Outlast is told of what is fresh as well.
    pub(crate) fn add_age(
        &self,
        manner: &Manner,
        freshness: Freshness,
        headers: &mut HeaderMap,
        confirmed_at: Timestamp,
    ) {
        let is_told = self.site.is_some() && manner.dress.is_as_sent();
        if is_told || freshness != Freshness::Fresh {
            headers.insert(header::AGE, self.age(confirmed_at));
        }
    }

    /// Returns a stale document with a message that the client shows, and makes its headers say that it is another one.
    pub(crate) fn with_message(
        &self,
        ecosystem: &dyn Ecosystem,
        key: &ObjectKey,
        held: &Held,
        body: &Bytes,
        headers: &mut HeaderMap,
    ) -> Option<Bytes> {
        let url = &key.url;
        let Stale { since, reason } = self.standing_of(held, Freshness::Stale, key);
        let message = format!(
            "Outlast: {} cannot be asked since {} ({reason}); this is the copy of {}",
            url.host(),
            minute(since),
            minute(held.confirmed_at)
        );
        let body = ecosystem.with_message(url, body, &message)?;
        headers.remove(header::ETAG);
        // Whoever asks again with this date has this message; nothing newer of the upstream's is older than it.
        let held_at =
            headers.get(header::LAST_MODIFIED).and_then(|value| from_http_date(value.to_str().ok()?));
        let told_at = held_at.and_then(|at| at.checked_add(Duration::from_secs(1)).ok()).unwrap_or(since);
        if let Some(date) = http_date(told_at) {
            headers.insert(header::LAST_MODIFIED, date);
        }
        Some(body.into())
    }

    /// Returns an index as the server offers it, with a tag of its own: the upstream's is of other bytes.
    pub(crate) fn relinked(
        &self,
        ask: &Ask,
        held: &Held,
        bytes: &Verified,
        headers: &mut HeaderMap,
    ) -> Option<Bytes> {
        let (site, index) = (self.site.as_ref()?, ask.index.as_ref().filter(|_| held.status == 200)?);
        let of_world = Site::of_world();
        let site = match ask.manner.dress.is_as_sent() {
            false => site,
            // Whoever asks knows it under the public registry's address, from which nothing leads to where it lies.
            true => Some(&of_world).filter(|_| self.own.registries.has(&index.url))?,
        };
        let make = || match bytes {
            Verified::Whole(bytes) => ask.ecosystem.relinked(index, bytes, site),
            Verified::File(_) => {
                let document = self.engine.store.read_blob(&held.sha256, INDEX_BYTES_MAX).ok()?;
                ask.ecosystem.relinked(index, &document, site)
            }
        };
        if ask.manner.dress.is_as_sent() {
            // Pages are small, and what is shared is linked to the server.
            let document = tokio::task::block_in_place(make)?;
            let tag = Sha256::of(&document).to_string();
            headers.insert(header::ETAG, HeaderValue::try_from(format!("\"{}\"", &tag[..32])).ok()?);
            return Some(document.into());
        }
        let share = || self.linked.share(held.sha256, &ask.key.url, held.size_bytes, make);
        let linked = match bytes {
            Verified::Whole(_) => share(),
            Verified::File(_) => tokio::task::block_in_place(share),
        }?;
        headers.insert(header::ETAG, HeaderValue::try_from(&*linked.tag).ok()?);
        Some(linked.bytes)
    }

    fn standing_of(&self, held: &Held, freshness: Freshness, key: &ObjectKey) -> Stale {
        match held.gone_since.filter(|_| freshness == Freshness::Gone) {
            Some(since) => Stale { since, reason: "the upstream says that it does not exist".to_owned() },
            None if self.at.is_some() => {
                Stale { since: held.confirmed_at, reason: "an earlier state was asked for".to_owned() }
            }
            None => self.stale(key).unwrap_or_else(|| Stale {
                since: held.confirmed_at,
                reason: "the upstream was not asked".to_owned(),
            }),
        }
    }
}

/// Returns a time as HTTP writes it: RFC 9110 §5.6.7.
pub(crate) fn http_date(at: Timestamp) -> Option<HeaderValue> {
    let text = jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&at).ok()?;
    HeaderValue::try_from(text).ok()
}

/// Reads a time as HTTP writes it.
pub(crate) fn from_http_date(text: &str) -> Option<Timestamp> {
    Some(jiff::fmt::rfc2822::parse(text).ok()?.timestamp())
}

fn minute(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

/// Says in an answer's head how its copy stands, where it is not as its upstream has it.
pub fn set_state(headers: &mut HeaderMap, freshness: Freshness, since: Timestamp, reason: &str) {
    let text = format!("{freshness}; since={since}; reason={}", printable(reason));
    if let Ok(value) = HeaderValue::try_from(text) {
        headers.insert("outlast-state", value);
    }
}

/// Returns what of a text may stand in a header.
fn printable(text: &str) -> String {
    let is_plain = |&character: &char| (' '..='~').contains(&character) && character != ';';
    text.chars().filter(is_plain).take(REASON_BYTES_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_reasons_are_written_as_headers_need_them() {
        let at: Timestamp = "2026-05-21T10:00:05Z".parse().unwrap();
        assert_eq!(http_date(at).unwrap(), "Thu, 21 May 2026 10:00:05 GMT");
        assert_eq!(minute(at), "2026-05-21 10:00 UTC");
        assert_eq!(printable("it broke; off\r\nx: y \u{e9}"), "it broke offx: y ");
        assert_eq!(printable(&"a".repeat(500)).len(), REASON_BYTES_MAX);
    }
}
