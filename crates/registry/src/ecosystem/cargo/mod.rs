//! Cargo over the sparse protocol: crates.io and every registry that speaks it.
//!
//! The protocol: <https://doc.rust-lang.org/cargo/reference/registry-index.html> (read 2026-11).

use std::collections::BTreeSet;

use model::{DigestSet, ObjectUrl};

use crate::cached::Cached;
use crate::class::{Class, Head, IndexRequest};
use crate::coordinate::Coordinate;
use crate::ecosystem::{Ecosystem, Examples};
use crate::index::{IndexError, IndexFacts};
use crate::lock::Lock;
use crate::needs::Needs;
use crate::site::{ClientSettings, Place, Site, changed};

mod index;
mod lock;
mod route;
#[cfg(test)]
mod tests;

const NAME: &str = "cargo";

/// The canonical name of crates.io as a registry.
const CRATES_IO: &str = "crates.io";

/// The hosts of crates.io: the site, the index, the files.
const CRATES_IO_HOSTS: [&str; 3] = [CRATES_IO, "index.crates.io", FILES_HOST];

/// Where its files lie.
const FILES_HOST: &str = "static.crates.io";

/// What to paste, by the documentation of each client (read 2026-11).
const SETTINGS: &[ClientSettings] = &[ClientSettings {
    client: "Cargo",
    set: r#"mkdir -p ~/.cargo && cat >> ~/.cargo/config.toml <<'END'
# Outlast begins
[source.crates-io]
replace-with = "outlast"
[registries.outlast]
index = "sparse+{base}/cargo/"
{token}credential-provider = "cargo:token"
{token}token = "TOKEN"
# Outlast ends
END"#,
    undo: "sed -i.before '/^# Outlast begins$/,/^# Outlast ends$/d' ~/.cargo/config.toml && rm ~/.cargo/config.toml.before",
}];

/// Cargo registries.
#[derive(Debug)]
pub(super) struct Cargo;

impl Ecosystem for Cargo {
    fn public_hosts(&self) -> &'static [&'static str] {
        &CRATES_IO_HOSTS
    }

    fn name(&self) -> &'static str {
        NAME
    }

    fn classify(&self, head: &Head<'_>) -> Option<Class> {
        route::classify(head)
    }

    fn client(&self) -> &'static [(&'static str, &'static str)] {
        &[("user-agent", "cargo/1")]
    }

    fn read_index(&self, request: &IndexRequest, body: &[u8]) -> Result<IndexFacts, IndexError> {
        index::read(request, body)
    }

    /// A file of lines ends with any of them.
    fn has_end(&self) -> bool {
        false
    }

    fn locks(&self) -> &'static [Lock] {
        &[Lock { file_name: "Cargo.lock", read: lock::read }]
    }

    fn needs(&self, coordinate: &Coordinate) -> Needs {
        route::needs(coordinate)
    }

    fn placed(&self, settings: &[u8], coordinate: &Coordinate) -> Option<ObjectUrl> {
        route::placed(settings, coordinate)
    }

    fn with_versions(
        &self,
        _request: &IndexRequest,
        new: &[u8],
        held: &[u8],
        versions: &BTreeSet<&str>,
    ) -> Option<Vec<u8>> {
        index::with_versions(new, held, versions)
    }

    fn place(&self) -> Option<Place> {
        Some(Place { path: "/cargo/", registry: "https://index.crates.io/" })
    }

    fn settings(&self) -> &'static [ClientSettings] {
        SETTINGS
    }

    fn relinked(&self, request: &IndexRequest, body: &[u8], site: &Site) -> Option<Vec<u8>> {
        // Only the registry's own settings say where something lies.
        if !request.subject.is_empty() {
            return None;
        }
        let linked = site.relinked(body, &["\"dl\":\"", "\"dl\": \""]);
        match site.wants_token() {
            true => index::guarded(&linked),
            false => changed(linked),
        }
    }

    fn cached(&self, coordinate: &Coordinate, _: &DigestSet, _: &[ObjectUrl]) -> Vec<Cached> {
        let path = format!("registry/cache/*/{}-{}.crate", coordinate.name, coordinate.version);
        Cached::at("CARGO_HOME", ".cargo", path).into_iter().collect()
    }

    fn examples(&self) -> Examples {
        Examples {
            indexes: &[
                ("https://index.crates.io/config.json", "config.json"),
                ("https://index.crates.io/it/oa/itoa", "itoa.jsonl"),
                ("https://index.crates.io/se/rd/serde", "serde.jsonl"),
            ],
            files: &[
                "https://static.crates.io/crates/itoa/itoa-1.0.19.crate",
                "https://static.crates.io/crates/serde/1.0.229/download",
                "https://crates.io/api/v1/crates/serde/1.0.228/download",
                "https://index.crates.io/some/base/v1/crates/itoa/0.1.0/download",
            ],
        }
    }
}

/// Returns the canonical name of the registry behind an authority, with a port where it is not the usual one.
fn registry_of(authority: &str) -> String {
    if CRATES_IO_HOSTS.contains(&authority) { CRATES_IO.to_owned() } else { authority.to_owned() }
}
