//! The line to the upstreams of one session, with the faults that a drill plays on it.

use std::time::Duration;

use bytes::Bytes;
use host::http::{Client, FetchError, Incoming, Keyring, Outgoing};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, Version, header};
use http_body_util::BodyExt as _;
use model::{Cut, Fault, Freshness, SafeUrl, Source, Timestamp};

/// Who chose to make a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Chooser {
    /// The command in the room.
    Command,
    /// Outlast, to find out what vouches for a file.
    Outlast,
}

/// A request to an upstream.
#[derive(Debug)]
pub(crate) struct Question {
    pub(crate) method: Method,
    pub(crate) url: SafeUrl,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Outgoing,
    pub(crate) chooser: Chooser,
}

impl Question {
    /// A request without a body.
    pub(crate) fn bare(method: Method, url: SafeUrl, headers: HeaderMap, chooser: Chooser) -> Self {
        Self { method, url, headers, body: host::http::whole(Bytes::new()), chooser }
    }
}

/// An answer, or the beginning of one.
#[derive(Debug)]
pub(crate) struct Reply {
    /// Who answered: where a redirect was followed, not the host that was asked first.
    pub(crate) host: String,
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Outgoing,
    /// Whether the end of the body can be told from a broken connection.
    pub(crate) is_delimited: bool,
    pub(crate) giver: Giver,
}

/// Who gave an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Giver {
    /// The upstream itself.
    Upstream,
    /// The team's server, from its copies or from the upstream.
    Server(Standing),
    /// Nobody: it was packed from the copy of its repository.
    Repository(Standing),
    /// The drill, which made it up; such an answer is never stored.
    Drill,
}

/// How an answer stands that its upstream did not give.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) freshness: Freshness,
    /// When the upstream confirmed it, to the server or to whoever keeps the repository.
    pub(crate) confirmed_at: Timestamp,
    pub(crate) gone_since: Option<Timestamp>,
}

impl Giver {
    /// Returns whether the team's server gave it.
    pub(crate) const fn is_server(self) -> bool {
        matches!(self, Self::Server(_))
    }

    /// Returns how the answer relates to what the upstream says now.
    pub(crate) const fn freshness(self) -> Freshness {
        match self {
            Self::Server(standing) | Self::Repository(standing) => standing.freshness,
            Self::Upstream | Self::Drill => Freshness::Fresh,
        }
    }

    /// Returns where its bytes come from: a server's are a copy, whoever fetched it.
    pub(crate) const fn source(self) -> Source {
        match self {
            Self::Server(_) | Self::Repository(_) => Source::Copy,
            Self::Upstream | Self::Drill => Source::Upstream,
        }
    }

    /// Returns when the upstream confirmed it.
    pub(crate) const fn confirmed_at(self, now: Timestamp) -> Timestamp {
        match self {
            Self::Server(standing) | Self::Repository(standing) => standing.confirmed_at,
            Self::Upstream | Self::Drill => now,
        }
    }

    /// Returns since when the upstream says that it does not exist.
    pub(crate) const fn gone_since(self) -> Option<Timestamp> {
        if let Self::Server(standing) = self { standing.gone_since } else { None }
    }
}

impl Reply {
    pub(crate) const fn is_played(&self) -> bool {
        matches!(self.giver, Giver::Drill)
    }

    fn new(host: String, response: Response<Incoming>) -> Self {
        let (head, body) = response.into_parts();
        let has_length = head.headers.contains_key(header::CONTENT_LENGTH)
            || head.headers.contains_key(header::TRANSFER_ENCODING);
        let is_delimited = head.version == Version::HTTP_2 || has_length || !has_body(head.status);
        let body = body.map_err(|error| error.into()).boxed_unsync();
        Self { host, status: head.status, headers: head.headers, body, is_delimited, giver: Giver::Upstream }
    }
}

/// The way to every upstream.
#[derive(Debug)]
pub(crate) struct Line {
    client: Client,
    cuts: Vec<Cut>,
    keyring: Keyring,
}

impl Line {
    pub(crate) const fn new(client: Client, cuts: Vec<Cut>, keyring: Keyring) -> Self {
        Self { client, cuts, keyring }
    }

    /// Returns how a host was cut.
    pub(crate) fn fault(&self, host: &str) -> Option<Fault> {
        Cut::fault_of(&self.cuts, host)
    }

    /// Asks. A hang is one: whoever calls bounds the wait.
    pub(crate) async fn ask(&self, question: Question) -> Result<Reply, FetchError> {
        let host = question.url.object().host().to_owned();
        if let Some(fault) = self.fault(&host) {
            return play(fault, host).await;
        }
        let Question { method, url, mut headers, body, chooser } = question;
        if chooser == Chooser::Outlast {
            // Here and nowhere before: what was asked for an instant ago may have led elsewhere.
            self.keyring.sign(&method, &url, &mut headers);
        }
        let request = host::http::request(method, &url, headers, body)?;
        let response = match chooser {
            Chooser::Command => self.client.send_for_command(request).await?,
            Chooser::Outlast => self.client.send_for_outlast(request).await?,
        };
        Ok(Reply::new(host, response))
    }

    /// Asks the team's server, known as `host`, which no drill cuts.
    pub(crate) async fn ask_server(&self, question: Question, host: &str) -> Result<Reply, FetchError> {
        let request = host::http::request(question.method, &question.url, question.headers, question.body)?;
        Ok(Reply::new(host.to_owned(), self.client.send_for_command(request).await?))
    }
}

fn has_body(status: StatusCode) -> bool {
    !matches!(status, StatusCode::NOT_MODIFIED | StatusCode::NO_CONTENT)
}

async fn play(fault: Fault, host: String) -> Result<Reply, FetchError> {
    let io = |kind: std::io::ErrorKind| std::io::Error::new(kind, "cut on purpose");
    match fault {
        Fault::Refuse => Err(FetchError::Connect { host, source: io(std::io::ErrorKind::ConnectionRefused) }),
        Fault::Reset => {
            Err(FetchError::Broken { host, source: Box::new(io(std::io::ErrorKind::ConnectionReset)) })
        }
        Fault::Nxdomain => Err(FetchError::NoSuchName { host }),
        Fault::Hang => {
            // Nothing ever comes; the caller's own patience ends it. A day is longer than any.
            tokio::time::sleep(Duration::from_secs(86_400)).await;
            Err(FetchError::Timeout { host, after: Duration::from_secs(86_400) })
        }
        Fault::BadGateway => {
            Ok(played(host, StatusCode::BAD_GATEWAY, "<html><h1>502 Bad Gateway</h1></html>"))
        }
        Fault::Wrong => {
            Ok(played(host, StatusCode::OK, "<html><h1>Welcome to the guest network</h1></html>"))
        }
    }
}

fn played(host: String, status: StatusCode, page: &'static str) -> Reply {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html"));
    Reply {
        host,
        status,
        headers,
        body: host::http::whole(Bytes::from_static(page.as_bytes())),
        is_delimited: true,
        giver: Giver::Drill,
    }
}
