//! Whom Outlast trusts towards upstreams: the system's roots, the caller's own, and what the configuration names.

use std::sync::Arc;

use rustls::RootCertStore;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

/// A set of trusted certificates.
#[derive(Debug, Clone)]
pub struct Roots(RootCertStore);

impl Roots {
    /// Starts with nobody.
    pub fn empty() -> Self {
        Self(RootCertStore::empty())
    }

    /// Reads the roots of the system, honouring SSL_CERT_FILE and SSL_CERT_DIR as OpenSSL does.
    pub fn system() -> Self {
        let mut roots = Self::empty();
        roots.0.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        roots
    }

    /// Adds every certificate of a PEM file; those that rustls cannot use are left out.
    pub fn add_pem(&mut self, pem: &[u8]) -> Result<(), BadCertificates> {
        let certificates: Vec<_> = CertificateDer::pem_slice_iter(pem).filter_map(Result::ok).collect();
        if certificates.is_empty() {
            return Err(BadCertificates);
        }
        self.0.add_parsable_certificates(certificates);
        Ok(())
    }

    pub(crate) fn client_config(&self) -> Arc<rustls::ClientConfig> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("ring supports the default versions")
            .with_root_certificates(self.0.clone())
            .with_no_client_auth();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Arc::new(config)
    }
}

impl From<RootCertStore> for Roots {
    fn from(store: RootCertStore) -> Self {
        Self(store)
    }
}

/// The file has no certificate in PEM form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no certificate in PEM form")]
pub struct BadCertificates;
