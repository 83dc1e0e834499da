//! The pooled client.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Response};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper_util::client::legacy;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use model::{ObjectUrl, SafeUrl};

use super::address::Network;
use super::connect::{Chooser, Connector, Line, Place};
use super::error::FetchError;
use super::guard::Guard;
use super::proxies::Proxies;
use super::roots::Roots;

/// How long an unused connection is kept; most registries close theirs after 60 s or later.
const IDLE_TIMEOUT: Duration = Duration::from_secs(50);
/// HTTP/2 windows: the default of 64 KB allows 640 KB/s at 100 ms of latency.
const STREAM_WINDOW_BYTES: u32 = 2 << 20;
const CONNECTION_WINDOW_BYTES: u32 = 16 << 20;

/// The body of an outgoing request.
pub type Outgoing = UnsyncBoxBody<Bytes, Box<dyn std::error::Error + Send + Sync>>;

/// Where one host really is and whom to trust for it: `[[upstream]]` of the configuration.
#[derive(Debug, Clone)]
pub struct Upstream {
    /// The host's name, lower case.
    pub host: String,
    /// `ADDRESS:PORT` to connect to; still under the host's name.
    pub connect: Option<String>,
    /// Trust for this host alone, in place of the common roots.
    pub roots: Option<Roots>,
    /// Another base in place of `https://<host>`.
    pub base: Option<ObjectUrl>,
}

/// What a client is made from.
#[derive(Debug)]
pub struct Settings {
    /// Whom to trust.
    pub roots: Roots,
    /// Hosts that are elsewhere.
    pub upstreams: Vec<Upstream>,
    /// Addresses besides public ones that hosts chosen by Outlast may resolve to.
    pub allow: Vec<Network>,
    /// Hosts of the world, of which Outlast takes an address inside as well where TLS proves that it answers for them: a company that
    /// looks into everything has such addresses.
    pub public_hosts: Vec<&'static str>,
    /// The team's own server, wherever it is.
    pub server: Option<ObjectUrl>,
    /// Through whom the world is reached.
    pub proxies: Proxies,
}

/// Sends requests to upstreams; cheap to clone.
#[derive(Debug, Clone)]
pub struct Client {
    by_command: legacy::Client<Connector, Outgoing>,
    by_outlast: legacy::Client<Connector, Outgoing>,
    pub(super) bases: Arc<HashMap<String, ObjectUrl>>,
    pub(super) line: Arc<Line>,
}

impl Client {
    /// Makes a client with empty pools.
    pub fn new(settings: Settings) -> Self {
        let mut places = HashMap::new();
        let mut bases = HashMap::new();
        for upstream in settings.upstreams {
            if let Some(base) = upstream.base {
                bases.insert(upstream.host.clone(), base);
            }
            let tls = upstream.roots.as_ref().map(Roots::client_config);
            places.insert(upstream.host, Place { connect: upstream.connect, tls });
        }
        let line = Arc::new(Line {
            bases: bases
                .values()
                .chain(&settings.server)
                .map(|base| (base.host().trim_matches(['[', ']']).to_owned(), base.port()))
                .collect(),
            places,
            tls: settings.roots.client_config(),
            guard: Guard::new(settings.allow, settings.public_hosts),
            proxies: settings.proxies,
        });
        let pool = |chooser| {
            legacy::Client::builder(TokioExecutor::new())
                .pool_idle_timeout(IDLE_TIMEOUT)
                .pool_timer(TokioTimer::new())
                .http2_initial_stream_window_size(STREAM_WINDOW_BYTES)
                .http2_initial_connection_window_size(CONNECTION_WINDOW_BYTES)
                .build(Connector { line: line.clone(), chooser })
        };
        Self {
            by_command: pool(Chooser::Command),
            by_outlast: pool(Chooser::Outlast),
            bases: Arc::new(bases),
            line,
        }
    }

    /// Sends a request of the command's own: it goes where it would go without Outlast.
    pub async fn send_for_command(
        &self,
        request: http::Request<Outgoing>,
    ) -> Result<Response<Incoming>, FetchError> {
        send(&self.by_command, self.introduced(self.rebased(request)?)).await
    }

    /// Sends a request that Outlast chose to make: only to public addresses and those that are allowed.
    pub async fn send_for_outlast(
        &self,
        request: http::Request<Outgoing>,
    ) -> Result<Response<Incoming>, FetchError> {
        send(&self.by_outlast, self.introduced(self.rebased(request)?)).await
    }

    /// Adds what lets in at a proxy that is asked for the address itself, as it is for plain HTTP.
    fn introduced(&self, mut request: http::Request<Outgoing>) -> http::Request<Outgoing> {
        // What a client says to its own proxy is not for this one, nor for any host.
        request.headers_mut().remove(http::header::PROXY_AUTHORIZATION);
        let proxy = self.line.proxy(request.uri()).filter(|_| request.uri().scheme_str() == Some("http"));
        if let Some(authorization) = proxy.and_then(|proxy| proxy.authorization.clone()) {
            let value = authorization.expose().clone();
            request.headers_mut().insert(http::header::PROXY_AUTHORIZATION, value);
        }
        request
    }

    /// Sends the address to where the configuration says that its host is.
    fn rebased(&self, mut request: http::Request<Outgoing>) -> Result<http::Request<Outgoing>, FetchError> {
        let Some(base) = request.uri().host().and_then(|host| self.bases.get(host)) else {
            return Ok(request);
        };
        let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
        let url = format!("{}{path}", base.as_str().trim_end_matches('/'));
        let host = base.authority().to_owned();
        *request.uri_mut() = url.parse().map_err(|_| FetchError::BadAddress { url })?;
        if let Ok(value) = host.parse() {
            request.headers_mut().insert(http::header::HOST, value);
        }
        Ok(request)
    }
}

/// Makes a request from its parts.
///
/// # Errors
/// `BadAddress` for an address that is one for people, but not for HTTP.
pub fn request(
    method: Method,
    url: &SafeUrl,
    headers: HeaderMap,
    body: Outgoing,
) -> Result<http::Request<Outgoing>, FetchError> {
    let uri: http::Uri = url.expose().parse().map_err(|_| FetchError::BadAddress { url: url.to_string() })?;
    let mut request = http::Request::new(body);
    *request.method_mut() = method;
    *request.uri_mut() = uri;
    *request.headers_mut() = headers;
    Ok(request)
}

/// Returns a body of bytes that are already here.
pub fn whole(bytes: Bytes) -> Outgoing {
    Full::new(bytes).map_err(|never| match never {}).boxed_unsync()
}

async fn send(
    client: &legacy::Client<Connector, Outgoing>,
    request: http::Request<Outgoing>,
) -> Result<Response<Incoming>, FetchError> {
    let host = request.uri().host().unwrap_or_default().to_owned();
    client.request(request).await.map_err(|error| unwrap(error, host))
}

/// Finds our own reason inside hyper's wrapping.
fn unwrap(error: legacy::Error, host: String) -> FetchError {
    let is_connect = error.is_connect();
    let mut source: Box<dyn std::error::Error + Send + Sync> = Box::new(error);
    if is_connect {
        // `legacy::Error` owns its source and does not give it away: what is needed is made anew from a borrow.
        if let Some(inner) = source.source().and_then(|inner| inner.downcast_ref::<FetchError>()) {
            return inner.same();
        }
        source = source.to_string().into();
    }
    FetchError::Broken { host, source }
}
