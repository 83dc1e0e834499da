//! `[[tripwires]]`: what a person wants to be asked about before the copy of a repository follows.

use mirror::{AllTripwires, Tripwires};
use model::RepoId;
use serde::Deserialize;
use toml::Spanned;

use super::Mistake;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Section {
    repositories: Option<Vec<Spanned<String>>>,
    destroyed_per_hour: Option<u64>,
    destroyed_percent: Option<Spanned<u64>>,
    protected: Option<Vec<Spanned<String>>>,
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
            protected: match section.protected {
                Some(names) => names.into_iter().map(branch).collect::<Result<_, _>>()?,
                None => usual.protected,
            },
            percent_shrunk_max: percent(section.shrunk_percent, usual.percent_shrunk_max)?,
        };
        let names = section.repositories.map(|names| names.into_iter().map(repository).collect());
        all.add(names.transpose()?.unwrap_or_else(|| vec!["*".to_owned()]), tripwires);
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
    let is_name = match text.strip_suffix('*') {
        Some("") => true,
        // A host without a path is one as well: all of its repositories.
        Some(beginning) => {
            RepoId::from_name(&format!("{beginning}a/a")).is_ok_and(|it| it.as_str().starts_with(beginning))
        }
        None => RepoId::from_name(text).is_ok_and(|repo| repo.as_str() == text),
    };
    if is_name && !text.trim_end_matches('*').contains('*') {
        return Ok(name.into_inner());
    }
    Err(Mistake {
        at: name.span(),
        what: format!("`{text}` is no name of a repository"),
        hint: "write host and path, such as `forge.example/acme/app`, or the beginning of one and `*`",
    })
}

fn branch(name: Spanned<String>) -> Result<String, Mistake> {
    let text = name.get_ref();
    let beginning = text.strip_suffix('*').unwrap_or(text);
    if text.is_empty() || beginning.contains('*') || beginning.starts_with("refs/") {
        return Err(Mistake {
            at: name.span(),
            what: format!("`{text}` is no name of a branch"),
            hint: "write it without `refs/heads/`, such as `main`, or the beginning of one and `*`, such as `release/*`",
        });
    }
    Ok(name.into_inner())
}
