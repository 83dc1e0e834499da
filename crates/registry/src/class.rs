//! What a request wants, before anything is asked of anybody.

use http::{HeaderMap, HeaderName, Method};
use model::ObjectUrl;

use crate::coordinate::Coordinate;
use crate::ecosystem::{ALL, Ecosystem, GENERIC};
use crate::path;

/// A request without its body.
#[derive(Debug, Clone, Copy)]
pub struct Head<'a> {
    /// The method.
    pub method: &'a Method,
    /// The address.
    pub url: &'a ObjectUrl,
    /// The client's headers.
    pub headers: &'a HeaderMap,
}

impl Head<'_> {
    /// Returns whether the request only reads: a GET or a HEAD.
    pub fn is_read(&self) -> bool {
        matches!(*self.method, Method::GET | Method::HEAD)
    }

    /// Returns a header's text, empty where it is absent or not text.
    pub fn header(&self, name: &HeaderName) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("")
    }

    /// Returns the query, empty where there is none.
    pub fn query(&self) -> &str {
        self.url.path_and_query().split_once('?').map_or("", |(_, query)| query)
    }
}

/// What a request wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Class {
    /// A file that is immutable by its nature: other bytes under its address would be wrong.
    File(FileRequest),
    /// A document that says which files exist, and vouches for them.
    Index(IndexRequest),
    /// Anything else that is read: mutable, unless a lock pins its address.
    Document {
        /// The class of `Accept`: empty where any form will do, else the first media type that was asked for.
        variant: String,
        /// What becomes of a redirect.
        redirects: Redirects,
    },
    /// A POST to a known API whose answer depends on nothing but the body.
    Question,
    /// A POST that only tells the registry something: whoever sends it does not need the answer.
    Notice,
    /// Another spelling of an address: answered with a permanent redirect, without asking any upstream.
    Moved {
        /// The one spelling.
        to: ObjectUrl,
    },
    /// Asked of a git repository by git's own clients: answered from its copy where somebody keeps one, or else passed on and not kept.
    Repository {
        /// Why it is not kept where nobody keeps repositories, in words for a person.
        reason: String,
    },
    /// Passed on and never kept.
    Live {
        /// Why it is not kept, in words for a person.
        reason: String,
    },
    /// Answered with an error, without asking any upstream.
    Refuse {
        /// The status.
        status: u16,
        /// Why, in words for a person.
        reason: String,
    },
}

/// A file, and who could vouch for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileRequest {
    /// Which version of which package it is, where the address tells.
    pub coordinate: Option<Coordinate>,
    /// The document that would vouch for it, to be fetched when nothing else does: `npm ci` asks only for the file.
    pub index: Option<IndexRequest>,
    /// Which bytes are meant where the address may give others at another time; empty where it names them itself.
    pub variant: String,
    /// What its bytes must be, where nobody vouches for them.
    pub form: Form,
    /// What becomes of a redirect.
    pub redirects: Redirects,
}

/// What the bytes of a file must be that nobody vouches for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Form {
    /// Anything but a web page.
    #[default]
    Any,
    /// An archive with its end: a server's excuse is none.
    Archive,
}

impl Form {
    /// Returns what a file must be by the end of its name.
    pub fn of_name(path: &str) -> Self {
        let is_archive =
            [".crate", ".egg", ".tar.gz", ".tgz", ".whl", ".zip"].iter().any(|end| path.ends_with(end));
        if is_archive { Self::Archive } else { Self::Any }
    }
}

/// What becomes of a redirect that stands in place of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Redirects {
    /// The client gets it, and asks again where it leads.
    #[default]
    HandedBack,
    /// Outlast goes where it leads: to signed addresses that expire, while the file keeps its stable name.
    Followed,
}

/// An index, in the one spelling under which it is asked for and kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexRequest {
    /// Its canonical address; the client's may be spelled otherwise.
    pub url: ObjectUrl,
    /// Which form of it, empty where there is only one.
    pub variant: String,
    /// The `Accept` to send upstream, whatever the client sent.
    pub accept: Option<&'static str>,
    /// What it must be about, a package's name; empty for a registry's own settings.
    pub subject: String,
}

/// Returns what a request wants, and the ecosystem that understands it.
///
/// A hostile path is refused before any ecosystem sees it. The last ecosystem understands everything.
pub fn classify(head: &Head<'_>) -> (&'static dyn Ecosystem, Class) {
    if let Err(hostile) = path::check_path(head.url.path()) {
        return (GENERIC, Class::Refuse { status: hostile.status(), reason: hostile.to_string() });
    }
    for ecosystem in ALL {
        if let Some(class) = ecosystem.classify(head) {
            return (*ecosystem, class);
        }
    }
    (GENERIC, Class::Document { variant: String::new(), redirects: Redirects::HandedBack })
}
