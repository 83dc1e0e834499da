//! HTTP/2 by hyper; a fault that HTTP/2 cannot express is a reset of the stream.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Request, Response, header};
use http_body_util::BodyExt as _;
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::sync::mpsc;

use crate::answer::Asked;
use crate::connection::Wire;
use crate::http1::{meet, without_port};
use crate::play::{Body, Ending, Framing, Play, Script};
use crate::site::{Peer, UnderWay};

const ENDLESS_PIECE_BYTES: usize = 64 << 10;

/// Answers requests until the connection ends.
pub(crate) async fn serve<W: Wire + 'static>(wire: W, peer: &Peer, sni: &str) -> io::Result<()> {
    let service = service_fn(|request| answer(request, peer.clone(), sni.to_owned()));
    hyper::server::conn::http2::Builder::new(TokioExecutor::new())
        .serve_connection(TokioIo::new(wire), service)
        .await
        .map_err(io::Error::other)
}

async fn answer(request: Request<Incoming>, peer: Peer, sni: String) -> io::Result<Response<Pieces>> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    let authority = head.uri.authority().map(|authority| without_port(authority.as_str()));
    let path = head.uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
    let asked =
        Asked { host: authority.unwrap_or(sni), method: head.method, path, headers: head.headers, body };
    let under_way = peer.site.under_way(&asked.host);
    match meet(asked, &peer).await {
        Play::Hang => std::future::pending().await,
        Play::Reset => Err(io::ErrorKind::ConnectionReset.into()),
        Play::Send(script) => send(*script, under_way).await,
    }
}

async fn send(script: Script, under_way: UnderWay) -> io::Result<Response<Pieces>> {
    if !script.wait.is_zero() {
        tokio::time::sleep(script.wait).await;
    }
    let (sender, pieces) = mpsc::channel(1);
    let mut response = Response::new(Pieces(pieces));
    *response.status_mut() = script.status;
    *response.headers_mut() = script.headers.clone();
    if let Framing::Length(size) = script.framing {
        response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(size));
    }
    tokio::spawn(async move {
        play(script, sender).await;
        drop(under_way);
    });
    Ok(response)
}

async fn play(script: Script, sender: mpsc::Sender<io::Result<Bytes>>) {
    match script.body {
        Body::None => {}
        Body::Whole(bytes) => {
            if sender.send(Ok(bytes)).await.is_err() {
                return;
            }
        }
        Body::Pieces { bytes, size, pause } => {
            for start in (0..bytes.len()).step_by(size) {
                let part = bytes.slice(start..bytes.len().min(start + size));
                if sender.send(Ok(part)).await.is_err() {
                    return;
                }
                tokio::time::sleep(pause).await;
            }
        }
        Body::Endless { start, byte, size_bytes } => {
            if sender.send(Ok(start)).await.is_err() {
                return;
            }
            let part = Bytes::from(vec![byte; ENDLESS_PIECE_BYTES]);
            let mut left = size_bytes;
            while left > 0 {
                let n = part.len().min(usize::try_from(left).unwrap_or(usize::MAX));
                if sender.send(Ok(part.slice(..n))).await.is_err() {
                    return;
                }
                left -= n as u64;
            }
        }
    }
    if script.ending == Ending::Stall {
        sender.closed().await;
    }
    if script.ending == Ending::Cut {
        // Without a pause the reset overtakes the bytes that should come before it.
        tokio::time::sleep(Duration::from_millis(20)).await;
        let _ = sender.send(Err(io::ErrorKind::ConnectionAborted.into())).await;
    }
}

/// The body of an answer as its player makes it.
#[derive(Debug)]
struct Pieces(mpsc::Receiver<io::Result<Bytes>>);

impl hyper::body::Body for Pieces {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        self.0.poll_recv(context).map(|piece| piece.map(|piece| piece.map(Frame::data)))
    }
}
