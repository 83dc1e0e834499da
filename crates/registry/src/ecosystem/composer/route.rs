//! What a request to a Composer repository wants.

use http::{Method, header};
use model::{Algorithm, Digest, ObjectUrl};

use super::PACKAGIST_HOSTS;
use crate::class::{Class, Head, IndexRequest};
use crate::path::{self, Segment};

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
    /// A list, a search, a summary: an answer in JSON that vouches for nothing.
    Answer,
}

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
        return if head.is_read() { answer(head) } else { Some(Class::Question) };
    }
    if *head.method == Method::POST {
        return post(&segments, is_packagist);
    }
    if !head.is_read() {
        return None;
    }
    let (document, _) = document(&segments)?;
    if document == Document::Answer && !is_packagist {
        return None;
    }
    index(head.url, &document)
}

/// Returns what an index is, and its repository's base path.
pub(super) fn document_of(url: &ObjectUrl) -> Option<(Document, String)> {
    let segments = path::segments(url.path())?;
    if is_advisories(&segments) {
        return Some((Document::Answer, String::new()));
    }
    document(&segments)
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
        [.., "packages", "list.json"] | [.., "lists", _, "summary.json"] => Some((Document::Answer, base(0))),
        [.., "search.json"] => Some((Document::Answer, base(0))),
        [.., "providers", vendor, file] if is_part(vendor) && file.ends_with(".json") => {
            Some((Document::Answer, base(0)))
        }
        _ => None,
    }
}

fn package(vendor: &str, file: &str) -> Option<Document> {
    let stem = file.strip_suffix(".json")?;
    let (name, branches) = match stem.strip_suffix("~dev") {
        Some(name) => (name, Branches::Only),
        None => (stem, Branches::Without),
    };
    let name = format!("{vendor}/{name}");
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
        Document::Root | Document::Addressed(_) | Document::Answer => String::new(),
    };
    Some(Class::Index(IndexRequest { url: url.clone(), variant: String::new(), accept: None, subject }))
}

fn answer(head: &Head<'_>) -> Option<Class> {
    index(head.url, &Document::Answer)
}

/// The client counts its downloads, or looks for packages that a list names.
fn post(segments: &[Segment<'_>], is_packagist: bool) -> Option<Class> {
    let names: Vec<&str> = segments.iter().map(|segment| &*segment.text).collect();
    match names.as_slice() {
        [.., "downloads" | "notify-batch"] | [.., "downloads" | "notify-batch", ""] => Some(Class::Notice),
        // The malware lists of Composer 2.10 are asked the same way as the advisories.
        [.., "api", "filter"] | [.., "api", "filter", ""] if is_packagist => Some(Class::Question),
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
