//! One server: what it serves, who may ask, and how it ends.

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError, RwLock};

use host::http::Outgoing;
use http::{HeaderMap, Request, Response, StatusCode, header};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use proxy::Session;
use registry::Site;
use tokio::sync::watch;

use crate::adopt::{self, Adopter};
use crate::answer::refusal;
use crate::copies::{self, Copies};
use crate::hosts;
use crate::metrics::Metrics;
use crate::pages;
use crate::tokens::Scope;

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
    /// Keeps what projects need.
    pub adopter: Arc<dyn Adopter>,
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
    pub(crate) ending: watch::Sender<bool>,
}

impl Server {
    /// Makes a server that does not listen yet.
    pub fn new(settings: Settings) -> Arc<Self> {
        let settings = RwLock::new(Arc::new(settings));
        Arc::new(Self { settings, metrics: Metrics::default(), ending: watch::Sender::new(false) })
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

    /// Answers one request.
    pub(crate) async fn answer(&self, request: Request<Incoming>, peer: SocketAddr) -> Response<Outgoing> {
        let response = self.answer_uncounted(request, peer.ip()).await;
        let state = response.headers().get("outlast-state").and_then(|state| state.to_str().ok());
        self.metrics.count(response.status(), state);
        response
    }

    async fn answer_uncounted(&self, request: Request<Incoming>, peer: IpAddr) -> Response<Outgoing> {
        // An absolute address in the first line is how proxies are asked, and CONNECT has no path at all.
        let Some(path) = request.uri().path_and_query().filter(|_| request.uri().authority().is_none())
        else {
            return refusal(
                StatusCode::NOT_IMPLEMENTED,
                "no_proxy",
                "this is not a proxy",
                "remove the proxy from the client's settings; `/setup` lists the addresses of this server",
            );
        };
        let (path, settings) = (path.as_str().to_owned(), self.settings());
        if !is_named(request.headers(), &settings.site) {
            self.metrics.n_refused.fetch_add(1, Ordering::Relaxed);
            return refusal(
                StatusCode::MISDIRECTED_REQUEST,
                "bad_host",
                "this server does not go by that name",
                "use its address, or give it the name: `url` in [serve] of outlast.toml",
            );
        }
        let own = path.split('?').next().unwrap_or(&path);
        if let Some(page) = pages::page(self, request.method(), own).filter(|_| pages::is_open(own)) {
            return page;
        }
        let (is_copy, is_adoption) = (own.starts_with(copies::PATH), own == adopt::PATH);
        let scope = match () {
            () if is_copy => Scope::Admin,
            () if is_adoption => Scope::Adopt,
            () => Scope::Read,
        };
        if !settings.allows(request.headers(), scope) {
            self.metrics.n_refused.fetch_add(1, Ordering::Relaxed);
            tracing::info!("a request of {peer} without a valid token was refused");
            return unauthorized(scope);
        }
        if is_copy {
            return settings.copies.answer(&path, request).await;
        }
        if is_adoption {
            let who = settings.gate.as_ref().and_then(|gate| gate.who(request.headers())).unwrap_or_default();
            return adopt::adopt(&*settings.adopter, who, request).await;
        }
        if let Some(page) = pages::page(self, request.method(), own) {
            return page;
        }
        let request = request.map(|body| body.map_err(|error| error.into()).boxed_unsync());
        settings.session.answer_at_door(&path, request).await
    }
}

fn is_named(headers: &HeaderMap, site: &Site) -> bool {
    let mut hosts = headers.get_all(header::HOST).iter();
    let host = hosts.next().and_then(|host| host.to_str().ok());
    host.is_some_and(|host| hosts.next().is_none() && hosts::is_ours(host, site.base()))
}

fn unauthorized(scope: Scope) -> Response<Outgoing> {
    let hint = format!(
        "ask whoever runs it for one (`outlast token add NAME --scope {scope}`), and send it as a password or a bearer token"
    );
    let reason = match scope {
        Scope::Read => "this server wants a token",
        _ => "this takes a token that allows more than to read",
    };
    let mut response = refusal(StatusCode::UNAUTHORIZED, "unauthorized", reason, &hint);
    let challenge = http::HeaderValue::from_static("Basic realm=\"outlast\"");
    response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
    response
}
