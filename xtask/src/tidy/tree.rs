//! The files of the workspace, read once.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::Result;

use super::code::blank;

/// Folders with nothing of our own to check.
const SKIPPED: &[&str] = &["target", ".git", "node_modules", "testdata"];
const KINDS: &[&str] = &["rs", "md", "txt", "toml", "lock"];

/// One file.
#[derive(Debug)]
pub(crate) struct File {
    /// As it is.
    pub(crate) text: String,
    /// Rust without comments and the insides of literals, line for line; empty for other files.
    pub(crate) code: String,
}

/// Every file by its path from the workspace, with `/` between folders.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    pub(crate) files: BTreeMap<String, File>,
}

impl Tree {
    /// Reads what can be checked below a folder.
    pub(crate) fn read(root: &Path) -> Result<Self> {
        let mut tree = Self::default();
        tree.walk(root, "")?;
        Ok(tree)
    }

    fn walk(&mut self, folder: &Path, prefix: &str) -> Result<()> {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = format!("{prefix}{name}");
            let kind = entry.file_type()?;
            if kind.is_dir() && !SKIPPED.contains(&name.as_str()) {
                self.walk(&entry.path(), &format!("{path}/"))?;
            } else if kind.is_file() && KINDS.iter().any(|kind| name.ends_with(&format!(".{kind}"))) {
                let text = fs::read_to_string(entry.path())?;
                let code = if name.ends_with(".rs") { blank(&text) } else { String::new() };
                self.files.insert(path, File { text, code });
            }
        }
        Ok(())
    }

    /// Returns a file's text, empty where there is none.
    pub(crate) fn text(&self, path: &str) -> &str {
        self.files.get(path).map_or("", |file| &file.text)
    }

    /// Returns the Rust files, the example project's apart.
    pub(crate) fn rust(&self) -> impl Iterator<Item = (&str, &File)> {
        let files = self.files.iter().map(|(path, file)| (path.as_str(), file));
        files.filter(|(path, _)| path.ends_with(".rs") && !path.starts_with("examples/"))
    }
}
