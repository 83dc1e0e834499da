//! What a fake upstream is asked, and what it answers.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};

use crate::fault::Fault;

/// A request as it reached the fake.
#[derive(Debug, Clone)]
pub struct Asked {
    /// The host asked, lower case and without its port.
    pub host: String,
    /// The method.
    pub method: Method,
    /// Path and query, as sent.
    pub path: String,
    /// The headers.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Bytes,
}

impl Asked {
    /// Returns a header as text; empty where it is missing or no text.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

/// An answer to play: conditional requests and ranges are honoured by the fake itself.
#[derive(Debug, Clone)]
pub struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// Given only to requests whose Accept contains this.
    pub(crate) accept: Option<String>,
    pub(crate) ranges: Ranges,
    /// How it is sent, where no fault is planned for the address.
    pub(crate) fault: Option<Box<Fault>>,
}

/// Whether ranges are honoured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ranges {
    Honoured,
    Ignored,
}

impl Answer {
    /// Returns a 200 with these bytes.
    pub fn bytes(content_type: &str, body: impl Into<Bytes>) -> Self {
        let answer = Self {
            status: StatusCode::OK,
            headers: HeaderMap::new(),
            body: body.into(),
            accept: None,
            ranges: Ranges::Honoured,
            fault: None,
        };
        answer.header("content-type", content_type)
    }

    /// Returns a 200 with a JSON document.
    pub fn json(body: impl Into<Bytes>) -> Self {
        Self::bytes("application/json", body)
    }

    /// Returns a 200 with plain text.
    pub fn text(body: impl Into<Bytes>) -> Self {
        Self::bytes("text/plain; charset=utf-8", body)
    }

    /// Returns a 200 with bytes of no particular kind.
    pub fn file(body: impl Into<Bytes>) -> Self {
        Self::bytes("application/octet-stream", body)
    }

    /// Returns an answer with a status and a short page.
    ///
    /// # Panics
    /// When `status` is no HTTP status.
    pub fn status(status: u16) -> Self {
        let page = format!("<!doctype html><title>{status}</title><h1>{status}</h1>\n");
        Self::bytes("text/html", page).with_status(status)
    }

    /// Sets another status.
    ///
    /// # Panics
    /// When `status` is no HTTP status.
    #[must_use]
    pub fn with_status(mut self, status: u16) -> Self {
        self.status = StatusCode::from_u16(status).expect("a status that HTTP knows");
        self
    }

    /// Sets a header.
    ///
    /// # Panics
    /// When the name or the value cannot be one.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        let name = HeaderName::from_bytes(name.as_bytes()).expect("a header's name");
        self.headers.insert(name, HeaderValue::from_str(value).expect("a header's value"));
        self
    }

    /// Gives this answer only to requests whose Accept contains `part`; the one without is for all others.
    #[must_use]
    pub fn when_accepts(mut self, part: &str) -> Self {
        self.accept = Some(part.to_owned());
        self.header("vary", "accept")
    }

    /// Ignores Range, as many a simple server does.
    #[must_use]
    pub fn without_ranges(mut self) -> Self {
        self.ranges = Ranges::Ignored;
        self
    }

    /// Plays a fault upon it, for handlers that fail at some requests only.
    pub(crate) fn sent_with(mut self, fault: Fault) -> Self {
        self.fault = Some(Box::new(fault));
        self
    }

    /// Returns the bytes answered.
    pub fn body(&self) -> &Bytes {
        &self.body
    }
}

/// Returns bytes that no compression makes small; the same for the same seed.
pub fn noise(n_bytes: usize, seed: u64) -> Bytes {
    let mut bytes = vec![0; n_bytes];
    fastrand::Rng::with_seed(seed).fill(&mut bytes);
    bytes.into()
}
