//! poetry.lock: each file with its name and digest, beside the package or, before Poetry 1.3, in a table of their own.
//! PDM writes the same table, with an address in place of the name where it was told to.

use std::collections::BTreeMap;

use model::DigestSet;
use serde::Deserialize;

use super::{Digests, add_address, add_file, add_repository, add_version, hash, toml};
use crate::lock::{LockError, Locked, Unpinned};

#[derive(Deserialize)]
struct Lock {
    #[serde(default)]
    package: Vec<Package>,
    metadata: Metadata,
}

#[derive(Deserialize)]
struct Metadata {
    #[serde(default)]
    files: BTreeMap<String, Vec<File>>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    version: String,
    #[serde(default)]
    files: Vec<File>,
    source: Option<Source>,
    /// PDM says here where a package is from.
    #[serde(flatten)]
    place: Place,
}

/// What PDM calls the place of a package that is not of an index: one of these, or none.
#[derive(Deserialize)]
struct Place {
    url: Option<String>,
    path: Option<String>,
    git: Option<String>,
    hg: Option<String>,
    svn: Option<String>,
    bzr: Option<String>,
    revision: Option<String>,
}

#[derive(Deserialize)]
struct File {
    file: Option<String>,
    url: Option<String>,
    hash: Option<String>,
}

/// Where a package is from, if that is not PyPI, as Poetry says it.
#[derive(Deserialize)]
struct Source {
    #[serde(rename = "type")]
    kind: String,
    url: String,
    /// What the project's reference was when it was locked.
    resolved_reference: Option<String>,
}

/// Where a package is from, whoever wrote the lock.
enum Origin<'a> {
    Index,
    Address(&'a str),
    /// Its kind, its address, and its commit.
    Repository(&'a str, &'a str, Option<&'a str>),
    /// A folder or an archive of the project.
    Project,
}

impl Package {
    fn origin(&self) -> Origin<'_> {
        let Place { url, path, git, hg, svn, bzr, revision } = &self.place;
        match &self.source {
            Some(source) => match source.kind.as_str() {
                "legacy" => Origin::Index,
                "url" => Origin::Address(&source.url),
                "directory" | "file" => Origin::Project,
                kind => Origin::Repository(kind, &source.url, source.resolved_reference.as_deref()),
            },
            None => {
                let kinds = [("git", git), ("hg", hg), ("svn", svn), ("bzr", bzr)];
                let found = kinds.into_iter().find_map(|(kind, address)| Some((kind, address.as_deref()?)));
                match (found, path, url) {
                    (Some((kind, address)), ..) => Origin::Repository(kind, address, revision.as_deref()),
                    (None, Some(_), _) => Origin::Project,
                    (None, None, Some(url)) => Origin::Address(url),
                    (None, None, None) => Origin::Index,
                }
            }
        }
    }
}

/// Reads a lock.
pub(super) fn read(bytes: &[u8]) -> Result<Locked, LockError> {
    let lock: Lock = toml(bytes)?;
    let mut locked = Locked::default();
    for package in &lock.package {
        let beside = lock.metadata.files.get(&package.name).into_iter().flatten();
        let files: Vec<&File> = package.files.iter().chain(beside).collect();
        add(&mut locked, package, &files)?;
    }
    Ok(locked)
}

fn add(locked: &mut Locked, package: &Package, files: &[&File]) -> Result<(), LockError> {
    let Package { name, version, .. } = package;
    match (package.origin(), files) {
        (Origin::Project, _) => Ok(()),
        (Origin::Repository(kind, address, commit), _) => {
            add_repository(locked, name, kind, (address, commit))
        }
        // Lock version 1.1 writes no digest for an address.
        (Origin::Address(url), [file]) => add_address(locked, name, url, digests(file)),
        (Origin::Address(url), _) => add_address(locked, name, url, Ok(DigestSet::default())),
        (Origin::Index, []) => add_version(locked, name, version, Ok(DigestSet::default())),
        (Origin::Index, files) => files.iter().try_for_each(|file| {
            let digests = digests(file);
            match (&file.url, &file.file) {
                (Some(url), _) => add_address(locked, name, url, digests),
                (None, Some(file)) => add_file(locked, name, version, (file, digests)),
                (None, None) => locked.leave(name, Unpinned::NOWHERE),
            }
        }),
    }
}

fn digests(file: &File) -> Digests {
    file.hash.as_deref().map_or_else(|| Ok(DigestSet::default()), hash)
}
