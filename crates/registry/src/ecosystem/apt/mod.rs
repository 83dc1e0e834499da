//! apt: the archives of Debian, Ubuntu and everybody who publishes packages for them.
//!
//! The format: <https://wiki.debian.org/DebianRepository/Format>; what apt does with it: apt-secure(8), apt.conf(5) of 2.6.1 (read 2026-11).
//! Archives without a folder `dists` ("flat" ones) are left to `generic`.

use model::{Digest, ObjectUrl};

use crate::class::{Class, Head, IndexRequest};
use crate::ecosystem::{Ecosystem, Examples};
use crate::index::{IndexError, IndexFacts};
use crate::lock::Lock;

mod index;
mod route;
#[cfg(test)]
mod tests;

const NAME: &str = "apt";

/// Archives of packages for apt.
#[derive(Debug)]
pub(super) struct Apt;

impl Ecosystem for Apt {
    fn name(&self) -> &'static str {
        NAME
    }

    fn classify(&self, head: &Head<'_>) -> Option<Class> {
        route::classify(head)
    }

    fn read_index(&self, request: &IndexRequest, body: &[u8]) -> Result<IndexFacts, IndexError> {
        index::read(request, body)
    }

    fn locks(&self) -> &'static [Lock] {
        &[]
    }

    fn named_digest(&self, url: &ObjectUrl) -> Option<Digest> {
        route::named_digest(url)
    }

    fn listings(&self, url: &ObjectUrl) -> Vec<IndexRequest> {
        route::listings(url)
    }

    fn leader(&self, request: &IndexRequest) -> Option<IndexRequest> {
        route::leader(request)
    }

    fn expiry_option(&self) -> Option<&'static str> {
        Some("apt takes it with `-o Acquire::Check-Valid-Until=false`")
    }

    fn examples(&self) -> Examples {
        Examples {
            indexes: &[
                ("https://deb.debian.org/debian/dists/trixie-updates/InRelease", "trixie-updates.InRelease"),
                (
                    "https://deb.debian.org/debian/dists/trixie-updates/Release.gpg",
                    "trixie-updates.Release.gpg",
                ),
            ],
            files: &[],
        }
    }
}
