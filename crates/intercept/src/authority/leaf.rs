//! One certificate per name a client asks for, made when it asks and kept for the next time.

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use rcgen::{KeyPair, SanType};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use super::AuthorityError;
use super::certificates::{Chain, new_key};

/// How many certificates are remembered: far above what a build asks for, far below what hurts (1 KB each).
const REMEMBERED_MAX: usize = 4096;

#[derive(Clone, PartialEq, Eq, Hash)]
struct Names {
    host: Option<String>,
    address: Option<IpAddr>,
}

/// Makes and remembers leaves. All share one key: who had it could sign as the run's authority anyway.
pub(super) struct Leaves {
    chain: Chain,
    key: KeyPair,
    signing: Arc<dyn rustls::sign::SigningKey>,
    made: Mutex<HashMap<Names, Arc<CertifiedKey>>>,
}

impl Leaves {
    pub(super) fn new(chain: Chain) -> Result<Self, AuthorityError> {
        let key = new_key()
            .map_err(|source| AuthorityError::Certificate { subject: "outlast".to_owned(), source })?;
        let der = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let signing = rustls::crypto::ring::sign::any_supported_type(&der)
            .map_err(|source| AuthorityError::Tls { source })?;
        Ok(Self { chain, key, signing, made: Mutex::new(HashMap::new()) })
    }

    pub(super) fn len(&self) -> usize {
        self.made.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Returns the certificate for these names; `None` for a name no certificate can hold.
    fn get(&self, names: &Names) -> Option<Arc<CertifiedKey>> {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(leaf) = made.get(names) {
            return Some(Arc::clone(leaf));
        }
        // Signing takes some 50 µs, so it may happen under the lock: two clients of one name get one certificate.
        let leaf = Arc::new(self.make(names)?);
        if made.len() >= REMEMBERED_MAX {
            made.clear();
        }
        made.insert(names.clone(), Arc::clone(&leaf));
        Some(leaf)
    }

    fn make(&self, names: &Names) -> Option<CertifiedKey> {
        let mut subjects = Vec::new();
        if let Some(host) = &names.host {
            subjects.push(SanType::DnsName(host.clone().try_into().ok()?));
        }
        subjects.extend(names.address.map(SanType::IpAddress));
        let leaf = self.chain.leaf(&self.key, subjects).ok()?;
        Some(CertifiedKey::new(vec![leaf, self.chain.intermediate()], Arc::clone(&self.signing)))
    }
}

impl fmt::Debug for Leaves {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Leaves").field("n", &self.len()).finish_non_exhaustive()
    }
}

impl ResolvesServerCert for Leaves {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let host = normal_name(hello.server_name()?);
        self.get(&Names { host: Some(host), address: None })
    }
}

/// Answers clients that name nobody as the address they connected to.
#[derive(Debug)]
pub(super) struct AtAddress {
    leaves: Arc<Leaves>,
    address: IpAddr,
    looked_up: Option<String>,
}

impl AtAddress {
    pub(super) fn new(leaves: Arc<Leaves>, address: IpAddr, looked_up: Option<&str>) -> Self {
        Self { leaves, address: address.to_canonical(), looked_up: looked_up.map(normal_name) }
    }
}

impl ResolvesServerCert for AtAddress {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        if hello.server_name().is_some() {
            return self.leaves.resolve(hello);
        }
        // An address that a name was looked up for is the room's own invention: with name constraints it must not
        // stand beside the name, or the whole certificate would be refused.
        let address = self.looked_up.is_none().then_some(self.address);
        self.leaves.get(&Names { host: self.looked_up.clone(), address })
    }
}

fn normal_name(name: &str) -> String {
    name.trim_end_matches('.').to_ascii_lowercase()
}
