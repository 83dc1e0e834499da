//! `[sync]`: how often a server brings git repositories up to date.

use std::time::Duration;

use serde::Deserialize;
use toml::Spanned;

use super::Mistake;
use super::limits::rest;

/// How repositories are brought up to date.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sync {
    /// How often a server asks for each that is kept. An unchanged one costs a request.
    pub(crate) every: Duration,
}

impl Default for Sync {
    fn default() -> Self {
        Self { every: Duration::from_secs(300) }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Section {
    every: Option<Spanned<String>>,
}

impl Section {
    pub(super) fn check(self) -> Result<Sync, Mistake> {
        let Some(text) = self.every else { return Ok(Sync::default()) };
        let hint = "write at least `1s`; forges limit how often they are asked, and `5m` is often enough";
        Ok(Sync { every: rest(&text, "looks", hint)? })
    }
}
