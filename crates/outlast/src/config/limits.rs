//! `[limits]`: how long things hold.

use std::time::Duration;

use serde::Deserialize;
use toml::Spanned;

use super::Mistake;

/// How long things hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Limits {
    /// How long an index is served without asking upstream.
    pub(crate) index_fresh_for: Duration,
    /// How long a drill's proof lasts.
    pub(crate) proved_for: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { index_fresh_for: Duration::from_secs(120), proved_for: Duration::from_secs(30 * 86_400) }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Section {
    index_fresh_for: Option<Spanned<String>>,
    proved_for: Option<Spanned<String>>,
}

impl Section {
    pub(super) fn check(self) -> Result<Limits, Mistake> {
        let mut limits = Limits::default();
        if let Some(text) = self.index_fresh_for {
            limits.index_fresh_for = duration(&text)?;
        }
        if let Some(text) = self.proved_for {
            limits.proved_for = duration(&text)?;
        }
        Ok(limits)
    }
}

pub(super) fn duration(text: &Spanned<String>) -> Result<Duration, Mistake> {
    drill::parse_duration(text.get_ref()).map_err(|error| Mistake {
        at: text.span(),
        what: error.to_string(),
        hint: "write a number and a unit, such as `90s`, `15m`, `2h` or `30d`",
    })
}

/// Reads how long to rest between two of something, a second at least.
pub(super) fn rest(text: &Spanned<String>, between: &str, hint: &'static str) -> Result<Duration, Mistake> {
    let every = duration(text)?;
    if every < Duration::from_secs(1) {
        let what = format!("`{}` is no time to rest between two {between}", text.get_ref());
        return Err(Mistake { at: text.span(), what, hint });
    }
    Ok(every)
}
