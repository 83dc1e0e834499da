//! Another Outlast's server: its address, and what lets in there. Both are read here, as a person wrote them, and nowhere else.

use anyhow::anyhow;
use http::HeaderValue;
use model::{ObjectUrl, Secret};
use proxy::TeamServer;
use registry::{PrivateRegistries, Site};

use crate::failure::Failure;

/// Has the token for a server. No command in a room sees it.
pub(crate) const TOKEN: &str = "OUTLAST_TOKEN";

/// Reads which server a room asks first. None, where nothing is written: so do some shells and pipelines unset a variable.
pub(crate) fn server(text: Option<&str>) -> Result<Option<TeamServer>, Failure> {
    let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(None) };
    let site = Site::new(&server_address(text)?);
    Ok(Some(TeamServer { site, authorization: token()?, names: PrivateRegistries::default() }))
}

/// Reads the address of a server.
pub(crate) fn server_address(text: &str) -> Result<ObjectUrl, Failure> {
    let is_plain = |url: &ObjectUrl| !url.path_and_query().contains('?') && !text.contains('@');
    ObjectUrl::parse(text).ok().filter(is_plain).ok_or_else(|| {
        Failure::usage(anyhow!("that is no address of a server")).hint(
            "write it as that server's first line of output has it, `http://HOST:PORT`; a token goes into OUTLAST_TOKEN, or for \
             a second copy into the file that `token_file` of its [[copy]] names",
        )
    })
}

/// Returns the token in the environment, as it is sent.
#[expect(clippy::disallowed_methods, reason = "the rim reads the environment")]
pub(crate) fn token() -> Result<Option<Secret<HeaderValue>>, Failure> {
    std::env::var_os(TOKEN).map_or(Ok(None), |text| bearer(text.as_encoded_bytes(), TOKEN))
}

/// Reads a token, and returns it as it is sent; nothing where there is none. `place` is where it was written.
pub(crate) fn bearer(text: &[u8], place: &str) -> Result<Option<Secret<HeaderValue>>, Failure> {
    let token = text.trim_ascii();
    if token.is_empty() {
        return Ok(None);
    }
    let mut value = HeaderValue::from_bytes(&[b"Bearer ", token].concat()).map_err(|_| no_token(place))?;
    value.set_sensitive(true);
    Ok(Some(Secret::new(value)))
}

/// Says that a place has something else than a token.
pub(crate) fn no_token(place: &str) -> Failure {
    Failure::usage(anyhow!("what is in `{place}` is no token"))
        .hint("write the token alone, as `outlast token add` printed it")
}
