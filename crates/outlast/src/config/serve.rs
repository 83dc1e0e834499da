//! `[serve]`: the server of a team.

use model::ObjectUrl;
use serde::Deserialize;
use toml::Spanned;

use super::Mistake;

/// The server of a team.
#[derive(Debug, Clone, Default)]
pub(crate) struct Serve {
    /// The address under which clients know it, where that is not the one it listens on.
    pub(crate) url: Option<ObjectUrl>,
    /// Whether it lets anybody ask, on whatever address it listens.
    pub(crate) open: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Section {
    url: Option<Spanned<String>>,
    #[serde(default)]
    open: bool,
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
        Ok(Serve { url: self.url.map(read).transpose()?, open: self.open })
    }
}
