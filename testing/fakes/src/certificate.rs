//! Certificates for every name, made when they are asked for.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};
use rustls::ServerConfig;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

/// What the certificate shown is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    /// Good, by the CA that tests trust.
    Trusted,
    /// By that CA, but out of date.
    Expired,
    /// By a CA that nobody trusts.
    Foreign,
    /// Good, but for another name.
    WrongHost,
}

/// Which protocols a handshake offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Protocols {
    Http1,
    Http1And2,
}

/// The two CAs and the certificates made so far.
pub(crate) struct Authorities {
    trusted: Authority,
    foreign: Authority,
    leaf_key: KeyPair,
    configs: Mutex<HashMap<(String, Kind, Protocols), Arc<ServerConfig>>>,
}

impl fmt::Debug for Authorities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Authorities")
    }
}

struct Authority {
    issuer: Issuer<'static, KeyPair>,
    der: CertificateDer<'static>,
    pem: String,
}

impl Authority {
    fn generate(name: &str) -> Self {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(Vec::new()).expect("no names are good names");
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2049, 1, 1);
        let certificate = params.self_signed(&key).expect("a certificate that signs itself");
        Self { pem: certificate.pem(), der: certificate.der().clone(), issuer: Issuer::new(params, key) }
    }
}

impl Authorities {
    pub(crate) fn generate() -> Self {
        Self {
            trusted: Authority::generate("Fake Upstream CA"),
            foreign: Authority::generate("Nobody's CA"),
            leaf_key: KeyPair::generate().expect("a key"),
            configs: Mutex::default(),
        }
    }

    pub(crate) fn trusted_pem(&self) -> &str {
        &self.trusted.pem
    }

    /// Returns what to answer a handshake for this name with.
    pub(crate) fn config(&self, name: &str, kind: Kind, protocols: Protocols) -> Arc<ServerConfig> {
        let mut configs = self.configs.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (name.to_owned(), kind, protocols);
        configs.entry(key).or_insert_with(|| Arc::new(self.make(name, kind, protocols))).clone()
    }

    fn make(&self, name: &str, kind: Kind, protocols: Protocols) -> ServerConfig {
        let authority = if kind == Kind::Foreign { &self.foreign } else { &self.trusted };
        let name = if kind == Kind::WrongHost { "another.example" } else { name };
        let mut params = CertificateParams::new(vec![name.to_owned()]).expect("a name for a certificate");
        params.distinguished_name.push(DnType::CommonName, name.chars().take(60).collect::<String>());
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        params.not_before = date_time_ymd(2020, 1, 2);
        params.not_after = date_time_ymd(if kind == Kind::Expired { 2021 } else { 2048 }, 1, 1);
        let leaf = params.signed_by(&self.leaf_key, &authority.issuer).expect("a signed certificate");
        let chain = vec![leaf.der().clone(), authority.der.clone()];
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.leaf_key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("the versions of the provider")
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .expect("a certificate with its key");
        config.alpn_protocols = match protocols {
            Protocols::Http1 => vec![b"http/1.1".to_vec()],
            Protocols::Http1And2 => vec![b"h2".to_vec(), b"http/1.1".to_vec()],
        };
        config
    }
}
