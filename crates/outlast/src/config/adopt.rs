//! `[adopt]`: what a server keeps up to date by itself.

use std::path::Path;
use std::time::Duration;

use serde::Deserialize;
use toml::Spanned;

use super::Mistake;
use super::limits::rest;

/// What a server keeps up to date by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Adopt {
    /// Locks, folders and addresses, as on the command line of `outlast adopt`.
    pub(crate) things: Vec<String>,
    /// How often they are looked at.
    pub(crate) every: Duration,
}

impl Default for Adopt {
    fn default() -> Self {
        Self { things: Vec::new(), every: Duration::from_secs(6 * 3600) }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Section {
    #[serde(default)]
    things: Vec<String>,
    every: Option<Spanned<String>>,
}

impl Section {
    pub(super) fn check(self, folder: &Path) -> Result<Adopt, Mistake> {
        let mut adopt = Adopt::default();
        if let Some(text) = self.every {
            let hint = "write at least `1s`; locks are looked at often enough with `6h`";
            adopt.every = rest(&text, "looks", hint)?;
        }
        let placed = |thing: String| match thing.contains("://") {
            true => thing,
            false => folder.join(thing).display().to_string(),
        };
        adopt.things = self.things.into_iter().map(placed).collect();
        Ok(adopt)
    }
}
