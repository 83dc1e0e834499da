//! Packagist: the documents at repo.packagist.org, and what packagist.org itself computes.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::listing::{Branches, root};
use super::{HOSTS, Package};
use crate::query::{Query, form};
use crate::{Answer, Asked, Upstream};

/// 2026-01-01T00:00:00Z in the unit of Packagist's list of changes, 0.1 ms.
const MIDNIGHT: u64 = 17_672_256_000_000;
const TICKS_A_SECOND: u64 = 10_000;

/// What Packagist knows.
#[derive(Debug, Default)]
pub(crate) struct Listed {
    packages: BTreeMap<String, Package>,
    /// What each document was last, and since when.
    documents: BTreeMap<String, (String, u64)>,
    /// What happened: the second, the kind and the package.
    changes: Vec<(u64, &'static str, String)>,
    /// Seconds since that midnight; one passes with each change.
    seconds: u64,
}

impl Listed {
    /// Dates a document: as before if it is as before.
    fn dated(&mut self, path: &str, package: &str, text: String) -> Answer {
        let since = match self.documents.get(path) {
            Some((before, since)) if *before == text => *since,
            _ => self.change("update", package),
        };
        self.documents.insert(path.to_owned(), (text.clone(), since));
        let time = format!("{:02}:{:02}:{:02}", since / 3600, since / 60 % 60, since % 60);
        Answer::json(text).header("last-modified", &format!("Thu, 01 Jan 2026 {time} GMT"))
    }

    fn change(&mut self, kind: &'static str, package: &str) -> u64 {
        self.seconds += 1;
        if package.contains('/') {
            self.changes.push((self.seconds, kind, package.to_owned()));
        }
        self.seconds
    }
}

impl Upstream {
    /// Puts packages where a real Composer looks for them: Packagist's documents and APIs, GitHub's archives.
    ///
    /// Packages put before stay; one of the same name is replaced, and its documents get a later date where they changed.
    pub fn serve_composer(&self, packages: &[Package]) {
        let mut listed = self.listed();
        for package in packages {
            listed.packages.insert(package.name().to_owned(), package.clone());
            for branches in [Branches::Without, Branches::Only] {
                let text = package.document(branches).to_string();
                put_document(self, &mut listed, package, branches, text);
            }
            for entry in package.entries() {
                put_own_archive(self, package, entry);
            }
            self.put_on_github(package);
        }
        self.put_common(&mut listed);
    }

    /// Lets Packagist forget a package: its documents are 404, and nothing lists it.
    pub fn remove_composer(&self, package: &Package) {
        let mut listed = self.listed();
        listed.packages.remove(package.name());
        for branches in [Branches::Without, Branches::Only] {
            let path = document_path(package, branches);
            listed.documents.remove(&path);
            self.remove(HOSTS[0], &path);
        }
        listed.change("delete", package.name());
        self.put_common(&mut listed);
    }

    /// Lets Packagist answer a package's documents with 200 and no version at all.
    pub fn empty_composer(&self, package: &Package) {
        let mut listed = self.listed();
        let text = json!({ "packages": { (package.name()): [] }, "minified": "composer/2.0" }).to_string();
        for branches in [Branches::Without, Branches::Only] {
            put_document(self, &mut listed, package, branches, text.clone());
        }
    }

    /// What is no package's own: the root, and what is computed of all packages.
    fn put_common(&self, listed: &mut Listed) {
        let packages = Arc::new(listed.packages.clone());
        self.put(HOSTS[0], "/packages.json", listed.dated("/packages.json", "", root().to_string()));
        let lists = malware(&packages).to_string();
        let summary = "/lists/all/summary.json";
        self.put(HOSTS[0], summary, listed.dated(summary, "", lists));
        let changes = (listed.seconds, listed.changes.clone());
        self.handle(HOSTS[1], "/metadata/changes.json", move |asked| Some(feed(&changes, asked)));
        self.handle(HOSTS[1], "/downloads/", |asked| {
            (asked.method == http::Method::POST).then(|| Answer::json("{\"status\":\"success\"}"))
        });
        for (prefix, compute) in COMPUTED {
            let packages = packages.clone();
            self.handle(HOSTS[1], prefix, move |asked| compute(&packages, asked));
        }
    }
}

type Packages = BTreeMap<String, Package>;
type Compute = fn(&Packages, &Asked) -> Option<Answer>;

const COMPUTED: [(&str, Compute); 4] = [
    ("/api/security-advisories/", advisories),
    ("/packages/list.json", list),
    ("/search.json", search),
    ("/providers/", providers),
];

fn document_path(package: &Package, branches: Branches) -> String {
    let suffix = if branches == Branches::Only { "~dev" } else { "" };
    format!("/p2/{}{suffix}.json", package.name())
}

fn put_document(
    upstream: &Upstream,
    listed: &mut Listed,
    package: &Package,
    branches: Branches,
    text: String,
) {
    let path = document_path(package, branches);
    let name = path.trim_start_matches("/p2/").trim_end_matches(".json").to_owned();
    let answer = listed.dated(&path, &name, text);
    upstream.put(HOSTS[0], &path, answer);
}

/// An archive that does not lie at GitHub lies where its entry says.
fn put_own_archive(upstream: &Upstream, package: &Package, entry: &Map<String, Value>) {
    let url = entry.get("dist").and_then(|dist| dist["url"].as_str()).unwrap_or_default();
    let Some((host, path)) = url.strip_prefix("https://").and_then(|url| url.split_once('/')) else { return };
    if host != HOSTS[2] {
        let zip = package.zip(entry["version"].as_str().unwrap_or_default()).clone();
        let answer = crate::npm::tagged(Answer::bytes("application/zip", zip));
        upstream.put(host, &format!("/{path}"), answer);
    }
}

fn malware(packages: &Packages) -> Value {
    let flagged = packages.values().filter_map(|one| Some((one.name(), one.malware_in()?)));
    // Read out of ComposerRepository.php of 2.11: below `filter`, a constraint for each package on each list.
    json!({ "filter": { "malware": flagged.collect::<BTreeMap<_, _>>() } })
}

/// Lists what changed after `since`; without it, says what time it is.
fn feed((now, changes): &(u64, Vec<(u64, &str, String)>), asked: &Asked) -> Answer {
    let time = |second: u64| MIDNIGHT + second * TICKS_A_SECOND;
    let since = Query::of(asked).first("since").and_then(|since| since.parse::<u64>().ok());
    let Some(since) = since else {
        let text =
            json!({ "error": "Invalid or missing \"since\" query parameter", "timestamp": time(*now) });
        return Answer::json(text.to_string()).with_status(400);
    };
    let actions: Vec<Value> = changes
        .iter()
        .filter(|(second, ..)| time(*second) > since)
        .map(|(second, kind, package)| json!({ "type": kind, "package": package, "time": MIDNIGHT / 10_000 + second }))
        .collect();
    Answer::json(json!({ "timestamp": time(*now), "actions": actions }).to_string())
}

/// Composer posts a form; people and scripts ask with a query.
fn advisories(packages: &Packages, asked: &Asked) -> Option<Answer> {
    let query = if asked.method == http::Method::POST { form(&asked.body) } else { Query::of(asked) };
    let names: Vec<&str> = query.all("packages").collect();
    if names.is_empty() && query.first("updatedSince").is_none() {
        let text = json!({ "status": "error", "message": "Missing array of package names as the \"packages\" parameter" });
        return Some(Answer::json(text.to_string()).with_status(400));
    }
    let of = |package: &&Package| {
        !package.advisories().is_empty() && (names.is_empty() || names.contains(&package.name()))
    };
    let found: Map<String, Value> = packages
        .values()
        .filter(of)
        .map(|package| {
            let list = package.advisories().iter().map(|one| one.long(package.name()));
            (package.name().to_owned(), list.collect())
        })
        .collect();
    // PHP knows no empty object.
    let found = if found.is_empty() { json!([]) } else { Value::Object(found) };
    Some(Answer::json(json!({ "advisories": found }).to_string()))
}

fn list(packages: &Packages, asked: &Asked) -> Option<Answer> {
    let query = Query::of(asked);
    let fits = |name: &&String| {
        query.first("vendor").is_none_or(|vendor| name.split('/').next() == Some(vendor))
            && query.first("filter").is_none_or(|glob| match glob.split_once('*') {
                Some((start, end)) => name.starts_with(start) && name.ends_with(end),
                None => *name == glob,
            })
    };
    let names: Vec<&String> = packages.keys().filter(fits).collect();
    Some(Answer::json(json!({ "packageNames": names }).to_string()))
}

fn search(packages: &Packages, asked: &Asked) -> Option<Answer> {
    let query = Query::of(asked);
    let wanted = query.first("q").unwrap_or_default();
    let results: Vec<Value> = packages
        .values()
        .filter(|package| package.name().contains(wanted))
        .map(|package| {
            let name = package.name();
            json!({
                "name": name, "description": description(package), "downloads": 1, "favers": 0,
                "url": format!("https://packagist.org/packages/{name}"),
                "repository": format!("https://github.com/{name}"),
            })
        })
        .collect();
    Some(Answer::json(json!({ "results": results, "total": results.len() }).to_string()))
}

fn providers(packages: &Packages, asked: &Asked) -> Option<Answer> {
    let wanted = asked.path.strip_prefix("/providers/")?.strip_suffix(".json")?;
    let provides = |package: &&Package| {
        package.entries().any(|entry| {
            ["provide", "replace"]
                .iter()
                .any(|key| entry.get(*key).is_some_and(|names| names.get(wanted).is_some()))
        })
    };
    let found: Vec<Value> = packages
        .values()
        .filter(provides)
        .map(|one| json!({ "name": one.name(), "description": description(one), "type": "library" }))
        .collect();
    (!found.is_empty()).then(|| Answer::json(json!({ "providers": found }).to_string()))
}

fn description(package: &Package) -> String {
    let newest = package.entries().next_back();
    newest.and_then(|entry| entry["description"].as_str()).unwrap_or_default().to_owned()
}
