//! Everything that no other ecosystem claims: a method, an address, and the form that was asked for.

use crate::class::{Class, Head, IndexRequest};
use crate::ecosystem::{Ecosystem, Examples};
use crate::index::{IndexError, IndexFacts};
use crate::lock::Lock;

mod accept;
mod route;
#[cfg(test)]
mod tests;

/// Any web server.
#[derive(Debug)]
pub(super) struct Generic;

impl Ecosystem for Generic {
    fn name(&self) -> &'static str {
        "generic"
    }

    fn classify(&self, head: &Head<'_>) -> Option<Class> {
        Some(route::classify(head))
    }

    fn read_index(&self, _request: &IndexRequest, _body: &[u8]) -> Result<IndexFacts, IndexError> {
        Err(IndexError::NoIndexes)
    }

    fn locks(&self) -> &'static [Lock] {
        &[]
    }

    fn examples(&self) -> Examples {
        Examples { indexes: &[], files: &[] }
    }
}
