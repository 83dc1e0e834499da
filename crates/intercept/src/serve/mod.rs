//! One captured connection to HTTP requests: TLS is terminated, HTTP is read, everything else is refused and reported.
//!
//! Nothing is ever tunnelled, unless the handler asks for it by name: what is not understood ends here.

mod begun;
mod first;
mod forward;
mod http;
mod limits;
mod origin;
mod refused;
mod tls;

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use hyper::body::Incoming;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use crate::authority::Authority;
use begun::Begun;
use first::Opening;

pub use forward::{Asked, asked, serve_forward};
pub use limits::Limits;
pub use origin::{BadRequest, Origin, named};
pub use refused::{Connection, RefusedWhy};
pub use tls::terminate;

/// A connection the room took in place of the address it was meant for.
#[derive(Debug)]
pub struct Captured {
    /// The client's end.
    pub stream: TcpStream,
    /// What the client connected to.
    pub address: SocketAddr,
    /// The name the room's DNS had given that address for.
    pub looked_up: Option<String>,
}

/// Answers the requests of a room.
pub trait Handler: Send + Sync + 'static {
    /// The body of its answers.
    type Body: http_body::Body<Data = Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>>
        + Send
        + 'static;

    /// Answers one request that was meant for `origin`. The request stands as the client sent it; only `origin` says
    /// where it goes. A failing body breaks the transfer.
    fn answer(
        &self,
        origin: Origin,
        request: ::http::Request<Incoming>,
    ) -> impl Future<Output = ::http::Response<Self::Body>> + Send;

    /// Is told of each connection or request that ended here without an answer. Must not block.
    fn refused(&self, connection: &Connection, why: RefusedWhy);

    /// Returns whether a tunnel through a forward proxy is not to be looked into; [`Handler::pass_through`] gets it then.
    ///
    /// Whoever takes the connections of a room knows their names himself, and does not hand such a one over.
    fn is_passed_through(&self, _connection: &Connection) -> bool {
        false
    }

    /// Takes over a tunnel that is not to be looked into. Dropped, it is closed.
    fn pass_through(&self, _tunnel: Tunnel, _connection: &Connection) -> impl Future<Output = ()> + Send {
        std::future::ready(())
    }
}

/// What a client sends through its forward proxy, as a stream.
pub type Tunnel = TokioIo<Upgraded>;

/// Feeds bytes to every parser here: as a connection's first ones, as an authority, and as a client's hello.
#[cfg(test)]
pub(crate) fn no_panic(bytes: &[u8]) {
    first::no_panic(bytes);
    drop(origin::read_authority(&String::from_utf8_lossy(bytes)));
    let mut acceptor = rustls::server::Acceptor::default();
    let mut rest = bytes;
    while acceptor.read_tls(&mut rest).is_ok_and(|n| n > 0) {
        match acceptor.accept() {
            Ok(None) => {}
            Ok(Some(accepted)) => return drop(accepted.client_hello().server_name().map(str::to_owned)),
            Err(_) => return,
        }
    }
}

/// Serves one connection until the client closes it.
///
/// A client that connects and closes without a byte has asked for nothing, and is not reported.
pub async fn serve<H: Handler>(captured: Captured, authority: &Arc<Authority>, handler: Arc<H>) {
    serve_within(captured, authority, handler, Limits::default()).await;
}

/// Serves one connection with limits other than the usual.
pub async fn serve_within<H: Handler>(
    captured: Captured,
    authority: &Arc<Authority>,
    handler: Arc<H>,
    limits: Limits,
) {
    let Captured { stream, address, looked_up } = captured;
    // Without it a small answer waits 40 ms for the client's acknowledgement. A closed socket fails here and again below.
    let _ = stream.set_nodelay(true);
    let connection = Connection { address, looked_up, server_name: None };
    Box::pin(begin(stream, connection, authority, handler, limits)).await;
}

/// Tells the protocol of a stream and serves it.
async fn begin<S, H>(
    mut stream: S,
    connection: Connection,
    authority: &Arc<Authority>,
    handler: Arc<H>,
    limits: Limits,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    H: Handler,
{
    let mut head = Vec::with_capacity(first::NEEDED_BYTES_MAX);
    let opening = first::read(&mut stream, &mut head, limits.first_bytes).await;
    let stream = Begun::new(head, stream);
    match opening {
        Ok(Opening::Tls) => Box::pin(tls::serve(stream, connection, authority, handler, limits)).await,
        Ok(Opening::Http(version)) => {
            Box::pin(http::serve(stream, connection, ("http", version), handler, limits)).await;
        }
        Ok(Opening::Closed) => {}
        Err(why) => handler.refused(&connection, why),
    }
}
