//! The door of a room: what the command connects to, looks up and is refused.

mod heard;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;

pub(crate) use heard::Heard;
use host::http::{Outgoing, Proxies};
use http_body_util::BodyExt as _;
use intercept::{Authority, Captured, Handler, Origin, RefusedWhy, Tunnel};
use model::{Cut, Protocol, Refused, SafeUrl};
use proxy::{Purpose, Session};
use sandbox::{Connection, Events, Resolution, Resolving};
use store::Store;
use tokio::io::{AsyncRead, AsyncWrite};

/// Why nothing is kept of a host that the configuration exempts.
pub(crate) const NOT_LOOKED_INTO: &str = "it is not looked into, by `exec.passthrough`";

/// Hands what happens in a room to the session.
#[derive(Debug)]
pub(crate) struct Door {
    pub(crate) session: Session,
    pub(crate) authority: Arc<Authority>,
    pub(crate) store: Store,
    pub(crate) purpose: Purpose,
    /// Whether a server is asked first, which may have what nobody here has heard of.
    pub(crate) has_server: bool,
    /// Hosts that the configuration places somewhere: they exist, whatever the name service says.
    pub(crate) placed: BTreeSet<String>,
    /// Through whom the world is reached.
    pub(crate) proxies: Proxies,
    /// Hosts that are not looked into.
    pub(crate) passthrough: Vec<String>,
    pub(crate) cuts: Vec<Cut>,
    pub(crate) heard: Arc<Heard>,
}

impl Door {
    /// Joins the command and a host that is not looked into, unless the host was cut.
    async fn pass_through(
        &self,
        mut stream: impl AsyncRead + AsyncWrite + Unpin,
        host: &str,
        address: SocketAddr,
    ) {
        self.heard.pass(host, address.port());
        if self.is_cut(host) {
            return;
        }
        match self.proxies.connect(host, address.port()).await {
            Ok(mut upstream) => {
                // Either end may hang up at any time; there is nobody to tell.
                let _ = tokio::io::copy_bidirectional(&mut stream, &mut upstream).await;
            }
            Err(error) => tracing::info!("`{host}` could not be reached: {error}"),
        }
    }

    async fn exists(&self, name: &str) -> Resolution {
        if self.has_server || self.placed.contains(name) {
            return Resolution::Answer;
        }
        let is_kept = self.store.knows_host(name);
        if let Err(error) = &is_kept {
            tracing::error!("whether anything of `{name}` is kept is not known: {error}");
        }
        if matches!(is_kept, Ok(true)) {
            return Resolution::Answer;
        }
        // A cut takes the name service of a host away as well; whoever only fetches may still be told that it exists.
        if self.purpose == Purpose::Drill && self.is_cut(name) {
            self.heard.leave_unanswered(name);
            // Where nothing of it is kept the outage is real for it, and the report names it.
            return if is_kept.is_ok() { Resolution::Nxdomain } else { Resolution::Unknown };
        }
        if self.proxies.has(name) {
            return Resolution::Answer;
        }
        match host::name::exists(name).await {
            Ok(true) => Resolution::Answer,
            Ok(false) => Resolution::Nxdomain,
            Err(_) => Resolution::Unknown,
        }
    }

    fn is_cut(&self, host: &str) -> bool {
        self.cuts.iter().any(|cut| cut.concerns(host))
    }
}

/// What the room tells goes to the door.
#[derive(Debug)]
pub(crate) struct Bell(pub(crate) Arc<Door>);

impl Events for Bell {
    fn connection(&self, connection: Connection) {
        let door = self.0.clone();
        let Connection { stream, address, looked_up } = connection;
        tokio::spawn(async move {
            if let Some(host) = looked_up.as_ref().filter(|host| door.passthrough.contains(host)) {
                return door.pass_through(stream, host, address).await;
            }
            let authority = door.authority.clone();
            let handler = Arc::new(Requests(door));
            intercept::serve(Captured { stream, address, looked_up }, &authority, handler).await;
        });
    }

    fn resolve<'a>(&'a self, name: &'a str) -> Resolving<'a> {
        Box::pin(self.0.exists(name))
    }

    fn refused(&self, refused: Refused) {
        self.0.heard.refuse(refused);
    }

    fn refused_more(&self) {
        self.0.heard.refuse_more();
    }
}

/// Hands requests to the session.
#[derive(Debug)]
pub(crate) struct Requests(pub(crate) Arc<Door>);

impl Handler for Requests {
    type Body = Outgoing;

    async fn answer(
        &self,
        origin: Origin,
        request: http::Request<hyper::body::Incoming>,
    ) -> http::Response<Outgoing> {
        let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
        // Before the address is normalised: `..` would be gone afterwards.
        if let Err(hostile) = registry::check_path(request.uri().path()) {
            return self.0.session.refuse_path(&hostile);
        }
        let is_default = origin.port == if origin.scheme == "http" { 80 } else { 443 };
        let port = if is_default { String::new() } else { format!(":{}", origin.port) };
        let Ok(url) = SafeUrl::parse(&format!("{}://{}{port}{path}", origin.scheme, origin.host)) else {
            return self.0.session.refuse_address();
        };
        let request = request.map(|body| body.map_err(|error| error.into()).boxed_unsync());
        // Only where a proxy is asked for it without a tunnel; a stream is handed on as it is.
        if self.0.passthrough.contains(&origin.host) {
            return self.0.session.pass_on(url, request, NOT_LOOKED_INTO).await;
        }
        self.0.session.answer(url, request).await
    }

    fn is_passed_through(&self, connection: &intercept::Connection) -> bool {
        self.0.passthrough.contains(&connection.host())
    }

    async fn pass_through(&self, tunnel: Tunnel, connection: &intercept::Connection) {
        self.0.pass_through(tunnel, &connection.host(), connection.address).await;
    }

    fn refused(&self, connection: &intercept::Connection, why: RefusedWhy) {
        let host = connection.host();
        match why {
            RefusedWhy::NotTrusted { .. } => self.0.heard.distrust(&host),
            RefusedWhy::HandshakeClosed | RefusedWhy::NothingAsked => self.0.heard.hang_up(&host),
            _ => {}
        }
        self.0.heard.refuse(Refused {
            host,
            address: connection.address.ip().to_string(),
            port: connection.address.port(),
            protocol: Protocol::Unknown,
        });
    }
}
