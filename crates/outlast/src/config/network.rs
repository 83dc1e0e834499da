//! `[network]`: which addresses Outlast may ask besides public ones.

use host::http::Network;
use serde::Deserialize;
use toml::Spanned;

use super::Mistake;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Section {
    #[serde(default)]
    allow: Vec<Spanned<String>>,
}

impl Section {
    pub(super) fn check(self) -> Result<Vec<Network>, Mistake> {
        let parse = |text: Spanned<String>| {
            text.get_ref().parse().map_err(|error: host::http::NetworkError| Mistake {
                at: text.span(),
                what: error.to_string(),
                hint: "write an address, or a range such as `10.20.0.0/16`",
            })
        };
        self.allow.into_iter().map(parse).collect()
    }
}
