//! What must not be: dependencies and words in the wrong crate, lints that are silenced, documents that are too long.

use serde_json::Value;

use super::Complaint;
use super::code::{block, find_word, line_of};
use super::tree::Tree;

const DOCUMENT_MAX_LINES: usize = 200;
/// Two cores build the release binary from nothing in under 10 minutes with these.
const LOCK_MAX_PACKAGES: usize = 300;
const NAMES_THAT_SAY_NOTHING: &[&str] = &["utils", "util", "helpers", "common", "manager", "service", "misc"];

/// A dependency that only these crates may have.
const DEPENDENCIES: &[(&str, &[&str])] = &[
    ("axum", &["server"]),
    ("clap", &["outlast"]),
    ("clap_complete", &["outlast"]),
    ("clap_mangen", &["outlast"]),
    ("anyhow", &["outlast", "xtask"]),
    ("rusqlite", &["store"]),
];
/// Crates that decide without waiting, and what they may not depend on.
const PURE: &[&str] = &["model", "registry", "forge"];
const IMPURE_DEPENDENCIES: &[&str] = &["tokio", "hyper", "hyper-util", "futures-util", "host", "store"];

/// Words in code that only these crates may have.
struct Word {
    words: &'static [&'static str],
    crates: &'static [&'static str],
    scope: Scope,
    hint: &'static str,
}

#[derive(PartialEq)]
enum Scope {
    Everywhere,
    ProductOnly,
}

const WORDS: &[Word] = &[
    Word { words: &["unsafe"], crates: &["sandbox"], scope: Scope::Everywhere, hint: "only `sandbox` may" },
    Word {
        words: &["#[allow(", "#![allow("],
        crates: &[],
        scope: Scope::Everywhere,
        hint: "use `#[expect(lint, reason = ...)]`",
    },
    Word { words: &["#[ignore"], crates: &[], scope: Scope::Everywhere, hint: "mend the test or the code" },
    Word {
        words: &["todo!", "unimplemented!"],
        crates: &[],
        scope: Scope::Everywhere,
        hint: "write it or leave it out",
    },
    Word {
        words: &["eprintln!", "eprint!"],
        crates: &[],
        scope: Scope::ProductOnly,
        hint: "it panics where stderr takes nothing; `speak` tells people",
    },
    Word { words: &["macro_rules!"], crates: &[], scope: Scope::Everywhere, hint: "use a function" },
    Word {
        words: &["TcpListener::bind", "UnixListener::bind", "UdpSocket::bind"],
        // `mirror` on loopback, for a git that it has started itself.
        crates: &["server", "sandbox", "mirror"],
        scope: Scope::ProductOnly,
        hint: "only `server` and `sandbox` listen",
    },
    Word {
        words: &["TcpStream::connect", "TcpStream::connect_timeout"],
        // `sandbox` connects to ports of the machine's own loopback that the configuration names, and to nothing else.
        crates: &["host", "sandbox"],
        scope: Scope::ProductOnly,
        hint: "only `host` connects to upstreams",
    },
    Word {
        words: &["async"],
        crates: &[
            "host",
            "store",
            "jobs",
            "git",
            "sandbox",
            "intercept",
            "proxy",
            "mirror",
            "publish",
            "vault",
            "watch",
            "exposure",
            "drill",
            "server",
            "outlast",
        ],
        scope: Scope::ProductOnly,
        hint: "this crate is pure",
    },
];

/// Checks everything that must not be.
pub(crate) fn check(tree: &Tree, metadata: &Value) -> Vec<Complaint> {
    let mut complaints = dependencies(metadata);
    complaints.extend(words(tree));
    complaints.extend(deletions(tree));
    complaints.extend(names(tree));
    complaints.extend(documents(tree));
    complaints
}

fn dependencies(metadata: &Value) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    for package in metadata["packages"].as_array().into_iter().flatten() {
        let name = package["name"].as_str().unwrap_or_default();
        for dependency in package["dependencies"].as_array().into_iter().flatten() {
            let target = dependency["name"].as_str().unwrap_or_default();
            if dependency["kind"] == "dev" {
                continue;
            }
            let is_misplaced =
                DEPENDENCIES.iter().any(|(banned, crates)| *banned == target && !crates.contains(&name));
            if is_misplaced || (PURE.contains(&name) && IMPURE_DEPENDENCIES.contains(&target)) {
                complaints.push(Complaint::new(
                    format!("crates/{name}/Cargo.toml"),
                    format!("`{name}` may not depend on `{target}`"),
                ));
            }
        }
    }
    complaints
}

fn words(tree: &Tree) -> Vec<Complaint> {
    // Written in two parts, or this file would be its own finding.
    let unfinished = concat!("FIX", "ME");
    let mut complaints = Vec::new();
    for (path, file) in tree.rust() {
        if let Some(at) = file.text.find(unfinished) {
            let place = format!("{path}:{}", line_of(&file.text, at));
            complaints
                .push(Complaint::new(place, format!("has a {unfinished}; hint: mend it, or file an issue")));
        }
        let owner = path.strip_prefix("crates/").and_then(|rest| rest.split('/').next());
        for word in WORDS {
            let code = match (&word.scope, owner) {
                (_, Some(owner)) if word.crates.contains(&owner) => continue,
                (Scope::ProductOnly, None) => continue,
                (Scope::ProductOnly, Some(_)) => without_tests(path, &file.code),
                (Scope::Everywhere, _) => file.code.as_str(),
            };
            for (spelling, at) in
                word.words.iter().flat_map(|w| find_word(code, w).into_iter().map(move |at| (w, at)))
            {
                let place = format!("{path}:{}", line_of(code, at));
                complaints.push(Complaint::new(place, format!("has `{spelling}`; hint: {}", word.hint)));
            }
        }
    }
    complaints
}

/// Tests close a file, so what comes before them is the product.
fn without_tests<'a>(path: &str, code: &'a str) -> &'a str {
    if path.contains("/tests/") || path.ends_with("/tests.rs") || path.ends_with("/conformance.rs") {
        return "";
    }
    let end =
        ["#[cfg(test)]\nmod tests", "#[cfg(test)]\npub mod tests", "#[cfg(test)]\npub(crate) mod tests"];
    end.iter().filter_map(|start| code.find(start)).min().map_or(code, |at| &code[..at])
}

/// Nothing that others implement can take away what is kept: "Why there is no delete" in docs/ARCHITECTURE.md.
fn deletions(tree: &Tree) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    for (path, file) in tree.rust() {
        for at in find_word(&file.code, "trait") {
            let Some(range) = block(&file.code, at) else { continue };
            for name in ["fn delete", "fn remove"] {
                for inside in file.code[range.clone()].match_indices(name).map(|(inside, _)| inside) {
                    let place = format!("{path}:{}", line_of(&file.code, range.start + inside));
                    let what = format!("a trait has `{name}`; hint: no trait has a delete");
                    complaints.push(Complaint::new(place, what));
                }
            }
        }
    }
    complaints
}

fn names(tree: &Tree) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    for (path, file) in tree.rust() {
        let parts = path.split('/').map(|part| part.trim_end_matches(".rs"));
        let inline = file
            .code
            .lines()
            .filter_map(|line| line.trim().strip_prefix("mod ")?.split([' ', ';', '{']).next());
        for name in parts.chain(inline).filter(|name| NAMES_THAT_SAY_NOTHING.contains(name)) {
            complaints.push(Complaint::new(path, format!("`{name}` says nothing; hint: name what it does")));
        }
    }
    complaints
}

fn documents(tree: &Tree) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    for (path, file) in &tree.files {
        let is_document = path.ends_with(".md") && (path.starts_with("docs/") || path == "README.md");
        let n_lines = file.text.lines().count();
        if is_document && n_lines >= DOCUMENT_MAX_LINES {
            let what = format!("{n_lines} lines; a document stays under {DOCUMENT_MAX_LINES}");
            complaints.push(Complaint::new(path, what));
        }
    }
    let n_packages = tree.text("Cargo.lock").lines().filter(|line| *line == "[[package]]").count();
    if n_packages > LOCK_MAX_PACKAGES {
        let what = format!(
            "{n_packages} packages are more than {LOCK_MAX_PACKAGES}; hint: is the new one worth it?"
        );
        complaints.push(Complaint::new("Cargo.lock", what));
    }
    complaints
}

#[cfg(test)]
mod tests;
