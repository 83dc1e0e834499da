//! A client that takes us for its proxy, as in an observed run: CONNECT is answered, and what comes then is looked into.

use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{PROXY_AUTHENTICATE, PROXY_AUTHORIZATION};
use http::{HeaderValue, Method, StatusCode};
use http_body_util::{Either, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::{TokioIo, TokioTimer};
use model::Secret;
use tokio::net::TcpStream;

use super::http::{Answer, judge, refuse};
use super::origin::{BadRequest, Origin, read_authority};
use super::{Connection, Handler, Limits, RefusedWhy, begin};
use crate::authority::Authority;

/// A tunnel that was granted: the stream it will be, and what the client asked for.
type Granted = Arc<Mutex<Option<(OnUpgrade, Connection)>>>;

/// Serves one connection of a client that was told to go through us, until it closes.
///
/// With `credentials` (`user:password`), only clients that know them are served. A tunnel is not one: its TLS is
/// terminated and its requests go to the handler, and what is neither TLS nor HTTP is refused. Only a tunnel that the
/// handler asks for is left as it is.
pub async fn serve_forward<H: Handler>(
    stream: TcpStream,
    credentials: Option<&Secret<String>>,
    authority: &Arc<Authority>,
    handler: Arc<H>,
) {
    let limits = Limits::default();
    let _ = stream.set_nodelay(true);
    let unknown = Arc::new(unnamed(0));
    let granted = Granted::default();
    let expected = credentials.map(|credentials| format!("Basic {}", STANDARD.encode(credentials.expose())));
    let service = {
        let (granted, handler, unknown) = (Arc::clone(&granted), Arc::clone(&handler), Arc::clone(&unknown));
        service_fn(move |request| {
            let (granted, handler, unknown) =
                (Arc::clone(&granted), Arc::clone(&handler), Arc::clone(&unknown));
            let is_known = is_known(&request, expected.as_deref());
            async move {
                Ok::<_, Infallible>(if is_known {
                    answer(request, &granted, &unknown, handler.as_ref()).await
                } else {
                    challenge()
                })
            }
        })
    };
    let serving = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header)
        .max_buf_size(limits.header_bytes as usize)
        .auto_date_header(false)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    if let Err(error) = Box::pin(serving).await {
        // An idle proxy connection that times out is nothing to tell.
        if let Some(why @ RefusedWhy::Malformed { .. }) = judge(&error, false) {
            handler.refused(&unknown, why);
        }
        return;
    }
    let tunnel = granted.lock().unwrap_or_else(PoisonError::into_inner).take();
    let Some((upgrade, connection)) = tunnel else { return };
    let Ok(stream) = upgrade.await else { return };
    if handler.is_passed_through(&connection) {
        handler.pass_through(TokioIo::new(stream), &connection).await;
    } else {
        Box::pin(begin(TokioIo::new(stream), connection, authority, handler, limits)).await;
    }
}

async fn answer<H: Handler>(
    mut request: http::Request<Incoming>,
    granted: &Granted,
    unknown: &Connection,
    handler: &H,
) -> Answer<H::Body> {
    request.headers_mut().remove(PROXY_AUTHORIZATION);
    request.headers_mut().remove("proxy-connection");
    match asked(&request) {
        Ok(Asked::Tunnel(connection)) => {
            let upgrade = hyper::upgrade::on(&mut request);
            *granted.lock().unwrap_or_else(PoisonError::into_inner) = Some((upgrade, connection));
            http::Response::new(Either::Right(Full::new(Bytes::new())))
        }
        Ok(Asked::Plain(origin)) => handler.answer(origin, request).await.map(Either::Left),
        Err(error) => {
            handler.refused(unknown, RefusedWhy::Malformed { reason: error.to_string() });
            refuse(
                StatusCode::BAD_REQUEST,
                r#"{"error":"bad_request","reason":"this is a proxy","hint":"ask for http://host/path or CONNECT host:port"}"#,
            )
        }
    }
}

/// What a client asks of its forward proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// A tunnel, which stands for this connection.
    Tunnel(Connection),
    /// An answer to this very request, which goes there.
    Plain(Origin),
}

/// Returns what a client asks of its forward proxy.
pub fn asked<B>(request: &http::Request<B>) -> Result<Asked, BadRequest> {
    match *request.method() {
        Method::CONNECT => tunnel(request).map(Asked::Tunnel),
        _ => origin(request).map(Asked::Plain),
    }
}

/// Returns the connection a tunnel stands for.
fn tunnel<B>(request: &http::Request<B>) -> Result<Connection, BadRequest> {
    let authority = request.uri().authority().ok_or(BadRequest::NoAddress)?;
    let (host, port) = read_authority(authority.as_str())?;
    let port = port.ok_or(BadRequest::NoAddress)?;
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    Ok(match bare.parse::<IpAddr>() {
        Ok(address) => Connection { address: (address, port).into(), looked_up: None, server_name: None },
        Err(_) => Connection { looked_up: Some(host), ..unnamed(port) },
    })
}

/// Returns where a plain request goes.
fn origin<B>(request: &http::Request<B>) -> Result<Origin, BadRequest> {
    let uri = request.uri();
    let authority = uri.authority().ok_or(BadRequest::NoAddress)?;
    if uri.scheme_str() != Some("http") {
        return Err(BadRequest::NoAddress);
    }
    let (host, port) = read_authority(authority.as_str())?;
    let port = port.unwrap_or(80);
    Ok(Origin { scheme: "http", host, port, address: unnamed(port).address })
}

fn unnamed(port: u16) -> Connection {
    let address = SocketAddr::from((Ipv4Addr::UNSPECIFIED, port));
    Connection { address, looked_up: None, server_name: None }
}

fn is_known<B>(request: &http::Request<B>, expected: Option<&str>) -> bool {
    let given = request.headers().get(PROXY_AUTHORIZATION).and_then(|value| value.to_str().ok());
    expected.is_none() || given == expected
}

fn challenge<B>() -> Answer<B> {
    let mut answer = refuse(
        StatusCode::PROXY_AUTHENTICATION_REQUIRED,
        r#"{"error":"proxy_credentials","reason":"this proxy serves one run","hint":"use the run's own proxy variables"}"#,
    );
    answer.headers_mut().insert(PROXY_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"outlast\""));
    answer
}
