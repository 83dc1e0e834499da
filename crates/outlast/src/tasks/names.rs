//! What the team's server says is a company's by its name. A room asks that server alone for it, and nobody while the server is gone:
//! what it said last is known then.

use std::path::Path;
use std::time::Duration;

use anyhow::anyhow;
use http::{HeaderMap, Method};
use model::{ObjectUrl, Sha256};
use proxy::TeamServer;
use registry::{PrivateNames, PrivateRegistries};

use crate::home::Home;
use crate::peer::{Peer, read};

/// In the home, a file for each server.
const FOLDER: &str = "servers";
/// How long a build waits for what may have changed since, and for what was never heard.
const PATIENCE: (Duration, Duration) = (Duration::from_millis(400), Duration::from_millis(800));

/// Returns the server, where there is one, with what it says, or said last.
pub(crate) async fn learn(home: &Home, server: Option<TeamServer>) -> Option<TeamServer> {
    let server = server?;
    let place = home.path.join(FOLDER).join(format!("{}.json", Sha256::of(server.site.base().as_bytes())));
    let known = known(&place);
    let patience = if known.is_some() { PATIENCE.0 } else { PATIENCE.1 };
    let said = match tokio::time::timeout(patience, ask(home, &server)).await {
        Ok(Ok(said)) => Some(said),
        Ok(Err(error)) => {
            tracing::debug!("the team's server does not say which names are private: {error}");
            None
        }
        Err(_) => None,
    };
    if let Some(said) = said.as_ref().filter(|said| known.as_ref() != Some(said))
        && let Err(error) = write(&place, said)
    {
        tracing::warn!("which names the team's server calls private could not be noted: {error}");
    }
    let names = PrivateRegistries::heard(&said.or(known).unwrap_or_default());
    Some(TeamServer { names, ..server })
}

async fn ask(home: &Home, server: &TeamServer) -> anyhow::Result<Vec<PrivateNames>> {
    let url = ObjectUrl::parse(server.site.base())?;
    let peer = Peer::new(home, &url, server.authorization.clone()).map_err(|failure| anyhow!("{failure}"))?;
    let body = host::http::whole(Vec::new().into());
    let answer = peer.send(Method::GET, server::NAMES_PATH, HeaderMap::new(), body, "read").await?;
    match answer {
        Some(answer) => read(answer).await,
        // One that is older than this has no such page.
        None => Ok(Vec::new()),
    }
}

/// Returns what was said last; nothing where nothing was, or cannot be read.
fn known(place: &Path) -> Option<Vec<PrivateNames>> {
    serde_json::from_slice(&std::fs::read(place).ok()?).ok()
}

fn write(place: &Path, said: &[PrivateNames]) -> std::io::Result<()> {
    if let Some(folder) = place.parent() {
        host::file::create_folder(folder)?;
    }
    host::file::write_atomically(place, &serde_json::to_vec(said)?)
}
