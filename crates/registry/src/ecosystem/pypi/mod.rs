//! PyPI and every index that speaks its protocol.
//!
//! Documents: <https://packaging.python.org/en/latest/specifications/simple-repository-api/> (PEP 503, 592, 629, 658, 691,
//! 700), <https://docs.pypi.org/api/json/> (read 2026-11).

use std::collections::{BTreeSet, HashSet};

use model::{DigestSet, ObjectUrl};

use crate::cached::{Cached, Unpacked};
use crate::class::{Class, Head, IndexRequest};
use crate::coordinate::Coordinate;
use crate::ecosystem::{Ecosystem, Examples};
use crate::index::{IndexError, IndexFacts, Vouched, Worse, compare};
use crate::lock::Lock;
use crate::needs::Needs;
use crate::private::About;
use crate::site::{ClientSettings, Place, Site, changed};

mod form;
mod html;
mod index;
mod lock;
mod mend;
mod name;
mod route;
#[cfg(test)]
mod tests;
mod version;

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

/// What to paste, by the documentation of each client (read 2026-11).
const SETTINGS: &[ClientSettings] = &[
    ClientSettings {
        client: "pip",
        set: r#"pip config set global.index-url {login}/pypi/simple/
{http}pip config set global.trusted-host {host}"#,
        undo: r#"pip config unset global.index-url
{http}pip config unset global.trusted-host"#,
    },
    ClientSettings {
        client: "uv, without a lock",
        set: "export UV_DEFAULT_INDEX={login}/pypi/simple/",
        undo: "unset UV_DEFAULT_INDEX",
    },
];

/// The same for the forward proxy, for one shell. Both variables of certificates stand in place of the system's roots.
const PROXY_SETTINGS: &[ClientSettings] = &[
    ClientSettings {
        client: "uv, with a lock",
        set: r#"export https_proxy={proxy} HTTPS_PROXY={proxy}
export SSL_CERT_FILE="$HOME/.outlast/bundle.pem""#,
        undo: "unset https_proxy HTTPS_PROXY SSL_CERT_FILE",
    },
    ClientSettings {
        client: "Poetry",
        set: r#"export https_proxy={proxy} HTTPS_PROXY={proxy}
export REQUESTS_CA_BUNDLE="$HOME/.outlast/bundle.pem""#,
        undo: "unset https_proxy HTTPS_PROXY REQUESTS_CA_BUNDLE",
    },
];

/// Python package indexes.
#[derive(Debug)]
pub(super) struct Pypi;

impl Ecosystem for Pypi {
    fn public_hosts(&self) -> &'static [&'static str] {
        &[PYPI, "files.pythonhosted.org"]
    }

    fn name(&self) -> &'static str {
        NAME
    }

    fn classify(&self, head: &Head<'_>) -> Option<Class> {
        route::classify(head)
    }

    fn client(&self) -> &'static [(&'static str, &'static str)] {
        &[("user-agent", "pip/25")]
    }

    fn read_index(&self, request: &IndexRequest, body: &[u8]) -> Result<IndexFacts, IndexError> {
        index::read(request, body)
    }

    /// PyPI lets one file of a version be deleted: that is a loss too.
    fn judge(&self, previous: &IndexFacts, new: &IndexFacts) -> Option<Worse> {
        let mut worse = compare(previous, new).unwrap_or_default();
        let files: HashSet<&str> = new.vouched.iter().filter_map(file_name).collect();
        let mut known: HashSet<String> = worse.lost.iter().cloned().collect();
        for vouched in &previous.vouched {
            let is_lost = file_name(vouched).is_some_and(|file| !files.contains(file));
            if is_lost && known.insert(vouched.version.clone()) {
                worse.lost.push(vouched.version.clone());
            }
        }
        (worse != Worse::default()).then_some(worse)
    }

    fn locks(&self) -> &'static [Lock] {
        lock::LOCKS
    }

    fn needs(&self, coordinate: &Coordinate) -> Needs {
        route::needs(coordinate)
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

    fn in_form(&self, request: &IndexRequest, body: &[u8]) -> Option<(&'static str, Vec<u8>)> {
        form::in_form(request, body)
    }

    fn place(&self) -> Option<Place> {
        Some(Place { path: "/pypi/simple/", registry: "https://pypi.org/simple/" })
    }

    fn is_name(&self, name: &str) -> bool {
        name::normalized(name).is_some()
    }

    fn folded(&self, name: &str) -> String {
        name::folded(name)
    }

    fn about(&self, url: &ObjectUrl) -> Option<About> {
        route::about(url)
    }

    fn settings(&self) -> &'static [ClientSettings] {
        SETTINGS
    }

    fn proxy_settings(&self) -> &'static [ClientSettings] {
        PROXY_SETTINGS
    }

    fn relinked(&self, request: &IndexRequest, body: &[u8], site: &Site) -> Option<Vec<u8>> {
        // A server that does not know JSON answers with a page, whatever was asked for.
        let marks: &[&str] = match body.trim_ascii_start().starts_with(b"{") {
            true => &["\"url\":\"", "\"url\": \""],
            false => &["href=\"", "href='"],
        };
        changed(site.relinked_from(&request.url, body, marks))
    }

    /// pip names what it caches after addresses that it does not tell; Poetry after the file. Both are found by their digests.
    fn cached(&self, coordinate: &Coordinate, digests: &DigestSet, _: &[ObjectUrl]) -> Vec<Cached> {
        if digests.is_empty() {
            return Vec::new();
        }
        let file = coordinate.file.as_deref().unwrap_or("*");
        let of_poetry = format!("artifacts/*/*/*/*/{file}");
        let places = [
            Cached::at("PIP_CACHE_DIR", ".cache/pip", "http-v2/*/*/*/*/*/*.body".to_owned()),
            Cached::at("POETRY_CACHE_DIR", ".cache/pypoetry", of_poetry),
        ];
        places.into_iter().flatten().collect()
    }

    fn unpacked(&self) -> &'static [Unpacked] {
        &[Unpacked::OfProject(".venv"), Unpacked::OfUser(".cache/uv/archive-v0")]
    }

    fn examples(&self) -> Examples {
        Examples {
            indexes: &[
                ("https://pypi.org/simple/six/", "six.html"),
                ("https://pypi.org/pypi/six/json", "six-legacy.json"),
            ],
            files: &[
                "https://files.pythonhosted.org/packages/b7/ce/149a00dd41f10bc29e5921b496af8b574d8413afcd5e30dfa0ed46c2cc5e/six-1.17.0-py2.py3-none-any.whl",
                "https://files.pythonhosted.org/packages/94/e7/b2c673351809dca68a0e064b6af791aa332cf192da575fd474ed7d6f16a2/six-1.17.0.tar.gz",
            ],
        }
    }
}

/// Returns the name of an archive; a mirror may leave out what describes it.
fn file_name(vouched: &Vouched) -> Option<&str> {
    let coordinate = vouched.coordinate.as_ref().filter(|coordinate| !coordinate.is_description())?;
    coordinate.file.as_deref()
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
