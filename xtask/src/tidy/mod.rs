//! Checks what no compiler checks. Every rule has a folder or file here, and a test that it finds what it forbids.

mod ban;
mod code;
mod layers;
mod lists;
mod sizes;
mod tree;

use std::fmt;

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::step;
use tree::Tree;

/// One thing that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Complaint {
    /// A file, with a line where there is one.
    pub(crate) place: String,
    /// What is wrong, and what to do.
    pub(crate) what: String,
}

impl Complaint {
    pub(crate) fn new(place: impl Into<String>, what: impl Into<String>) -> Self {
        Self { place: place.into(), what: what.into() }
    }
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.what)
    }
}

/// Runs every rule over the workspace.
pub(crate) fn run(arguments: &[&str]) -> Result<()> {
    let root = step::root();
    let metadata =
        step::output(&mut step::cargo(&["metadata", "--no-deps", "--format-version", "1", "--offline"]))?;
    let metadata: Value = serde_json::from_str(&metadata).context("`cargo metadata` answered no JSON")?;
    let tree = Tree::read(root)?;
    if arguments.contains(&"--write") {
        return sizes::lower(root, &tree);
    }
    let complaints = check(&tree, &metadata);
    for complaint in &complaints {
        eprintln!("{complaint}");
    }
    match complaints.len() {
        0 => eprintln!("tidy: {} files are as they should be", tree.files.len()),
        n => bail!("tidy: {n} things are not as they should be"),
    }
    Ok(())
}

fn check(tree: &Tree, metadata: &Value) -> Vec<Complaint> {
    let document = tree.text("docs/ARCHITECTURE.md");
    let mut complaints = layers::check(document, metadata);
    complaints.extend(sizes::check(tree, tree.text(sizes::RATCHET)));
    complaints.extend(lists::check(tree));
    complaints.extend(ban::check(tree, metadata));
    complaints
}

/// Reads the workspace of a made-up folder, for tests of rules.
#[cfg(test)]
pub(crate) fn made_up(files: &[(&str, &str)]) -> Tree {
    let folder = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    Tree::read(folder.path()).unwrap()
}
