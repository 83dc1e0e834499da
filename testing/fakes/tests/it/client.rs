//! A client that hides nothing: it sends one request and says what came, byte for byte, and how it ended.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use fakes::Upstream;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use rustls_pki_types::{CertificateDer, ServerName, pem::PemObject as _};

/// Longer than anything here takes, so that a hang ends as one.
pub(crate) const PATIENCE: Duration = Duration::from_millis(400);

/// What came back.
#[derive(Debug)]
pub(crate) struct Got {
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
    pub(crate) end: End,
}

/// How the connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Closed,
    Reset,
    TimedOut,
}

impl Got {
    pub(crate) fn status(&self) -> &str {
        self.head.split(' ').nth(1).unwrap_or_default()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (found, value) = line.split_once(": ")?;
            found.eq_ignore_ascii_case(name).then_some(value)
        })
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}

/// Sends a GET with these further header lines over plain HTTP, closing afterwards.
pub(crate) fn get(upstream: &Upstream, host: &str, path: &str, lines: &[&str]) -> Got {
    send(upstream, "GET", host, path, lines)
}

pub(crate) fn send(upstream: &Upstream, method: &str, host: &str, path: &str, lines: &[&str]) -> Got {
    exchange(connect(upstream.plain_address()), method, host, path, lines)
}

pub(crate) fn connect(address: std::net::SocketAddr) -> TcpStream {
    let tcp = TcpStream::connect(address).unwrap();
    tcp.set_read_timeout(Some(PATIENCE)).unwrap();
    tcp
}

/// Sends a GET over TLS; the error is the handshake's.
pub(crate) fn get_tls(upstream: &Upstream, host: &str, path: &str) -> io::Result<Got> {
    let mut tls = handshake(upstream, host, &[])?;
    tls.flush()?;
    Ok(exchange(tls, "GET", host, path, &[]))
}

pub(crate) fn handshake(
    upstream: &Upstream,
    host: &str,
    protocols: &[&[u8]],
) -> io::Result<StreamOwned<ClientConnection, TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(upstream.ca_pem().as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
    let name = ServerName::try_from(host.to_owned()).unwrap();
    let mut connection = ClientConnection::new(Arc::new(config), name).unwrap();
    let mut tcp = connect(upstream.tls_address());
    while connection.is_handshaking() {
        connection.complete_io(&mut tcp)?;
    }
    Ok(StreamOwned::new(connection, tcp))
}

fn exchange(mut wire: impl Read + Write, method: &str, host: &str, path: &str, lines: &[&str]) -> Got {
    let mut request = format!("{method} {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n");
    for line in lines {
        request.push_str(line);
        request.push_str("\r\n");
    }
    wire.write_all((request + "\r\n").as_bytes()).unwrap();
    wire.flush().unwrap();
    let mut all = Vec::new();
    let end = match wire.read_to_end(&mut all) {
        Ok(_) => End::Closed,
        Err(error) if error.kind() == io::ErrorKind::ConnectionReset => End::Reset,
        Err(_) => End::TimedOut,
    };
    let at = all.windows(4).position(|four| four == b"\r\n\r\n");
    let (head, body) = at.map_or((String::new(), Vec::new()), |at| {
        (String::from_utf8(all[..at].to_vec()).unwrap(), all[at + 4..].to_vec())
    });
    Got { head, body, end }
}
