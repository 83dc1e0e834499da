//! `[[block]]`: releases of which nothing is given out, whatever is held.

use proxy::Block;
use serde::Deserialize;
use toml::Spanned;

use super::Mistake;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Section {
    ecosystem: Spanned<String>,
    name: Spanned<String>,
    #[serde(default)]
    versions: Option<Spanned<Vec<String>>>,
    reason: Spanned<String>,
}

pub(super) fn check(sections: Vec<Section>) -> Result<Vec<Block>, Mistake> {
    sections.into_iter().map(Section::check).collect()
}

impl Section {
    fn check(self) -> Result<Block, Mistake> {
        let Self { ecosystem, name, versions, reason } = self;
        let mistake = |at: &Spanned<String>, what: String, hint| Mistake { at: at.span(), what, hint };
        let known = registry::ecosystem(ecosystem.get_ref()).filter(|known| !known.locks().is_empty());
        let hint = "write `npm`, `pypi`, `cargo` or `composer`";
        let no_names = || format!("`{}` has no names that can be blocked", ecosystem.get_ref());
        let known = known.ok_or_else(|| mistake(&ecosystem, no_names(), hint))?;
        // Not every ecosystem tells names; whatever has a blank in it is none of any.
        let tells_names = known.is_name("a") || known.is_name("a/a");
        let is_word =
            !name.get_ref().is_empty() && name.get_ref().bytes().all(|byte| byte.is_ascii_graphic());
        if !is_word || (tells_names && !known.is_name(name.get_ref())) {
            let what = format!("`{}` is no name of {}", name.get_ref(), known.name());
            return Err(mistake(&name, what, "write a whole name, such as `event-stream` or `acme/lib`"));
        }
        if reason.get_ref().trim().is_empty() {
            let what = "a block without a reason says nothing to whoever meets it".to_owned();
            return Err(mistake(&reason, what, "write why, for example the number of an advisory"));
        }
        let versions = match versions {
            Some(versions) if versions.get_ref().is_empty() => {
                return Err(Mistake {
                    at: versions.span(),
                    what: "no version is blocked".to_owned(),
                    hint: "name some, or leave `versions` out to block all",
                });
            }
            versions => versions.map(Spanned::into_inner).unwrap_or_default(),
        };
        Ok(Block { ecosystem: known, name: name.into_inner(), versions, reason: reason.into_inner() })
    }
}
