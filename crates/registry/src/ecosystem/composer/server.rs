//! A repository as a server offers it: its root with the server's addresses, and archives by package and reference.
//!
//! The keys: <https://getcomposer.org/doc/05-repositories.md> and Composer's own source (read 2026-11). An address that begins with a
//! slash is one of the repository's host, any other is taken as it is.

use model::ObjectUrl;
use serde_json::{Value, json};

use super::route::{self, Document, document_of};
use super::{NAME, PACKAGIST, entry};
use crate::class::IndexRequest;
use crate::coordinate::Coordinate;
use crate::site::{Site, Target};
use crate::splice::{Members, Splice, member};

/// Where archives lie by package and reference; Composer fills in the rest of the address.
const ARCHIVES: &str = "/composer/dists/";
/// Where repositories lie by the name that Composer makes of their address.
const REPOSITORIES: &str = "/composer/git/";
const PLACEHOLDERS: &str = "%package%/%version%/%reference%.%type%";

/// Addresses of a root.
const ADDRESSES: [&str; 7] =
    ["list", "metadata-changes-url", "metadata-url", "notify", "notify-batch", "providers-api", "search"];

/// Members of a root that have addresses in them.
const WITH_ADDRESSES: [(&str, &[&str]); 2] =
    [("filter", &["api-url", "summary-url"]), ("security-advisories", &["api-url"])];

/// Returns a root whose addresses are the server's. Its archives are the server's too, and preferred: a client that finds the
/// server gone goes on to where they lie in the world.
pub(super) fn relinked(request: &IndexRequest, body: &[u8], site: &Site) -> Option<Vec<u8>> {
    if document_of(&request.url)?.0 != Document::Root {
        return None;
    }
    let text = std::str::from_utf8(body).ok()?.trim();
    let root = Members::read(text)?;
    let mut splice = Splice::of(text);
    for name in ADDRESSES {
        relink(&mut splice, root.get(name), &request.url, site);
    }
    for (name, addresses) in WITH_ADDRESSES {
        let Some(members) = root.get(name).and_then(Members::read) else { continue };
        for address in addresses {
            relink(&mut splice, members.get(address), &request.url, site);
        }
    }
    let base = site.base();
    // Composer takes that of a repository as it is, so that it has to be a whole address.
    let repositories = format!("{base}{REPOSITORIES}%normalizedUrl%.%type%");
    let archives = format!("{base}{ARCHIVES}{PLACEHOLDERS}");
    let mirror = json!({ "dist-url": archives, "git-url": repositories, "preferred": true });
    match root.get("mirrors") {
        // The last of those that are preferred is asked first.
        Some(mirrors) if mirrors.starts_with('[') => splice.append(mirrors, &[mirror.to_string()]),
        Some(_) => return None,
        None => splice.append(text, &[member("mirrors", &json!([mirror]).to_string())]),
    }
    Some(splice.apply().into_bytes())
}

/// Replaces one address, if it is one.
fn relink(splice: &mut Splice<'_>, value: Option<&str>, root: &ObjectUrl, site: &Site) {
    let Some(value) = value else { return };
    let Ok(address) = serde_json::from_str::<String>(value) else { return };
    let absolute = match address.strip_prefix('/') {
        Some(path) => format!("{}://{}/{path}", root.scheme(), root.authority()),
        None => address,
    };
    if let Some(address) = site.address(&absolute) {
        splice.replace(value, Value::from(address).to_string());
    }
}

/// Returns where a repository lies of which a path of a server has Composer's name, and what of it is asked for:
/// `/composer/git/gh-acme/app.git/info/refs`. Of other hosts' than these two the name does not say the address.
pub(super) fn repository(path: &str) -> Option<String> {
    let rest = path.strip_prefix(REPOSITORIES)?;
    let (host, rest) = match rest.strip_prefix("gh-") {
        Some(rest) => ("github.com", rest),
        None => ("bitbucket.org", rest.strip_prefix("bb-")?),
    };
    Some(format!("{host}/{rest}"))
}

/// Reads `/composer/dists/vendor/name/version/reference.type`.
///
/// The version is Composer's own spelling, and says nothing that the reference does not say; an archive without a reference is that of
/// its version.
pub(super) fn named(path: &str) -> Option<Target> {
    let rest = path.split('?').next()?.strip_prefix(ARCHIVES)?;
    let [vendor, name, versions @ .., file] = &rest.split('/').collect::<Vec<_>>()[..] else { return None };
    let (reference, _) = file.split_once('.')?;
    let reference = match (reference, versions) {
        ("", [version]) => version,
        (reference, _) => reference,
    };
    let name = format!("{vendor}/{name}").to_ascii_lowercase();
    if !route::is_name(&name) || !entry::is_reference(reference) {
        return None;
    }
    let document = |address: String| {
        let url = ObjectUrl::parse(&address).ok()?;
        Some(IndexRequest { url, variant: String::new(), accept: None, subject: name.clone() })
    };
    let indexes = route::documents(&name).into_iter().filter_map(document).collect();
    let coordinate = Coordinate {
        ecosystem: NAME,
        registry: PACKAGIST.to_owned(),
        version: reference.to_owned(),
        name,
        file: None,
    };
    Some(Target::Named { coordinate, indexes })
}
