//! Answers a client: from a copy, from a transfer under way, or with a refusal.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream;
use host::http::Outgoing;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use model::{Freshness, Held, Sha256, Source};
use store::{BlobError, BlobReader};

use crate::breaker::Outcome;
use crate::decide::{self, First, Insistence, Situation};
use crate::flight::{End, Flight, Head, Ready};
use crate::headers;
use crate::limits::{CHUNK_BYTES, SOFT_DEADLINE, VERIFY_FIRST_BYTES};
use crate::note::Ending;
use crate::refusal::Refusal;
use crate::session::{Inner, Session};
use crate::want::Want;

/// What a client asked of an object.
#[derive(Debug, Clone)]
struct Ask {
    number: usize,
    is_head: bool,
    range: Option<Range>,
    if_none_match: Option<HeaderValue>,
    if_modified_since: Option<HeaderValue>,
}

/// One byte range (RFC 9110 §14.1.2); several at once are answered with the whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Range {
    From(u64, Option<u64>),
    Last(u64),
}

impl Session {
    /// Serves an object to a client.
    pub(crate) async fn serve(
        &self,
        number: usize,
        want: Want,
        method: &Method,
        client: &HeaderMap,
    ) -> Response<Outgoing> {
        let ask = Ask::new(number, method, client);
        let inner = &self.0;
        inner.notes.specify(number, &want.key.variant);
        let held = match inner.usable(&want).await {
            Ok(held) => held,
            Err((refusal, sha256)) => return inner.missing(number, &refusal, Some(sha256)),
        };
        let no_cache = client.get(header::CACHE_CONTROL).is_some_and(|value| value == "no-cache");
        let first = decide::first(&Situation {
            held: held.as_ref(),
            kind: want.kind(),
            now: inner.engine.clock.now(),
            fresh_for: inner.engine.index_fresh_for,
            client: if no_cache { Insistence::NoCache } else { Insistence::None },
            may_wait: held.is_none() || inner.may_wait(want.host()),
        });
        match (first, held) {
            (First::Serve(freshness), Some(held)) => {
                if freshness == Freshness::Stale {
                    inner.note_stale(want.host(), "it was found down a moment ago");
                }
                inner.from_copy(&ask, &held, Source::Copy, freshness).await
            }
            (_, held) => inner.from_upstream(&ask, want, held).await,
        }
    }
}

impl Inner {
    /// Returns the copy of an object if its bytes are there; a damaged one is fetched again where that is possible.
    async fn usable(&self, want: &Want) -> Result<Option<Held>, (Refusal, Sha256)> {
        let held = match self.engine.store.lookup(&want.key) {
            Ok(held) => held,
            Err(error) => {
                tracing::error!("the index could not be read: {error}");
                None
            }
        };
        let Some(held) = held else { return Ok(None) };
        let (store, sha256, size_bytes) = (self.engine.store.clone(), held.sha256, held.size_bytes);
        let check = move || match store.open_blob(&sha256) {
            Ok(blob) if size_bytes <= VERIFY_FIRST_BYTES => {
                drop(blob);
                store.read_blob(&sha256, VERIFY_FIRST_BYTES).map(drop).is_ok()
            }
            Ok(blob) => blob.size_bytes() == size_bytes,
            Err(_) => false,
        };
        if check() {
            return Ok(Some(held));
        }
        tracing::error!("the copy of `{}` is damaged", want.key);
        if self.line.fault(want.host()).is_some() {
            let reason = format!("the copy of `{}` is damaged or missing: blob {}", want.url, held.sha256);
            return Err((Refusal::damaged(reason), held.sha256));
        }
        Ok(None)
    }

    /// Ends an exchange without an object.
    pub(crate) fn missing(
        &self,
        number: usize,
        refusal: &Refusal,
        sha256: Option<Sha256>,
    ) -> Response<Outgoing> {
        self.end(number, Ending::Missing { sha256, reason: refusal.reason.clone() });
        refusal.response()
    }

    async fn from_upstream(
        self: &Arc<Self>,
        ask: &Ask,
        want: Want,
        held: Option<Held>,
    ) -> Response<Outgoing> {
        let host = want.host().to_owned();
        let flight = self.join(Arc::new(want), held.clone());
        let Some(held) = held else {
            return self.from_flight(ask, &flight, flight.ready().await).await;
        };
        match tokio::time::timeout(SOFT_DEADLINE, flight.ready()).await {
            Ok(ready) => self.from_flight(ask, &flight, ready).await,
            Err(_) => {
                self.note_outcome(&host, Outcome::Hung);
                self.note_stale(&host, "it did not begin to answer within a second");
                let freshness = decide::standing(&held, Freshness::Stale);
                self.from_copy(ask, &held, Source::Copy, freshness).await
            }
        }
    }

    async fn from_flight(
        self: &Arc<Self>,
        ask: &Ask,
        flight: &Arc<Flight>,
        ready: Ready,
    ) -> Response<Outgoing> {
        match ready {
            Ready::Head(head) => self.while_it_arrives(ask, flight, &head).await,
            Ready::End(End::Landed { held, source, freshness, live_headers }) => {
                let held = match live_headers {
                    Some(headers) => Held { headers: headers.to_vec(), ..(*held).clone() },
                    None => (*held).clone(),
                };
                self.from_copy(ask, &held, source, freshness).await
            }
            Ready::End(End::Passed { status, headers, body, size_bytes, reason }) => {
                let reason = reason.to_string();
                self.end(ask.number, Ending::NotKept { status: status.as_u16(), size_bytes, reason });
                let body = if ask.is_head { Bytes::new() } else { body };
                answer(status, headers::from_saved(&headers), host::http::whole(body))
            }
            Ready::End(End::Failed { refusal, sha256 }) => self.missing(ask.number, &refusal, sha256),
        }
    }

    /// Passes on a transfer that is under way.
    async fn while_it_arrives(
        self: &Arc<Self>,
        ask: &Ask,
        flight: &Arc<Flight>,
        head: &Head,
    ) -> Response<Outgoing> {
        if ask.range.is_some() && head.size_bytes.is_none() {
            // Without its size no part of it can be named; wait for it.
            let end = flight.ended().await;
            return Box::pin(self.from_flight(ask, flight, Ready::End(end))).await;
        }
        let (inner, own, number) = (self.clone(), flight.clone(), ask.number);
        tokio::spawn(async move {
            let ending = match own.ended().await {
                End::Landed { held, source, freshness, .. } => object(&held, held.status, source, freshness),
                End::Passed { status, size_bytes, reason, .. } => {
                    Ending::NotKept { status: status.as_u16(), size_bytes, reason: reason.to_string() }
                }
                End::Failed { refusal, sha256 } => Ending::Missing { sha256, reason: refusal.reason.clone() },
            };
            inner.end(number, ending);
        });
        let size = head.size_bytes;
        let mut headers = headers::from_saved(&head.headers);
        let (status, start, end) = match (ask.range, size) {
            (Some(range), Some(size)) => match range.within(size) {
                Some((start, end)) => {
                    headers.insert(header::CONTENT_RANGE, content_range(start, end, size));
                    (StatusCode::PARTIAL_CONTENT, start, Some(end))
                }
                None => return unsatisfiable(size),
            },
            _ => (head.status, 0, size),
        };
        if let Some(end) = end {
            headers.insert(header::CONTENT_LENGTH, HeaderValue::from(end - start));
        }
        if ask.is_head {
            return answer(status, headers, host::http::whole(Bytes::new()));
        }
        let reader = flight.reader(start, end);
        let body = stream::unfold(Some(reader), |reader| async move {
            let mut reader = reader?;
            match reader.next().await {
                Ok(Some(bytes)) => Some((Ok(Frame::data(bytes)), Some(reader))),
                Ok(None) => None,
                Err(error) => Some((Err(error.into()), None)),
            }
        });
        answer(status, headers, StreamBody::new(body).boxed_unsync())
    }

    /// Answers from the store.
    async fn from_copy(
        &self,
        ask: &Ask,
        held: &Held,
        source: Source,
        freshness: Freshness,
    ) -> Response<Outgoing> {
        let mut headers = headers::from_saved(&held.headers);
        if freshness != Freshness::Fresh
            && let Ok(value) = HeaderValue::try_from(freshness.to_string())
        {
            headers.insert("outlast-state", value);
        }
        let status = StatusCode::from_u16(held.status).unwrap_or(StatusCode::OK);
        if status == StatusCode::OK && ask.has_it(&headers) {
            self.end(ask.number, object(held, 304, source, freshness));
            return answer(StatusCode::NOT_MODIFIED, headers, host::http::whole(Bytes::new()));
        }
        let size = held.size_bytes;
        let (status, start, end) = match ask.range.filter(|_| status == StatusCode::OK) {
            None => (status, 0, size),
            Some(range) => match range.within(size) {
                Some((start, end)) => {
                    headers.insert(header::CONTENT_RANGE, content_range(start, end, size));
                    (StatusCode::PARTIAL_CONTENT, start, end)
                }
                None => {
                    self.end(ask.number, object(held, 416, source, freshness));
                    return unsatisfiable(size);
                }
            },
        };
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(end - start));
        if status == StatusCode::OK {
            headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
        }
        match self.body(held, start, end).await {
            Ok(body) => {
                self.end(ask.number, object(held, status.as_u16(), source, freshness));
                let body = if ask.is_head { host::http::whole(Bytes::new()) } else { body };
                answer(status, headers, body)
            }
            Err(reason) => self.missing(ask.number, &Refusal::damaged(reason), Some(held.sha256)),
        }
    }

    /// Returns bytes of a blob that was verified before the first of them leaves.
    async fn body(&self, held: &Held, start: u64, end: u64) -> Result<Outgoing, String> {
        let (store, sha256) = (self.engine.store.clone(), held.sha256);
        let damaged = move |error: &dyn std::fmt::Display| format!("blob {sha256} cannot be used: {error}");
        if held.size_bytes <= VERIFY_FIRST_BYTES {
            let bytes =
                Bytes::from(store.read_blob(&sha256, VERIFY_FIRST_BYTES).map_err(|error| damaged(&error))?);
            let part =
                usize::try_from(start).unwrap_or(usize::MAX)..usize::try_from(end).unwrap_or(usize::MAX);
            return Ok(host::http::whole(bytes.slice(part)));
        }
        let blob = tokio::task::spawn_blocking(move || {
            let blob = store.open_blob(&sha256)?;
            blob.verify()?;
            Ok::<_, BlobError>(blob)
        })
        .await
        .map_err(|error| damaged(&error))?
        .map_err(|error| damaged(&error))?;
        let body = stream::unfold(Some((blob, start)), move |state| async move {
            let (blob, offset) = state?;
            if offset >= end {
                return None;
            }
            match read_chunk(&blob, offset, end) {
                Ok(bytes) => {
                    let next = offset + bytes.len() as u64;
                    Some((Ok(Frame::data(bytes)), Some((blob, next))))
                }
                Err(error) => Some((Err(error.into()), None)),
            }
        });
        Ok(StreamBody::new(body).boxed_unsync())
    }
}

/// Reads the page cache, which was filled by verifying: a read here does not wait for the disk.
fn read_chunk(blob: &BlobReader, offset: u64, end: u64) -> std::io::Result<Bytes> {
    let size = usize::try_from(end - offset).unwrap_or(CHUNK_BYTES).min(CHUNK_BYTES);
    let mut buffer = vec![0; size];
    let n = blob.read_at(&mut buffer, offset)?;
    if n == 0 {
        return Err(std::io::ErrorKind::UnexpectedEof.into());
    }
    buffer.truncate(n);
    Ok(buffer.into())
}

impl Ask {
    fn new(number: usize, method: &Method, client: &HeaderMap) -> Self {
        let range = client.get(header::RANGE).and_then(|value| Range::parse(value.to_str().ok()?));
        Self {
            number,
            is_head: *method == Method::HEAD,
            // With If-Range the whole is always a right answer.
            range: range.filter(|_| !client.contains_key(header::IF_RANGE) && *method == Method::GET),
            if_none_match: client.get(header::IF_NONE_MATCH).cloned(),
            if_modified_since: client.get(header::IF_MODIFIED_SINCE).cloned(),
        }
    }

    /// Returns whether the client said that it has these bytes.
    fn has_it(&self, headers: &HeaderMap) -> bool {
        if let Some(wanted) = &self.if_none_match {
            let Some(etag) = headers.get(header::ETAG).and_then(|etag| etag.to_str().ok()) else {
                return false;
            };
            let strong = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
            return wanted.to_str().is_ok_and(|tags| {
                tags.trim() == "*" || tags.split(',').any(|tag| strong(tag) == strong(etag))
            });
        }
        let since = self.if_modified_since.as_ref();
        since.is_some_and(|since| headers.get(header::LAST_MODIFIED) == Some(since))
    }
}

impl Range {
    fn parse(text: &str) -> Option<Self> {
        let (first, last) = text.strip_prefix("bytes=")?.split_once('-')?;
        if first.is_empty() {
            return last.parse().ok().map(Self::Last);
        }
        let last = if last.is_empty() { None } else { Some(last.parse().ok()?) };
        Some(Self::From(first.parse().ok()?, last))
    }

    /// Returns the first byte and the one after the last.
    fn within(self, size: u64) -> Option<(u64, u64)> {
        let (start, end) = match self {
            Self::From(first, last) => (first, last.map_or(size, |last| last.saturating_add(1).min(size))),
            Self::Last(n) => (size.saturating_sub(n), size),
        };
        (start < end).then_some((start, end))
    }
}

fn content_range(start: u64, end: u64, size: u64) -> HeaderValue {
    HeaderValue::try_from(format!("bytes {start}-{}/{size}", end - 1)).expect("digits are a header value")
}

fn unsatisfiable(size: u64) -> Response<Outgoing> {
    let mut headers = HeaderMap::new();
    let value = HeaderValue::try_from(format!("bytes */{size}")).expect("digits are a header value");
    headers.insert(header::CONTENT_RANGE, value);
    answer(StatusCode::RANGE_NOT_SATISFIABLE, headers, host::http::whole(Bytes::new()))
}

fn object(held: &Held, status: u16, source: Source, freshness: Freshness) -> Ending {
    Ending::Object {
        status,
        sha256: held.sha256,
        size_bytes: held.size_bytes,
        source,
        proof: held.proof,
        freshness,
        confirmed_at: held.confirmed_at,
    }
}

pub(crate) fn answer(status: StatusCode, headers: HeaderMap, body: Outgoing) -> Response<Outgoing> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_name_the_bytes_they_say() {
        let check = |text: &str, expected: Option<(u64, u64)>| {
            assert_eq!(Range::parse(text).and_then(|range| range.within(10)), expected, "{text}");
        };
        check("bytes=0-0", Some((0, 1)));
        check("bytes=2-", Some((2, 10)));
        check("bytes=5-99", Some((5, 10)));
        check("bytes=-3", Some((7, 10)));
        check("bytes=-99", Some((0, 10)));
        for text in ["bytes=10-", "bytes=5-2", "bytes=-0", "bytes=a-b", "items=0-1", "bytes=0-1,3-4"] {
            check(text, None);
        }
        check("bytes=0-18446744073709551615", Some((0, 10)));
    }
}
