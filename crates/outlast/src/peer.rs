//! Another Outlast's server, asked by this one on behalf of a person.

use std::fmt;

use anyhow::{Context as _, anyhow, bail};
use host::http::{Client, Outgoing};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use model::{ObjectUrl, SafeUrl, Secret};
use serde::de::DeserializeOwned;

use crate::failure::Failure;
use crate::home::Home;
use crate::speak;
use crate::wiring;

/// The longest answer that is no blob.
const ANSWER_BYTES_MAX: usize = 64 << 20;
/// How much of a server's words is shown.
const N_LETTERS_MAX: usize = 300;

/// A server.
#[derive(Debug)]
pub(crate) struct Peer {
    base: String,
    client: Client,
    authorization: Option<Secret<HeaderValue>>,
}

impl Peer {
    pub(crate) fn new(
        home: &Home,
        url: &ObjectUrl,
        authorization: Option<Secret<HeaderValue>>,
    ) -> Result<Self, Failure> {
        let base = url.as_str().trim_end_matches('/').to_owned();
        let client = wiring::client(home, &wiring::trust()?, Some(url.clone()))?;
        Ok(Self { base, client, authorization })
    }

    /// Returns its address.
    pub(crate) fn place(&self) -> &str {
        &self.base
    }

    /// Asks, and waits for the head of the answer; nothing for 404, an error for any other that is no success. `scope` is what
    /// a token must allow.
    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        mut headers: HeaderMap,
        body: Outgoing,
        scope: &str,
    ) -> anyhow::Result<Option<Response<Incoming>>> {
        let url = SafeUrl::parse(&format!("{}{path}", self.base))?;
        headers
            .extend(self.authorization.as_ref().map(|value| (header::AUTHORIZATION, value.expose().clone())));
        let request = host::http::request(method, &url, headers, body)?;
        // A person named this server, wherever it is.
        let response = self.client.send_for_command(request).await?;
        match response.status() {
            status if status.is_success() => Ok(Some(response)),
            StatusCode::NOT_FOUND => Ok(None),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => bail!(
                "it wants a token that allows this: `outlast token add NAME --scope {scope}` there; here it goes into OUTLAST_TOKEN, or for a \
                 second copy into the file that `token_file` of its [[copy]] names"
            ),
            status => {
                let said: serde_json::Value = read(response).await.unwrap_or_default();
                // It may be anybody's text.
                let word =
                    |name: &str| speak::in_line(said[name].as_str().unwrap_or("nothing more"), N_LETTERS_MAX);
                Err(Refused { status: status.as_u16(), kind: word("error"), reason: word("reason") }.into())
            }
        }
    }
}

/// What a server said in place of an answer.
#[derive(Debug)]
pub(crate) struct Refused {
    status: u16,
    /// The word for programs.
    pub(crate) kind: String,
    reason: String,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "it answered with status {}: {}", self.status, self.reason)
    }
}

impl std::error::Error for Refused {}

/// Reads an answer of Outlast's own.
pub(crate) async fn read<T: DeserializeOwned>(response: Response<Incoming>) -> anyhow::Result<T> {
    let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await;
    let bytes = body.map_err(|error| anyhow!(error))?.to_bytes();
    serde_json::from_slice(&bytes).context("its answer is none of Outlast's")
}
