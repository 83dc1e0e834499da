//! The root of a home: its key and its certificate outlive the process, so that clients need to be told of it once.
//!
//! A root that nears its end gets a new certificate for the same key and name: what clients have is good until its own end.

use std::fmt;
use std::time::Duration;

use model::{Secret, Sha256, Timestamp};
use rcgen::{KeyPair, PublicKeyData as _};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::certificates::{Chain, failed, new_key, period, root_params};
use super::{AuthorityError, pem};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// How far before `now` certificates begin: clients elsewhere have clocks of their own.
const BACKDATED_BY: Duration = DAY;
/// How long a root is valid: a key that leaked unnoticed is worthless after that.
const ROOT_VALID_FOR: Duration = DAY.saturating_mul(366);
/// How long before its end it is made anew: nobody tells clients, they are set up again at some time.
const ROOT_DUE: Duration = DAY.saturating_mul(90);
/// How long what it signs is valid: it is never stored, and made anew at each start.
const CHAIN_VALID_FOR: Duration = DAY.saturating_mul(8);

/// A root that is kept, and its key.
pub struct Root {
    key: KeyPair,
    name: String,
    certificate: CertificateDer<'static>,
    ends_at: Timestamp,
}

/// Why what was kept is no root.
#[derive(Debug, thiserror::Error)]
pub enum RootError {
    /// The key cannot be read.
    #[error("the private key cannot be read")]
    Key,
    /// The certificate cannot be read.
    #[error("the certificate cannot be read")]
    Certificate,
    /// They do not belong together.
    #[error("the certificate is not that of the private key")]
    Strangers,
    /// No certificate could be made for the key.
    #[error("no certificate could be made")]
    Certify {
        /// Why.
        #[from]
        source: AuthorityError,
    },
}

impl Root {
    /// Makes a root with a key of its own.
    pub fn new(now: Timestamp) -> Result<Self, AuthorityError> {
        Self::sign(new_key().map_err(failed("outlast"))?, now)
    }

    /// Makes a root for the key that is kept.
    pub fn renewed(key: &Secret<String>, now: Timestamp) -> Result<Self, RootError> {
        let key = read_key(key)?;
        Ok(Self::sign(key, now)?)
    }

    /// Reads what is kept of a root, both as PEM.
    pub fn read(key: &Secret<String>, certificate: &str) -> Result<Self, RootError> {
        let key = read_key(key)?;
        let certificate =
            CertificateDer::from_pem_slice(certificate.as_bytes()).map_err(|_| RootError::Certificate)?;
        let (_, parsed) = X509Certificate::from_der(&certificate).map_err(|_| RootError::Certificate)?;
        if parsed.public_key().raw != key.subject_public_key_info() {
            return Err(RootError::Strangers);
        }
        let name = parsed.subject().iter_common_name().next().and_then(|name| name.as_str().ok());
        let name = name.ok_or(RootError::Certificate)?.to_owned();
        let ends_at = Timestamp::from_second(parsed.validity().not_after.timestamp());
        let ends_at = ends_at.map_err(|_| RootError::Certificate)?;
        Ok(Self { key, name, certificate, ends_at })
    }

    /// Returns the private key as PEM, for the one place that keeps it.
    pub fn key_pem(&self) -> Secret<String> {
        Secret::new(self.key.serialize_pem())
    }

    /// Returns the certificate as PEM.
    pub fn certificate_pem(&self) -> String {
        pem(&self.certificate)
    }

    /// Returns when it ends.
    pub const fn ends_at(&self) -> Timestamp {
        self.ends_at
    }

    /// Returns whether it nears its end.
    pub fn is_due(&self, now: Timestamp) -> bool {
        now.checked_add(ROOT_DUE).map_or(true, |then| then >= self.ends_at)
    }

    pub(super) fn chain(&self, now: Timestamp) -> Result<Chain, AuthorityError> {
        let period = period(now, BACKDATED_BY, CHAIN_VALID_FOR)?;
        Chain::under(&self.name, self.certificate.clone(), &self.key, period, None)
    }

    fn sign(key: KeyPair, now: Timestamp) -> Result<Self, AuthorityError> {
        // Clients look issuers up by name: two homes must not have one.
        let name = format!("Outlast {}", &Sha256::of(&key.subject_public_key_info()).to_string()[..16]);
        let period = period(now, BACKDATED_BY, ROOT_VALID_FOR)?;
        let certificate = root_params(&name, period).self_signed(&key).map_err(failed(&name))?.der().clone();
        let ends_at = Timestamp::try_from(period.1).map_err(|_| AuthorityError::Clock)?;
        Ok(Self { key, name, certificate, ends_at })
    }
}

impl fmt::Debug for Root {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Root").field("name", &self.name).finish_non_exhaustive()
    }
}

fn read_key(pem: &Secret<String>) -> Result<KeyPair, RootError> {
    KeyPair::from_pem(pem.expose()).map_err(|_| RootError::Key)
}
