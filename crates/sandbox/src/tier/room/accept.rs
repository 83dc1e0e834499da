//! Accepts the connections that the command makes.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use host::http::is_metadata;
use model::Protocol;
use nix::sys::socket::{setsockopt, sockopt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::refusals::{Refusals, is_own};
use crate::events::{Connection, Events};
use crate::names::Names;

/// How long to wait when the process has no descriptor left for another connection.
const OUT_OF_DESCRIPTORS: Duration = Duration::from_millis(20);

/// One terminated port.
pub(super) struct Terminated {
    pub(super) listener: TcpListener,
    pub(super) port: u16,
    /// Whether the machine's own loopback may be reached on this port.
    pub(super) forwards: bool,
    pub(super) events: Arc<dyn Events>,
    pub(super) names: Names,
    pub(super) refusals: Arc<Refusals>,
}

pub(super) fn listener(descriptor: OwnedFd) -> io::Result<TcpListener> {
    TcpListener::from_std(std::net::TcpListener::from(descriptor))
}

/// Hands every connection on, except those to the machine itself.
pub(super) async fn terminated(room: Terminated) {
    let mut pipes = JoinSet::new();
    loop {
        let Some((stream, address)) = next(&room.listener).await else { continue };
        while pipes.try_join_next().is_some() {}
        if is_own(address.ip()) && room.forwards {
            pipes.spawn(pipe(stream, address.ip(), room.port));
        } else if is_own(address.ip()) || is_metadata(address.ip()) {
            reset(stream);
            room.refusals.tell(address, Protocol::Tcp);
        } else {
            let looked_up = room.names.name_of(address.ip());
            room.events.connection(Connection { stream, address, looked_up });
        }
    }
}

/// Leads every connection to the same port of the machine's own loopback.
pub(super) async fn local(listener: TcpListener, port: u16) {
    let mut pipes = JoinSet::new();
    loop {
        let Some((stream, address)) = next(&listener).await else { continue };
        while pipes.try_join_next().is_some() {}
        pipes.spawn(pipe(stream, address.ip(), port));
    }
}

/// Returns the next connection and where it was meant to go.
async fn next(listener: &TcpListener) -> Option<(TcpStream, SocketAddr)> {
    match listener.accept().await {
        Ok((stream, _)) => {
            // The address is unknown only if the client has gone already; Nagle's delay is not worth losing it for.
            let _ = stream.set_nodelay(true);
            let address = stream.local_addr().ok()?;
            Some((stream, SocketAddr::new(address.ip().to_canonical(), address.port())))
        }
        Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => None,
        Err(error) => {
            tracing::debug!(%error, "accepting in the room");
            tokio::time::sleep(OUT_OF_DESCRIPTORS).await;
            None
        }
    }
}

async fn pipe(mut stream: TcpStream, address: IpAddr, port: u16) {
    let machine: IpAddr =
        if address.is_ipv6() { Ipv6Addr::LOCALHOST.into() } else { Ipv4Addr::LOCALHOST.into() };
    match TcpStream::connect((machine, port)).await {
        Ok(mut outside) => {
            let _ = outside.set_nodelay(true);
            // How it ends is between the two of them.
            let _ = tokio::io::copy_bidirectional(&mut stream, &mut outside).await;
        }
        Err(_) => reset(stream),
    }
}

/// Closes a connection so that the client sees it refused, not ended.
pub(super) fn reset(stream: TcpStream) {
    let _ = setsockopt(&stream, sockopt::Linger, &libc::linger { l_onoff: 1, l_linger: 0 });
    drop(stream);
}
