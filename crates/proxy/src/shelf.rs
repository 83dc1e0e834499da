//! What a server gives out often, ready to leave: verified once, linked to the server once, compressed once. It lies in memory,
//! bounded by bytes, and whoever asks for it reads no disk.
//!
//! Only what is fresh is put here, for as long as it would be served without asking anybody. What is here when its copy is
//! damaged on the disk is the right bytes all the same.

use std::collections::HashMap;
use std::io::Write as _;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::{HeaderMap, HeaderValue, header};
use model::{ObjectKey, Timestamp};

use crate::session::lock;

/// Below this a packet carries it as it is.
const COMPRESSED_BYTES_MIN: usize = 860;
/// What is compressed in memory; the largest packument has 21 MB.
const COMPRESSED_BYTES_MAX: usize = 32 << 20;
/// No one thing takes more than a part of the shelf.
const PART_OF_SHELF: usize = 4;
/// What an entry takes beside its bytes: its name, headers and places in lists.
const ENTRY_BYTES: usize = 2 << 10;

/// One object in one dress.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct ShelfKey {
    pub(crate) key: ObjectKey,
    /// As its upstream has it, for another Outlast.
    pub(crate) is_as_sent: bool,
}

/// What leaves: headers and body belong together.
#[derive(Debug, Clone)]
pub(crate) struct Form {
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// Something that is ready.
#[derive(Debug)]
pub(crate) struct Ready {
    /// Not here where the compressed form is so much smaller that it alone is worth the room.
    plain: Option<Form>,
    gzip: Option<Form>,
    /// On the clock that begins with the process.
    good_until: Duration,
    /// When its upstream did.
    pub(crate) confirmed_at: Timestamp,
}

impl Ready {
    /// Returns the form for a client.
    pub(crate) fn form(&self, accepts_gzip: bool) -> Option<&Form> {
        if accepts_gzip { self.gzip.as_ref().or(self.plain.as_ref()) } else { self.plain.as_ref() }
    }

    fn size_bytes(&self) -> usize {
        let forms = self.plain.iter().chain(&self.gzip);
        ENTRY_BYTES + forms.map(|form| form.body.len()).sum::<usize>()
    }
}

/// The shelf.
#[derive(Debug)]
pub(crate) struct Shelf {
    inner: Mutex<Inner>,
    size_bytes_max: usize,
}

#[derive(Debug, Default)]
struct Inner {
    entries: HashMap<ShelfKey, Entry>,
    size_bytes: usize,
    /// Counts what is taken and put: the entry with the lowest number is the one that nobody wanted for longest.
    now: u64,
    /// What is being made ready, so that it is done once.
    in_the_making: Vec<ShelfKey>,
}

#[derive(Debug)]
struct Entry {
    ready: Arc<Ready>,
    used: u64,
}

impl Shelf {
    pub(crate) fn bounded(size_bytes_max: usize) -> Self {
        Self { inner: Mutex::default(), size_bytes_max }
    }

    /// Takes away what has been replaced.
    pub(crate) fn forget(&self, key: &ObjectKey) {
        let mut inner = lock(&self.inner);
        for is_as_sent in [false, true] {
            inner.remove(&ShelfKey { key: key.clone(), is_as_sent });
        }
    }

    /// Takes what is ready and still good.
    pub(crate) fn take(&self, key: &ShelfKey, now: Duration) -> Option<Arc<Ready>> {
        let mut inner = lock(&self.inner);
        inner.now += 1;
        let used = inner.now;
        let entry = inner.entries.get_mut(key)?;
        if entry.ready.good_until <= now {
            inner.remove(key);
            return None;
        }
        entry.used = used;
        Some(entry.ready.clone())
    }

    /// Makes something ready and puts it on the shelf, unless somebody does so at this moment, or it is too large.
    pub(crate) fn put(
        &self,
        key: ShelfKey,
        headers: HeaderMap,
        body: Bytes,
        good_until: Duration,
        confirmed_at: Timestamp,
    ) -> Option<Arc<Ready>> {
        {
            let mut inner = lock(&self.inner);
            if inner.in_the_making.contains(&key) {
                return None;
            }
            inner.in_the_making.push(key.clone());
        }
        let forms = self.make(headers, body, key.is_as_sent);
        let ready = forms.map(|(plain, gzip)| Arc::new(Ready { plain, gzip, good_until, confirmed_at }));
        let mut inner = lock(&self.inner);
        inner.in_the_making.retain(|other| *other != key);
        let ready = ready?;
        inner.remove(&key);
        inner.size_bytes += ready.size_bytes();
        inner.now += 1;
        let used = inner.now;
        inner.entries.insert(key, Entry { ready: ready.clone(), used });
        while inner.size_bytes > self.size_bytes_max {
            let oldest = inner.entries.iter().min_by_key(|(_, entry)| entry.used).map(|(key, _)| key.clone());
            let Some(oldest) = oldest else { break };
            inner.remove(&oldest);
        }
        Some(ready)
    }

    fn make(
        &self,
        mut headers: HeaderMap,
        body: Bytes,
        is_as_sent: bool,
    ) -> Option<(Option<Form>, Option<Form>)> {
        let size_bytes_max = self.size_bytes_max / PART_OF_SHELF;
        let gzip = compressed(&headers, &body);
        if gzip.is_some() {
            headers.append(header::VARY, HeaderValue::from_static("accept-encoding"));
        }
        let gzip = gzip.filter(|body| body.len() <= size_bytes_max).map(|body| {
            let mut headers = headers.clone();
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            headers.remove(header::ACCEPT_RANGES);
            // Another Outlast unpacks it, and keeps the upstream's tag with the upstream's bytes.
            if !is_as_sent && let Some(tag) = headers.get(header::ETAG).and_then(tag_of_gzip) {
                headers.insert(header::ETAG, tag);
            }
            with_length(headers, body)
        });
        let plain = (body.len() <= size_bytes_max).then(|| with_length(headers, body));
        (plain.is_some() || gzip.is_some()).then_some((plain, gzip))
    }
}

impl Inner {
    fn remove(&mut self, key: &ShelfKey) {
        if let Some(entry) = self.entries.remove(key) {
            self.size_bytes -= entry.ready.size_bytes();
        }
    }
}

fn with_length(mut headers: HeaderMap, body: Bytes) -> Form {
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
    Form { headers, body }
}

/// Returns a document compressed, where that saves anything.
fn compressed(headers: &HeaderMap, body: &Bytes) -> Option<Bytes> {
    let kind = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    let is_text =
        kind.starts_with("text/") || kind.contains("json") || kind.contains("xml") || kind.contains("html");
    let is_worth_it = (COMPRESSED_BYTES_MIN..=COMPRESSED_BYTES_MAX).contains(&body.len());
    if !is_text || !is_worth_it || headers.contains_key(header::CONTENT_ENCODING) {
        return None;
    }
    let mut encoder = GzEncoder::new(Vec::with_capacity(body.len() / 4), Compression::default());
    encoder.write_all(body).ok()?;
    let compressed = encoder.finish().ok()?;
    (compressed.len() < body.len()).then(|| compressed.into())
}

/// Returns the tag of the compressed form: a strong one is of these bytes and no others (RFC 9110 §8.8.3).
fn tag_of_gzip(tag: &HeaderValue) -> Option<HeaderValue> {
    let text = tag.to_str().ok()?;
    if text.starts_with("W/") {
        return Some(tag.clone());
    }
    HeaderValue::try_from(format!("{}-gzip\"", text.strip_suffix('"')?)).ok()
}

/// Returns whether a client takes gzip: RFC 9110 §12.5.3, without weighing what it likes better.
pub(crate) fn accepts_gzip(client: &HeaderMap) -> bool {
    let mut codings = client.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    codings.any(|value| {
        value.split(',').any(|coding| {
            let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
            let is_refused = weight.trim().trim_start_matches("q=").parse::<f32>().is_ok_and(|q| q == 0.0);
            matches!(name.trim(), "gzip" | "x-gzip" | "*") && !is_refused
        })
    })
}

#[cfg(test)]
mod tests {
    use model::{Method, ObjectUrl};

    use super::*;

    fn key(name: &str) -> ShelfKey {
        let url = ObjectUrl::parse(&format!("https://a.example/{name}")).unwrap();
        ShelfKey { key: ObjectKey { method: Method::Get, url, variant: String::new() }, is_as_sent: false }
    }

    fn headers(kind: &str) -> HeaderMap {
        HeaderMap::from_iter([
            (header::CONTENT_TYPE, kind.parse().unwrap()),
            (header::ETAG, "\"x\"".parse().unwrap()),
        ])
    }

    const LATER: Duration = Duration::from_secs(60);

    #[test]
    fn a_document_is_ready_in_both_forms_with_a_tag_each() {
        let shelf = Shelf::bounded(1 << 20);
        let body = Bytes::from("{\"a\":1}".repeat(1000));
        let ready = shelf
            .put(key("a"), headers("application/json"), body.clone(), LATER, Timestamp::UNIX_EPOCH)
            .unwrap();
        let plain = ready.form(false).unwrap();
        assert_eq!((&plain.body, &plain.headers[header::ETAG]), (&body, &"\"x\"".parse().unwrap()));
        assert_eq!(plain.headers[header::VARY], "accept-encoding");
        let gzip = ready.form(true).unwrap();
        let mut decoded = Vec::new();
        std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(&*gzip.body), &mut decoded).unwrap();
        assert_eq!(decoded, body);
        assert_eq!(gzip.headers[header::ETAG], "\"x-gzip\"");
        assert_eq!(gzip.headers[header::CONTENT_LENGTH], gzip.body.len().to_string().as_str());
        // What does not get smaller, and what is no text, has one form.
        let file = shelf
            .put(key("f"), headers("application/octet-stream"), body, LATER, Timestamp::UNIX_EPOCH)
            .unwrap();
        assert!(!file.form(true).unwrap().headers.contains_key(header::CONTENT_ENCODING));
        let small = shelf
            .put(key("s"), headers("text/plain"), Bytes::from_static(b"small"), LATER, Timestamp::UNIX_EPOCH)
            .unwrap();
        assert!(!small.form(true).unwrap().headers.contains_key(header::VARY));
    }

    #[test]
    fn it_is_good_for_its_time_and_the_least_wanted_makes_room() {
        let shelf = Shelf::bounded(36 << 10);
        let body = || Bytes::from(vec![7; 8 << 10]);
        let now = Duration::from_secs(1);
        for name in ["a", "b", "c"] {
            shelf.put(key(name), headers("application/zip"), body(), LATER, Timestamp::UNIX_EPOCH).unwrap();
        }
        assert!(shelf.take(&key("a"), now).is_some());
        shelf.put(key("d"), headers("application/zip"), body(), LATER, Timestamp::UNIX_EPOCH).unwrap();
        let is_there = |name: &str| shelf.take(&key(name), now).is_some();
        assert_eq!(["a", "b", "c", "d"].map(is_there), [true, false, true, true]);
        assert!(shelf.take(&key("a"), LATER).is_none(), "its time is over");
        assert!(
            shelf
                .put(
                    key("e"),
                    headers("application/zip"),
                    Bytes::from(vec![7; 20 << 10]),
                    LATER,
                    Timestamp::UNIX_EPOCH
                )
                .is_none()
        );
        assert!(lock(&shelf.inner).size_bytes <= 36 << 10);
    }

    #[test]
    fn what_a_client_accepts_is_read_as_it_is_written() {
        for (value, expected) in [
            ("gzip, deflate, br", true),
            ("x-gzip", true),
            ("*", true),
            ("gzip;q=0.5", true),
            ("gzip;q=0", false),
            ("gzip; q=0.0, br", false),
            ("identity", false),
            ("", false),
        ] {
            let headers = HeaderMap::from_iter([(header::ACCEPT_ENCODING, value.parse().unwrap())]);
            assert_eq!(accepts_gzip(&headers), expected, "{value}");
        }
        assert!(!accepts_gzip(&HeaderMap::new()));
    }
}
