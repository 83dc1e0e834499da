//! Crates that a real cargo builds with.

use bytes::Bytes;
use ring::digest;
use serde_json::{Value, json};

use crate::Answer;
use crate::archive::{hex, tar_gz};
use crate::npm::tagged;

/// One version of a crate.
#[derive(Debug, Clone)]
pub struct Crate {
    name: String,
    version: String,
    dependencies: Vec<(String, String)>,
    lib: String,
    yanked: Yanked,
}

/// Whether a version may still be chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Yanked {
    Yes,
    No,
}

/// Returns a crate whose library says its name and version.
pub fn crate_(name: &str, version: &str) -> Crate {
    let lib = format!("pub fn hello() -> &'static str {{ \"{name} {version}\" }}\n");
    Crate {
        name: name.to_owned(),
        version: version.to_owned(),
        dependencies: Vec::new(),
        lib,
        yanked: Yanked::No,
    }
}

impl Crate {
    /// Adds a dependency with its requirement.
    #[must_use]
    pub fn depends(mut self, name: &str, requirement: &str) -> Self {
        self.dependencies.push((name.to_owned(), requirement.to_owned()));
        self
    }

    /// Yanks it: listed, but for old locks only.
    #[must_use]
    pub fn yanked(mut self) -> Self {
        self.yanked = Yanked::Yes;
        self
    }

    /// Sets what is in src/lib.rs; with a crate that was served before, this is how it is published with other bytes.
    #[must_use]
    pub fn lib(mut self, text: &str) -> Self {
        text.clone_into(&mut self.lib);
        self
    }

    /// Returns the bytes of the .crate file.
    pub fn file(&self) -> Bytes {
        let mut manifest = format!(
            "[package]\nname = \"{}\"\nversion = \"{}\"\nedition = \"2021\"\n",
            self.name, self.version
        );
        manifest.push_str("[dependencies]\n");
        for (name, requirement) in &self.dependencies {
            manifest.push_str(&format!("{name} = \"{requirement}\"\n"));
        }
        let folder = format!("{}-{}", self.name, self.version);
        tar_gz(&folder, &[("Cargo.toml", &manifest), ("src/lib.rs", &self.lib)]).into()
    }

    /// Returns the `cksum` of the index.
    pub fn checksum(&self) -> String {
        hex(digest::digest(&digest::SHA256, &self.file()).as_ref())
    }

    /// Returns the line of the sparse index, without its line end.
    pub fn line(&self) -> String {
        let dependencies: Vec<Value> =
            self.dependencies.iter().map(|(name, requirement)| dependency(name, requirement)).collect();
        let line = json!({
            "name": self.name, "vers": self.version, "deps": dependencies, "cksum": self.checksum(),
            "features": {}, "yanked": self.yanked == Yanked::Yes,
        });
        line.to_string()
    }

    /// Returns the path below the `dl` address, as crates.io has it.
    pub fn file_path(&self) -> String {
        format!("/crates/{}/{}/download", self.name, self.version)
    }
}

fn dependency(name: &str, requirement: &str) -> Value {
    json!({
        "name": name, "req": requirement, "features": [], "optional": false, "default_features": true,
        "target": null, "kind": "normal",
    })
}

/// Returns the path of a crate in a sparse index.
pub fn index_path(name: &str) -> String {
    let lower = name.to_lowercase();
    match lower.len() {
        1 => format!("/1/{lower}"),
        2 => format!("/2/{lower}"),
        3 => format!("/3/{}/{lower}", &lower[..1]),
        _ => format!("/{}/{}/{lower}", &lower[..2], &lower[2..4]),
    }
}

/// Returns what an index host and a crates host answer: (host, path, answer).
pub(crate) fn answers(
    index_host: &str,
    crates_host: &str,
    crates: &[Crate],
) -> Vec<(String, String, Answer)> {
    let config = json!({ "dl": format!("https://{crates_host}/crates"), "api": "https://crates.io" });
    let mut answers =
        vec![(index_host.to_owned(), "/config.json".to_owned(), tagged(Answer::json(config.to_string())))];
    for one in crates {
        answers.push((crates_host.to_owned(), one.file_path(), tagged(Answer::file(one.file()))));
        let lines: String =
            crates.iter().filter(|other| other.name == one.name).map(|other| other.line() + "\n").collect();
        answers.push((index_host.to_owned(), index_path(&one.name), tagged(Answer::text(lines))));
    }
    answers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crate_lies_where_cargo_looks() {
        let check = |name: &str, expected: &str| assert_eq!(index_path(name), expected, "{name}");
        check("a", "/1/a");
        check("ab", "/2/ab");
        check("abc", "/3/a/abc");
        check("Serde_json", "/se/rd/serde_json");
    }
}
