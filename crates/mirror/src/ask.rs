//! Asking an upstream: what it can do, which refs it has, and for objects.

use std::io::Write;

use bytes::Bytes;
use git::{
    FetchAnswer, FetchRequest, LISTING_BYTES_MAX, Listed, Listing, ProtocolError, Speech, Spoken, TakeError,
    listing_request,
};
use host::http::{Client, FetchError, HeaderMap, HeaderValue, Incoming, Keyring, Method, StatusCode, header};
use http::Response;
use model::RepoId;

use crate::address::Address;
use crate::pace::{Body, Patience};

/// Why an upstream gave nothing that can be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Trouble {
    /// It says that there is no such repository, or none for us; what is held stays as it is.
    #[error("{reason}")]
    Absent {
        /// What it says.
        reason: String,
    },
    /// Nobody at its host could be asked; later they may be.
    #[error("{reason}")]
    Silent {
        /// Why.
        reason: String,
    },
    /// It could not be asked; later it may be.
    #[error("{reason}")]
    Unavailable {
        /// Why.
        reason: String,
    },
    /// What it gave cannot be the repository.
    #[error("{reason}")]
    Bad {
        /// What is wrong.
        reason: String,
    },
    /// It is no fault of the upstream's.
    #[error("what came could not be written; free space or mend the disk")]
    Disk(#[source] std::io::Error),
}

impl From<FetchError> for Trouble {
    fn from(error: FetchError) -> Self {
        let because =
            std::error::Error::source(&error).map(|source| format!(": {source}")).unwrap_or_default();
        Self::Silent { reason: format!("{error}{because}") }
    }
}

impl From<ProtocolError> for Trouble {
    fn from(error: ProtocolError) -> Self {
        match error {
            // It may have been cut off, and may answer whole next time.
            ProtocolError::Short | ProtocolError::Said { .. } => {
                Self::Unavailable { reason: error.to_string() }
            }
            error => Self::Bad { reason: error.to_string() },
        }
    }
}

/// One repository at its upstream.
#[derive(Debug)]
pub(crate) struct Upstream<'a> {
    pub(crate) client: &'a Client,
    pub(crate) address: &'a Address,
    /// Whether a command asks, which may go wherever it would go without Outlast.
    pub(crate) is_for_command: bool,
    /// What lets Outlast in.
    pub(crate) keyring: &'a Keyring,
    pub(crate) patience: Patience,
}

impl Upstream<'_> {
    /// Asks how the server speaks, and, where it lists them at once, for all refs.
    pub(crate) async fn spoken(&self) -> Result<Spoken, Trouble> {
        let path = "info/refs?service=git-upload-pack";
        let mut body =
            self.send(Method::GET, path, "application/x-git-upload-pack-advertisement", Vec::new()).await?;
        let mut answer = Vec::new();
        while let Some(bytes) = body.next().await? {
            answer.extend_from_slice(&bytes);
            if answer.len() > LISTING_BYTES_MAX {
                return Err(Trouble::Bad { reason: format!("it lists more than {LISTING_BYTES_MAX} bytes") });
            }
        }
        Ok(Spoken::read(&answer)?)
    }

    /// Asks for all refs.
    pub(crate) async fn list(&self, object_format: &str) -> Result<Listed, Trouble> {
        let mut body = self.post(listing_request(object_format)).await?;
        let mut listing = Listing::default();
        while let Some(bytes) = body.next().await? {
            listing.push(&bytes)?;
        }
        Ok(listing.finish()?)
    }

    /// Asks for objects, which are written to `pack`.
    pub(crate) async fn fetch(
        &self,
        request: &FetchRequest<'_>,
        speech: Speech,
        pack: &mut impl Write,
    ) -> Result<(), Trouble> {
        let (asked, mut answer) = match speech {
            Speech::Two => (request.body(), FetchAnswer::default()),
            Speech::Earlier => (request.earlier_body(), FetchAnswer::earlier()),
        };
        let mut body = self.post(asked).await?;
        while let Some(bytes) = body.next().await? {
            answer.push(&bytes, pack).map_err(|error| match error {
                TakeError::Protocol(error) => error.into(),
                TakeError::Write(error) => Trouble::Disk(error),
            })?;
        }
        Ok(answer.finish()?)
    }

    async fn post(&self, body: Vec<u8>) -> Result<Body, Trouble> {
        self.send(Method::POST, "git-upload-pack", "application/x-git-upload-pack-result", body).await
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        accept: &'static str,
        body: Vec<u8>,
    ) -> Result<Body, Trouble> {
        let url =
            self.address.join(path).map_err(|error| Trouble::Unavailable { reason: error.to_string() })?;
        let mut headers = HeaderMap::new();
        headers.insert("git-protocol", HeaderValue::from_static("version=2"));
        headers.insert(
            header::USER_AGENT,
            HeaderValue::from_static(concat!("git/outlast-", env!("CARGO_PKG_VERSION"))),
        );
        headers.insert(header::ACCEPT, HeaderValue::from_static(accept));
        if method == Method::POST {
            let content = HeaderValue::from_static("application/x-git-upload-pack-request");
            headers.insert(header::CONTENT_TYPE, content);
        }
        // Refs and packs are all that is asked for.
        self.keyring.sign_question(&url, &mut headers);
        let request = host::http::request(method, &url, headers, host::http::whole(Bytes::from(body)))?;
        let answer = async {
            match self.is_for_command {
                true => self.client.send_for_command(request).await,
                false => self.client.send_for_outlast(request).await,
            }
        };
        let answer = tokio::time::timeout(self.patience.first_byte, answer).await;
        let answer = answer.map_err(|_| Trouble::Silent {
            reason: format!("it did not answer within {} s", self.patience.first_byte.as_secs()),
        })??;
        self.judge(&answer, accept)?;
        Ok(Body::new(answer.into_body(), self.patience))
    }

    /// Says what an answer's head means for the repository.
    fn judge(&self, answer: &Response<Incoming>, accept: &str) -> Result<(), Trouble> {
        let status = answer.status();
        let absent =
            |what: &str| Err(Trouble::Absent { reason: format!("{what} (status {})", status.as_u16()) });
        match status {
            StatusCode::OK => {}
            StatusCode::NOT_FOUND | StatusCode::GONE => return absent("the upstream has no such repository"),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN if self.has_credentials() => {
                return absent("the upstream refuses Outlast's credentials");
            }
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                return absent(
                    "the upstream lets in only whom it knows; `credentials_file` of its host in outlast.toml lets Outlast in",
                );
            }
            StatusCode::UNAVAILABLE_FOR_LEGAL_REASONS => {
                return absent("the upstream withholds the repository");
            }
            status if status.is_redirection() => return absent(&self.led(answer)),
            status => {
                let reason = format!("it answered with status {}", status.as_u16());
                return Err(match status {
                    StatusCode::TOO_MANY_REQUESTS
                    | StatusCode::BAD_GATEWAY
                    | StatusCode::SERVICE_UNAVAILABLE
                    | StatusCode::GATEWAY_TIMEOUT => Trouble::Silent { reason },
                    _ => Trouble::Unavailable { reason },
                });
            }
        }
        let content = answer.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        if content.is_none_or(|content| !content.starts_with(accept)) {
            // A captive portal, a login page, a forge's page of errors.
            return Err(Trouble::Unavailable {
                reason: "it answered with something else than git's protocol".to_owned(),
            });
        }
        Ok(())
    }

    fn has_credentials(&self) -> bool {
        self.address.join("").is_ok_and(|url| self.keyring.signs(&url))
    }

    /// Says where a redirect leads. It is never followed: whoever owns a name today need not be who owned it yesterday.
    fn led(&self, answer: &Response<Incoming>) -> String {
        let to =
            answer.headers().get(header::LOCATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let to = to.split("/info/refs").next().unwrap_or_default();
        let to = to.strip_suffix("/git-upload-pack").unwrap_or(to);
        match RepoId::parse(to) {
            Ok(repo) if repo == *self.address.repo() => {
                format!("the upstream has it under another address; adopt `https://{repo}.git`")
            }
            Ok(repo) => format!(
                "the upstream leads to another repository, `{repo}`; adopt that one if it is the same"
            ),
            Err(_) => "the upstream leads elsewhere".to_owned(),
        }
    }
}
