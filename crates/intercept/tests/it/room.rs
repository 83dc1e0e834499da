//! A listener on loopback that plays the room, and a handler that remembers.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use intercept::{Authority, Captured, Connection, Handler, Limits, Origin, RefusedWhy, Tunnel, serve_within};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// The host that is not looked into.
pub(crate) const PASSED: &str = "passed.test";

/// One request as the handler saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) origin: Origin,
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) body: Bytes,
    pub(crate) version: http::Version,
}

#[derive(Default)]
pub(crate) struct Memory {
    pub(crate) seen: Mutex<Vec<Seen>>,
    pub(crate) refused: Mutex<Vec<(Connection, RefusedWhy)>>,
}

impl Handler for Memory {
    type Body = Full<Bytes>;

    async fn answer(&self, origin: Origin, request: http::Request<Incoming>) -> http::Response<Full<Bytes>> {
        let (parts, body) = request.into_parts();
        let body = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
        let path = parts.uri.path().to_owned();
        let answer = format!("{} {path}\n", origin.host);
        self.seen.lock().unwrap().push(Seen {
            origin,
            method: parts.method.to_string(),
            path,
            body,
            version: parts.version,
        });
        http::Response::new(Full::from(answer))
    }

    fn refused(&self, connection: &Connection, why: RefusedWhy) {
        self.refused.lock().unwrap().push((connection.clone(), why));
    }

    fn is_passed_through(&self, connection: &Connection) -> bool {
        connection.host() == PASSED
    }

    /// Plays a host that greets in no protocol that is known here.
    async fn pass_through(&self, mut tunnel: Tunnel, connection: &Connection) {
        let greeting = format!("{} {}\n", connection.host(), connection.address.port());
        tokio::io::AsyncWriteExt::write_all(&mut tunnel, greeting.as_bytes()).await.unwrap();
    }
}

/// Where the room listens, and what it remembers.
pub(crate) struct Room {
    pub(crate) address: SocketAddr,
    pub(crate) authority: Arc<Authority>,
    pub(crate) memory: Arc<Memory>,
    served: Arc<tokio::sync::Semaphore>,
}

impl Room {
    pub(crate) async fn open() -> Self {
        Self::with(None, None, Limits::default()).await
    }

    pub(crate) async fn with(
        permitted: Option<&[String]>,
        looked_up: Option<&'static str>,
        limits: Limits,
    ) -> Self {
        let authority = Arc::new(Authority::new(now(), "outlast test", permitted).unwrap());
        let memory = Arc::new(Memory::default());
        let served = Arc::new(tokio::sync::Semaphore::new(0));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (ours, remembers, count) = (Arc::clone(&authority), Arc::clone(&memory), Arc::clone(&served));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (authority, handler, count) =
                    (Arc::clone(&ours), Arc::clone(&remembers), Arc::clone(&count));
                let captured = Captured { stream, address, looked_up: looked_up.map(str::to_owned) };
                tokio::spawn(async move {
                    serve_within(captured, &authority, handler, limits).await;
                    count.add_permits(1);
                });
            }
        });
        Self { address, authority, memory, served }
    }

    /// Waits until `n` more connections have ended.
    pub(crate) async fn ended(&self, n: u32) {
        let waited = tokio::time::timeout(Duration::from_secs(20), self.served.acquire_many(n)).await;
        waited.expect("connections end").unwrap().forget();
    }

    pub(crate) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Shakes hands as a client that trusts `roots`.
    pub(crate) async fn tls(
        &self,
        name: &str,
        roots: &[&[u8]],
        alpn: &[&str],
    ) -> std::io::Result<TlsStream<TcpStream>> {
        self.tls_with(&client(roots, alpn), name).await
    }

    /// Shakes hands as a client that may have been here before.
    pub(crate) async fn tls_with(
        &self,
        client: &Arc<ClientConfig>,
        name: &str,
    ) -> std::io::Result<TlsStream<TcpStream>> {
        let name = ServerName::try_from(name.to_owned()).unwrap();
        TlsConnector::from(Arc::clone(client)).connect(name, self.connect().await).await
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.memory.seen.lock().unwrap().clone()
    }

    pub(crate) fn refused(&self) -> Vec<(Connection, RefusedWhy)> {
        self.memory.refused.lock().unwrap().clone()
    }
}

/// Real clients judge a certificate by the machine's clock.
#[expect(clippy::disallowed_methods, reason = "tests stand outside the layers")]
pub(crate) fn now() -> model::Timestamp {
    model::Timestamp::now()
}

/// A client that trusts `roots` and remembers its sessions.
pub(crate) fn client(roots: &[&[u8]], alpn: &[&str]) -> Arc<ClientConfig> {
    let mut store = RootCertStore::empty();
    for root in roots {
        store.add(CertificateDer::from(root.to_vec())).unwrap();
    }
    let mut config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(store)
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    Arc::new(config)
}
