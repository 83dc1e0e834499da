//! The documents of a repository: its root, and the minified list of a package's versions.

use serde_json::{Map, Value, json};

use super::Package;

/// Which versions a document lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Branches {
    /// Tags.
    Without,
    /// Branches alone.
    Only,
}

/// Returns the repository's root with all keys that Packagist's has (V2Dumper.php, 2026-07).
pub fn root() -> Value {
    json!({
        "packages": [],
        "notify-batch": "https://packagist.org/downloads/",
        "providers-url": "/p/%package%$%hash%.json",
        "metadata-url": "https://repo.packagist.org/p2/%package%.json",
        "metadata-changes-url": "https://packagist.org/metadata/changes.json",
        "search": "https://packagist.org/search.json?q=%query%&type=%type%",
        "list": "https://packagist.org/packages/list.json",
        "providers-api": "https://packagist.org/providers/%package%.json",
        "security-advisories": { "metadata": true, "api-url": "https://packagist.org/api/security-advisories/" },
        "warning": "Composer 1 is no longer answered",
        "warning-versions": "<1.999",
        "filter": {
            "metadata": true,
            "lists": { "malware": { "enabled": true } },
            "summary-url": "https://repo.packagist.org/lists/all/summary.json",
        },
    })
}

impl Package {
    /// Returns the document of its tags, or of its branches, as Packagist writes it.
    pub fn document(&self, branches: Branches) -> Value {
        let is_listed = |entry: &&Map<String, Value>| is_branch(entry) == (branches == Branches::Only);
        let newest_first = self.entries().rev().filter(is_listed).cloned();
        let mut document = json!({
            "packages": { (self.name()): minified(newest_first) }, "minified": "composer/2.0",
        });
        if !self.advisories().is_empty() {
            document["security-advisories"] = self.advisories().iter().map(super::Advisory::short).collect();
        }
        if let Some(constraint) = self.malware_in() {
            document["filter"] =
                json!({ "malware": [{ "constraint": constraint, "reason": "Made to test" }] });
        }
        document
    }
}

fn is_branch(entry: &Map<String, Value>) -> bool {
    let version = entry["version"].as_str().unwrap_or_default();
    version.starts_with("dev-") || version.ends_with("-dev")
}

/// Returns a version with four numbers, as Composer compares them.
pub(super) fn normalized(version: &str) -> String {
    if version.starts_with("dev-") {
        return version.to_owned();
    }
    // The branch of a series stands after all its tags.
    let version = version.replace(".x-dev", ".9999999-dev");
    let (numbers, suffix) =
        version.split_once('-').map_or((&*version, String::new()), |(n, suffix)| (n, format!("-{suffix}")));
    let mut numbers: Vec<&str> = numbers.trim_start_matches('v').split('.').collect();
    numbers.resize(4, if suffix == "-dev" { "9999999" } else { "0" });
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_has_four_numbers() {
        let check = |version: &str, expected: &str| assert_eq!(normalized(version), expected, "{version}");
        check("1.2", "1.2.0.0");
        check("v1.2.3", "1.2.3.0");
        check("1.2.3-RC1", "1.2.3.0-RC1");
        check("2.x-dev", "2.9999999.9999999.9999999-dev");
        check("dev-feature/x", "dev-feature/x");
    }

    #[test]
    fn an_entry_inherits_what_it_does_not_name() {
        let entry = |value: Value| value.as_object().unwrap().clone();
        let list = [json!({ "v": 2, "dist": "d", "only": 1 }), json!({ "v": 1, "dist": "d" })].map(entry);
        let expected = vec![json!({ "v": 2, "dist": "d", "only": 1 }), json!({ "v": 1, "only": "__unset" })];
        assert_eq!(minified(list.into_iter()), expected);
    }
}
