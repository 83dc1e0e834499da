//! The forward proxy, for clients that cannot be told a registry: their locks name it themselves.
//!
//! A tunnel is none: its TLS ends here, under a certificate of the home's own authority, and each request in it is answered as one
//! for `/files/<host>/…` is at the other door. What is no host of the world, or another port than the web's, gets no tunnel.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use host::http::Outgoing;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header};
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use intercept::{Asked, Authority, BadRequest, Connection};
use registry::Site;
use tokio::net::TcpStream;

use crate::answer::refusal;
use crate::arriving::Arriving;
use crate::connection::Client;
use crate::limits::HEAD;
use crate::repositories;
use crate::route::Route;
use crate::server::{Gate, Server, Settings, ask_session, close, token_hint};
use crate::strict;
use crate::tokens::Scope;

/// The ports that are led to, of `https` in a tunnel and of `http` outside: other services than the web's are not for everybody.
const PORTS: (u16, u16) = (443, 80);

/// What a server is as a forward proxy.
#[derive(Debug, Clone)]
pub struct Forward {
    /// Who may ask; where there is none, anybody may.
    pub gate: Option<Arc<dyn Gate>>,
    /// Whom clients trust.
    pub certifier: Arc<dyn Certifier>,
}

/// The certificate authority of a home.
pub trait Certifier: Send + Sync + std::fmt::Debug {
    /// Returns the authority as it is now; its certificates are good for days to come.
    fn authority(&self) -> Arc<Authority>;

    /// Returns the certificate that clients are to trust, as PEM.
    fn root_pem(&self) -> String;
}

/// A tunnel that was granted.
#[derive(Debug)]
struct Tunnel {
    upgrade: OnUpgrade,
    connection: Connection,
    inside: Inside,
}

/// What is known of whoever asks in a tunnel.
#[derive(Debug)]
struct Inside {
    /// Where the tunnel leads, by what its client asked for.
    host: String,
    /// What the client showed at the gate, which may be worth nothing by now.
    shown: HeaderMap,
}

/// Serves one connection of a client that takes the server for its proxy.
pub(crate) async fn converse(server: &Arc<Server>, stream: TcpStream, client: Client) {
    let granted: Arc<Mutex<Option<Tunnel>>> = Arc::default();
    let outside = |request| answer(server.clone(), client.clone(), granted.clone(), request);
    server.converse(stream, client.peer, outside).await;
    let tunnel = granted.lock().unwrap_or_else(PoisonError::into_inner).take();
    let Some(Tunnel { upgrade, mut connection, inside }) = tunnel else { return };
    let (Ok(stream), Some(forward)) = (upgrade.await, server.settings().forward.clone()) else { return };
    let authority = forward.certifier.authority();
    let stream = TokioIo::new(stream);
    let shaken = tokio::select! {
        shaken = intercept::terminate(stream, &mut connection, &authority, HEAD) => shaken,
        () = server.end() => return,
    };
    match shaken {
        Ok(stream) => {
            let inside = Arc::new(inside);
            let within = |request| answer_within(server.clone(), client.clone(), inside.clone(), request);
            server.converse(stream, client.peer, within).await;
        }
        Err(why) => tracing::info!("a tunnel of {} to `{}` ended: {why}", client.peer, inside.host),
    }
}

/// Answers a request outside of a tunnel, one for a tunnel above all.
async fn answer(
    server: Arc<Server>,
    client: Client,
    granted: Arc<Mutex<Option<Tunnel>>>,
    mut request: Request<Incoming>,
) -> Response<Outgoing> {
    let (settings, is_last) = (server.settings(), strict::is_last(&request));
    let mut response = match judge(&server, &settings, &client, &mut request) {
        Ok(To::Tunnel(tunnel)) => {
            *granted.lock().unwrap_or_else(PoisonError::into_inner) = Some(*tunnel);
            server.metrics.n_tunnels.fetch_add(1, Ordering::Relaxed);
            return Response::new(host::http::whole(Bytes::new()));
        }
        Ok(To::Host(host)) => Box::pin(ask(&settings, "http", &host, request)).await,
        Err(refused) => *refused,
    };
    if is_last {
        close(&mut response);
    }
    server.metrics.count(&response);
    response
}

/// Answers a request in a tunnel.
async fn answer_within(
    server: Arc<Server>,
    client: Client,
    inside: Arc<Inside>,
    request: Request<Incoming>,
) -> Response<Outgoing> {
    let (settings, is_last) = (server.settings(), strict::is_last(&request));
    let repository = repositories::path(&inside.host, request.uri());
    let scope = repository.as_ref().map_or(Route::World, |path| Route::of(path)).scope();
    let judged = judge_within(&server, &settings, &client, &inside, &request, scope);
    let (mut response, is_over) = match judged {
        Ok(()) => match repository {
            Some(path) => (Box::pin(give(&settings, &inside.host, &path, request)).await, false),
            None => (Box::pin(ask(&settings, "https", &inside.host, request)).await, false),
        },
        Err(refused) => (*refused, true),
    };
    if is_last || is_over {
        close(&mut response);
    }
    server.metrics.count(&response);
    response
}

async fn ask(
    settings: &Settings,
    scheme: &'static str,
    host: &str,
    mut request: Request<Incoming>,
) -> Response<Outgoing> {
    let gate = settings.forward.as_ref().and_then(|forward| forward.gate.as_ref());
    if gate.is_some_and(|gate| gate.who(request.headers()).is_some()) {
        // A token of this server's own, at the wrong place: no host is to hear of it.
        request.headers_mut().remove(header::AUTHORIZATION);
    }
    let path = request.uri().path_and_query().map_or_else(String::new, ToString::to_string);
    let ask = |request| settings.session.answer_as_proxy(scheme, host, request);
    ask_session(&path, request.map(Arriving::new), ask).await
}

/// Gives a repository. That none is kept is no absence at its host's own address: this would be the host's word.
async fn give(settings: &Settings, host: &str, path: &str, request: Request<Incoming>) -> Response<Outgoing> {
    let given = repositories::give(&settings.repositories, path, request.map(Arriving::new)).await;
    if given.status() != StatusCode::NOT_FOUND {
        return given;
    }
    let reason = format!("no such repository of `{host}` is kept here");
    refusal(StatusCode::SERVICE_UNAVAILABLE, "unavailable", &reason, repositories::HINT)
}

/// What a client may have.
enum To {
    Tunnel(Box<Tunnel>),
    /// An answer of this host, without TLS.
    Host(String),
}

type Refused = Box<Response<Outgoing>>;

/// Decides what a client may have that asks outside of a tunnel. What it shows at the gate goes no further.
fn judge(
    server: &Server,
    settings: &Settings,
    client: &Client,
    request: &mut Request<Incoming>,
) -> Result<To, Refused> {
    let shown = shown(request.headers_mut());
    if let Some(refused) = server.slow_down(settings, client) {
        return Err(Box::new(refused));
    }
    let asked = intercept::asked(request).map_err(|error| no_proxy_request(settings, error))?;
    if !is_let_in(settings, &shown, Scope::Read) {
        server.metrics.n_refused.fetch_add(1, Ordering::Relaxed);
        tracing::info!("a request of {} to the proxy without a valid token was refused", client.peer);
        return Err(challenge());
    }
    let (host, port, expected) = match &asked {
        Asked::Tunnel(connection) => (connection.host(), connection.address.port(), PORTS.0),
        Asked::Plain(origin) => (origin.host.clone(), origin.port, PORTS.1),
    };
    if port != expected {
        let reason = format!("port {port} of `{host}` is not the web's");
        return Err(forbidden("bad_port", &reason, "this proxy leads to the ports 443 and 80 alone"));
    }
    if !Site::can_be_host(&host) {
        let reason = format!("`{host}` is no name of a host of the world");
        return Err(forbidden("bad_host", &reason, "ask this machine's own network directly: `no_proxy`"));
    }
    Ok(match asked {
        Asked::Tunnel(connection) => {
            let (upgrade, inside) = (hyper::upgrade::on(request), Inside { host, shown });
            To::Tunnel(Box::new(Tunnel { upgrade, connection, inside }))
        }
        Asked::Plain(_) => To::Host(host),
    })
}

/// Decides whether a request in a tunnel is answered.
fn judge_within(
    server: &Server,
    settings: &Settings,
    client: &Client,
    inside: &Inside,
    request: &Request<Incoming>,
    scope: Scope,
) -> Result<(), Refused> {
    if let Some(refused) = server.slow_down(settings, client) {
        return Err(Box::new(refused));
    }
    if !is_let_in(settings, &inside.shown, scope) {
        server.metrics.n_refused.fetch_add(1, Ordering::Relaxed);
        return Err(forbidden(
            "forbidden",
            "the token that opened this tunnel is good no more",
            &token_hint(scope),
        ));
    }
    if intercept::named(request).is_ok_and(|named| named.is_none_or(|named| named == inside.host)) {
        return Ok(());
    }
    let reason = format!("this tunnel leads to `{}` alone", inside.host);
    let hint = "open another one for another host";
    Err(Box::new(refusal(StatusCode::MISDIRECTED_REQUEST, "bad_host", &reason, hint)))
}

/// Takes from a request what it shows at the gate, in the form in which tokens are shown at the other door.
fn shown(headers: &mut HeaderMap) -> HeaderMap {
    let values = headers.get_all(header::PROXY_AUTHORIZATION).iter();
    let shown = values.map(|value| (header::AUTHORIZATION, value.clone()));
    let mut all = HeaderMap::new();
    shown.for_each(|(name, value)| _ = all.append(name, value));
    headers.remove(header::PROXY_AUTHORIZATION);
    all
}

fn is_let_in(settings: &Settings, shown: &HeaderMap, scope: Scope) -> bool {
    let Some(forward) = &settings.forward else { return false };
    forward.gate.as_ref().map_or(scope == Scope::Read, |gate| gate.allows(shown, scope))
}

fn no_proxy_request(settings: &Settings, error: BadRequest) -> Refused {
    let hint = format!(
        "ask for CONNECT host:443 or http://host/path; the pages of this server are at {}/setup",
        settings.site.base()
    );
    Box::new(refusal(StatusCode::BAD_REQUEST, "bad_request", &format!("this is a proxy: {error}"), &hint))
}

fn forbidden(error: &str, reason: &str, hint: &str) -> Refused {
    Box::new(refusal(StatusCode::FORBIDDEN, error, reason, hint))
}

fn challenge() -> Refused {
    let status = StatusCode::PROXY_AUTHENTICATION_REQUIRED;
    let hint = token_hint(Scope::Read);
    let mut response = refusal(status, "unauthorized", "this proxy wants a token", &hint);
    let challenge = HeaderValue::from_static("Basic realm=\"outlast\"");
    response.headers_mut().insert(header::PROXY_AUTHENTICATE, challenge);
    Box::new(response)
}
