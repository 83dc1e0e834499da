//! One server: what it serves, who may ask, and how it ends.

use std::net::IpAddr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use host::http::Outgoing;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header};
use http_body::Body as _;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use mirror::Served;
use proxy::Session;
use registry::Site;
use tokio::sync::watch;

use crate::adopt::{self, Adopter};
use crate::answer::{json, refusal};
use crate::arriving::{Arriving, Fault};
use crate::clients::{Clients, Pace};
use crate::connection::Client;
use crate::copies::Copies;
use crate::forward::Forward;
use crate::hosts;
use crate::limits::{PACE, REQUEST_BYTES_MAX};
use crate::metrics::Metrics;
use crate::pages;
use crate::repositories;
use crate::route::Route;
use crate::strict;
use crate::tokens::{self, Scope};

/// Who may ask.
pub trait Gate: Send + Sync + std::fmt::Debug {
    /// Returns whether whoever sends these headers may do what a scope allows.
    fn allows(&self, headers: &HeaderMap, scope: Scope) -> bool;

    /// Returns the name of whoever sends these headers, if he has one.
    fn who(&self, headers: &HeaderMap) -> Option<String>;
}

/// What a server is made from.
#[derive(Debug)]
pub struct Settings {
    /// Its own address.
    pub site: Site,
    /// What answers; its site is the same.
    pub session: Session,
    /// Who may ask; where there is none, anybody may read, and nobody do more.
    pub gate: Option<Arc<dyn Gate>>,
    /// Second copies of other homes.
    pub copies: Arc<Copies>,
    /// Git repositories.
    pub repositories: Served,
    /// Keeps what projects need.
    pub adopter: Arc<dyn Adopter>,
    /// How often each client may ask, this machine's own too. Where nothing is said, this machine's may ask as often as they like:
    /// what passes requests on for others may be one of them.
    pub pace: Option<Pace>,
    /// What it is as a forward proxy, where it listens as one.
    pub forward: Option<Forward>,
}

impl Settings {
    /// Returns whether whoever sends these headers may do what a scope allows.
    fn allows(&self, headers: &HeaderMap, scope: Scope) -> bool {
        self.gate.as_ref().map_or(scope == Scope::Read, |gate| gate.allows(headers, scope))
    }
}

/// A server.
#[derive(Debug)]
pub struct Server {
    settings: RwLock<Arc<Settings>>,
    pub(crate) metrics: Metrics,
    pub(crate) clients: Arc<Clients>,
    pub(crate) ending: watch::Sender<bool>,
}

impl Server {
    /// Makes a server that does not listen yet.
    pub fn new(settings: Settings) -> Arc<Self> {
        let settings = RwLock::new(Arc::new(settings));
        let (metrics, clients, ending) = (Metrics::default(), Clients::new(), watch::Sender::new(false));
        Arc::new(Self { settings, metrics, clients, ending })
    }

    /// Serves with other settings from the next request on; what is under way ends with those it began with, which are
    /// returned.
    pub fn renew(&self, settings: Settings) -> Arc<Settings> {
        let mut current = self.settings.write().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut current, Arc::new(settings))
    }

    /// Returns whether its pages say truly whether a token is needed: the first one may have been made since.
    pub fn says_who_may_ask(&self) -> bool {
        let settings = self.settings();
        let wants_token = !settings.allows(&HeaderMap::new(), Scope::Read);
        wants_token == settings.site.wants_token()
    }

    /// Returns the settings that the next request is answered with.
    pub fn settings(&self) -> Arc<Settings> {
        self.settings.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn is_ending(&self) -> bool {
        *self.ending.borrow()
    }

    /// Waits until the server ends.
    pub(crate) async fn end(&self) {
        let _ = self.ending.subscribe().wait_for(|is_ending| *is_ending).await;
    }

    /// Answers one request.
    pub(crate) async fn answer(&self, request: Request<Incoming>, client: &Client) -> Response<Outgoing> {
        let is_last = strict::is_last(&request);
        let stays_open = Route::of(request.uri().path()).stays_open();
        let mut response = self.answer_uncounted(request, client).await;
        if is_last && !(stays_open && response.status().is_success()) {
            close(&mut response);
        }
        self.metrics.count(&response);
        response
    }

    async fn answer_uncounted(&self, request: Request<Incoming>, client: &Client) -> Response<Outgoing> {
        // An absolute address in the first line is how proxies are asked, and CONNECT has no path at all.
        let Some(path) = request.uri().path_and_query().filter(|_| request.uri().authority().is_none())
        else {
            return refusal(
                StatusCode::NOT_IMPLEMENTED,
                "no_proxy",
                "this is not a proxy",
                "remove the proxy from the client's settings; `/setup` lists the addresses of this server, its proxy too",
            );
        };
        let (path, settings) = (path.as_str(), self.settings());
        if !is_named(request.headers(), &settings.site) {
            self.metrics.n_refused.fetch_add(1, Ordering::Relaxed);
            return refusal(
                StatusCode::MISDIRECTED_REQUEST,
                "bad_host",
                "this server does not go by that name",
                "use its address, or give it the name: `url` in [serve] of outlast.toml",
            );
        }
        let own = path.split('?').next().unwrap_or(path);
        let route = Route::of(own);
        if let Some(page) = pages::page(self, request.method(), own).filter(|_| pages::is_open(own)) {
            return page;
        }
        if let Some(refused) = self.slow_down(&settings, client) {
            return refused;
        }
        if let Some(refused) = self.refused(&settings, route.scope(), request.headers(), client.peer) {
            return refused;
        }
        // The state of what takes longer is large: in a box, it is not moved about for what is ready.
        match route {
            Route::Copies => {
                let path = path.to_owned();
                return Box::pin(settings.copies.answer(&path, request.map(Arriving::new))).await;
            }
            Route::Adopt => {
                let who =
                    settings.gate.as_ref().and_then(|gate| gate.who(request.headers())).unwrap_or_default();
                return Box::pin(adopt::adopt(&*settings.adopter, who, request.map(Arriving::new))).await;
            }
            Route::Repository => {
                let (path, request) = (path.to_owned(), request.map(Arriving::new));
                return Box::pin(repositories::answer(&settings.repositories, &path, request)).await;
            }
            Route::Names => return json(&settings.site.private().told()),
            Route::World => {}
        }
        if let Some(page) = pages::page(self, request.method(), own) {
            return page;
        }
        if let Some(ready) = settings.session.ready_at_door(path, request.method(), request.headers()) {
            return ready;
        }
        let path = path.to_owned();
        let ask = |request| settings.session.answer_at_door(&path, request);
        Box::pin(ask_session(&path, request.map(Arriving::new), ask)).await
    }

    /// Refuses a client that asks more often than it may.
    pub(crate) fn slow_down(&self, settings: &Settings, client: &Client) -> Option<Response<Outgoing>> {
        let pace = settings.pace.or((!client.peer.to_canonical().is_loopback()).then_some(PACE));
        let wait = pace.and_then(|pace| client.place.ask(pace).err())?;
        self.metrics.n_turned_away.fetch_add(1, Ordering::Relaxed);
        Some(too_fast(wait))
    }

    /// Refuses whoever may not do what a scope allows.
    fn refused(
        &self,
        settings: &Settings,
        scope: Scope,
        headers: &HeaderMap,
        peer: IpAddr,
    ) -> Option<Response<Outgoing>> {
        if settings.allows(headers, scope) {
            return None;
        }
        self.metrics.n_refused.fetch_add(1, Ordering::Relaxed);
        let who = settings.gate.as_ref().and_then(|gate| gate.who(headers));
        let Some(who) = who else {
            tracing::info!("a request of {peer} without a valid token was refused");
            return Some(unauthorized(scope));
        };
        tracing::info!("a request of {who} at {peer}, whose token allows less, was refused");
        Some(forbidden(scope))
    }
}

/// Has a request answered by the engine, unless it cannot be one of a registry's client.
pub(crate) async fn ask_session<F: Future<Output = Response<Outgoing>>>(
    path: &str,
    request: Request<Arriving>,
    ask: impl FnOnce(Request<Outgoing>) -> F,
) -> Response<Outgoing> {
    if tokens::is_in(path) {
        return refusal(
            StatusCode::BAD_REQUEST,
            "token_in_address",
            "an address is no place for a token: upstreams and logs see it",
            "send it as a password or a bearer token, and revoke this one if others could see it",
        );
    }
    if request.body().size_hint().lower() > REQUEST_BYTES_MAX {
        let hint = "no client of a registry sends so much";
        return refusal(StatusCode::PAYLOAD_TOO_LARGE, "too_large", "the body is too large", hint);
    }
    let slow = request.body().slow();
    let response = ask(request.map(|body| body.map_err(Into::into).boxed_unsync())).await;
    if slow.was_given_up() { Fault::Paused.refuse() } else { response }
}

/// Lets a connection end after an answer.
pub(crate) fn close(response: &mut Response<Outgoing>) {
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
}

/// Returns the answer to a client that asks more often than it may.
fn too_fast(wait: Duration) -> Response<Outgoing> {
    let reason = "this client asks more often than it may";
    let hint = "`requests_per_second` under [serve] in outlast.toml says how often";
    let mut response = refusal(StatusCode::TOO_MANY_REQUESTS, "too_fast", reason, hint);
    let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds.max(1)));
    response
}

fn is_named(headers: &HeaderMap, site: &Site) -> bool {
    let mut hosts = headers.get_all(header::HOST).iter();
    let host = hosts.next().and_then(|host| host.to_str().ok());
    host.is_some_and(|host| hosts.next().is_none() && hosts::is_ours(host, site.base()))
}

/// Returns the answer to a token that is known and not enough; no client should ask a person for another password (RFC 9110
/// §15.5.4).
fn forbidden(scope: Scope) -> Response<Outgoing> {
    refusal(StatusCode::FORBIDDEN, "forbidden", "this token allows less than that", &token_hint(scope))
}

fn unauthorized(scope: Scope) -> Response<Outgoing> {
    let reason = match scope {
        Scope::Read => "this server wants a token",
        _ => "this takes a token that allows more than to read",
    };
    let mut response = refusal(StatusCode::UNAUTHORIZED, "unauthorized", reason, &token_hint(scope));
    let challenge = HeaderValue::from_static("Basic realm=\"outlast\"");
    response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
    response
}

pub(crate) fn token_hint(scope: Scope) -> String {
    format!(
        "ask whoever runs it for one (`outlast token add NAME --scope {scope}`), and send it as a password or a bearer token"
    )
}
