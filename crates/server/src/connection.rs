//! Accepts connections, bounds them, and lets those under way end when the server does.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use host::http::Outgoing;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::clients::Place;
use crate::counted::Counted;
use crate::forward;
use crate::limits::{
    ACCEPT_PAUSE, DRAIN, HEAD, HEAD_BYTES_MAX, N_CONNECTIONS_MAX, N_HEADERS_MAX, N_TURNED_AWAY_MAX,
    RETRY_AFTER_S, TURN_AWAY,
};
use crate::patient::{Patient, UNREAD};
use crate::server::Server;
use crate::strict::Strict;

/// Listens on an address; port 0 takes any that is free.
pub async fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    TcpListener::bind(address).await
}

impl Server {
    /// Serves until `end` comes, at `proxy` as a forward proxy, then lets what is under way end; returns how many connections had
    /// to be cut off.
    pub async fn serve(
        self: &Arc<Self>,
        listener: TcpListener,
        proxy: Option<TcpListener>,
        end: impl Future<Output = ()>,
    ) -> usize {
        let mut end = pin!(end);
        let (mut connections, mut turned_away) = (JoinSet::new(), JoinSet::new());
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted.map(|(stream, peer)| (Door::Own, stream, peer)),
                accepted = accept(proxy.as_ref()) => accepted.map(|(stream, peer)| (Door::Proxy, stream, peer)),
                Some(_) = connections.join_next(), if !connections.is_empty() => continue,
                Some(_) = turned_away.join_next(), if !turned_away.is_empty() => continue,
                () = &mut end => break,
            };
            match accepted {
                Ok((door, stream, peer)) => match self.clients.take(peer.ip()) {
                    Some(place) if connections.len() < N_CONNECTIONS_MAX => {
                        connections.spawn(self.clone().let_in(door, stream, peer, place));
                    }
                    _ => {
                        self.metrics.n_turned_away.fetch_add(1, Ordering::Relaxed);
                        if turned_away.len() < N_TURNED_AWAY_MAX {
                            turned_away.spawn(turn_away(stream));
                        }
                    }
                },
                Err(error) => {
                    tracing::warn!("a connection could not be accepted: {error}");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
        drop((listener, proxy));
        self.ending.send_replace(true);
        let all = async { while connections.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(DRAIN, all).await;
        let n_left = connections.len();
        connections.abort_all();
        n_left
    }

    async fn let_in(self: Arc<Self>, door: Door, stream: TcpStream, peer: SocketAddr, place: Place) {
        let _open = Open::new(self.clone());
        // Small answers must not wait for an acknowledgement that the client holds back.
        let _ = stream.set_nodelay(true);
        let client = Client { peer: peer.ip(), place: Arc::new(place) };
        match door {
            Door::Own => {
                let server = self.clone();
                let answer = move |request| {
                    let (server, client) = (server.clone(), client.clone());
                    async move { server.answer(request, &client).await }
                };
                self.converse(stream, peer.ip(), answer).await;
            }
            // Its state is larger by a handshake, which is nothing for all others to carry.
            Door::Proxy => Box::pin(forward::converse(&self, stream, client)).await,
        }
    }

    /// Answers requests on a stream until either side ends it, or the server does.
    pub(crate) async fn converse<S, F>(
        self: &Arc<Self>,
        stream: S,
        peer: IpAddr,
        answer: impl Fn(Request<Incoming>) -> F,
    ) where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        F: Future<Output = Response<Outgoing>>,
    {
        let service = service_fn(move |request| {
            let (server, answering) = (self.clone(), answer(request));
            async move {
                let response = answering.await;
                Ok::<_, Infallible>(response.map(|body| Counted { body, server }))
            }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD)
            .max_buf_size(HEAD_BYTES_MAX)
            .max_headers(N_HEADERS_MAX)
            // A client may close its half after the request and still wait for the answer.
            .half_close(true)
            .serve_connection(TokioIo::new(Patient::new(Strict::new(stream), UNREAD)), service)
            .with_upgrades();
        let mut connection = pin!(connection);
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = self.end() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = ended {
            tracing::debug!("the connection of {peer} ended early: {error}");
        }
    }
}

/// Where a client came in.
#[derive(Debug, Clone, Copy)]
enum Door {
    Own,
    Proxy,
}

/// Whoever is connected.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    pub(crate) peer: IpAddr,
    pub(crate) place: Arc<Place>,
}

/// Waits for a client where there is a listener, and for ever where there is none.
async fn accept(listener: Option<&TcpListener>) -> std::io::Result<(TcpStream, SocketAddr)> {
    match listener {
        Some(listener) => listener.accept().await,
        None => std::future::pending().await,
    }
}

/// Tells a client that there is no room for it, in place of leaving it to guess.
async fn turn_away(mut stream: TcpStream) {
    let answer = format!(
        "HTTP/1.1 503 Service Unavailable\r\nRetry-After: {RETRY_AFTER_S}\r\nContent-Type: text/plain\r\n\
         Content-Length: 21\r\nConnection: close\r\n\r\ntoo many connections\n"
    );
    let told = async {
        stream.write_all(answer.as_bytes()).await?;
        stream.shutdown().await?;
        // What is closed before the request was read is reset, and the answer is lost with it.
        let mut rest = [0; 4096];
        while stream.read(&mut rest).await? > 0 {}
        Ok::<_, std::io::Error>(())
    };
    // A client that does not listen is told nothing.
    let _ = tokio::time::timeout(TURN_AWAY, told).await;
}

/// A connection, while it is open.
#[derive(Debug)]
struct Open(Arc<Server>);

impl Open {
    fn new(server: Arc<Server>) -> Self {
        server.metrics.n_connections.fetch_add(1, Ordering::Relaxed);
        server.metrics.n_connections_now.fetch_add(1, Ordering::Relaxed);
        Self(server)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.metrics.n_connections_now.fetch_sub(1, Ordering::Relaxed);
    }
}
