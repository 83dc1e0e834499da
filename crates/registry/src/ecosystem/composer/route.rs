//! What a request to a Composer repository wants.

use http::{Method, header};
use model::{Algorithm, Digest, ObjectUrl};

use super::{PACKAGIST, PACKAGIST_HOSTS};
use crate::class::{Class, Head, IndexRequest};
use crate::coordinate::{ANY_REGISTRY, Coordinate};
use crate::needs::Needs;
use crate::path::{self, Segment};
use crate::private::About;

/// The longest name of a package; Packagist allows far less.
const NAME_BYTES_MAX: usize = 200;

/// What an index is, told by its address.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Document {
    /// `packages.json`.
    Root,
    /// `p2/vendor/name.json`, or the branches in `p2/vendor/name~dev.json`.
    Package { name: String, branches: Branches },
    /// A file of the first protocol, named after its bytes.
    Addressed(Digest),
    /// A list, a search, a summary: an answer in JSON that vouches for nothing, and has at least one of these keys.
    Answer(&'static [&'static str]),
}

/// `{"advisories":{…}}`, asked for by GET as by POST.
const ADVISORIES: Document = Document::Answer(&["advisories"]);

/// Which versions a package's document lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Branches {
    /// Tags.
    Without,
    /// Branches alone.
    Only,
}

/// Returns what a request wants, `None` if it is not Composer's.
pub(super) fn classify(head: &Head<'_>) -> Option<Class> {
    let is_packagist = PACKAGIST_HOSTS.contains(&head.url.host());
    let is_composer = head.header(&header::USER_AGENT).starts_with("Composer/");
    if !is_packagist && !is_composer {
        return None;
    }
    let segments = path::segments(head.url.path())?;
    if is_advisories(&segments) && (*head.method == Method::POST || head.is_read()) {
        return if head.is_read() { index(head.url, &ADVISORIES) } else { Some(Class::Question) };
    }
    if *head.method == Method::POST {
        return post(&segments);
    }
    if !head.is_read() {
        return None;
    }
    let (document, _) = document(&segments)?;
    if matches!(document, Document::Answer(_)) && !is_packagist {
        return None;
    }
    index(head.url, &document)
}

/// Returns what an index is, and its repository's base path.
pub(super) fn document_of(url: &ObjectUrl) -> Option<(Document, String)> {
    let segments = path::segments(url.path())?;
    if is_advisories(&segments) {
        return Some((ADVISORIES, String::new()));
    }
    document(&segments)
}

/// Returns what Composer asks for that installs a package of Packagist; only the documents say where archives lie.
pub(super) fn needs(coordinate: &Coordinate) -> Needs {
    let Coordinate { registry, name, .. } = coordinate;
    if ![ANY_REGISTRY, PACKAGIST].contains(&&**registry) || !is_name(name) {
        return Needs::default();
    }
    let [tags, branches] = documents(name);
    let root = "https://repo.packagist.org/packages.json";
    Needs::default().index(root, None).index(&tags, None).index(&branches, None)
}

/// Returns which package an address of Packagist is about; of other repositories only the documents have the same place.
pub(super) fn about(url: &ObjectUrl) -> Option<About> {
    PACKAGIST_HOSTS.iter().find(|host| **host == url.host())?;
    let segments = path::segments(url.path())?;
    let names: Vec<&str> =
        segments.iter().map(|segment| &*segment.text).skip_while(|text| text.is_empty()).collect();
    let (folder, vendor, file) = match names.as_slice() {
        [folder @ ("p" | "p2" | "providers" | "packages" | "downloads" | "notify"), vendor, file, ..] => {
            (*folder, vendor, file)
        }
        _ => return None,
    };
    let file = file.split(['$', '~']).next().unwrap_or(file);
    let name = format!("{vendor}/{}", file.strip_suffix(".json").unwrap_or(file)).to_ascii_lowercase();
    let has_place = ["p", "p2"].contains(&folder);
    let within = has_place.then(|| url.path_and_query().trim_start_matches('/').to_owned());
    Some(About { name, within })
}

/// Returns where Packagist has the documents of a package: one for its tags, one for its branches.
pub(super) fn documents(name: &str) -> [String; 2] {
    ["", "~dev"].map(|branches| format!("https://repo.packagist.org/p2/{name}{branches}.json"))
}

/// Returns whether an address is the API for security advisories.
pub(super) fn is_advisories(segments: &[Segment<'_>]) -> bool {
    let mut names = segments.iter().map(|segment| &*segment.text).collect::<Vec<_>>();
    names.pop_if(|last| last.is_empty());
    names.ends_with(&["api", "security-advisories"])
}

fn document(segments: &[Segment<'_>]) -> Option<(Document, String)> {
    let names: Vec<&str> = segments.iter().map(|segment| &*segment.text).collect();
    let base = |n: usize| path::base(&segments[..segments.len() - n]);
    match names.as_slice() {
        [.., "packages.json"] => Some((Document::Root, base(1))),
        [.., "p2", vendor, file] => Some((package(vendor, file)?, base(3))),
        [.., "p", vendor, file] if file.contains('$') && is_part(vendor) => Some((addressed(file)?, base(3))),
        [.., "p" | "include", file] => Some((addressed(file)?, base(2))),
        // GitLab has them without `p`.
        [.., vendor, file] if file.contains('$') && is_part(vendor) => Some((addressed(file)?, base(2))),
        [.., "packages", "list.json"] => answer(&["packageNames", "packages"]),
        [.., "lists", _, "summary.json"] => answer(&["filter"]),
        [.., "search.json"] => answer(&["results"]),
        [.., "providers", vendor, file] if is_part(vendor) && file.ends_with(".json") => {
            answer(&["providers"])
        }
        _ => None,
    }
}

fn answer(keys: &'static [&'static str]) -> Option<(Document, String)> {
    Some((Document::Answer(keys), String::new()))
}

fn package(vendor: &str, file: &str) -> Option<Document> {
    let stem = file.strip_suffix(".json")?;
    let (name, branches) = match stem.strip_suffix("~dev") {
        Some(name) => (name, Branches::Only),
        None => (stem, Branches::Without),
    };
    // Composer asks for lower case, whatever a project has.
    let name = format!("{vendor}/{name}").to_ascii_lowercase();
    is_name(&name).then_some(Document::Package { name, branches })
}

/// Reads `all$<hex>.json`, SHA-1 or SHA-256 by its length.
fn addressed(file: &str) -> Option<Document> {
    let (stem, hex) = file.strip_suffix(".json")?.rsplit_once('$')?;
    let algorithm = match hex.len() {
        40 => Algorithm::Sha1,
        64 => Algorithm::Sha256,
        _ => return None,
    };
    (!stem.is_empty()).then_some(Document::Addressed(Digest::from_hex(algorithm, hex).ok()?))
}

fn index(url: &ObjectUrl, document: &Document) -> Option<Class> {
    let subject = match document {
        Document::Package { name, .. } => name.clone(),
        Document::Root | Document::Addressed(_) | Document::Answer(_) => String::new(),
    };
    Some(Class::Index(IndexRequest { url: url.clone(), variant: String::new(), accept: None, subject }))
}

/// The client counts its downloads, or looks for packages that a list names. Any path may be meant for it: these are those
/// in use, by Packagist, by Private Packagist and Satis, and in Composer's own documents.
fn post(segments: &[Segment<'_>]) -> Option<Class> {
    let mut names: Vec<&str> = segments.iter().map(|segment| &*segment.text).collect();
    names.pop_if(|last| last.is_empty());
    match names.as_slice() {
        [.., "downloads" | "notify-batch" | "notify"] => Some(Class::Notice),
        // Before 1.2 each package was told of by itself, and some repositories still ask for that.
        [.., "downloads" | "notify", vendor, name] if is_part(vendor) && is_part(name) => Some(Class::Notice),
        // The malware lists of Composer 2.10 are asked the same way as the advisories.
        [.., "filter"] => Some(Class::Question),
        _ => None,
    }
}

/// Names as Packagist gives them out, upper case forgiven: Composer writes them in lower case.
pub(super) fn is_name(name: &str) -> bool {
    name.len() <= NAME_BYTES_MAX
        && name.split_once('/').is_some_and(|(vendor, name)| is_part(vendor) && is_part(name))
}

fn is_part(part: &str) -> bool {
    part.bytes().next().is_some_and(|first| first.is_ascii_alphanumeric())
        && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte))
}
