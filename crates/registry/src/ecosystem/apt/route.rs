//! What a request to an archive wants.

use model::{Algorithm, Digest, ObjectUrl};

use crate::class::{Class, FileRequest, Form, Head, IndexRequest, Redirects};
use crate::path;

pub(super) const IN_RELEASE: &str = "/InRelease";
const RELEASE: &str = "/Release";
pub(super) const SIGNATURE: &str = "/Release.gpg";

/// The folder with documents by their digests, beside those by their names.
pub(super) const BY_HASH: &str = "by-hash";

/// The algorithms that vouch, and what fields and folders call them; MD5 and SHA-1 do not.
pub(super) const ALGORITHMS: [(Algorithm, &str); 2] =
    [(Algorithm::Sha256, "SHA256"), (Algorithm::Sha512, "SHA512")];

/// The folder with the suites.
const DISTS: &str = "/dists/";

/// The deepest folder of a document below `dists` whose suite is looked for; `stable/updates/main/binary-amd64` has four.
const N_FOLDERS_MAX: usize = 8;

/// How the names of documents begin that a suite lists, before `.xz` or the like.
const DOCUMENTS: [&str; 8] =
    ["Packages", "Sources", "Contents-", "Translation-", "Components-", "Commands-", "icons-", "Index"];

/// Returns what a request wants, `None` if it is not apt's.
pub(super) fn classify(head: &Head<'_>) -> Option<Class> {
    if !head.is_read() || !head.query().is_empty() {
        return None;
    }
    let path = head.url.path();
    // A package may be built anew under its name, and nobody says here what it is: it stays a document.
    let (_, below) = path.split_once(DISTS)?;
    if let Some(request) = index(head.url) {
        return Some(Class::Index(request));
    }
    if by_hash(below).is_some() {
        return Some(file());
    }
    is_document(below).then(|| Class::Document { variant: String::new(), redirects: Redirects::HandedBack })
}

fn file() -> Class {
    Class::File(FileRequest {
        coordinate: None,
        index: None,
        variant: String::new(),
        form: Form::Any,
        redirects: Redirects::HandedBack,
    })
}

/// Returns the list or the signature that an address is.
fn index(url: &ObjectUrl) -> Option<IndexRequest> {
    let (_, below) = url.path().split_once(DISTS)?;
    let end = [IN_RELEASE, RELEASE, SIGNATURE].into_iter().find(|end| below.ends_with(end))?;
    let suite = &below[..below.len() - end.len()];
    let folder = suite.rsplit('/').next().unwrap_or_default();
    // Each component has a `Release` of its own, which is one of the documents of the suite.
    let is_component = end == RELEASE && (folder.starts_with("binary-") || folder == "source");
    let is_suite = !is_component && suite.split('/').all(|part| !part.is_empty());
    let subject = path::decoded(suite)?.into_owned();
    is_suite.then(|| request(url.clone(), subject))
}

fn request(url: ObjectUrl, subject: String) -> IndexRequest {
    IndexRequest { url, variant: String::new(), accept: None, subject }
}

/// Returns the algorithm and the digest of `…/by-hash/SHA256/0040f9…`.
fn by_hash(below: &str) -> Option<(&str, &str)> {
    let mut parts = below.rsplit('/');
    let (hex, algorithm, folder) = (parts.next()?, parts.next()?, parts.next()?);
    let is_known =
        ALGORITHMS.iter().any(|(_, name)| *name == algorithm) || ["MD5Sum", "SHA1"].contains(&algorithm);
    let is_hex = hex.len() >= 32 && hex.bytes().all(|byte| byte.is_ascii_hexdigit());
    (folder == BY_HASH && is_known && is_hex).then_some((algorithm, hex))
}

/// Returns the digest that the address of a file is named after.
pub(super) fn named_digest(url: &ObjectUrl) -> Option<Digest> {
    let (_, below) = url.path().split_once(DISTS)?;
    let (algorithm, hex) = by_hash(below)?;
    let (algorithm, _) = ALGORITHMS.iter().find(|(_, name)| *name == algorithm)?;
    Digest::from_hex(*algorithm, hex).ok()
}

fn is_document(below: &str) -> bool {
    let mut parts = below.rsplit('/');
    let (name, folder) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let is_of_component = name == &RELEASE[1..] && !folder.is_empty();
    !folder.is_empty() && (is_of_component || DOCUMENTS.iter().any(|start| name.starts_with(start)))
}

/// Returns the lists that may say what a document is: those of each folder above it, since a suite may be named with a slash.
pub(super) fn listings(url: &ObjectUrl) -> Vec<IndexRequest> {
    let Some(start) = url.as_str().find(DISTS).map(|start| start + DISTS.len()) else { return Vec::new() };
    let (base, below) = url.as_str().split_at(start);
    if !is_document(below) {
        return Vec::new();
    }
    let folders = below.match_indices('/').take(N_FOLDERS_MAX).map(|(end, _)| &below[..end]);
    let lists = folders.flat_map(|suite| [IN_RELEASE, RELEASE].map(|end| format!("{base}{suite}{end}")));
    lists.filter_map(|address| index(&ObjectUrl::parse(&address).ok()?)).collect()
}

/// Returns the list whose generation decides which one of a list or of a signature goes with the other documents.
pub(super) fn leader(request: &IndexRequest) -> Option<IndexRequest> {
    let address = request.url.as_str();
    match address.strip_suffix(SIGNATURE) {
        Some(suite) => index(&ObjectUrl::parse(&format!("{suite}{RELEASE}")).ok()?),
        None => Some(request.clone()),
    }
}
