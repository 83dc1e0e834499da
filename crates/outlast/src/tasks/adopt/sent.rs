//! Locks that travel: from a machine that has a project to the server that is to keep what it needs. What that does with them
//! is next door.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use host::http::{Method, whole};
use http::{HeaderMap, HeaderValue};
use hyper::body::Bytes;
use proxy::TeamServer;
use serde::Deserialize;
use server::AdoptRequest;

use super::{Report, Thing};
use crate::failure::Failure;
use crate::home::Home;
use crate::peer::{self, Peer};
use crate::project;

/// Where a server takes locks.
const PATH: &str = "/adopt";
/// How long a server may take for a large project that it fetches from slow hosts.
const PATIENCE: Duration = Duration::from_secs(3600);
/// How long a run waits at its end for a server to take its locks: what it keeps of them is its own affair.
const PATIENCE_AFTER_RUN: Duration = Duration::from_secs(2);
/// How long it may take to answer a question that costs it nothing: nobody waits at the end of a build for one that is deaf.
const SIGN_OF_LIFE: Duration = Duration::from_millis(500);
/// What a server answers.
#[derive(Debug, Deserialize)]
struct Answered {
    state: State,
    report: Option<Report>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum State {
    Known,
    WantsTexts,
    Begun,
    Done,
}

/// Has a server keep what things need, and returns what became of it.
pub(crate) async fn at_server(
    home: &Home,
    server: &TeamServer,
    things: Vec<Thing>,
) -> Result<Report, Failure> {
    let peer = peer_of(home, server)?;
    let mut report = Report::default();
    for thing in things {
        let request = thing.to_send(true)?;
        let failed = |error: anyhow::Error| {
            let error = error.context(format!("`{}` did not adopt `{}`", peer.place(), thing.name));
            Failure::no(error)
                .hint("look at that server, and at the token in OUTLAST_TOKEN; then run it again")
        };
        let asked = tokio::time::timeout(PATIENCE, ask(&peer, &request, HeaderMap::new())).await;
        let answered = asked.map_err(|_| anyhow!("it took more than an hour")).flatten().map_err(failed)?;
        report.add(answered.report.unwrap_or_else(|| thing.known()));
    }
    Ok(report)
}

/// Tells a server at the end of a run which locks the project has now. It is no part of the run: what fails, fails quietly.
pub(crate) async fn tell(home: &Home, server: &TeamServer, directory: &Path) {
    let root = project::root(directory);
    let telling = async {
        let thing = Thing::find(&root.display().to_string()).map_err(|failure| anyhow!("{failure}"))?;
        let peer = peer_of(home, server).map_err(|failure| anyhow!("{failure}"))?;
        let sign = peer.send(Method::GET, "/healthz", HeaderMap::new(), whole(Bytes::new()), "read");
        tokio::time::timeout(SIGN_OF_LIFE, sign).await.map_err(|_| anyhow!("it gives no sign of life"))??;
        let send = async |with_texts| {
            let request = thing.to_send(with_texts).map_err(|failure| anyhow!("{failure}"))?;
            let headers = HeaderMap::from_iter([(
                http::HeaderName::from_static("prefer"),
                HeaderValue::from_static("respond-async"),
            )]);
            ask(&peer, &request, headers).await
        };
        if send(false).await?.state == State::WantsTexts {
            send(true).await?;
        }
        anyhow::Ok(())
    };
    match tokio::time::timeout(PATIENCE_AFTER_RUN, telling).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::info!("the server was not told of the locks: {error:#}"),
        Err(_) => tracing::info!("the server did not take the locks in time"),
    }
}

fn peer_of(home: &Home, server: &TeamServer) -> Result<Peer, Failure> {
    let url = model::ObjectUrl::parse(server.site.base()).map_err(Failure::no)?;
    Peer::new(home, &url, server.authorization.clone())
}

async fn ask(peer: &Peer, request: &AdoptRequest, headers: HeaderMap) -> anyhow::Result<Answered> {
    let body = whole(serde_json::to_vec(request)?.into());
    let response = peer.send(Method::POST, PATH, headers, body, "adopt").await?;
    peer::read(response.context("it takes no locks")?).await
}
