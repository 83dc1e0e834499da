//! Composer: Packagist and every repository that speaks the protocol of Composer 2, or still that of Composer 1.
//!
//! Documents: <https://getcomposer.org/doc/05-repositories.md> and the source of Composer 2.10 (read 2026-11). A package's
//! bytes are named by the commit they were made from, its `reference`: a tag may move, a commit does not.

use std::collections::BTreeSet;

use http::StatusCode;
use model::{DigestSet, ObjectUrl};
use serde_json::Value;

use crate::cached::{Cached, Installed};
use crate::class::{Class, Head, IndexRequest};
use crate::coordinate::Coordinate;
use crate::ecosystem::{Ecosystem, Examples};
use crate::index::{IndexError, IndexFacts, Worse, compare};
use crate::lock::Lock;
use crate::needs::Needs;
use crate::private::About;
use crate::site::{ClientSettings, Place, Site, Target};
use crate::splice::Members;

mod entry;
mod index;
mod lock;
mod mend;
mod message;
mod route;
mod server;
#[cfg(test)]
mod tests;
mod unpacked;
mod version;

const NAME: &str = "composer";

/// The canonical name of Packagist.
const PACKAGIST: &str = "packagist.org";

/// The hosts of Packagist: the site with its APIs, and the documents.
const PACKAGIST_HOSTS: [&str; 2] = [PACKAGIST, "repo.packagist.org"];

/// What to paste, by the documentation of each client (read 2026-11).
///
/// Composer 2.9 and later add a repository to a list, where a name of Packagist's own replaces nothing: it has to be turned off.
const SETTINGS: &[ClientSettings] = &[ClientSettings {
    client: "Composer",
    set: r#"composer config --global repos.outlast composer {base}/composer
composer config --global repos.packagist.org false
{token}composer config --global http-basic.{authority} token TOKEN
{http}composer config --global secure-http false"#,
    undo: r#"composer config --global --unset repos.outlast
composer config --global --unset repos.packagist.org
{token}composer config --global --unset http-basic.{authority}
{http}composer config --global --unset secure-http"#,
}];

/// The same for the forward proxy, for one shell: a lock that was made without the server has no mirror in it.
const PROXY_SETTINGS: &[ClientSettings] = &[ClientSettings {
    client: "Composer, with a lock made elsewhere",
    set: r#"export https_proxy={proxy} HTTPS_PROXY={proxy}
export COMPOSER_CAFILE="$HOME/.outlast/bundle.pem""#,
    undo: "unset https_proxy HTTPS_PROXY COMPOSER_CAFILE",
}];

/// Composer repositories.
#[derive(Debug)]
pub(super) struct Composer;

impl Ecosystem for Composer {
    fn public_hosts(&self) -> &'static [&'static str] {
        &PACKAGIST_HOSTS
    }

    fn name(&self) -> &'static str {
        NAME
    }

    fn classify(&self, head: &Head<'_>) -> Option<Class> {
        route::classify(head)
    }

    fn client(&self) -> &'static [(&'static str, &'static str)] {
        &[("user-agent", "Composer/2")]
    }

    fn read_index(&self, request: &IndexRequest, body: &[u8]) -> Result<IndexFacts, IndexError> {
        index::read(request, body)
    }

    fn locks(&self) -> &'static [Lock] {
        &[Lock { file_name: "composer.lock", read: lock::read }]
    }

    fn needs(&self, coordinate: &Coordinate) -> Needs {
        route::needs(coordinate)
    }

    /// `update` calls a package unknown after one 404, whatever it has in its cache. Packagist's own mirror script believes
    /// a 404 when it has come three times as well.
    fn doubts_absence(&self, request: &IndexRequest) -> bool {
        matches!(route::document_of(&request.url), Some((route::Document::Package { .. }, _)))
    }

    /// A repository's archives may be on any server, and Satis may write each build of a branch over the one before.
    fn has_files_anywhere(&self) -> bool {
        true
    }

    /// A branch without a commit moves by nature.
    fn variant_of(&self, coordinate: &Coordinate) -> Option<String> {
        let Coordinate { name, version: reference, .. } = coordinate;
        (route::is_name(name) && entry::is_reference(reference) && !entry::is_branch(reference))
            .then(|| format!("{name} at {reference}"))
    }

    /// A branch moves by nature; a tag that moves has other bytes.
    fn judge(&self, previous: &IndexFacts, new: &IndexFacts) -> Option<Worse> {
        let mut worse = compare(previous, new)?;
        worse.changed.retain(|version| !entry::is_branch(version));
        (worse != Worse::default()).then_some(worse)
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

    fn with_message(&self, url: &ObjectUrl, body: &[u8], message: &str) -> Option<Vec<u8>> {
        message::with_message(url, body, message)
    }

    /// Composer reads either list without a look at whether it is there.
    fn is_answer(&self, _url: &ObjectUrl, body: &[u8]) -> bool {
        let Ok(answer) = serde_json::from_slice::<Members<'_>>(body) else { return false };
        // PHP writes an empty map as a list.
        ["advisories", "filter"].iter().any(|key| answer.get(key).is_some_and(index::is_container))
    }

    /// Measured: without `Last-Modified`, an `update` ends where the repository fails, whatever it has in its cache.
    fn wants_date(&self) -> bool {
        true
    }

    fn is_version(&self, listed: &str, asked: &str) -> bool {
        listed == asked || version::normalized(listed).is_some_and(|normalized| normalized == asked)
    }

    /// After 403 it would ask whoever sits there for a token.
    fn blocked_status(&self) -> StatusCode {
        StatusCode::GONE
    }

    fn refusal_fields(&self, message: &str) -> Vec<(&'static str, Value)> {
        vec![message::field(message)]
    }

    fn place(&self) -> Option<Place> {
        Some(Place { path: "/composer/", registry: "https://repo.packagist.org/" })
    }

    fn is_name(&self, name: &str) -> bool {
        route::is_name(name)
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
        server::relinked(request, body, site)
    }

    fn named(&self, path: &str) -> Option<Target> {
        server::named(path)
    }

    fn cached(&self, coordinate: &Coordinate, _: &DigestSet, urls: &[ObjectUrl]) -> Vec<Cached> {
        unpacked::cached(coordinate, urls)
    }

    fn repository(&self, path: &str) -> Option<String> {
        server::repository(path)
    }

    fn installed(&self, coordinate: &Coordinate) -> Option<Installed> {
        Installed::at(format!("vendor/{}", coordinate.name), "vendor/composer/installed.json")
    }

    fn says_installed(&self, manifest: &[u8], coordinate: &Coordinate) -> bool {
        unpacked::says_installed(manifest, coordinate)
    }

    fn examples(&self) -> Examples {
        Examples {
            indexes: &[
                ("https://repo.packagist.org/packages.json", "packages.json"),
                ("https://repo.packagist.org/p2/psr/log.json", "psr-log.json"),
                ("https://repo.packagist.org/p2/psr/log~dev.json", "psr-log-dev.json"),
            ],
            files: &[],
        }
    }
}

/// Returns the canonical name of a repository: its host, port and base path, since one server may have many.
fn registry_of(url: &ObjectUrl, base: &str) -> String {
    if PACKAGIST_HOSTS.contains(&url.host()) {
        PACKAGIST.to_owned()
    } else {
        format!("{}{base}", url.authority())
    }
}
