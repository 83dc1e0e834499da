//! The name under which an answer is kept.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::url::ObjectUrl;

/// The methods whose answers are kept. A HEAD is answered from the GET of the same address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    /// A GET or a HEAD.
    Get,
    /// A POST to an API whose answer depends on nothing but the body.
    Post,
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Get => "GET",
            Self::Post => "POST",
        })
    }
}

/// Names one answer of one upstream: method, address, and whatever else chooses among several answers.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ObjectKey {
    /// The method.
    pub method: Method,
    /// The address.
    pub url: ObjectUrl,
    /// Empty, or what else the answer depends on: a class of `Accept` (`abbreviated`), a request body (`body=<sha256>`).
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub variant: String,
}

impl ObjectKey {
    /// Names the plain GET of an address.
    pub const fn get(url: ObjectUrl) -> Self {
        Self { method: Method::Get, url, variant: String::new() }
    }
}

/// `GET https://example.com/a` or `GET https://example.com/a (abbreviated)`; the journal's subject.
impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.url)?;
        if !self.variant.is_empty() {
            write!(f, " ({})", self.variant)?;
        }
        Ok(())
    }
}
