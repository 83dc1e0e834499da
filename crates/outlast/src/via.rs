//! Which server a room asks first.

use anyhow::anyhow;
use model::{ObjectUrl, Secret};
use proxy::TeamServer;
use registry::Site;

use crate::failure::Failure;

/// Has the token for a server. No command in a room sees it.
pub(crate) const TOKEN: &str = "OUTLAST_TOKEN";

/// Reads the address of a team's server. Nothing, where it is empty: so do some shells and pipelines unset a variable.
pub(crate) fn server(text: Option<&str>) -> Result<Option<TeamServer>, Failure> {
    let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(None) };
    let is_plain = |url: &ObjectUrl| !url.path_and_query().contains('?') && !text.contains('@');
    let url = ObjectUrl::parse(text).ok().filter(is_plain).ok_or_else(|| {
        Failure::usage(anyhow!("that is no address of a server"))
            .hint("write it as the server's first line of output has it, `http://HOST:PORT`; a token goes into OUTLAST_TOKEN")
    })?;
    Ok(Some(TeamServer { site: Site::new(&url), token: token() }))
}

/// Returns the token in the environment.
#[expect(clippy::disallowed_methods, reason = "the rim reads the environment")]
pub(crate) fn token() -> Option<Secret<String>> {
    std::env::var(TOKEN).ok().filter(|token| !token.is_empty()).map(Secret::new)
}
