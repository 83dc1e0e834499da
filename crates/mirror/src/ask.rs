//! Asking an upstream: what it can do, which refs it has, and for objects.

use std::io::Write;

use bytes::Bytes;
use git::{
    Advertised, FetchAnswer, FetchRequest, LISTING_BYTES_MAX, Listed, Listing, ProtocolError, Speech, Spoken,
    TakeError, listing_request,
};
use host::http::{Client, FetchError, HeaderMap, HeaderValue, Incoming, Keyring, Method, StatusCode, header};
use http::Response;
use model::{RepoId, SafeUrl};

use crate::address::Address;
use crate::pace::{Body, Patience};
use crate::server::Server;

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
    /// Who is asked in its place.
    pub(crate) server: Option<&'a Server>,
}

pub(crate) const ADVERTISEMENT: &str = "application/x-git-upload-pack-advertisement";
const RESULT: &str = "application/x-git-upload-pack-result";

impl Upstream<'_> {
    /// Asks how the server speaks, and, where it lists them at once or only gives out files, for all refs.
    pub(crate) async fn spoken(&self) -> Result<Spoken, Trouble> {
        let path = "info/refs?service=git-upload-pack";
        self.read_spoken(self.send(Method::GET, path, ADVERTISEMENT, Vec::new()).await?).await
    }

    pub(crate) async fn read_spoken(&self, answer: Response<Incoming>) -> Result<Spoken, Trouble> {
        let is_git = is_of(&answer, ADVERTISEMENT);
        let (mut body, mut answer) = (Body::new(answer.into_body(), self.patience), Vec::new());
        while let Some(bytes) = body.next().await? {
            answer.extend_from_slice(&bytes);
            if answer.len() > LISTING_BYTES_MAX {
                return Err(Trouble::Bad { reason: format!("it lists more than {LISTING_BYTES_MAX} bytes") });
            }
            if !is_git && !git::may_be_refs(&answer) {
                return Err(other());
            }
        }
        match is_git {
            true => Ok(Spoken::read(&answer)?),
            false if answer.is_empty() => Err(other()),
            false => Ok(Spoken::Files(Advertised::in_files(&answer, &self.head().await?)?)),
        }
    }

    /// Asks a server that only gives out files which branch is the default one; nothing where it does not say.
    async fn head(&self) -> Result<Vec<u8>, Trouble> {
        let Some(mut body) = self.file("HEAD").await? else { return Ok(Vec::new()) };
        let (mut head, bytes_max) = (Vec::new(), git::file_bytes_max("HEAD").unwrap_or_default());
        while let Some(bytes) = body.next().await? {
            head.extend_from_slice(&bytes);
            if head.len() as u64 > bytes_max {
                return Err(Trouble::Bad { reason: format!("its `HEAD` has more than {bytes_max} bytes") });
            }
        }
        Ok(head)
    }

    /// Asks for a file of a repository that lies there as files; nothing where there is none of that name.
    pub(crate) async fn file(&self, path: &str) -> Result<Option<Body>, Trouble> {
        let answer = self.ask(Method::GET, path, "*/*", Vec::new()).await?;
        if matches!(answer.status(), StatusCode::NOT_FOUND | StatusCode::GONE) {
            return Ok(None);
        }
        self.judge(&answer)?;
        Ok(Some(Body::new(answer.into_body(), self.patience)))
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
            Speech::Earlier | Speech::Files => (request.earlier_body(), FetchAnswer::earlier()),
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
        let answer = self.send(Method::POST, "git-upload-pack", RESULT, body).await?;
        match is_of(&answer, RESULT) {
            true => Ok(Body::new(answer.into_body(), self.patience)),
            false => Err(other()),
        }
    }

    /// Asks, and says what the answer's head means for the repository.
    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        accept: &'static str,
        body: Vec<u8>,
    ) -> Result<Response<Incoming>, Trouble> {
        let answer = self.ask(method, path, accept, body).await?;
        self.judge(&answer).map(|()| answer)
    }

    async fn ask(
        &self,
        method: Method,
        path: &str,
        accept: &'static str,
        body: Vec<u8>,
    ) -> Result<Response<Incoming>, Trouble> {
        let url = match self.server {
            None => self.address.join(path),
            Some(server) => {
                SafeUrl::parse(&format!("{}/git/{}.git/{path}", server.base, self.address.repo()))
            }
        };
        let url = url.map_err(|error| Trouble::Unavailable { reason: error.to_string() })?;
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
        if let Some(authorization) = self.server.and_then(|server| server.authorization.as_ref()) {
            headers.insert(header::AUTHORIZATION, authorization.expose().clone());
        }
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
        })?;
        Ok(answer?)
    }

    /// Says what an answer's status means for the repository.
    fn judge(&self, answer: &Response<Incoming>) -> Result<(), Trouble> {
        let status = answer.status();
        let absent =
            |what: &str| Err(Trouble::Absent { reason: format!("{what} (status {})", status.as_u16()) });
        match status {
            StatusCode::OK => Ok(()),
            StatusCode::NOT_FOUND | StatusCode::GONE => absent("the upstream has no such repository"),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN if self.has_credentials() => {
                absent("the upstream refuses Outlast's credentials")
            }
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => absent(
                "the upstream lets in only whom it knows; `credentials_file` of its host in outlast.toml lets Outlast in",
            ),
            StatusCode::UNAVAILABLE_FOR_LEGAL_REASONS => absent("the upstream withholds the repository"),
            status if status.is_redirection() => absent(&self.led(answer)),
            status => {
                let reason = format!("it answered with status {}", status.as_u16());
                Err(match status {
                    StatusCode::TOO_MANY_REQUESTS
                    | StatusCode::BAD_GATEWAY
                    | StatusCode::SERVICE_UNAVAILABLE
                    | StatusCode::GATEWAY_TIMEOUT => Trouble::Silent { reason },
                    _ => Trouble::Unavailable { reason },
                })
            }
        }
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

pub(crate) fn is_of(answer: &Response<Incoming>, kind: &str) -> bool {
    let content = answer.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    content.is_some_and(|content| content.starts_with(kind))
}

/// A captive portal, a login page, a forge's page of errors.
pub(crate) fn other() -> Trouble {
    Trouble::Unavailable { reason: "it answered with something else than git's protocol".to_owned() }
}
