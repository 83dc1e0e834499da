//! Reads HTTP/1 and HTTP/2 requests from a plain stream and has the handler answer them.

use std::convert::Infallible;
use std::error::Error;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use http_body_util::{Either, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;

use super::Handler;
use super::limits::Limits;
use super::origin;
use super::refused::{Connection, RefusedWhy};

pub(super) type Answer<B> = http::Response<Either<B, Full<Bytes>>>;

/// Which HTTP the client is about to speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    One,
    Two,
}

/// Serves requests until either side closes.
pub(super) async fn serve<S, H>(
    stream: S,
    connection: Connection,
    (scheme, version): (&'static str, Version),
    handler: Arc<H>,
    limits: Limits,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    H: Handler,
{
    let connection = Arc::new(connection);
    let has_asked = Arc::new(AtomicBool::new(false));
    let service = {
        let (connection, handler, has_asked) =
            (Arc::clone(&connection), Arc::clone(&handler), Arc::clone(&has_asked));
        service_fn(move |request| {
            has_asked.store(true, Ordering::Relaxed);
            let (connection, handler) = (Arc::clone(&connection), Arc::clone(&handler));
            async move { Ok::<_, Infallible>(answer(request, &connection, scheme, handler.as_ref()).await) }
        })
    };
    let builder = builder(version, limits);
    let mut serving = pin!(builder.serve_connection(TokioIo::new(stream), service));
    // hyper bounds an HTTP/1 head by itself, an HTTP/2 client that sends its preface and no request it does not.
    let ended = match timeout(limits.header, serving.as_mut()).await {
        Ok(ended) => ended,
        Err(_) if has_asked.load(Ordering::Relaxed) => serving.await,
        Err(_) => return handler.refused(&connection, RefusedWhy::HeaderSlow),
    };
    let has_asked = has_asked.load(Ordering::Relaxed);
    let why = match ended {
        Err(error) => judge(error.as_ref(), has_asked),
        Ok(()) => None,
    };
    match why {
        Some(why) => handler.refused(&connection, why),
        None if !has_asked && scheme == "https" => handler.refused(&connection, RefusedWhy::NothingAsked),
        None => {}
    }
}

fn builder(version: Version, limits: Limits) -> Builder<TokioExecutor> {
    let builder = Builder::new(TokioExecutor::new());
    let mut builder = match version {
        Version::One => builder.http1_only(),
        Version::Two => builder.http2_only(),
    };
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header)
        .max_buf_size(limits.header_bytes as usize)
        // A client may close its half after the request and still wait for the answer.
        .half_close(true)
        // The upstream's own date, or none.
        .auto_date_header(false);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(limits.header_bytes)
        .auto_date_header(false);
    builder
}

async fn answer<H: Handler>(
    request: http::Request<Incoming>,
    connection: &Connection,
    scheme: &'static str,
    handler: &H,
) -> Answer<H::Body> {
    if request.method() == http::Method::CONNECT {
        handler.refused(connection, RefusedWhy::Tunnel);
        return refuse(
            http::StatusCode::NOT_IMPLEMENTED,
            r#"{"error":"no_tunnel","reason":"this is not a proxy","hint":"remove the proxy from the client's settings"}"#,
        );
    }
    match origin::find(&request, connection, scheme) {
        Ok(origin) => handler.answer(origin, request).await.map(Either::Left),
        Err(error) => {
            handler.refused(connection, RefusedWhy::Malformed { reason: error.to_string() });
            refuse(
                http::StatusCode::BAD_REQUEST,
                r#"{"error":"bad_host","reason":"the request does not name one host","hint":"send one Host header"}"#,
            )
        }
    }
}

pub(super) fn refuse<B>(status: http::StatusCode, body: &'static str) -> Answer<B> {
    let mut response = http::Response::new(Either::Right(Full::new(Bytes::from_static(body.as_bytes()))));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static("application/json"));
    response
}

/// Returns what to report of a connection that ended badly. A client that hangs up, and an answer that broke, are no refusals.
pub(super) fn judge(error: &(dyn Error + 'static), has_asked: bool) -> Option<RefusedWhy> {
    let http = error.downcast_ref::<hyper::Error>()?;
    if http.is_parse() {
        return Some(RefusedWhy::Malformed { reason: http.to_string() });
    }
    if has_asked || is_hang_up(http) {
        return None;
    }
    if http.is_timeout() {
        return Some(RefusedWhy::HeaderSlow);
    }
    Some(RefusedWhy::Malformed { reason: http.to_string() })
}

fn is_hang_up(error: &hyper::Error) -> bool {
    error.source().is_some_and(|source| source.downcast_ref::<std::io::Error>().is_some())
}
