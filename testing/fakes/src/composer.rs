//! Composer packages that a real Composer installs: made from small git repositories with fixed dates, listed as Packagist
//! lists them, archived as GitHub archives them.

use std::path::Path;

use bytes::Bytes;
use ring::digest;
use serde_json::{Map, Value, json};

use crate::Answer;
use crate::archive::hex;
use crate::git::Repository;

/// The hosts that a Composer of everyday life talks to.
pub const HOSTS: [&str; 4] = ["repo.packagist.org", "packagist.org", "api.github.com", "codeload.github.com"];

const TIME: &str = "2026-01-01T00:00:00+00:00";
const LAST_MODIFIED: &str = "Thu, 01 Jan 2026 00:00:00 GMT";

/// A package, its repository and what was released of it.
#[derive(Debug, Clone)]
pub struct Package {
    name: String,
    repository: Repository,
    versions: Vec<Version>,
}

/// One version as Packagist lists it.
#[derive(Debug, Clone)]
struct Version {
    entry: Map<String, Value>,
    reference: String,
    zip: Bytes,
}

/// Starts a package whose repository is made below a folder.
///
/// # Panics
/// When git cannot be run.
pub fn package(folder: &Path, name: &str) -> Package {
    let repository = Repository::create(&folder.join(format!("{name}.git")));
    Package { name: name.to_owned(), repository, versions: Vec::new() }
}

impl Package {
    /// Commits files beside a composer.json with more keys, tags the commit and releases it; newest last.
    ///
    /// Without files the package has a class that says who it is.
    ///
    /// # Panics
    /// When git refuses.
    #[must_use]
    pub fn release(mut self, version: &str, more: &Value, files: &[(&str, &str)]) -> Self {
        let mut manifest = Map::new();
        manifest.insert("name".to_owned(), json!(self.name));
        manifest.insert("description".to_owned(), json!(format!("Made to test, {version}")));
        manifest.insert("license".to_owned(), json!(["MIT"]));
        manifest.insert("type".to_owned(), json!("library"));
        manifest.extend(more.as_object().cloned().unwrap_or_default());
        let text = format!("{}\n", Value::Object(manifest.clone()));
        let class = format!("<?php\nreturn '{} {version}';\n", self.name);
        let own: &[(&str, &str)] = if files.is_empty() { &[("src/who.php", &class)] } else { files };
        let all: Vec<_> =
            std::iter::once(("composer.json", text.as_str())).chain(own.iter().copied()).collect();
        let branch = version.strip_prefix("dev-").unwrap_or("main");
        let reference = self.repository.commit(branch, version, &all);
        if !version.starts_with("dev-") {
            self.repository.tag(version, &reference);
        }
        let zip = self.archive(&reference);
        let entry = self.entry(version, manifest, &reference);
        self.versions.push(Version { entry, reference, zip });
        self
    }

    /// Releases the newest commit once more, under another tag.
    ///
    /// # Panics
    /// When nothing was released before.
    #[must_use]
    pub fn also_tagged(mut self, version: &str) -> Self {
        let mut again = self.versions.last().expect("a release before").clone();
        self.repository.tag(version, &again.reference);
        again.entry.insert("version".to_owned(), json!(version));
        again.entry.insert("version_normalized".to_owned(), json!(normalized(version)));
        self.versions.push(again);
        self
    }

    /// Takes the archive from what is listed of the newest release: only its repository is left.
    #[must_use]
    pub fn without_dist(mut self) -> Self {
        if let Some(newest) = self.versions.last_mut() {
            newest.entry.remove("dist");
        }
        self
    }

    /// Lists the newest release with the digest of its archive and without a commit, at an address of its own.
    #[must_use]
    pub fn with_shasum(mut self, url: &str) -> Self {
        if let Some(newest) = self.versions.last_mut() {
            let sha1 = hex(digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, &newest.zip).as_ref());
            let dist = json!({ "type": "zip", "url": url, "reference": null, "shasum": sha1 });
            newest.entry.insert("dist".to_owned(), dist);
            newest.entry.remove("source");
        }
        self
    }

    /// Returns the commit of a version.
    ///
    /// # Panics
    /// When there is no such version.
    pub fn reference(&self, version: &str) -> &str {
        &self.find(version).reference
    }

    /// Returns the archive of a version.
    ///
    /// # Panics
    /// When there is no such version.
    pub fn zip(&self, version: &str) -> &Bytes {
        &self.find(version).zip
    }

    /// Returns the path at api.github.com from which a version's archive is asked for.
    pub fn archive_path(&self, version: &str) -> String {
        format!("/repos/{}/zipball/{}", self.name, self.reference(version))
    }

    /// Returns the path at codeload.github.com where a version's archive lies.
    pub fn codeload_path(&self, version: &str) -> String {
        format!("/{}/legacy.zip/{}", self.name, self.reference(version))
    }

    /// Returns the document of its tags, or of its branches, as Packagist writes it.
    pub fn document(&self, branches: Branches) -> Value {
        let is_listed = |version: &&Version| {
            let name = version.entry["version"].as_str().unwrap_or_default();
            (name.starts_with("dev-") || name.ends_with("-dev")) == (branches == Branches::Only)
        };
        let newest_first = self.versions.iter().rev().filter(is_listed).map(|version| version.entry.clone());
        json!({ "packages": { (self.name.as_str()): minified(newest_first) }, "minified": "composer/2.0" })
    }

    /// Returns what is answered for it: host, path, answer.
    pub(crate) fn answers(&self) -> Vec<(&'static str, String, Answer)> {
        let document = |branches| {
            Answer::json(self.document(branches).to_string()).header("last-modified", LAST_MODIFIED)
        };
        let mut answers = vec![
            (HOSTS[0], format!("/p2/{}.json", self.name), document(Branches::Without)),
            (HOSTS[0], format!("/p2/{}~dev.json", self.name), document(Branches::Only)),
        ];
        for version in &self.versions {
            let name = version.entry["version"].as_str().unwrap_or_default();
            let to = format!("https://{}{}", HOSTS[3], self.codeload_path(name));
            let redirect = Answer::status(302).header("location", &to);
            answers.push((HOSTS[2], self.archive_path(name), redirect));
            let zip = Answer::bytes("application/zip", version.zip.clone())
                .header("etag", &format!("\"{}\"", version.reference));
            answers.push((HOSTS[3], self.codeload_path(name), zip));
        }
        answers
    }

    /// As GitHub: below a folder of owner, repository and the beginning of the commit.
    fn archive(&self, reference: &str) -> Bytes {
        let prefix = format!("--prefix={}-{}/", self.name.replace('/', "-"), &reference[..7]);
        self.repository.archive(&["--format=zip", &prefix, reference]).into()
    }

    fn entry(&self, version: &str, manifest: Map<String, Value>, reference: &str) -> Map<String, Value> {
        let mut entry = manifest;
        let url = format!("https://github.com/{}.git", self.name);
        let archive = format!("https://api.github.com/repos/{}/zipball/{reference}", self.name);
        for (key, value) in [
            ("version", json!(version)),
            ("version_normalized", json!(normalized(version))),
            ("source", json!({ "type": "git", "url": url, "reference": reference })),
            ("dist", json!({ "type": "zip", "url": archive, "reference": reference, "shasum": "" })),
            ("time", json!(TIME)),
        ] {
            entry.insert(key.to_owned(), value);
        }
        entry
    }

    fn find(&self, version: &str) -> &Version {
        let is_it = |found: &&Version| found.entry["version"] == version;
        self.versions.iter().find(is_it).expect("a version that was released")
    }
}

/// Which versions a document lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Branches {
    /// Tags.
    Without,
    /// Branches alone.
    Only,
}

/// Returns the repository's root as Packagist has it.
pub fn root() -> Value {
    json!({
        "packages": [],
        "notify-batch": "https://packagist.org/downloads/",
        "metadata-url": "https://repo.packagist.org/p2/%package%.json",
        "search": "https://packagist.org/search.json?q=%query%&type=%type%",
        "list": "https://packagist.org/packages/list.json",
        "providers-api": "https://packagist.org/providers/%package%.json",
        "security-advisories": { "metadata": true, "api-url": "https://packagist.org/api/security-advisories/" },
    })
}

/// Returns what a repository says besides its packages: host, path, answer.
pub(crate) fn common() -> Vec<(&'static str, &'static str, Answer)> {
    let root = Answer::json(root().to_string()).header("last-modified", LAST_MODIFIED);
    vec![
        (HOSTS[0], "/packages.json", root),
        (HOSTS[1], "/downloads/", Answer::json("{\"status\":\"success\"}")),
        (HOSTS[1], "/api/security-advisories/", Answer::json("{\"advisories\":{}}")),
        (HOSTS[1], "/packages/list.json", Answer::json("{\"packageNames\":[]}")),
    ]
}

/// Returns a version with four numbers, as Composer compares them.
fn normalized(version: &str) -> String {
    if version.starts_with("dev-") {
        return version.to_owned();
    }
    let (numbers, suffix) = version
        .split_once('-')
        .map_or((version, String::new()), |(numbers, suffix)| (numbers, format!("-{suffix}")));
    let mut numbers: Vec<&str> = numbers.trim_start_matches('v').split('.').collect();
    numbers.resize(4, "0");
    format!("{}{suffix}", numbers.join("."))
}

/// Each entry says only in what it differs from the one before.
fn minified(entries: impl Iterator<Item = Map<String, Value>>) -> Vec<Value> {
    let mut before = Map::new();
    let mut list = Vec::new();
    for entry in entries {
        let mut changes = entry.clone();
        changes.retain(|key, value| before.get(key) != Some(value));
        let unset = before.keys().filter(|key| !entry.contains_key(*key));
        changes.extend(unset.map(|key| (key.clone(), json!("__unset"))));
        list.push(Value::Object(changes));
        before = entry;
    }
    list
}
