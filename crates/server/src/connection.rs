//! Accepts connections, bounds them, and lets those under way end when the server does.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::counted::Counted;
use crate::limits::{
    ACCEPT_PAUSE, DRAIN, HEAD, HEAD_BYTES_MAX, N_CONNECTIONS_EACH_MAX, N_CONNECTIONS_MAX, N_HEADERS_MAX,
};
use crate::server::Server;

/// How many connections each address has.
type Peers = Arc<Mutex<HashMap<IpAddr, usize>>>;

/// Listens on an address; port 0 takes any that is free.
pub async fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    TcpListener::bind(address).await
}

impl Server {
    /// Serves until `end` comes, then lets what is under way end; returns how many connections had to be cut off.
    pub async fn serve(self: &Arc<Self>, listener: TcpListener, end: impl Future<Output = ()>) -> usize {
        let mut end = pin!(end);
        let (mut connections, peers) = (JoinSet::new(), Peers::default());
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                Some(_) = connections.join_next(), if !connections.is_empty() => continue,
                () = &mut end => break,
            };
            match accepted {
                Ok((stream, peer)) => match Slot::take(self, &peers, peer.ip()) {
                    Some(slot) if connections.len() < N_CONNECTIONS_MAX => {
                        connections.spawn(self.clone().converse(stream, peer, slot));
                    }
                    _ => {
                        self.metrics.n_refused.fetch_add(1, Ordering::Relaxed);
                    }
                },
                Err(error) => {
                    tracing::warn!("a connection could not be accepted: {error}");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
        drop(listener);
        self.ending.send_replace(true);
        let all = async { while connections.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(DRAIN, all).await;
        let n_left = connections.len();
        connections.abort_all();
        n_left
    }

    async fn converse(self: Arc<Self>, stream: TcpStream, peer: SocketAddr, _slot: Slot) {
        // Small answers must not wait for an acknowledgement that the client holds back.
        let _ = stream.set_nodelay(true);
        let mut ending = self.ending.subscribe();
        let server = self.clone();
        let service = service_fn(move |request| {
            let server = server.clone();
            async move {
                let response = server.answer(request, peer).await;
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
            .serve_connection(TokioIo::new(stream), service);
        let mut connection = pin!(connection);
        let is_ending = async move { _ = ending.wait_for(|is_ending| *is_ending).await };
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = is_ending => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = ended {
            tracing::debug!("the connection of {peer} ended early: {error}");
        }
    }
}

/// A place for one connection, given back when it ends.
#[derive(Debug)]
struct Slot {
    server: Arc<Server>,
    peers: Peers,
    peer: IpAddr,
}

impl Slot {
    fn take(server: &Arc<Server>, peers: &Peers, peer: IpAddr) -> Option<Self> {
        let mut all = peers.lock().unwrap_or_else(PoisonError::into_inner);
        let n_open = all.entry(peer).or_default();
        if *n_open == N_CONNECTIONS_EACH_MAX {
            return None;
        }
        *n_open += 1;
        server.metrics.n_connections.fetch_add(1, Ordering::Relaxed);
        server.metrics.n_connections_now.fetch_add(1, Ordering::Relaxed);
        Some(Self { server: server.clone(), peers: peers.clone(), peer })
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.server.metrics.n_connections_now.fetch_sub(1, Ordering::Relaxed);
        let mut all = self.peers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(n_open) = all.get_mut(&self.peer) {
            *n_open -= 1;
            if *n_open == 0 {
                all.remove(&self.peer);
            }
        }
    }
}
