//! One object that is wanted, whoever asked for it.

use http::{HeaderMap, HeaderValue, header};
use model::{Method, ObjectKey, SafeUrl};
use registry::{Ecosystem, FileRequest, Form, IndexRequest, Redirects};

use crate::decide::Kind;
use crate::headers;
use crate::health::breaker::Lane;
use crate::upstream::Chooser;
use crate::who::Who;

/// An object, how to ask for it, and what is known about its kind.
#[derive(Debug, Clone)]
pub(crate) struct Want {
    pub(crate) key: ObjectKey,
    /// That of the key without who asks.
    pub(crate) variant: String,
    pub(crate) url: SafeUrl,
    /// As they are sent upstream.
    pub(crate) headers: HeaderMap,
    pub(crate) who: Who,
    pub(crate) chooser: Chooser,
    pub(crate) ecosystem: &'static dyn Ecosystem,
    pub(crate) shape: Shape,
}

/// Who wants it, and with which headers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asker<'a> {
    pub(crate) client: &'a HeaderMap,
    pub(crate) who: Who,
    pub(crate) chooser: Chooser,
}

/// What an ecosystem said about it.
#[derive(Debug, Clone)]
pub(crate) enum Shape {
    File(FileRequest),
    Index(IndexRequest),
    Document(Redirects),
}

/// What marks the upstream's own document where another is served: see [`as_sent`].
const AS_SENT: &str = "as sent";

/// Returns the name under which an index lies as the upstream sent it, where some versions are served as they stood
/// before.
pub(crate) fn as_sent(key: &ObjectKey) -> ObjectKey {
    let variant = match key.variant.is_empty() {
        true => AS_SENT.to_owned(),
        false => format!("{}, {AS_SENT}", key.variant),
    };
    ObjectKey { variant, ..key.clone() }
}

/// Returns whether a name is one of [`as_sent`]: such a document vouches for nothing.
pub(crate) fn is_as_sent(key: &ObjectKey) -> bool {
    key.variant.ends_with(AS_SENT)
}

impl Want {
    pub(crate) fn host(&self) -> &str {
        self.url.object().host()
    }

    pub(crate) const fn kind(&self) -> Kind {
        match self.shape {
            Shape::File(_) => Kind::File,
            Shape::Index(_) => Kind::Index,
            Shape::Document(_) => Kind::Document,
        }
    }

    /// Returns whether an absence is doubted in its place, as [`registry::Ecosystem::doubts_absence`] says.
    pub(crate) fn doubts_absence(&self) -> bool {
        matches!(&self.shape, Shape::Index(index) if self.ecosystem.doubts_absence(index))
    }

    /// Returns what becomes of a redirect that comes in its place.
    pub(crate) const fn redirects(&self) -> Redirects {
        match &self.shape {
            Shape::File(file) => file.redirects,
            Shape::Index(_) => Redirects::HandedBack,
            Shape::Document(redirects) => *redirects,
        }
    }

    /// Returns what its bytes must be where nobody vouches for them.
    pub(crate) const fn form(&self) -> Form {
        match &self.shape {
            Shape::File(file) => file.form,
            Shape::Index(_) | Shape::Document(_) => Form::Any,
        }
    }

    /// Returns what of its host is asked for it.
    pub(crate) const fn lane(&self) -> Lane {
        self.kind().lane()
    }

    /// Wants an index that a client asked for at `url`.
    pub(crate) fn index(
        url: SafeUrl,
        request: IndexRequest,
        asker: Asker<'_>,
        ecosystem: &'static dyn Ecosystem,
    ) -> Self {
        let Asker { client, who, chooser } = asker;
        let mut headers = headers::for_whole(client);
        if let Some(accept) = request.accept {
            headers.insert(header::ACCEPT, HeaderValue::from_static(accept));
        }
        // Read whole before it is believed, so it may as well come compressed.
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
        let variant = who.partition(&request.variant);
        let key = ObjectKey { method: Method::Get, url: request.url.clone(), variant };
        let variant = request.variant.clone();
        Self { key, variant, url, headers, who, chooser, ecosystem, shape: Shape::Index(request) }
    }

    /// Wants a file or a document, byte for byte.
    pub(crate) fn bytes(
        url: SafeUrl,
        variant: String,
        shape: Shape,
        asker: Asker<'_>,
        ecosystem: &'static dyn Ecosystem,
    ) -> Self {
        let Asker { client, who, chooser } = asker;
        let mut headers = headers::for_whole(client);
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        let key =
            ObjectKey { method: Method::Get, url: url.object().clone(), variant: who.partition(&variant) };
        Self { key, variant, url, headers, who, chooser, ecosystem, shape }
    }
}
