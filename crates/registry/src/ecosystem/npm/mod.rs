//! npm: registry.npmjs.org, its twin for Yarn, and every registry that speaks its protocol.
//!
//! Documents: <https://github.com/npm/registry/blob/main/docs/responses/package-metadata.md> (read 2026-11).

use std::collections::BTreeSet;

use model::{DigestSet, ObjectUrl};

use crate::cached::{Cached, Unpacked};
use crate::class::{Class, Head, IndexRequest};
use crate::coordinate::Coordinate;
use crate::ecosystem::{Ecosystem, Examples};
use crate::index::{IndexError, IndexFacts};
use crate::lock::Lock;
use crate::needs::Needs;
use crate::private::About;
use crate::site::{ClientSettings, Place, Site, changed};
use crate::splice::Members;

mod index;
mod lock;
mod mend;
mod route;
#[cfg(test)]
mod tests;

const NAME: &str = "npm";

/// The canonical name of the public registry.
const NPMJS: &str = "registry.npmjs.org";

/// The hosts of the public registry.
const NPMJS_HOSTS: [&str; 2] = [NPMJS, "registry.yarnpkg.com"];

/// What to paste, by the documentation of each client (read 2026-11).
const SETTINGS: &[ClientSettings] = &[
    ClientSettings {
        client: "npm, pnpm",
        // A private archive may lie elsewhere on the server than its registry; the token is for all of it.
        set: "npm config set registry {base}/npm/
{token}npm config set //{authority}/:_authToken TOKEN",
        undo: "npm config delete registry
{token}npm config delete //{authority}/:_authToken",
    },
    ClientSettings {
        client: "Yarn 1",
        set: "yarn config set registry {base}/npm/
{token}npm config set //{authority}/npm/:_authToken TOKEN",
        undo: "yarn config delete registry
{token}npm config delete //{authority}/npm/:_authToken",
    },
    ClientSettings {
        client: "Yarn 2 and later",
        set: r#"yarn config set --home npmRegistryServer {base}/npm
{token}yarn config set --home npmAlwaysAuth true
{token}yarn config set --home npmAuthToken TOKEN
{http}yarn config set --home unsafeHttpWhitelist --json '["{host}"]'"#,
        undo: r#"yarn config unset --home npmRegistryServer
{token}yarn config unset --home npmAlwaysAuth
{token}yarn config unset --home npmAuthToken
{http}yarn config unset --home unsafeHttpWhitelist"#,
    },
];

/// The same for the forward proxy, for one shell. In a tunnel Yarn 1 knows nothing of `NODE_EXTRA_CA_CERTS`; npm's variable stands in
/// place of Node's own roots.
const PROXY_SETTINGS: &[ClientSettings] = &[ClientSettings {
    client: "Yarn 1, with a lock",
    set: r#"export https_proxy={proxy} HTTPS_PROXY={proxy}
export npm_config_cafile="$HOME/.outlast/bundle.pem""#,
    undo: "unset https_proxy HTTPS_PROXY npm_config_cafile",
}];

/// npm registries.
#[derive(Debug)]
pub(super) struct Npm;

impl Ecosystem for Npm {
    fn public_hosts(&self) -> &'static [&'static str] {
        &NPMJS_HOSTS
    }

    fn name(&self) -> &'static str {
        NAME
    }

    fn classify(&self, head: &Head<'_>) -> Option<Class> {
        route::classify(head)
    }

    fn client(&self) -> &'static [(&'static str, &'static str)] {
        &[("user-agent", "npm/10"), ("accept", "application/json")]
    }

    fn read_index(&self, request: &IndexRequest, body: &[u8]) -> Result<IndexFacts, IndexError> {
        index::read(request, body)
    }

    fn locks(&self) -> &'static [Lock] {
        lock::LOCKS
    }

    /// npm counts what it is given: a list where a map belongs, or an error, would be no vulnerabilities.
    fn is_answer(&self, url: &ObjectUrl, body: &[u8]) -> bool {
        let Ok(answer) = serde_json::from_slice::<Members<'_>>(body) else { return false };
        match url.path().trim_end_matches('/').ends_with("/advisories/bulk") {
            true => answer.0.iter().all(|(_, advisories)| advisories.starts_with('[')),
            false => ["metadata", "advisories"]
                .iter()
                .any(|key| answer.get(key).is_some_and(|it| it.starts_with('{'))),
        }
    }

    /// Yarn asks `registry.yarnpkg.com`, which is a name of npm's registry, unless it is told otherwise.
    fn twins(&self, url: &ObjectUrl) -> Vec<ObjectUrl> {
        let prefix = format!("https://{}/", url.authority());
        let path = url.as_str().strip_prefix(&prefix).filter(|_| NPMJS_HOSTS.contains(&url.authority()));
        let others = NPMJS_HOSTS.iter().filter(|host| **host != url.authority());
        let at = |host: &&str| ObjectUrl::parse(&format!("https://{host}/{}", path?)).ok();
        others.filter_map(at).collect()
    }

    fn needs(&self, coordinate: &Coordinate) -> Needs {
        route::needs(coordinate)
    }

    fn with_versions(
        &self,
        _request: &IndexRequest,
        new: &[u8],
        held: &[u8],
        versions: &BTreeSet<&str>,
    ) -> Option<Vec<u8>> {
        mend::with_versions(new, held, versions)
    }

    fn place(&self) -> Option<Place> {
        Some(Place { path: "/npm/", registry: "https://registry.npmjs.org/" })
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

    fn relinked(&self, _request: &IndexRequest, body: &[u8], site: &Site) -> Option<Vec<u8>> {
        changed(site.relinked(body, &["\"tarball\":\"", "\"tarball\": \""]))
    }

    /// npm's cache names archives by their digest (cacache, content-v2).
    fn cached(&self, coordinate: &Coordinate, digests: &DigestSet, _: &[ObjectUrl]) -> Vec<Cached> {
        let of_npm = digests.iter().filter_map(|digest| {
            let text = digest.to_string();
            let (algorithm, hex) = text.split_once(':')?;
            let (first, rest) = hex.split_at_checked(2)?;
            let (second, rest) = rest.split_at_checked(2)?;
            let path = format!("_cacache/content-v2/{algorithm}/{first}/{second}/{rest}");
            Cached::at("npm_config_cache", ".npm", path)
        });
        // Its folders have versions and digests in their names, too, of which letters are left out. Root's are with those of all.
        let path = format!("v*/npm-*/node_modules/{}/.yarn-tarball.tgz", coordinate.name);
        let of_yarn = [".cache/yarn", "/usr/local/share/.cache/yarn"]
            .into_iter()
            .filter_map(|folder| Cached::at("YARN_CACHE_FOLDER", folder, path.clone()));
        of_npm.chain(of_yarn).collect()
    }

    /// Also what Yarn 2 and later zip anew: their locks have digests of that, and nobody else serves it.
    fn unpacked(&self) -> &'static [Unpacked] {
        &[
            Unpacked::OfProject("node_modules"),
            Unpacked::OfProject(".yarn/cache"),
            Unpacked::OfUser(".yarn/berry/cache"),
            Unpacked::OfUser(".local/share/pnpm/store"),
        ]
    }

    fn examples(&self) -> Examples {
        Examples {
            indexes: &[
                ("https://registry.npmjs.org/is-number", "is-number.json"),
                ("https://registry.npmjs.org/left-pad", "left-pad.json"),
                ("https://registry.npmjs.org/@isaacs%2fcliui", "isaacs-cliui.json"),
            ],
            files: &[
                "https://registry.npmjs.org/is-number/-/is-number-0.1.0.tgz",
                "https://registry.npmjs.org/left-pad/-/left-pad-1.3.0.tgz",
                "https://registry.npmjs.org/@isaacs/cliui/-/cliui-9.0.0.tgz",
            ],
        }
    }
}

/// Returns the canonical name of a registry: its host, port and base path, since one server may have many.
fn registry_of(url: &ObjectUrl, base: &str) -> String {
    if NPMJS_HOSTS.contains(&url.host()) { NPMJS.to_owned() } else { format!("{}{base}", url.authority()) }
}

fn coordinate(registry: &str, name: &str, version: &str) -> Coordinate {
    Coordinate {
        ecosystem: NAME,
        registry: registry.to_owned(),
        name: name.to_owned(),
        version: version.to_owned(),
        file: None,
    }
}
