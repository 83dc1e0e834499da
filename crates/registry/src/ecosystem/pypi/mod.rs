//! PyPI and every index that speaks its protocol.
//!
//! Documents: <https://packaging.python.org/en/latest/specifications/simple-repository-api/> (PEP 503, 592, 629, 658, 691,
//! 700), <https://docs.pypi.org/api/json/> (read 2026-11).

use std::collections::BTreeSet;

use model::ObjectUrl;

use crate::class::{Class, Head, IndexRequest};
use crate::coordinate::Coordinate;
use crate::ecosystem::{Ecosystem, Examples};
use crate::index::{IndexError, IndexFacts};
use crate::lock::Lock;

mod html;
mod index;
mod lock;
mod mend;
mod name;
mod route;
#[cfg(test)]
mod tests;

const NAME: &str = "pypi";

/// The canonical name of the public index.
const PYPI: &str = "pypi.org";

/// Hosts of public indexes, each with the canonical name of its index.
const PUBLIC: [(&str, &str); 4] = [
    (PYPI, PYPI),
    ("files.pythonhosted.org", PYPI),
    ("test.pypi.org", "test.pypi.org"),
    ("test-files.pythonhosted.org", "test.pypi.org"),
];

/// Python package indexes.
#[derive(Debug)]
pub(super) struct Pypi;

impl Ecosystem for Pypi {
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
        lock::LOCKS
    }

    fn with_versions(
        &self,
        request: &IndexRequest,
        new: &[u8],
        held: &[u8],
        versions: &BTreeSet<&str>,
    ) -> Option<Vec<u8>> {
        mend::with_versions(request, new, held, versions)
    }

    fn examples(&self) -> Examples {
        Examples {
            indexes: &[
                ("https://pypi.org/simple/six/", "six.html"),
                ("https://pypi.org/pypi/six/1.17.0/json", "six-1.17.0.json"),
            ],
            files: &[],
        }
    }
}

/// Returns the canonical name of an index: its host, port and base path, since one server may have many.
fn registry_of(url: &ObjectUrl, base: &str) -> String {
    let public = PUBLIC.iter().find(|(host, _)| *host == url.host());
    public.map_or_else(|| format!("{}{base}", url.authority()), |(_, name)| (*name).to_owned())
}

fn coordinate(registry: &str, project: &str, version: &str, file: Option<&str>) -> Coordinate {
    Coordinate {
        ecosystem: NAME,
        registry: registry.to_owned(),
        name: project.to_owned(),
        version: version.to_owned(),
        file: file.map(str::to_owned),
    }
}
