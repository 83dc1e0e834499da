//! What a server gives out often, ready to leave: verified once, linked to the server once, compressed once. It lies in memory,
//! bounded by bytes, and whoever asks for it reads no disk.
//!
//! Only what is fresh is put here, for as long as it would be served without asking anybody. What is here when its copy is
//! damaged on the disk is the right bytes all the same.

use std::collections::{HashMap, VecDeque};
use std::io::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::{HeaderMap, HeaderValue, header};
use model::{ObjectKey, Timestamp};

use crate::session::lock;
use crate::spelling::Spelling;

/// Below this a packet carries it as it is.
const COMPRESSED_BYTES_MIN: usize = 860;
/// What is compressed in memory; the largest packument has 21 MB.
const COMPRESSED_BYTES_MAX: usize = 32 << 20;
/// No one thing takes more than a part of the shelf.
const PART_OF_SHELF: usize = 4;
/// What an entry takes beside its bytes: its name, headers and places in lists.
const ENTRY_BYTES: usize = 2 << 10;
/// By how many spellings one thing is found: clients write their version and whether they run in CI.
const N_SPELLINGS_MAX: usize = 16;

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

/// Something to be made ready.
#[derive(Debug)]
pub(crate) struct Goods {
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// On the clock that begins with the process.
    pub(crate) good_until: Duration,
    /// When its upstream did.
    pub(crate) confirmed_at: Timestamp,
}

/// Something that is ready.
#[derive(Debug)]
pub(crate) struct Ready {
    /// Not here where the compressed form is so much smaller that it alone is worth the room.
    plain: Option<Form>,
    gzip: Option<Form>,
    good_until: Duration,
    pub(crate) confirmed_at: Timestamp,
    /// When it was taken last, as [`Inner::now`] counts.
    used: AtomicU64,
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
    /// The same once more, by how it was asked for. What is here is in an entry as well.
    spelled: HashMap<Arc<[u8]>, Arc<Ready>>,
    size_bytes: usize,
    /// Counts what is taken and put: the entry with the lowest number is the one that nobody wanted for longest.
    now: u64,
    /// What is being made ready, so that it is done once.
    in_the_making: Vec<ShelfKey>,
}

#[derive(Debug)]
struct Entry {
    ready: Arc<Ready>,
    /// The newest last.
    spellings: VecDeque<Arc<[u8]>>,
    size_bytes: usize,
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

    /// Takes what is ready and still good; who asks with the same spelling again finds it by that alone.
    pub(crate) fn take(
        &self,
        key: &ShelfKey,
        spelling: Option<&Spelling>,
        now: Duration,
    ) -> Option<Arc<Ready>> {
        let mut inner = lock(&self.inner);
        let ready = inner.entries.get(key)?.ready.clone();
        if ready.good_until <= now {
            inner.remove(key);
            return None;
        }
        inner.use_now(&ready);
        inner.spell(key, spelling);
        Some(ready)
    }

    /// Takes what is ready and still good for a request that was spelled like this before.
    pub(crate) fn take_spelled(&self, spelled: &[u8], now: Duration) -> Option<Arc<Ready>> {
        let mut inner = lock(&self.inner);
        let ready = inner.spelled.get(spelled).filter(|ready| ready.good_until > now)?.clone();
        inner.use_now(&ready);
        Some(ready)
    }

    /// Makes something ready and puts it on the shelf, unless somebody does so at this moment, or it is too large.
    pub(crate) fn put(&self, key: ShelfKey, spelling: Option<&Spelling>, goods: Goods) -> Option<Arc<Ready>> {
        {
            let mut inner = lock(&self.inner);
            if inner.in_the_making.contains(&key) {
                return None;
            }
            inner.in_the_making.push(key.clone());
        }
        let Goods { headers, body, good_until, confirmed_at } = goods;
        let forms = self.make(headers, body, key.is_as_sent);
        let mut inner = lock(&self.inner);
        inner.in_the_making.retain(|other| *other != key);
        let (plain, gzip) = forms?;
        let ready = Arc::new(Ready { plain, gzip, good_until, confirmed_at, used: AtomicU64::new(0) });
        inner.use_now(&ready);
        inner.remove(&key);
        let size_bytes = ready.size_bytes();
        inner.size_bytes += size_bytes;
        let entry = Entry { ready: ready.clone(), spellings: VecDeque::new(), size_bytes };
        inner.entries.insert(key.clone(), entry);
        inner.spell(&key, spelling);
        while inner.size_bytes > self.size_bytes_max {
            let used = |entry: &Entry| entry.ready.used.load(Ordering::Relaxed);
            let oldest = inner.entries.iter().min_by_key(|(_, entry)| used(entry));
            let Some(oldest) = oldest.map(|(key, _)| key.clone()) else { break };
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
    fn use_now(&mut self, ready: &Ready) {
        self.now += 1;
        ready.used.store(self.now, Ordering::Relaxed);
    }

    /// Lets an entry be found by a spelling, in place of its oldest where it has many.
    fn spell(&mut self, key: &ShelfKey, spelling: Option<&Spelling>) {
        let (Some(Spelling(spelling)), Some(entry)) = (spelling, self.entries.get_mut(key)) else { return };
        if self.spelled.insert(spelling.clone(), entry.ready.clone()).is_some() {
            return;
        }
        entry.spellings.push_back(spelling.clone());
        if entry.spellings.len() > N_SPELLINGS_MAX
            && let Some(oldest) = entry.spellings.pop_front()
        {
            self.spelled.remove(&oldest);
            entry.size_bytes -= oldest.len();
            self.size_bytes -= oldest.len();
        }
        entry.size_bytes += spelling.len();
        self.size_bytes += spelling.len();
    }

    fn remove(&mut self, key: &ShelfKey) {
        let Some(entry) = self.entries.remove(key) else { return };
        self.size_bytes -= entry.size_bytes;
        for spelling in entry.spellings {
            self.spelled.remove(&spelling);
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
    const NOW: Duration = Duration::from_secs(1);

    fn put(shelf: &Shelf, name: &str, kind: &str, body: impl Into<Bytes>) -> Option<Arc<Ready>> {
        let confirmed_at = Timestamp::UNIX_EPOCH;
        shelf.put(
            key(name),
            None,
            Goods { headers: headers(kind), body: body.into(), good_until: LATER, confirmed_at },
        )
    }

    #[test]
    fn a_document_is_ready_in_both_forms_with_a_tag_each() {
        let shelf = Shelf::bounded(1 << 20);
        let body = Bytes::from("{\"a\":1}".repeat(1000));
        let ready = put(&shelf, "a", "application/json", body.clone()).unwrap();
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
        let file = put(&shelf, "f", "application/octet-stream", body).unwrap();
        assert!(!file.form(true).unwrap().headers.contains_key(header::CONTENT_ENCODING));
        let small = put(&shelf, "s", "text/plain", "small").unwrap();
        assert!(!small.form(true).unwrap().headers.contains_key(header::VARY));
    }

    #[test]
    fn it_is_good_for_its_time_and_the_least_wanted_makes_room() {
        let shelf = Shelf::bounded(36 << 10);
        let body = || vec![7; 8 << 10];
        for name in ["a", "b", "c"] {
            put(&shelf, name, "application/zip", body()).unwrap();
        }
        assert!(shelf.take(&key("a"), None, NOW).is_some());
        put(&shelf, "d", "application/zip", body()).unwrap();
        let is_there = |name: &str| shelf.take(&key(name), None, NOW).is_some();
        assert_eq!(["a", "b", "c", "d"].map(is_there), [true, false, true, true]);
        assert!(shelf.take(&key("a"), None, LATER).is_none(), "its time is over");
        assert!(put(&shelf, "e", "application/zip", vec![7; 20 << 10]).is_none());
        assert!(lock(&shelf.inner).size_bytes <= 36 << 10);
    }

    #[test]
    fn what_is_found_by_a_spelling_goes_with_its_entry() {
        let shelf = Shelf::bounded(1 << 20);
        let spelling = |number: usize| Spelling(format!("{number}").into_bytes().into());
        let is_found = |number: usize| shelf.take_spelled(&spelling(number).0, NOW).is_some();
        put(&shelf, "a", "application/zip", "a").unwrap();
        for number in 0..=N_SPELLINGS_MAX {
            assert!(!is_found(number));
            assert!(shelf.take(&key("a"), Some(&spelling(number)), NOW).is_some());
        }
        assert!(!is_found(0), "the oldest made room");
        assert!((1..=N_SPELLINGS_MAX).all(is_found));
        assert!(shelf.take_spelled(&spelling(1).0, LATER).is_none(), "its time is over");
        shelf.forget(&key("a").key);
        assert!(!(0..=N_SPELLINGS_MAX).any(is_found));
        let inner = lock(&shelf.inner);
        assert_eq!((inner.spelled.len(), inner.size_bytes), (0, 0));
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
