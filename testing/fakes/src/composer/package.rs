//! A package, its repository, what was released of it, and what became of that.

use std::path::Path;

use bytes::Bytes;
use ring::digest;
use serde_json::{Map, Value, json};

use super::Advisory;
use super::listing::normalized;
use crate::archive::hex;
use crate::git::Repository;

const TIME: &str = "2026-01-01T00:00:00+00:00";
/// The branch on which other bytes for a commit are made; nobody lists it.
const FORGED: &str = "forged";

/// A package, its repository and what was released of it.
#[derive(Debug, Clone)]
pub struct Package {
    name: String,
    repository: Repository,
    versions: Vec<Version>,
    /// By commit; those of moved and vanished versions stay, as they do at a forge.
    archives: Vec<(String, Bytes)>,
    advisories: Vec<Advisory>,
    malware_in: Option<String>,
    archives_lie: Archives,
}

/// One version as Packagist lists it.
#[derive(Debug, Clone)]
struct Version {
    name: String,
    entry: Map<String, Value>,
    reference: String,
}

/// Where a forge sends those who ask for an archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Archives {
    InTheOpen,
    BehindSignatures,
}

/// Starts a package whose repository is made below a folder.
///
/// # Panics
/// When git cannot be run.
pub fn package(folder: &Path, name: &str) -> Package {
    let repository = Repository::create(&folder.join(format!("{name}.git")));
    Package {
        name: name.to_owned(),
        repository,
        versions: Vec::new(),
        archives: Vec::new(),
        advisories: Vec::new(),
        malware_in: None,
        archives_lie: Archives::InTheOpen,
    }
}

impl Package {
    /// Commits files beside a composer.json with more keys, tags the commit and releases it; newest last.
    ///
    /// `dev-NAME` and `NAME-dev` are branches. Without files the package has a file that says who it is.
    ///
    /// # Panics
    /// When git refuses.
    #[must_use]
    pub fn release(self, version: &str, more: &Value, files: &[(&str, &str)]) -> Self {
        let who = format!("<?php\nreturn '{} {version}';\n", self.name);
        let own: &[(&str, &str)] = if files.is_empty() { &[("src/who.php", &who)] } else { files };
        let own: Vec<_> = own.iter().map(|(path, text)| (*path, text.as_bytes())).collect();
        self.release_bytes(version, more, &own)
    }

    /// Does what `release` does, with files that are no text.
    ///
    /// # Panics
    /// When git refuses.
    #[must_use]
    pub fn release_bytes(mut self, version: &str, more: &Value, files: &[(&str, &[u8])]) -> Self {
        let (manifest, reference) = self.commit(branch_of(version), version, more, files);
        if branch_of(version) == "main" && version != "dev-main" {
            self.repository.tag(version, &reference);
        }
        let entry = self.entry(version, manifest, &reference);
        self.versions.push(Version { name: version.to_owned(), entry, reference });
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
        version.clone_into(&mut again.name);
        for (key, value) in [
            ("version", json!(version)),
            ("version_normalized", json!(normalized(version))),
            ("support", self.support(version)),
        ] {
            again.entry.insert(key.to_owned(), value);
        }
        self.versions.push(again);
        self
    }

    /// Moves a tag, or the end of a branch, to a new commit with these files; the old commit stays at the forge.
    ///
    /// # Panics
    /// When there is no such version.
    #[must_use]
    pub fn moved(self, version: &str, more: &Value, files: &[(&str, &str)]) -> Self {
        let at = self.position(version);
        let mut moved = self.release(version, more, files);
        moved.versions.swap_remove(at);
        moved
    }

    /// Takes a version out of the list; the archive of its commit stays at the forge.
    ///
    /// # Panics
    /// When there is no such version.
    #[must_use]
    pub fn without(mut self, version: &str) -> Self {
        let at = self.position(version);
        self.versions.remove(at);
        self
    }

    /// Packs a version's archive anew: other bytes, the same files.
    ///
    /// # Panics
    /// When there is no such version, or git refuses.
    #[must_use]
    pub fn repacked(mut self, version: &str) -> Self {
        let reference = self.reference(version).to_owned();
        let bytes = self.archive(&reference, &reference, &["-0"]);
        self.set_archive(&reference, bytes);
        self
    }

    /// Answers a version's commit with an archive of other files, which says that it is of this commit all the same.
    ///
    /// # Panics
    /// When there is no such version, or git refuses.
    #[must_use]
    pub fn forged(mut self, version: &str, files: &[(&str, &str)]) -> Self {
        let reference = self.reference(version).to_owned();
        let other = self.repository.commit(FORGED, "Other files", files);
        let mut bytes = self.archive(&other, &reference, &[]).to_vec();
        // `git archive` ends a zip with a comment: the commit.
        let comment = bytes.len() - reference.len();
        bytes[comment..].copy_from_slice(reference.as_bytes());
        self.set_archive(&reference, bytes.into());
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
    ///
    /// # Panics
    /// When nothing was released before.
    #[must_use]
    pub fn with_shasum(mut self, url: &str) -> Self {
        let newest = &self.versions.last().expect("a release before").name.clone();
        let sha1 = hex(digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, self.zip(newest)).as_ref());
        let at = self.position(newest);
        let entry = &mut self.versions[at].entry;
        let dist = json!({ "type": "zip", "url": url, "reference": null, "shasum": sha1 });
        entry.insert("dist".to_owned(), dist);
        entry.remove("source");
        self
    }

    /// Adds a security advisory to what is known of it.
    #[must_use]
    pub fn advised(mut self, advisory: Advisory) -> Self {
        self.advisories.push(advisory);
        self
    }

    /// Says that there is malware in these versions.
    #[must_use]
    pub fn flagged(mut self, constraint: &str) -> Self {
        self.malware_in = Some(constraint.to_owned());
        self
    }

    /// Lets the forge send those who ask for an archive to an address that is signed and expires.
    #[must_use]
    pub fn behind_signatures(mut self) -> Self {
        self.archives_lie = Archives::BehindSignatures;
        self
    }

    /// Returns its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns its repository.
    pub fn repository(&self) -> &Repository {
        &self.repository
    }

    /// Returns the commit of a version.
    ///
    /// # Panics
    /// When there is no such version.
    pub fn reference(&self, version: &str) -> &str {
        &self.versions[self.position(version)].reference
    }

    /// Returns the archive of a version.
    ///
    /// # Panics
    /// When there is no such version.
    pub fn zip(&self, version: &str) -> &Bytes {
        let reference = self.reference(version);
        let found = self.archives.iter().find(|(commit, _)| commit == reference);
        &found.expect("an archive for every commit").1
    }

    /// Returns the path at api.github.com from which a version's archive is asked for.
    ///
    /// # Panics
    /// When there is no such version.
    pub fn archive_path(&self, version: &str) -> String {
        format!("/repos/{}/zipball/{}", self.name, self.reference(version))
    }

    /// Returns the path at codeload.github.com where a version's archive lies.
    ///
    /// # Panics
    /// When there is no such version.
    pub fn codeload_path(&self, version: &str) -> String {
        format!("/{}/legacy.zip/{}", self.name, self.reference(version))
    }

    /// Returns what is listed of each version, oldest first and with all keys.
    pub(super) fn entries(&self) -> impl DoubleEndedIterator<Item = &Map<String, Value>> {
        self.versions.iter().map(|version| &version.entry)
    }

    /// Returns names under which a forge knows an archive, with the archive: commits, tags and branches.
    pub(super) fn archives(&self) -> impl Iterator<Item = (String, &Bytes)> {
        let by_commit = self.archives.iter().map(|(commit, bytes)| (commit.clone(), bytes));
        let by_name = self.versions.iter().flat_map(|version| {
            let (branch, bytes) = (branch_of(&version.name), self.zip(&version.name));
            let (kind, name) = if version.name == "dev-main" || branch != "main" {
                ("heads", branch)
            } else {
                ("tags", &*version.name)
            };
            [(name.to_owned(), bytes), (format!("refs/{kind}/{name}"), bytes)]
        });
        by_commit.chain(by_name)
    }

    pub(super) fn advisories(&self) -> &[Advisory] {
        &self.advisories
    }

    pub(super) fn malware_in(&self) -> Option<&str> {
        self.malware_in.as_deref()
    }

    pub(super) fn archives_lie(&self) -> Archives {
        self.archives_lie
    }

    /// Returns the position of a version as it is listed now.
    fn position(&self, version: &str) -> usize {
        let found = self.versions.iter().position(|one| one.name == version);
        found.unwrap_or_else(|| panic!("`{}` has no version `{version}`", self.name))
    }

    fn commit(
        &mut self,
        branch: &str,
        version: &str,
        more: &Value,
        files: &[(&str, &[u8])],
    ) -> (Map<String, Value>, String) {
        let mut manifest = Map::new();
        manifest.insert("name".to_owned(), json!(self.name));
        manifest.insert("description".to_owned(), json!(format!("Made to test, {version}")));
        manifest.insert("license".to_owned(), json!(["MIT"]));
        manifest.insert("type".to_owned(), json!("library"));
        manifest.extend(more.as_object().cloned().unwrap_or_default());
        let text = format!("{}\n", Value::Object(manifest.clone()));
        let all: Vec<_> =
            std::iter::once(("composer.json", text.as_bytes())).chain(files.iter().copied()).collect();
        let reference = self.repository.commit_bytes(branch, version, &all);
        let bytes = self.archive(&reference, &reference, &[]);
        self.set_archive(&reference, bytes);
        (manifest, reference)
    }

    /// As GitHub: below a folder of owner, repository and the beginning of the commit.
    fn archive(&self, revision: &str, reference: &str, options: &[&str]) -> Bytes {
        let prefix = format!("--prefix={}-{}/", self.name.replace('/', "-"), &reference[..7]);
        self.repository.archive(&[&["--format=zip", &prefix], options, &[revision]].concat()).into()
    }

    fn set_archive(&mut self, reference: &str, bytes: Bytes) {
        self.archives.retain(|(commit, _)| commit != reference);
        self.archives.push((reference.to_owned(), bytes));
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
            ("support", self.support(version)),
            ("time", json!(TIME)),
        ] {
            entry.insert(key.to_owned(), value);
        }
        if version == "dev-main" {
            entry.insert("default-branch".to_owned(), json!(true));
        }
        entry
    }

    fn support(&self, version: &str) -> Value {
        let tree = match branch_of(version) {
            "main" if version != "dev-main" => version,
            branch => branch,
        };
        json!({ "source": format!("https://github.com/{}/tree/{tree}", self.name) })
    }
}

/// Returns the branch a version is made on: its own, or `main` for tags.
fn branch_of(version: &str) -> &str {
    version.strip_prefix("dev-").or_else(|| version.strip_suffix("-dev")).map_or("main", |branch| branch)
}
