//! A project with the lock that Composer makes of it.

use serde::Serialize as _;
use serde_json::{Map, Value, json};

use super::Package;
use super::md5::md5;

/// The keys of a manifest that its lock depends on (Locker.php, 2.5).
const CONTENT_KEYS: [&str; 11] = [
    "name",
    "version",
    "require",
    "require-dev",
    "conflict",
    "replace",
    "provide",
    "minimum-stability",
    "prefer-stable",
    "repositories",
    "extra",
];
/// What Composer calls the stability of branches.
const DEV: u32 = 20;

/// A project's two files.
#[derive(Debug, Clone)]
pub struct Project {
    manifest: Map<String, Value>,
    packages: Vec<Value>,
    stability_flags: Map<String, Value>,
}

/// Returns a project that requires nothing.
pub fn project(name: &str) -> Project {
    let mut manifest = Map::new();
    manifest.insert("name".to_owned(), json!(name));
    Project { manifest, packages: Vec::new(), stability_flags: Map::new() }
}

impl Project {
    /// Requires a package, and locks it at a version: a tag with all that follow it up to the next major, a branch as it is.
    ///
    /// # Panics
    /// When there is no such version.
    #[must_use]
    pub fn requires(mut self, package: &Package, version: &str) -> Self {
        let is_branch = version.starts_with("dev-") || version.ends_with("-dev");
        let constraint = if is_branch { version.to_owned() } else { format!("^{version}") };
        insert(&mut self.manifest, "require", package.name(), json!(constraint));
        if is_branch {
            self.stability_flags.insert(package.name().to_owned(), json!(DEV));
        }
        if package.entries().any(|entry| entry["type"] == "composer-plugin") {
            let config = self.manifest.entry("config").or_insert_with(|| json!({ "allow-plugins": {} }));
            config["allow-plugins"][package.name()] = json!(true);
        }
        self.locks(package, version)
    }

    /// Locks a package that another one requires.
    ///
    /// # Panics
    /// When there is no such version.
    #[must_use]
    pub fn locks(mut self, package: &Package, version: &str) -> Self {
        let entry = package.entries().find(|entry| entry["version"] == version);
        let mut entry = entry.unwrap_or_else(|| panic!("`{}` has no `{version}`", package.name())).clone();
        entry.remove("version_normalized");
        for place in ["source", "dist"] {
            // What is null is not written down.
            if let Some(fields) = entry.get_mut(place).and_then(Value::as_object_mut) {
                fields.retain(|_, value| !value.is_null());
            }
        }
        entry.insert("notification-url".to_owned(), json!("https://packagist.org/downloads/"));
        self.packages.push(Value::Object(entry));
        self.packages.sort_by_key(|one| one["name"].as_str().map(str::to_owned));
        self
    }

    /// Sets another key of the manifest.
    #[must_use]
    pub fn with(mut self, key: &str, value: Value) -> Self {
        self.manifest.insert(key.to_owned(), value);
        self
    }

    /// Returns composer.json.
    pub fn manifest(&self) -> String {
        pretty(&json!(self.manifest))
    }

    /// Returns composer.lock, in the form of 2.5.
    pub fn lock(&self) -> String {
        let flags = if self.stability_flags.is_empty() { json!([]) } else { json!(self.stability_flags) };
        pretty(&json!({
            "_readme": [
                "This file locks the dependencies of your project to a known state",
                "Read more about it at https://getcomposer.org/doc/01-basic-usage.md#installing-dependencies",
                "This file is @generated automatically",
            ],
            "content-hash": self.content_hash(),
            "packages": self.packages,
            "packages-dev": [],
            "aliases": [],
            "minimum-stability": "stable",
            "stability-flags": flags,
            "prefer-stable": false,
            "prefer-lowest": false,
            "platform": [],
            "platform-dev": [],
            "plugin-api-version": "2.3.0",
        }))
    }

    /// As Composer: the keys that matter in their order, as PHP writes JSON when it is told nothing.
    fn content_hash(&self) -> String {
        let is_relevant = |key: &&String| CONTENT_KEYS.contains(&key.as_str());
        let keys = self.manifest.keys().filter(is_relevant);
        let relevant: Map<String, Value> =
            keys.map(|key| (key.clone(), self.manifest[key].clone())).collect();
        md5(Value::Object(relevant).to_string().replace('/', "\\/").as_bytes())
    }
}

fn insert(map: &mut Map<String, Value>, key: &str, name: &str, value: Value) {
    map.entry(key).or_insert_with(|| json!({}))[name] = value;
}

fn pretty(value: &Value) -> String {
    let mut bytes = Vec::new();
    let form = serde_json::ser::PrettyFormatter::with_indent(b"    ");
    let mut writer = serde_json::Serializer::with_formatter(&mut bytes, form);
    value.serialize(&mut writer).expect("a value is JSON");
    bytes.push(b'\n');
    String::from_utf8(bytes).expect("JSON is text")
}
