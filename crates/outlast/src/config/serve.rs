//! `[serve]`: the server of a team.

use model::ObjectUrl;
use serde::Deserialize;
use server::Pace;
use toml::Spanned;

use super::Mistake;

/// After a rest a client may ask as much at once as in so many seconds, unless told.
const AT_ONCE_S: u32 = 5;

/// The server of a team.
#[derive(Debug, Clone, Default)]
pub(crate) struct Serve {
    /// The address under which clients know it, where that is not the one it listens on.
    pub(crate) url: Option<ObjectUrl>,
    /// Whether it lets anybody ask, on whatever address it listens.
    pub(crate) open: bool,
    /// How often each client may ask, where something was said.
    pub(crate) pace: Option<Pace>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Section {
    url: Option<Spanned<String>>,
    #[serde(default)]
    open: bool,
    requests_per_second: Option<u32>,
    requests_at_once: Option<Spanned<u32>>,
}

impl Section {
    pub(super) fn check(self) -> Result<Serve, Mistake> {
        let read = |url: Spanned<String>| {
            let at = url.span();
            let is_plain = |url: &ObjectUrl| !url.path_and_query().contains('?');
            ObjectUrl::parse(url.get_ref()).ok().filter(is_plain).ok_or_else(|| Mistake {
                at,
                what: format!("`{}` is not an address of a server", url.get_ref()),
                hint: "write it as clients do: `https://outlast.example`",
            })
        };
        let pace = match (self.requests_per_second, self.requests_at_once) {
            (None, Some(at_once)) => {
                return Err(Mistake {
                    at: at_once.span(),
                    what: "`requests_at_once` is for a client that may ask so often, and `requests_per_second` does not say how often"
                        .to_owned(),
                    hint: "write both, or neither",
                });
            }
            (None, None) => None,
            (Some(0), _) => Some(Pace { per_second: u32::MAX, at_once: u32::MAX }),
            (Some(per_second), at_once) => {
                let at_once = at_once.map_or(per_second.saturating_mul(AT_ONCE_S), Spanned::into_inner);
                Some(Pace { per_second, at_once: at_once.max(1) })
            }
        };
        Ok(Serve { url: self.url.map(read).transpose()?, open: self.open, pace })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pace_is_what_was_said_or_nothing() {
        let read = |text: &str| toml::from_str::<Section>(text).unwrap().check().map(|serve| serve.pace);
        let check = |text: &str, expected: Option<(u32, u32)>| {
            let pace = expected.map(|(per_second, at_once)| Pace { per_second, at_once });
            assert_eq!(read(text).unwrap(), pace, "{text}");
        };
        check("", None);
        check("requests_per_second = 10", Some((10, 50)));
        check("requests_per_second = 10\nrequests_at_once = 0", Some((10, 1)));
        check("requests_per_second = 10\nrequests_at_once = 7", Some((10, 7)));
        check("requests_per_second = 0", Some((u32::MAX, u32::MAX)));
        assert!(read("requests_at_once = 7").is_err());
    }
}
