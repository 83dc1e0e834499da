//! From a host's name to a connection: looked up, judged, connected to the judged address, encrypted.

use std::collections::{HashMap, HashSet};
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use rustls_pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::error::FetchError;
use super::guard::{Guard, Judged};
use super::proxies::{Proxies, Proxy, is_public_name};
use super::tunnel;
use crate::name::is_no_such_name;

/// How long one address may take to accept; a dead one of several must not use up the request's patience.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How many addresses of one name are tried.
const N_ADDRESSES_MAX: usize = 4;

/// Who chose the host of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Chooser {
    /// The command: it goes where it would go without Outlast, this machine itself excepted.
    Command,
    /// Outlast: only public and allowed addresses.
    Outlast,
}

/// Where one host really is.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) connect: Option<String>,
    pub(crate) tls: Option<Arc<rustls::ClientConfig>>,
}

#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) places: HashMap<String, Place>,
    /// Hosts and ports that the configuration names as another host's base.
    pub(crate) bases: HashSet<(String, u16)>,
    pub(crate) tls: Arc<rustls::ClientConfig>,
    pub(crate) guard: Guard,
    pub(crate) proxies: Proxies,
}

/// hyper's connector; one for each chooser, so that their pools never mix.
#[derive(Debug, Clone)]
pub(crate) struct Connector {
    pub(crate) line: Arc<Line>,
    pub(crate) chooser: Chooser,
}

impl tower_service::Service<Uri> for Connector {
    type Response = Stream;
    type Error = FetchError;
    type Future = Pin<Box<dyn Future<Output = Result<Stream, FetchError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), FetchError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connector = self.clone();
        Box::pin(async move { connector.connect(&uri).await })
    }
}

impl Connector {
    pub(super) async fn connect(&self, uri: &Uri) -> Result<Stream, FetchError> {
        let bad = || FetchError::BadAddress { url: uri.to_string() };
        let (is_tls, host, port) = parts(uri).ok_or_else(bad)?;
        let host = host.to_owned();
        let place = self.line.places.get(&host);
        let target = match place.and_then(|place| place.connect.clone()) {
            Some(connect) => connect,
            None if host.contains(':') => format!("[{host}]:{port}"),
            None => format!("{host}:{port}"),
        };
        // Whoever wrote `connect` or `url` into the configuration has allowed the address.
        let is_configured = place.is_some_and(|place| place.connect.is_some())
            || self.line.bases.contains(&(host.clone(), port));
        let (proxy, mut unproved) = (self.line.proxy(uri), None);
        let tcp = match proxy {
            Some(proxy) => {
                // Named in an [[upstream]], it is allowed as well.
                self.judge_unseen(&host, is_configured || place.is_some())?;
                let way = tunnel::through(proxy, is_tls.then_some(&*target));
                way.await.map_err(|source| FetchError::Proxy {
                    host: host.clone(),
                    proxy: proxy.authority.clone(),
                    source,
                })?
            }
            None => {
                let addresses = look_up(&host, &target).await?;
                let (tcp, address) = self.connect_to_one(&host, &addresses, is_configured, is_tls).await?;
                unproved = address;
                tcp
            }
        };
        if !is_tls {
            return Ok(Stream::Plain(TokioIo::new(tcp), proxy.is_some()));
        }
        let config = place.and_then(|place| place.tls.clone()).unwrap_or_else(|| self.line.tls.clone());
        let name = ServerName::try_from(host.clone()).map_err(|_| bad())?;
        let handshake = TlsConnector::from(config).connect(name, tcp);
        match tokio::time::timeout(2 * CONNECT_TIMEOUT, handshake).await {
            Ok(Ok(tls)) => {
                unproved.into_iter().for_each(|address| self.line.guard.note_proved(address));
                Ok(Stream::Tls(Box::new(TokioIo::new(tls))))
            }
            Ok(Err(_)) if let Some(address) = unproved.filter(|it| !self.line.guard.has_proved(*it)) => {
                Err(FetchError::Forbidden { host, address })
            }
            Ok(Err(source)) => Err(FetchError::Tls { host, source: in_words(source) }),
            Err(_) => Err(FetchError::Timeout { host, after: 2 * CONNECT_TIMEOUT }),
        }
    }

    /// Connects to one of several addresses; the second value is one that has yet to prove what it is.
    async fn connect_to_one(
        &self,
        host: &str,
        addresses: &[SocketAddr],
        is_configured: bool,
        is_tls: bool,
    ) -> Result<(TcpStream, Option<IpAddr>), FetchError> {
        let mut last = None;
        for address in addresses.iter().take(N_ADDRESSES_MAX) {
            let ip = address.ip();
            let judged =
                if is_configured { Judged::Allowed } else { self.line.guard.judge(self.chooser, host, ip) };
            let unproved = match judged {
                Judged::Allowed => None,
                Judged::OnProof if is_tls => Some(ip),
                _ => return Err(FetchError::Forbidden { host: host.to_owned(), address: ip }),
            };
            match tokio::time::timeout(CONNECT_TIMEOUT, TcpStream::connect(address)).await {
                Ok(Ok(tcp)) => {
                    tcp.set_nodelay(true)
                        .map_err(|source| FetchError::Connect { host: host.to_owned(), source })?;
                    return Ok((tcp, unproved));
                }
                Ok(Err(source)) => last = Some(FetchError::Connect { host: host.to_owned(), source }),
                Err(_) => {
                    last = Some(FetchError::Timeout { host: host.to_owned(), after: CONNECT_TIMEOUT });
                }
            }
        }
        Err(last.unwrap_or_else(|| FetchError::NoSuchName { host: host.to_owned() }))
    }

    /// Judges a host whose address only a proxy knows.
    fn judge_unseen(&self, host: &str, is_configured: bool) -> Result<(), FetchError> {
        match host.parse::<IpAddr>() {
            _ if is_configured => Ok(()),
            Ok(address) if self.line.guard.judge(self.chooser, host, address) == Judged::Allowed => Ok(()),
            Ok(address) => Err(FetchError::Forbidden { host: host.to_owned(), address }),
            Err(_) if self.chooser == Chooser::Command || is_public_name(host) => Ok(()),
            Err(_) => Err(FetchError::NotPublic { host: host.to_owned() }),
        }
    }
}

impl Line {
    /// Returns the proxy through which an address is asked; what the configuration places is where it says.
    pub(crate) fn proxy(&self, uri: &Uri) -> Option<&Proxy> {
        let (is_tls, host, port) = parts(uri)?;
        let is_placed = self.places.get(host).is_some_and(|place| place.connect.is_some());
        self.proxies.find(is_tls, host, port).filter(|_| !is_placed)
    }
}

/// Returns whether TLS is spoken, the host without brackets, and the port.
fn parts(uri: &Uri) -> Option<(bool, &str, u16)> {
    let is_tls = uri.scheme_str() == Some("https");
    let port = uri.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
    Some((is_tls, uri.host()?.trim_matches(['[', ']']), port))
}

/// Says what a person can do something about in words; the library's own are for whoever writes it.
fn in_words(error: io::Error) -> io::Error {
    use rustls::{CertificateError, Error};
    let words = match error.get_ref().and_then(|inner| inner.downcast_ref()) {
        Some(Error::InvalidCertificate(certificate)) => match certificate {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                "its certificate has expired"
            }
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                "its certificate is not valid yet; is the clock right?"
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                "its certificate is for another name"
            }
            CertificateError::UnknownIssuer => {
                "its certificate is from an authority that is not trusted here"
            }
            _ => return error,
        },
        _ => return error,
    };
    io::Error::new(error.kind(), words)
}

async fn look_up(host: &str, target: &str) -> Result<Vec<SocketAddr>, FetchError> {
    let found = match tokio::net::lookup_host(target).await {
        Ok(found) => found.collect::<Vec<_>>(),
        Err(source) if is_no_such_name(&source) => {
            return Err(FetchError::NoSuchName { host: host.to_owned() });
        }
        Err(source) => return Err(FetchError::Lookup { host: host.to_owned(), source }),
    };
    if found.is_empty() {
        return Err(FetchError::NoSuchName { host: host.to_owned() });
    }
    Ok(found)
}

/// A plain or an encrypted connection.
#[derive(Debug)]
pub(crate) enum Stream {
    /// The second value says whether a proxy is at the other end, which wants to hear whole addresses.
    Plain(TokioIo<TcpStream>, bool),
    Tls(Box<TokioIo<TlsStream<TcpStream>>>),
}

impl Connection for Stream {
    fn connected(&self) -> Connected {
        match self {
            Self::Tls(tls) if tls.inner().get_ref().1.alpn_protocol() == Some(b"h2") => {
                Connected::new().negotiated_h2()
            }
            Self::Plain(_, is_proxy) => Connected::new().proxy(*is_proxy),
            _ => Connected::new(),
        }
    }
}

impl Read for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream, _) => Pin::new(stream).poll_read(context, buffer),
            Self::Tls(stream) => Pin::new(stream.as_mut()).poll_read(context, buffer),
        }
    }
}

impl Write for Stream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream, _) => Pin::new(stream).poll_write(context, bytes),
            Self::Tls(stream) => Pin::new(stream.as_mut()).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream, _) => Pin::new(stream).poll_flush(context),
            Self::Tls(stream) => Pin::new(stream.as_mut()).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream, _) => Pin::new(stream).poll_shutdown(context),
            Self::Tls(stream) => Pin::new(stream.as_mut()).poll_shutdown(context),
        }
    }
}
