//! npm packages that a real npm installs.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use ring::digest;
use serde_json::{Map, Value, json};

use crate::Answer;
use crate::archive::{hex, tar_gz};

const ABBREVIATED: &str = "application/vnd.npm.install-v1+json";

/// A package with its versions.
#[derive(Debug, Clone)]
pub struct Package {
    name: String,
    versions: Vec<Version>,
}

/// One version of a package.
#[derive(Debug, Clone)]
struct Version {
    number: String,
    manifest: Map<String, Value>,
    tarball: Bytes,
}

/// Returns a package; `versions` are numbers with the files beside package.json.
///
/// Where `files` is empty the package has an index.js that says who it is.
pub fn package(name: &str, versions: &[(&str, &[(&str, &str)])]) -> Package {
    let empty = Package { name: name.to_owned(), versions: Vec::new() };
    versions.iter().fold(empty, |package, (number, files)| package.version(number, &json!({}), files))
}

impl Package {
    /// Adds a version whose package.json has more fields, such as `dependencies` or `scripts`.
    #[must_use]
    pub fn version(mut self, number: &str, more: &Value, files: &[(&str, &str)]) -> Self {
        let mut manifest = Map::new();
        manifest.insert("name".to_owned(), json!(self.name));
        manifest.insert("version".to_owned(), json!(number));
        manifest.insert("license".to_owned(), json!("MIT"));
        manifest.extend(more.as_object().cloned().unwrap_or_default());
        let text = Value::Object(manifest.clone()).to_string();
        let index = format!("module.exports = {};\n", json!(format!("{} {number}", self.name)));
        let own: &[(&str, &str)] = if files.is_empty() { &[("index.js", &index)] } else { files };
        let all: Vec<_> =
            std::iter::once(("package.json", text.as_str())).chain(own.iter().copied()).collect();
        let tarball = tar_gz("package", &all).into();
        self.versions.push(Version { number: number.to_owned(), manifest, tarball });
        self
    }

    /// Takes a version out of the list; its tarball stays where it was served.
    #[must_use]
    pub fn without(mut self, number: &str) -> Self {
        self.versions.retain(|version| version.number != number);
        self
    }

    /// Puts other bytes under a version's number, and lists them.
    ///
    /// # Panics
    /// When there is no such version.
    #[must_use]
    pub fn republished(self, number: &str) -> Self {
        let at = self.versions.iter().position(|version| version.number == number).expect("a version");
        let manifest = Value::Object(self.versions[at].manifest.clone());
        let mut again = self.version(number, &manifest, &[("index.js", "module.exports = 'other';\n")]);
        again.versions.swap_remove(at);
        again
    }

    /// Returns the bytes of a version's tarball.
    ///
    /// # Panics
    /// When there is no such version.
    pub fn tarball(&self, number: &str) -> &Bytes {
        &self.find(number).tarball
    }

    /// Returns the `sha512-…` of a version's tarball.
    ///
    /// # Panics
    /// When there is no such version.
    pub fn integrity(&self, number: &str) -> String {
        integrity(&self.find(number).tarball)
    }

    /// Returns the path of a version's tarball.
    pub fn tarball_path(&self, number: &str) -> String {
        let file = self.name.rsplit('/').next().unwrap_or_default();
        format!("/{}/-/{file}-{number}.tgz", self.name)
    }

    /// Returns the lock of a project that depends on a version of it and on nothing else, as npm writes it.
    pub fn lock(&self, host: &str, number: &str) -> String {
        let dependencies = Value::from_iter([(self.name.as_str(), number)]);
        let locked = json!({
            "version": number,
            "resolved": format!("https://{host}{}", self.tarball_path(number)),
            "integrity": self.integrity(number),
        });
        let root = json!({ "name": "small", "version": "1.0.0", "dependencies": dependencies });
        let packages =
            Value::from_iter([(String::new(), root), (format!("node_modules/{}", self.name), locked)]);
        let lock = json!({
            "name": "small", "version": "1.0.0", "lockfileVersion": 3, "requires": true, "packages": packages
        });
        lock.to_string()
    }

    /// Returns the paths of the packument: a scope's slash is asked for in both spellings.
    pub fn paths(&self) -> Vec<String> {
        let plain = format!("/{}", self.name);
        match self.name.split_once('/') {
            None => vec![plain],
            Some((scope, name)) => vec![plain, format!("/{scope}%2f{name}"), format!("/{scope}%2F{name}")],
        }
    }

    /// Returns the full packument as the registry at `host` gives it.
    pub fn packument(&self, host: &str) -> Value {
        let mut times = Map::new();
        times.insert("created".to_owned(), json!("2026-01-01T00:00:00.000Z"));
        for (index, version) in self.versions.iter().enumerate() {
            times.insert(version.number.clone(), json!(format!("2026-01-{:02}T00:00:00.000Z", index + 1)));
        }
        let mut full = self.abbreviated(host);
        full["_id"] = json!(self.name);
        full["time"] = Value::Object(times);
        full["license"] = json!("MIT");
        full
    }

    fn abbreviated(&self, host: &str) -> Value {
        let versions: Map<String, Value> =
            self.versions.iter().map(|version| (version.number.clone(), self.entry(host, version))).collect();
        let latest = self.versions.last().map(|version| version.number.as_str());
        json!({
            "name": self.name,
            "modified": "2026-02-01T00:00:00.000Z",
            "dist-tags": { "latest": latest },
            "versions": versions,
        })
    }

    fn entry(&self, host: &str, version: &Version) -> Value {
        let mut entry = version.manifest.clone();
        let shasum = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, &version.tarball);
        entry.insert(
            "dist".to_owned(),
            json!({
                "integrity": integrity(&version.tarball),
                "shasum": hex(shasum.as_ref()),
                "tarball": format!("https://{host}{}", self.tarball_path(&version.number)),
            }),
        );
        Value::Object(entry)
    }

    pub(crate) fn answers(&self, host: &str) -> Vec<(String, Answer)> {
        let mut answers = Vec::new();
        for path in self.paths() {
            let full = self.packument(host).to_string();
            answers.push((path.clone(), tagged(Answer::json(full))));
            let short = self.abbreviated(host).to_string();
            answers.push((path, tagged(Answer::bytes(ABBREVIATED, short)).when_accepts(ABBREVIATED)));
        }
        for version in &self.versions {
            let answer = tagged(Answer::file(version.tarball.clone()));
            answers.push((self.tarball_path(&version.number), answer));
        }
        answers
    }

    fn find(&self, number: &str) -> &Version {
        let found = self.versions.iter().find(|version| version.number == number);
        found.unwrap_or_else(|| panic!("`{}` has no version `{number}`", self.name))
    }
}

fn integrity(bytes: &[u8]) -> String {
    format!("sha512-{}", BASE64.encode(digest::digest(&digest::SHA512, bytes)))
}

/// Gives an answer the ETag of its bytes.
pub(crate) fn tagged(answer: Answer) -> Answer {
    let sum = digest::digest(&digest::SHA256, answer.body());
    let mut etag = String::from("\"");
    for byte in &sum.as_ref()[..16] {
        let _ = write!(etag, "{byte:02x}");
    }
    answer.header("etag", &(etag + "\""))
}
