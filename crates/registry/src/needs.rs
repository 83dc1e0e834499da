//! What clients ask for that install what a lock pins: for whoever has to have it before they come.

use http::{HeaderMap, HeaderValue};
use model::ObjectUrl;

/// What clients ask for that install one version of one package of its public registry.
#[derive(Debug, Clone, Default)]
pub struct Needs {
    /// The documents that they read.
    pub indexes: Vec<Ask>,
    /// What they look at besides, and go on without, though some wait long for it. That it does not exist is an answer.
    pub documents: Vec<ObjectUrl>,
    /// Where its file lies, the likeliest place first; empty where only an index says that.
    pub files: Vec<ObjectUrl>,
}

/// A document, and how it is asked for.
#[derive(Debug, Clone)]
pub struct Ask {
    /// Its address.
    pub url: ObjectUrl,
    /// What clients write into `Accept`, where they write anything.
    pub accept: Option<&'static str>,
}

impl Needs {
    /// Adds a document, unless its address is none.
    pub(crate) fn index(mut self, url: &str, accept: Option<&'static str>) -> Self {
        self.indexes.extend(ObjectUrl::parse(url).ok().map(|url| Ask { url, accept }));
        self
    }

    /// Adds a document that clients go on without, unless its address is none.
    pub(crate) fn document(mut self, url: &str) -> Self {
        self.documents.extend(ObjectUrl::parse(url));
        self
    }

    /// Adds a place of the file, unless its address is none.
    pub(crate) fn file(mut self, url: &str) -> Self {
        self.files.extend(ObjectUrl::parse(url));
        self
    }
}

impl Ask {
    /// Returns the headers of the request.
    pub fn headers(&self) -> HeaderMap {
        let accept = self.accept.map(|accept| (http::header::ACCEPT, HeaderValue::from_static(accept)));
        accept.into_iter().collect::<HeaderMap<HeaderValue>>()
    }
}
