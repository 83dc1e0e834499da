//! The documents of a repository: its root, a package's versions, and the files of the first protocol.

use std::borrow::Cow;

use model::{Digest, ObjectUrl};
use serde::Deserialize;
use serde::de::Error as _;

use super::entry::{self, Expanded, Form, ListError};
use super::registry_of;
use super::route::{Branches, Document, document_of};
use crate::class::{Class, IndexRequest};
use crate::index::{INDEX_BYTES_MAX, IndexError, IndexFacts};
use crate::splice::{Items, Members};

/// What a minified list calls itself.
const MINIFIED: &str = "composer/2.0";

/// Keys of which a repository's root has at least one.
const ROOT_KEYS: [&str; 8] = [
    "packages",
    "metadata-url",
    "providers-url",
    "providers-lazy-url",
    "provider-includes",
    "includes",
    "notify-batch",
    "available-packages",
];

/// A package's document.
#[derive(Deserialize)]
pub(super) struct Package<'a> {
    #[serde(borrow)]
    pub(super) packages: Members<'a>,
    #[serde(borrow)]
    minified: Option<Cow<'a, str>>,
}

impl<'a> Package<'a> {
    /// Returns the versions of a package as they stand in the document.
    pub(super) fn list(&self, name: &str) -> Option<&'a str> {
        let found = self.packages.0.iter().rev().find(|(other, _)| other.eq_ignore_ascii_case(name));
        found.map(|(_, list)| *list)
    }

    pub(super) fn form(&self) -> Form {
        if self.minified.is_some() { Form::Minified } else { Form::Whole }
    }
}

/// Reads a document, whichever its address says that it is.
pub(super) fn read(request: &IndexRequest, body: &[u8]) -> Result<IndexFacts, IndexError> {
    if body.len() > INDEX_BYTES_MAX {
        return Err(IndexError::TooLarge { size_bytes: body.len() });
    }
    if body.is_empty() {
        return Err(IndexError::Empty);
    }
    let (document, base) = document_of(&request.url).ok_or(IndexError::NoIndexes)?;
    let registry = registry_of(&request.url, &base);
    match document {
        Document::Package { name, branches } => package(&registry, &name, branches, body),
        Document::Root => {
            let mut facts = root(&registry, body)?;
            facts.posts = posts(&request.url, body);
            facts.leads_to = leads_to(body);
            Ok(facts)
        }
        Document::Addressed(digest) => addressed(&registry, &digest, body),
        Document::Answer(keys) => {
            let answer: Members<'_> = serde_json::from_slice(body).map_err(syntax)?;
            let is_answered = keys.iter().any(|key| answer.get(key).is_some_and(is_container));
            if is_answered { Ok(IndexFacts::default()) } else { Err(IndexError::Empty) }
        }
    }
}

/// PHP writes an empty map as a list.
pub(super) fn is_container(value: &str) -> bool {
    value.starts_with(['{', '['])
}

fn syntax(source: serde_json::Error) -> IndexError {
    IndexError::Syntax { source }
}

fn package(registry: &str, name: &str, branches: Branches, body: &[u8]) -> Result<IndexFacts, IndexError> {
    let document: Package<'_> = serde_json::from_slice(body).map_err(syntax)?;
    if let Some(minified) = document.minified.as_deref().filter(|form| *form != MINIFIED) {
        let unknown = serde_json::Error::custom(format!("`{minified}` is no known form"));
        return Err(syntax(unknown));
    }
    let Some(list) = document.list(name) else {
        let got = document.packages.0.first().map_or("nothing", |(other, _)| other).to_owned();
        return Err(IndexError::OtherSubject { wanted: name.to_owned(), got });
    };
    let entries = entries_of(list)?;
    let mut facts = IndexFacts::default();
    let mut trouble = None;
    let read = entry::expand(&entries, document.form(), |version| {
        let Some(listed) = version.version() else {
            trouble.get_or_insert(IndexError::Version { line: facts.versions.len() + 1 });
            return;
        };
        // Others than Packagist are free to list branches among the tags, and GitLab does.
        if registry == super::PACKAGIST && entry::is_branch(&listed) != (branches == Branches::Only) {
            let what = if branches == Branches::Only { "branches" } else { "tags" };
            let wanted = format!("{what} of {name}");
            trouble.get_or_insert(IndexError::OtherSubject { wanted, got: listed });
            return;
        }
        add(&mut facts, registry, name, listed, version);
    });
    read.map_err(list_error)?;
    trouble.map_or(Ok(facts), Err)
}

/// Returns the versions of a list, or of a map by version: the first protocol has maps, and GitLab in the second, too.
pub(super) fn entries_of(versions: &str) -> Result<Items<'_>, IndexError> {
    match Members::read(versions).filter(|map| !map.0.is_empty()) {
        Some(map) => Ok(Items(map.0.into_iter().map(|(_, entry)| entry).collect())),
        None => serde_json::from_str(versions).map_err(syntax),
    }
}

fn list_error(error: ListError) -> IndexError {
    syntax(serde_json::Error::custom(error))
}

/// Keeps a version under its name as its author writes it, which is unique where Packagist checks it; Composer's own form
/// of it is not in every document.
fn add(facts: &mut IndexFacts, registry: &str, name: &str, listed: String, version: &Expanded<'_>) {
    facts.vouched.extend(entry::vouch(registry, name, listed.clone(), version));
    facts.versions.push(listed);
}

/// A repository's root; small ones have their packages inside.
fn root(registry: &str, body: &[u8]) -> Result<IndexFacts, IndexError> {
    let root: Members<'_> = serde_json::from_slice(body).map_err(syntax)?;
    if !ROOT_KEYS.iter().any(|key| root.get(key).is_some()) {
        return Err(IndexError::Empty);
    }
    if root.get("minified").is_some() {
        let wanted = "the repository".to_owned();
        return Err(IndexError::OtherSubject { wanted, got: "a package".to_owned() });
    }
    inline(registry, &root)
}

/// What a root says of the addresses to which Composer posts.
#[derive(Deserialize, Default)]
#[serde(default, rename_all = "kebab-case")]
struct Posts<'a> {
    #[serde(borrow)]
    notify_batch: Option<Cow<'a, str>>,
    #[serde(borrow)]
    security_advisories: Option<Api<'a>>,
    #[serde(borrow)]
    filter: Option<Api<'a>>,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "kebab-case")]
struct Api<'a> {
    #[serde(borrow)]
    api_url: Option<Cow<'a, str>>,
}

/// What a root leads to. One without any package is an outage of its builder (composer#7013); of one without its lists of advisories
/// or of malware, Composer says that it found none.
fn leads_to(body: &[u8]) -> Vec<&'static str> {
    let root: Members<'_> = serde_json::from_slice(body).unwrap_or_default();
    let is_full = |key: &&&str| {
        root.get(key).is_some_and(|value| {
            let within = value.trim_start_matches(['[', '{', '"']).trim_start();
            value != "null" && !within.starts_with([']', '}', '"'])
        })
    };
    let there = [
        ("packages", &ROOT_KEYS[..6]),
        ("advisories", &["security-advisories"]),
        ("filter lists", &["filter"]),
    ];
    there.into_iter().filter(|(_, keys)| keys.iter().any(|key| is_full(&key))).map(|(what, _)| what).collect()
}

/// A root whose members have other forms than these declares nothing; Composer would not read it either. What is only told to
/// a host is not answered in the name of another.
fn posts(root: &ObjectUrl, body: &[u8]) -> Vec<(ObjectUrl, Class)> {
    let posts: Posts<'_> = serde_json::from_slice(body).unwrap_or_default();
    let api = |api: Option<Api<'_>>| api.and_then(|api| Some(api.api_url?.into_owned()));
    let declared = [
        (posts.notify_batch.map(Cow::into_owned), Class::Notice),
        (api(posts.security_advisories), Class::Question),
        (api(posts.filter), Class::Question),
    ];
    let absolute = |url: &str| Some(root.join(url).ok()?.object().clone());
    declared
        .into_iter()
        .filter_map(|(url, class)| Some((absolute(&url?)?, class)))
        .filter(|(url, class)| *class == Class::Question || is_kin(root.host(), url.host()))
        .collect()
}

/// Returns whether two hosts are one, or one lies below the other: `repo.packagist.org` and `packagist.org`.
fn is_kin(one: &str, other: &str) -> bool {
    let is_below = |one: &str, other: &str| one.strip_suffix(other).is_some_and(|rest| rest.ends_with('.'));
    one == other || is_below(one, other) || is_below(other, one)
}

/// A file of the first protocol: its name says what its bytes are.
fn addressed(registry: &str, digest: &Digest, body: &[u8]) -> Result<IndexFacts, IndexError> {
    let got = ring::digest::digest(digest.algorithm().ring(), body);
    if got.as_ref() != digest.as_bytes() {
        return Err(IndexError::OtherSubject { wanted: digest.to_string(), got: "other bytes".to_owned() });
    }
    inline(registry, &serde_json::from_slice(body).map_err(syntax)?)
}

/// Reads `packages` of a root or of an include: names, then versions as a map or as a list.
fn inline(registry: &str, document: &Members<'_>) -> Result<IndexFacts, IndexError> {
    let mut facts = IndexFacts::default();
    let Some(packages) = document.get("packages").filter(|packages| packages.starts_with('{')) else {
        return Ok(facts);
    };
    let packages: Members<'_> = serde_json::from_str(packages).map_err(syntax)?;
    for (name, versions) in &packages.0 {
        let read = entry::expand(&entries_of(versions)?, Form::Whole, |version| {
            if let Some(listed) = version.version() {
                add(&mut facts, registry, name, format!("{name} {listed}"), version);
            }
        });
        read.map_err(list_error)?;
    }
    Ok(facts)
}
