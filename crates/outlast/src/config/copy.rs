//! `[[copy]]`: where second copies of this home lie.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use toml::Spanned;

use super::Mistake;
use super::limits::rest;

/// A second copy of this home.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Copy {
    /// A folder, or the address of another Outlast's server.
    pub(crate) to: String,
    /// How often a running server brings it up to date.
    pub(crate) every: Duration,
    /// The file that has the token for a server.
    pub(crate) token_file: Option<PathBuf>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Section {
    to: Spanned<String>,
    every: Option<Spanned<String>>,
    token_file: Option<PathBuf>,
}

/// Checks all of them: a place has one copy.
pub(super) fn check(sections: Vec<Section>, folder: &Path) -> Result<Vec<Copy>, Mistake> {
    let mut copies: Vec<Copy> = Vec::with_capacity(sections.len());
    for section in sections {
        let at = section.to.span();
        let copy = section.check(folder)?;
        if copies.iter().any(|other| other.to == copy.to) {
            return Err(Mistake {
                at,
                what: format!("`{}` is a [[copy]] already", copy.to),
                hint: "write one [[copy]] for each place",
            });
        }
        copies.push(copy);
    }
    Ok(copies)
}

impl Section {
    fn check(self, folder: &Path) -> Result<Copy, Mistake> {
        let every = match &self.every {
            None => Duration::from_secs(3600),
            Some(text) => rest(text, "copies", "write at least `1s`; each takes over only what is new")?,
        };
        if self.to.get_ref().contains("://") && self.to.get_ref().contains(['@', '?']) {
            return Err(Mistake {
                at: self.to.span(),
                what: "an address of a second copy has no login and no question mark".to_owned(),
                hint: "write scheme, name and port; the token goes into the file that `token_file` names",
            });
        }
        let to = match self.to.get_ref().contains("://") {
            true => self.to.get_ref().clone(),
            false => folder.join(self.to.get_ref()).display().to_string(),
        };
        Ok(Copy { to, every, token_file: self.token_file.map(|file| folder.join(file)) })
    }
}
