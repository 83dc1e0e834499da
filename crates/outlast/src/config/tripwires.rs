//! `[[tripwires]]`: what a person wants to be asked about before the copy of a repository follows.

use mirror::{AllTripwires, Tripwires};
use serde::Deserialize;
use toml::Spanned;

use super::Mistake;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Section {
    repositories: Option<Vec<Spanned<String>>>,
    destroyed_per_hour: Option<u64>,
    destroyed_percent: Option<Spanned<u64>>,
    protected: Option<Vec<String>>,
    shrunk_percent: Option<Spanned<u64>>,
}

/// Checks all of them; the first that name a repository are its own.
pub(super) fn check(sections: Vec<Section>) -> Result<AllTripwires, Mistake> {
    let mut all = AllTripwires::default();
    for section in sections {
        let usual = Tripwires::default();
        let tripwires = Tripwires {
            n_destroyed_max: section.destroyed_per_hour.unwrap_or(usual.n_destroyed_max),
            percent_destroyed_max: percent(section.destroyed_percent, usual.percent_destroyed_max)?,
            protected: section.protected.unwrap_or(usual.protected),
            percent_shrunk_max: percent(section.shrunk_percent, usual.percent_shrunk_max)?,
        };
        let named = section.repositories.map(|names| names.into_iter().map(repository).collect());
        all.add(named.transpose()?.unwrap_or_else(|| vec!["*".to_owned()]), tripwires);
    }
    Ok(all)
}

fn percent(written: Option<Spanned<u64>>, usual: u64) -> Result<u64, Mistake> {
    let Some(written) = written else { return Ok(usual) };
    match *written.get_ref() {
        percent @ 0..=100 => Ok(percent),
        more => Err(Mistake {
            at: written.span(),
            what: format!("{more} is no share of a hundred"),
            hint: "write a number from 0 to 100",
        }),
    }
}

fn repository(name: Spanned<String>) -> Result<String, Mistake> {
    let text = name.get_ref();
    let is_name = text == "*" || text.contains('/') && !text.contains("://") && !text.ends_with(".git");
    if is_name {
        return Ok(name.into_inner());
    }
    Err(Mistake {
        at: name.span(),
        what: format!("`{text}` is no name of a repository"),
        hint: "write host and path, such as `forge.example/acme/app`, or the beginning of one and `*`",
    })
}
