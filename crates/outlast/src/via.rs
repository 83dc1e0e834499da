//! Which server a room asks first.

use anyhow::anyhow;
use clap::Args;
use model::ObjectUrl;
use registry::Site;

use crate::failure::Failure;

/// What commands with a room understand.
#[derive(Debug, Clone, Args)]
pub(crate) struct Via {
    /// Ask this Outlast server before the hosts themselves
    #[arg(long, value_name = "URL", env = "OUTLAST_SERVER")]
    via: Option<String>,
}

impl Via {
    /// Returns the server, if one is named.
    pub(crate) fn site(&self) -> Result<Option<Site>, Failure> {
        // An empty variable is how some shells and pipelines unset it.
        let Some(text) = self.via.as_ref().filter(|text| !text.is_empty()) else { return Ok(None) };
        let url = ObjectUrl::parse(text).ok().filter(|url| !url.path_and_query().contains('?'));
        let url = url.ok_or_else(|| {
            Failure::usage(anyhow!("`{text}` is not an address of a server"))
                .hint("write --via or OUTLAST_SERVER as its first line of output has it: `http://HOST:PORT`")
        })?;
        Ok(Some(Site::new(&url)))
    }
}
