//! Certificate authorities: one for each run, in memory and for a day at most; and one of a home, whose [`Root`] stays.
//!
//! A root signs one intermediate, which signs the leaves. The key of a run's root is dropped at once. Name constraints
//! stand on the intermediate because Java ignores them on a trust anchor.

mod certificates;
mod leaf;
mod root;

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use base64::Engine;
use model::Timestamp;
use rustls::ServerConfig;

use certificates::Chain;
use leaf::{AtAddress, Leaves};
pub use root::{Root, RootError};

/// A certificate authority at work; the key that it signs with is in memory only.
pub struct Authority {
    root_der: Vec<u8>,
    root_pem: String,
    leaves: Arc<Leaves>,
    config: Arc<ServerConfig>,
}

/// Why there is no authority.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// What should be permitted is neither a host name nor an address.
    #[error("`{name}` is neither a host name nor an address")]
    Name {
        /// What it was.
        name: String,
    },
    /// A certificate could not be made.
    #[error("cannot make a certificate for `{subject}`")]
    Certificate {
        /// What it was for.
        subject: String,
        /// The library's reason.
        source: rcgen::Error,
    },
    /// The TLS library does not take what was made.
    #[error("cannot set up TLS")]
    Tls {
        /// The library's reason.
        source: rustls::Error,
    },
    /// The time of day is one no certificate can hold.
    #[error("the clock shows a time before 1970")]
    Clock,
}

impl Authority {
    /// Makes an authority that is valid for a day from `now` on and shows `name` to people.
    ///
    /// With `permitted`, its certificates are good for these host names (their subdomains included) and addresses only.
    pub fn new(now: Timestamp, name: &str, permitted: Option<&[String]>) -> Result<Self, AuthorityError> {
        Self::of(Chain::new(now, name, permitted)?, &[b"h2", b"http/1.1"])
    }

    /// Makes the authority of a server, which speaks HTTP/1.1 alone. Its certificates are good for a week from `now` on, and for
    /// clients whose clock is a day behind.
    pub fn under(root: &Root, now: Timestamp) -> Result<Self, AuthorityError> {
        Self::of(root.chain(now)?, &[b"http/1.1"])
    }

    fn of(chain: Chain, protocols: &[&[u8]]) -> Result<Self, AuthorityError> {
        let root_der = chain.root_der().to_vec();
        let root_pem = pem(&root_der);
        let leaves = Arc::new(Leaves::new(chain)?);
        let mut config =
            ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
                .with_safe_default_protocol_versions()
                .map_err(|source| AuthorityError::Tls { source })?
                .with_no_client_auth()
                .with_cert_resolver(Arc::clone(&leaves) as _);
        config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
        Ok(Self { root_der, root_pem, leaves, config: Arc::new(config) })
    }

    /// Returns the root certificate as PEM.
    pub fn root_pem(&self) -> &str {
        &self.root_pem
    }

    /// Returns the root certificate as DER.
    pub fn root_der(&self) -> &[u8] {
        &self.root_der
    }

    /// Returns a configuration that answers every named client with a certificate for that name.
    ///
    /// A client that names nobody is not answered; see [`Authority::server_config_at`].
    pub fn server_config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.config)
    }

    /// Returns a configuration that answers a client that names nobody with a certificate for `address` and `looked_up`.
    pub fn server_config_at(&self, address: IpAddr, looked_up: Option<&str>) -> Arc<ServerConfig> {
        let mut config = ServerConfig::clone(&self.config);
        let fallback = AtAddress::new(Arc::clone(&self.leaves), address, looked_up);
        config.cert_resolver = Arc::new(fallback);
        Arc::new(config)
    }

    /// Returns how many certificates have been made for hosts.
    pub fn n_leaves(&self) -> usize {
        self.leaves.len()
    }
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authority").field("n_leaves", &self.n_leaves()).finish_non_exhaustive()
    }
}

/// Returns one certificate as PEM: 64 characters a line, as the strictest readers want it.
pub(crate) fn pem(der: &[u8]) -> String {
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    let mut pem = String::with_capacity(text.len() + text.len() / 64 + 60);
    pem.push_str("-----BEGIN CERTIFICATE-----\n");
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(64));
        pem.push_str(line);
        pem.push('\n');
        rest = after;
    }
    pem.push_str("-----END CERTIFICATE-----\n");
    pem
}

#[cfg(test)]
mod tests;
