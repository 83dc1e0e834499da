//! What ended here without an answer, and why.

use std::net::SocketAddr;

/// What is known about a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connection {
    /// What the client connected to.
    pub address: SocketAddr,
    /// The name the room's DNS had given that address for.
    pub looked_up: Option<String>,
    /// The name the client gave in its TLS greeting.
    pub server_name: Option<String>,
}

impl Connection {
    /// Returns the best name for the other end: as greeted, as looked up, or the address.
    pub fn host(&self) -> String {
        self.server_name
            .as_ref()
            .or(self.looked_up.as_ref())
            .map_or_else(|| super::origin::address_host(self.address), Clone::clone)
    }
}

/// Why something was refused; its text ends a sentence that begins with the host.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RefusedWhy {
    /// The first bytes are neither TLS nor HTTP.
    #[error("the connection spoke neither TLS nor HTTP")]
    UnknownProtocol,
    /// The client sent too little to tell; it may be waiting for the server to speak first.
    #[error("the client sent nothing that shows its protocol")]
    Silent,
    /// The client does not trust the run's certificate.
    #[error("the client did not trust the run's certificate (`{alert}`)")]
    NotTrusted {
        /// The TLS alert it sent.
        alert: String,
    },
    /// The client hung up during the TLS handshake and did not say why: distrust, or its end.
    #[error("the client hung up during the TLS handshake")]
    HandshakeClosed,
    /// The client completed the TLS handshake and closed without a request: wget judges the certificate only then.
    #[error("the client closed after the TLS handshake without a request")]
    NothingAsked,
    /// The TLS handshake took too long.
    #[error("the TLS handshake took too long")]
    HandshakeSlow,
    /// The client's TLS is not one we speak.
    #[error("the TLS handshake failed (`{reason}`)")]
    Handshake {
        /// The TLS library's words.
        reason: String,
    },
    /// A request that is not HTTP after all, or longer than the limits.
    #[error("the request could not be read (`{reason}`)")]
    Malformed {
        /// The HTTP library's words, or ours.
        reason: String,
    },
    /// The request's head took too long.
    #[error("the request head took too long")]
    HeaderSlow,
    /// The client took the other end for a proxy.
    #[error("the client asked for a tunnel (CONNECT)")]
    Tunnel,
}
