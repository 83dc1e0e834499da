//! Files of code forges: archives, single files and releases of GitHub, GitLab and Bitbucket.
//!
//! What is named by a commit cannot change; a release's file must not. Both may lie behind signed addresses that expire,
//! so redirects are followed inside and the stable address is the name.
//!
//! Addresses: <https://docs.github.com/en/rest/repos/contents>, <https://docs.gitlab.com/api/repositories/>,
//! <https://support.atlassian.com/bitbucket-cloud/docs/download-an-archive/> (read 2026-11).

use model::{CommitId, ObjectUrl};

use crate::class::{Class, FileRequest, Form, Head, IndexRequest, Redirects};
use crate::ecosystem::{Ecosystem, Examples};
use crate::index::{IndexError, IndexFacts};
use crate::lock::Lock;
use crate::path;
use crate::revision::RevisionArchive;

mod archive;
#[cfg(test)]
mod tests;

/// Forges that everybody knows. An address there with nothing but an owner and a name is that of a git repository, and what ssh gives,
/// https gives as well.
pub const HOSTS: [&str; 6] =
    ["github.com", "gist.github.com", "gitlab.com", "bitbucket.org", "bitbucket.com", "codeberg.org"];

/// These, and where they give files.
const PUBLIC_HOSTS: [&str; 11] = [
    "github.com",
    "gist.github.com",
    "api.github.com",
    "codeload.github.com",
    "raw.githubusercontent.com",
    "objects.githubusercontent.com",
    "release-assets.githubusercontent.com",
    "gitlab.com",
    "bitbucket.org",
    "bitbucket.com",
    "codeberg.org",
];

/// Code forges.
#[derive(Debug)]
pub(super) struct Forge;

impl Ecosystem for Forge {
    fn public_hosts(&self) -> &'static [&'static str] {
        &PUBLIC_HOSTS
    }

    fn name(&self) -> &'static str {
        "forge"
    }

    fn classify(&self, head: &Head<'_>) -> Option<Class> {
        if !head.is_read() {
            return None;
        }
        match place(head)? {
            Place::Archive if is_readable(head.url.path()) => Some(file(Form::Archive)),
            Place::Archive | Place::Fixed => Some(file(Form::Any)),
            Place::Moving => Some(Class::Document { variant: String::new(), redirects: Redirects::Followed }),
        }
    }

    fn read_index(&self, _request: &IndexRequest, _body: &[u8]) -> Result<IndexFacts, IndexError> {
        Err(IndexError::NoIndexes)
    }

    fn revision_archive(&self, url: &ObjectUrl) -> Option<RevisionArchive> {
        archive::of(url)
    }

    fn locks(&self) -> &'static [Lock] {
        &[]
    }

    fn examples(&self) -> Examples {
        Examples { indexes: &[], files: &[] }
    }
}

/// Returns whether the kind of an archive is one whose end can be told.
fn is_readable(path: &str) -> bool {
    ![".bz2", ".tbz", ".tbz2", ".tb2", ".xz"].iter().any(|suffix| path.ends_with(suffix))
}

fn file(form: Form) -> Class {
    let variant = String::new();
    Class::File(FileRequest { coordinate: None, index: None, variant, form, redirects: Redirects::Followed })
}

/// How long what lies at an address stays the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// An archive named by a commit.
    Archive,
    /// A file named by a commit, or of a release.
    Fixed,
    /// Named by a branch or a tag.
    Moving,
}

fn place(head: &Head<'_>) -> Option<Place> {
    let segments = path::segments(head.url.path())?;
    let names: Vec<&str> =
        segments.iter().map(|segment| &*segment.text).filter(|name| !name.is_empty()).collect();
    match head.url.host() {
        "api.github.com" => match names.as_slice() {
            ["repos", _, _, "zipball" | "tarball", reference @ ..] => Some(by_reference(reference)),
            _ => None,
        },
        "github.com" => github(&names),
        "codeload.github.com" => match names.as_slice() {
            [_, _, "zip" | "legacy.zip" | "tar.gz" | "legacy.tar.gz", reference @ ..] => {
                Some(by_reference(reference))
            }
            _ => None,
        },
        "raw.githubusercontent.com" => match names.as_slice() {
            [_, _, reference, _, ..] => Some(raw(reference)),
            _ => None,
        },
        "bitbucket.org" => match names.as_slice() {
            [_, _, "get", reference @ .., file] => Some(by_archive(reference, file)),
            [_, _, "raw", reference, _, ..] => Some(raw(reference)),
            [_, _, "downloads", _] => Some(Place::Fixed),
            _ => None,
        },
        _ => gitlab(head, &names),
    }
}

fn github(names: &[&str]) -> Option<Place> {
    match names {
        // A tag may have slashes.
        [_, _, "releases", "download", _, .., _] => Some(Place::Fixed),
        [_, _, "releases", "latest", "download", _] => Some(Place::Moving),
        [_, _, "archive", reference @ .., file] => Some(by_archive(reference, file)),
        [_, _, "zipball" | "tarball", reference @ ..] => Some(by_reference(reference)),
        [_, _, "raw", reference, _, ..] => Some(raw(reference)),
        _ => None,
    }
}

/// GitLab runs under many names; its addresses are like nobody else's.
fn gitlab(head: &Head<'_>, names: &[&str]) -> Option<Place> {
    // Composer asks here, with the commit in the query.
    if let ["api", "v4", "projects", _, "repository", file] = names {
        let is_archive = *file == "archive" || file.starts_with("archive.");
        let sha = head.query().split('&').find_map(|pair| pair.strip_prefix("sha="));
        return is_archive.then(|| by_reference(&[sha.unwrap_or_default()]));
    }
    // Everything behind the lonely dash is GitLab's; before it is a project, in groups of any depth.
    let dash = names.iter().position(|name| *name == "-").filter(|dash| *dash >= 2)?;
    match &names[dash + 1..] {
        // The name of the file says nothing: the server makes the one that is asked for.
        ["archive", reference @ .., _] if !reference.is_empty() => Some(by_reference(reference)),
        ["raw", reference, _, ..] => Some(raw(reference)),
        ["releases", "permalink", "latest", "downloads", _, ..] => Some(Place::Moving),
        ["releases", _, "downloads", _, ..] => Some(Place::Fixed),
        _ => None,
    }
}

fn raw(reference: &str) -> Place {
    match by_reference(&[reference]) {
        Place::Archive => Place::Fixed,
        other => other,
    }
}

/// `REF.zip`, where a branch may have slashes.
fn by_archive(reference: &[&str], file: &str) -> Place {
    let whole: Vec<&str> = reference.iter().copied().chain([without_suffix(file)]).collect();
    by_reference(&whole)
}

/// A whole commit cannot be anything else; a short one may become ambiguous.
fn by_reference(reference: &[&str]) -> Place {
    match reference {
        [commit] if CommitId::parse(commit).is_some() => Place::Archive,
        _ => Place::Moving,
    }
}

fn without_suffix(file: &str) -> &str {
    [".zip", ".tar.gz", ".tar.bz2", ".tar"]
        .iter()
        .find_map(|suffix| file.strip_suffix(suffix))
        .unwrap_or(file)
}
