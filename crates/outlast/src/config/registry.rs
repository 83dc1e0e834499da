//! `[[registry]]`: a company's own registries, and the names that are asked for there and nowhere else.

use registry::{BadRegistry, PrivateRegistries, PrivateRegistry};
use serde::Deserialize;
use toml::Spanned;

use super::Mistake;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Section {
    ecosystem: Spanned<String>,
    url: Spanned<String>,
    names: Spanned<Vec<Spanned<String>>>,
}

/// Checks all of them: a name is asked for at one registry.
pub(super) fn check(sections: Vec<Section>) -> Result<PrivateRegistries, Mistake> {
    let mut registries = PrivateRegistries::default();
    for Section { ecosystem, url, names } in sections {
        let known = registry::ecosystem(ecosystem.get_ref());
        let bad_name = BadRegistry::Ecosystem { ecosystem: ecosystem.get_ref().clone() };
        let known = known.ok_or_else(|| mistake(&ecosystem, &bad_name))?;
        let registry = PrivateRegistry::new(known, url.get_ref()).map_err(|error| match error {
            BadRegistry::Ecosystem { .. } => mistake(&ecosystem, &error),
            _ => mistake(&url, &error),
        })?;
        registries.add(registry);
        if names.get_ref().is_empty() {
            return Err(Mistake {
                at: names.span(),
                what: "a registry without names is never asked".to_owned(),
                hint: "write which names it alone is asked for, for example `names = [\"@acme/*\"]`",
            });
        }
        for name in names.into_inner() {
            registries.name(name.get_ref()).map_err(|error| mistake(&name, &error))?;
        }
    }
    Ok(registries)
}

fn mistake<T>(at: &Spanned<T>, error: &BadRegistry) -> Mistake {
    let hint = match error {
        BadRegistry::Ecosystem { .. } => {
            "write `npm`, `pypi` or `composer`; what lies at any other host is at `/files/HOST/` of a server, with the \
             `credentials_file` of its [[upstream]]"
        }
        BadRegistry::Url { .. } => {
            "write what its clients have in their settings, with `https://`, for PyPI with `/simple/` at its end; where it \
             really is elsewhere, an [[upstream]] with `url` says so"
        }
        BadRegistry::Pattern { .. } => {
            "write a whole name, or the beginning of names and one `*` behind it: `@acme/*`, `acme-*`, `acme/*`"
        }
        BadRegistry::Twice { .. } => "a name is asked for at one registry: take it out of the other",
    };
    Mistake { at: at.span(), what: error.to_string(), hint }
}
