//! From an accepted connection to HTTP: TLS or not by the first byte, which certificate by SNI, which version by ALPN.

use std::io;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::LazyConfigAcceptor;

use crate::certificate::{Authorities, Kind, Protocols};
use crate::fault::Fault;
use crate::http1::{self, After};
use crate::http2;
use crate::site::{Peer, Shared};

const TLS_HANDSHAKE_BYTE: u8 = 0x16;

/// Anything HTTP can be spoken over.
pub(crate) trait Wire: AsyncRead + AsyncWrite + Unpin + Send {
    /// Makes the coming close a reset.
    fn reset_on_close(&self);
}

impl Wire for TcpStream {
    fn reset_on_close(&self) {
        // Refused only by a socket that is closed already.
        let _ = self.set_zero_linger();
    }
}

impl Wire for tokio_rustls::server::TlsStream<TcpStream> {
    fn reset_on_close(&self) {
        self.get_ref().0.reset_on_close();
    }
}

/// Takes connections until the runtime ends.
pub(crate) async fn accept(listener: TcpListener, site: Shared, authorities: Arc<Authorities>) {
    while let Ok((tcp, _)) = listener.accept().await {
        let number = site.lock().connected();
        let (peer, authorities) = (Peer { site: site.clone(), connection: number }, authorities.clone());
        tokio::spawn(async move {
            // A client that goes away is what many tests are about; nobody is left to tell.
            let _ = serve(tcp, &peer, &authorities).await;
        });
    }
}

async fn serve(tcp: TcpStream, peer: &Peer, authorities: &Authorities) -> io::Result<()> {
    tcp.set_nodelay(true)?;
    let mut tcp = tcp;
    // Only a plain request can be a CONNECT, after which the same begins once more.
    loop {
        let mut first = [0];
        if tcp.peek(&mut first).await? == 0 {
            return Ok(());
        }
        if first[0] == TLS_HANDSHAKE_BYTE {
            return serve_tls(tcp, peer, authorities).await;
        }
        match http1::serve(tcp, peer, None).await? {
            After::Closed => return Ok(()),
            After::Tunnel(inner) => tcp = inner,
        }
    }
}

async fn serve_tls(tcp: TcpStream, peer: &Peer, authorities: &Authorities) -> io::Result<()> {
    let start = LazyConfigAcceptor::new(rustls::server::Acceptor::default(), tcp).await?;
    // Without SNI the client connected to an address.
    let host = start.client_hello().server_name().unwrap_or("127.0.0.1").to_lowercase();
    let (fault, is_http1) = {
        let mut site = peer.site.lock();
        (site.fault_of_the_handshake(&host), site.speaks_only_http1(&host))
    };
    let kind = match fault {
        Some(Fault::NoHandshake) => return Ok(()),
        Some(Fault::SilentHandshake) => {
            // Held, not read: only the client can end it.
            return std::future::pending().await;
        }
        Some(Fault::ExpiredCertificate) => Kind::Expired,
        Some(Fault::ForeignCertificate) => Kind::Foreign,
        Some(Fault::WrongHostCertificate) => Kind::WrongHost,
        _ => Kind::Trusted,
    };
    let protocols = if is_http1 { Protocols::Http1 } else { Protocols::Http1And2 };
    let tls = start.into_stream(authorities.config(&host, kind, protocols)).await?;
    if tls.get_ref().1.alpn_protocol() == Some(b"h2") {
        return http2::serve(tls, peer, &host).await;
    }
    http1::serve(tls, peer, Some(&host)).await.map(|_| ())
}
