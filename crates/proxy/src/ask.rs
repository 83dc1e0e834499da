//! What a client asked of an object, and whether it has it already.

use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, header};
use model::ObjectKey;
use registry::{Ecosystem, IndexRequest};

use crate::decide::Kind;
use crate::range::Range;
use crate::shelf::ShelfKey;
use crate::shelf::forms;
use crate::shelf::spelling::Spelling;
use crate::via::AS_SENT;
use crate::want::{Shape, Want};

/// What a client asked of an object.
#[derive(Debug, Clone)]
pub(crate) struct Ask {
    pub(crate) number: usize,
    pub(crate) key: ObjectKey,
    pub(crate) ecosystem: &'static dyn Ecosystem,
    pub(crate) range: Option<Range>,
    /// The index that is asked for.
    pub(crate) index: Option<IndexRequest>,
    pub(crate) kind: Kind,
    /// Whether a copy that nobody confirmed just now will not do.
    pub(crate) insists: bool,
    pub(crate) manner: Manner,
    /// How it was asked for, where it is understood without looking at anything that may change.
    pub(crate) spelling: Option<Spelling>,
}

/// Says in [`AS_SENT`] that it is a client who asks, and no Outlast.
pub(crate) const TO_CLIENT: HeaderValue = HeaderValue::from_static("client");

/// In which dress a document is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Dress {
    /// With links that lead to the server.
    Linked,
    /// As its upstream has it: another Outlast asks, and dresses it itself.
    AsSent,
    /// As its upstream has it, with the word of an outage that its client shows: the server is its proxy.
    Told,
}

impl Dress {
    pub(crate) const ALL: [Self; 3] = [Self::Linked, Self::AsSent, Self::Told];

    /// Returns what headers ask for.
    pub(crate) fn of(client: &HeaderMap) -> Self {
        match client.get(AS_SENT) {
            None => Self::Linked,
            Some(value) if *value == TO_CLIENT => Self::Told,
            Some(_) => Self::AsSent,
        }
    }

    /// Returns whether links lead where their upstream has them lead.
    pub(crate) fn is_as_sent(self) -> bool {
        self != Self::Linked
    }
}

/// In which dress a client wants an object, and which it has already.
#[derive(Debug, Clone)]
pub(crate) struct Manner {
    pub(crate) is_head: bool,
    pub(crate) dress: Dress,
    pub(crate) accepts_gzip: bool,
    if_none_match: Option<HeaderValue>,
    if_modified_since: Option<HeaderValue>,
}

impl Ask {
    pub(crate) fn new(number: usize, want: &Want, parts: &Parts) -> Self {
        let (client, manner) = (&parts.headers, Manner::of(&parts.method, &parts.headers));
        let range = client.get(header::RANGE).and_then(|value| Range::parse(value.to_str().ok()?));
        Self {
            number,
            key: want.key.clone(),
            ecosystem: want.ecosystem,
            index: match &want.shape {
                Shape::Index(index) => Some(index.clone()),
                _ => None,
            },
            // With If-Range the whole is always a right answer.
            range: range.filter(|_| !client.contains_key(header::IF_RANGE) && parts.method == Method::GET),
            kind: want.kind(),
            insists: insists(client),
            manner,
            spelling: parts.extensions.get().cloned(),
        }
    }

    /// Returns the name of what may be ready for it; nothing where a part is wanted, or a word of the upstream.
    pub(crate) fn shelf_key(&self) -> Option<ShelfKey> {
        let is_plain = self.range.is_none() && !self.insists;
        is_plain.then(|| ShelfKey { key: self.key.clone(), dress: self.manner.dress })
    }
}

impl Manner {
    pub(crate) fn of(method: &Method, client: &HeaderMap) -> Self {
        Self {
            is_head: *method == Method::HEAD,
            dress: Dress::of(client),
            accepts_gzip: forms::accepts_gzip(client),
            if_none_match: client.get(header::IF_NONE_MATCH).cloned(),
            if_modified_since: client.get(header::IF_MODIFIED_SINCE).cloned(),
        }
    }

    /// Returns whether the client said that it has these bytes.
    pub(crate) fn has_it(&self, headers: &HeaderMap) -> bool {
        if let Some(wanted) = &self.if_none_match {
            let Some(etag) = headers.get(header::ETAG).and_then(|etag| etag.to_str().ok()) else {
                return false;
            };
            return wanted.to_str().is_ok_and(|tags| {
                tags.trim() == "*" || tags.split(',').any(|tag| strong(tag) == strong(etag))
            });
        }
        let since = self.if_modified_since.as_ref();
        since.is_some_and(|since| headers.get(header::LAST_MODIFIED) == Some(since))
    }
}

fn strong(tag: &str) -> &str {
    tag.trim().trim_start_matches("W/")
}

/// Returns whether a client insists on asking (`Cache-Control: no-cache`).
pub(crate) fn insists(client: &HeaderMap) -> bool {
    client
        .get_all(header::CACHE_CONTROL)
        .iter()
        .any(|value| value.to_str().is_ok_and(|value| value.split(',').any(|part| part.trim() == "no-cache")))
}
