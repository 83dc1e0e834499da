//! Repositories of the first protocol: satis with its includes, and lists of providers.

use std::collections::BTreeMap;

use ring::digest;
use serde_json::{Map, Value, json};

use super::Package;
use crate::archive::hex;
use crate::npm::tagged;
use crate::{Answer, Upstream};

impl Upstream {
    /// Puts a repository as satis writes it: one file of all packages, named by its SHA-1, and archives with checksums.
    pub fn serve_satis(&self, host: &str, packages: &[Package]) {
        let listed: Map<String, Value> = packages
            .iter()
            .map(|package| (package.name().to_owned(), self.put_versions(host, package)))
            .collect();
        let text = json!({ "packages": listed }).to_string();
        let sha1 = hex(digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, text.as_bytes()).as_ref());
        let path = format!("include/all${sha1}.json");
        let root = json!({ "packages": [], "includes": { (path.as_str()): { "sha1": sha1 } } });
        self.put_addressed(host, &format!("/{path}"), text);
        self.put(host, "/packages.json", tagged(Answer::json(root.to_string())));
    }

    /// Puts a repository as Packagist once was: a root that names lists of providers, and a file for each package, all
    /// named by their SHA-256.
    pub fn serve_providers(&self, host: &str, packages: &[Package]) {
        let sha256 = |text: &str| hex(digest::digest(&digest::SHA256, text.as_bytes()).as_ref());
        let mut providers = BTreeMap::new();
        for package in packages {
            let listed =
                json!({ "packages": { (package.name()): self.put_versions(host, package) } }).to_string();
            let hash = sha256(&listed);
            self.put_addressed(host, &format!("/p/{}${hash}.json", package.name()), listed);
            providers.insert(package.name(), json!({ "sha256": hash }));
        }
        let list = json!({ "providers": providers }).to_string();
        let hash = sha256(&list);
        let root = json!({
            "packages": [],
            "providers-url": "/p/%package%$%hash%.json",
            "provider-includes": { "p/providers-all$%hash%.json": { "sha256": hash } },
        });
        self.put_addressed(host, &format!("/p/providers-all${hash}.json"), list);
        self.put(host, "/packages.json", tagged(Answer::json(root.to_string())));
    }

    /// Puts a document under both spellings of its address; Composer asks for `%24`.
    fn put_addressed(&self, host: &str, path: &str, text: String) {
        let answer = tagged(Answer::json(text));
        self.put(host, &path.replace('$', "%24"), answer.clone());
        self.put(host, path, answer);
    }

    /// Puts the archives of all versions, and returns what is listed of them.
    fn put_versions(&self, host: &str, package: &Package) -> Value {
        let mut versions = Map::new();
        for (number, entry) in package.entries().enumerate() {
            let version = entry["version"].as_str().unwrap_or_default();
            let (zip, reference) = (package.zip(version), package.reference(version));
            let sha1 = hex(digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, zip).as_ref());
            let file = format!("{}-{reference}-zip-{}.zip", package.name().replace('/', "-"), &sha1[..6]);
            let path = format!("/dist/{}/{file}", package.name());
            self.put(host, &path, tagged(Answer::bytes("application/zip", zip.clone())));
            let url = format!("https://{host}{path}");
            let mut entry = entry.clone();
            entry.insert("uid".to_owned(), json!(number + 1));
            entry.insert(
                "dist".to_owned(),
                json!({ "type": "zip", "url": url, "reference": reference, "shasum": sha1 }),
            );
            versions.insert(version.to_owned(), Value::Object(entry));
        }
        Value::Object(versions)
    }
}
