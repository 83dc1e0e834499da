//! Asks a proxy for a way to a host: CONNECT (RFC 9110 §9.3.6).

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::proxies::{Proxies, Proxy};

/// How long a proxy may take for a way: it has to look up and to connect itself.
const PROXY_TIMEOUT: Duration = Duration::from_secs(20);
/// The longest head of a proxy's answer.
const HEAD_BYTES_MAX: usize = 16 * 1024;

impl Proxies {
    /// Connects to a host that is not looked into: whoever configured it has allowed it.
    ///
    /// # Errors
    /// That of the connection, or of the proxy.
    pub async fn connect(&self, name: &str, port: u16) -> io::Result<TcpStream> {
        match self.find(port != 80, name, port) {
            Some(proxy) => through(proxy, Some(&format!("{name}:{port}"))).await,
            None => crate::name::connect(name, port).await,
        }
    }
}

/// Connects to a proxy, and lets it open the way to a target, unless it is to ask for the target itself.
pub(crate) async fn through(proxy: &Proxy, target: Option<&str>) -> io::Result<TcpStream> {
    let connecting = async {
        let mut tcp = TcpStream::connect(&proxy.authority).await?;
        tcp.set_nodelay(true)?;
        if let Some(target) = target {
            open(&mut tcp, proxy, target).await?;
        }
        Ok(tcp)
    };
    let late = |_| io::Error::new(io::ErrorKind::TimedOut, "it did not answer in time");
    tokio::time::timeout(PROXY_TIMEOUT, connecting).await.map_err(late)?
}

/// Opens a way to `target`, `host:port`, over a connection to a proxy.
///
/// # Errors
/// In words for a person; nothing of what lets in at the proxy is in them.
async fn open(tcp: &mut TcpStream, proxy: &Proxy, target: &str) -> Result<(), io::Error> {
    let mut request = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n").into_bytes();
    if let Some(authorization) = &proxy.authorization {
        request.extend_from_slice(b"Proxy-Authorization: ");
        request.extend_from_slice(authorization.expose().as_bytes());
        request.extend_from_slice(b"\r\n");
    }
    request.extend_from_slice(b"\r\n");
    tcp.write_all(&request).await?;
    let mut head = Vec::new();
    let mut chunk = [0; 1024];
    // Whoever waits for TLS says nothing before the client does, so what comes is the head alone.
    while !head.ends_with(b"\r\n\r\n") {
        let n = tcp.read(&mut chunk).await?;
        head.extend_from_slice(&chunk[..n]);
        let is_over = head.windows(4).any(|window| window == b"\r\n\r\n");
        if n == 0 || head.len() > HEAD_BYTES_MAX || (is_over && !head.ends_with(b"\r\n\r\n")) {
            break;
        }
    }
    let text = String::from_utf8_lossy(&head);
    let mut words = text.lines().next().unwrap_or_default().split(' ');
    let is_http = words.next().is_some_and(|version| version.starts_with("HTTP/1."));
    let status = words.next().and_then(|status| status.parse::<u16>().ok()).filter(|_| is_http);
    let refused = |what: String| Err(io::Error::new(io::ErrorKind::ConnectionRefused, what));
    match status {
        Some(200..=299) if head.ends_with(b"\r\n\r\n") => Ok(()),
        Some(200..=299) => refused("it says more than that the way is open".to_owned()),
        Some(407) => refused("it wants other credentials than those in the variable (status 407)".to_owned()),
        Some(status) => refused(format!("it answered with status {status}")),
        None => refused("what it answers is not HTTP".to_owned()),
    }
}
