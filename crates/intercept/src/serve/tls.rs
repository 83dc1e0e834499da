//! Terminates TLS, and reports who did not trust us.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustls::AlertDescription;
use rustls::server::Acceptor;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::TlsStream;

use super::Handler;
use super::http::{self, Version};
use super::limits::Limits;
use super::refused::{Connection, RefusedWhy};
use crate::authority::Authority;

/// Serves a connection whose first byte is a TLS record's.
pub(super) async fn serve<S, H>(
    stream: S,
    mut connection: Connection,
    authority: &Arc<Authority>,
    handler: Arc<H>,
    limits: Limits,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    H: Handler,
{
    match terminate(stream, &mut connection, authority, limits.handshake).await {
        Ok(stream) => {
            // HTTP/2 without having agreed on it does not exist over TLS (RFC 9113, 3.2).
            let is_two = stream.get_ref().1.alpn_protocol() == Some(b"h2");
            let version = if is_two { Version::Two } else { Version::One };
            Box::pin(http::serve(stream, connection, ("https", version), handler, limits)).await;
        }
        Err(why) => handler.refused(&connection, why),
    }
}

/// Shakes hands with a client: what it sees is a certificate for the name that it greets, or else for what it connected to.
pub async fn terminate<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    connection: &mut Connection,
    authority: &Authority,
    within: Duration,
) -> Result<TlsStream<S>, RefusedWhy> {
    match timeout(within, Box::pin(accept(stream, connection, authority))).await {
        Ok(accepted) => accepted.map_err(|error| judge(&error)),
        Err(_) => Err(RefusedWhy::HandshakeSlow),
    }
}

async fn accept<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    connection: &mut Connection,
    authority: &Authority,
) -> io::Result<TlsStream<S>> {
    let start = LazyConfigAcceptor::new(Acceptor::default(), stream).await?;
    connection.server_name = start.client_hello().server_name().map(str::to_ascii_lowercase);
    let config = match connection.server_name {
        Some(_) => authority.server_config(),
        None => authority.server_config_at(connection.address.ip(), connection.looked_up.as_deref()),
    };
    start.into_stream(config).await
}

/// Turns the error of a handshake into what a person can act on.
fn judge(error: &io::Error) -> RefusedWhy {
    let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match tls {
        Some(rustls::Error::AlertReceived(alert)) if is_distrust(*alert) => {
            RefusedWhy::NotTrusted { alert: format!("{alert:?}") }
        }
        Some(error) => RefusedWhy::Handshake { reason: error.to_string() },
        None => RefusedWhy::HandshakeClosed,
    }
}

/// OpenSSL sends unknown_ca, Go bad_certificate, Java certificate_unknown; certificate_expired and access_denied come from
/// clients with a clock or a policy of their own.
fn is_distrust(alert: AlertDescription) -> bool {
    matches!(
        alert,
        AlertDescription::UnknownCA
            | AlertDescription::BadCertificate
            | AlertDescription::CertificateUnknown
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateRevoked
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::AccessDenied
    )
}
