//! Whom the caller trusts: the system's roots, and every certificate a variable or a client's own settings name.

mod java;
mod pem;
mod public;
mod settings;
mod sources;

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use rustls::RootCertStore;
use rustls_pki_types::CertificateDer;

use crate::authority::pem as to_pem;
use crate::caller::{Caller, Identity};
use public::PublicRoots;

pub(crate) use settings::{has_setting, values};
pub use sources::SYSTEM_BUNDLES;
pub(crate) use sources::{files_with_settings, named_by_settings};

/// Everything the caller trusts, in the order in which it was found, each certificate once.
#[derive(Debug, Clone, Default)]
pub struct CallerTrust {
    certificates: Vec<CertificateDer<'static>>,
    n_system: usize,
    unreadable: Vec<Unreadable>,
}

/// A certificate file that something names and that gave no certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    /// The file.
    pub path: PathBuf,
    /// The variable or the settings file that names it.
    pub named_by: String,
}

impl CallerTrust {
    /// Reads the system's roots and what the caller's variables and settings add to them.
    ///
    /// The system is read by this crate, not by the process's own `SSL_CERT_FILE`, which would hide it.
    pub fn read(caller: &Caller) -> Self {
        let mut reading =
            Reading { caller, trust: Self::default(), seen: HashSet::new(), n_in: HashMap::new() };
        for path in sources::system(caller) {
            reading.add(&path);
        }
        reading.trust.n_system = reading.trust.certificates.len();
        for (path, variable) in sources::named_by_variables(caller) {
            reading.add_named(path, variable);
        }
        for path in sources::in_directories(caller) {
            reading.add(&path);
        }
        for (path, file) in sources::named_by_settings(caller) {
            reading.add_named(path, file.display().to_string());
        }
        for text in sources::written_out(caller) {
            reading.take(pem::read(text.as_bytes()));
        }
        reading.trust
    }

    /// Returns how many certificates there are: the system's, and those the caller added.
    pub fn n_certificates(&self) -> (usize, usize) {
        (self.n_system, self.certificates.len() - self.n_system)
    }

    /// Returns what was named and gave no certificate.
    pub fn unreadable(&self) -> &[Unreadable] {
        &self.unreadable
    }

    /// Returns one PEM file with everything the caller trusts and the run's root.
    pub fn bundle_pem(&self, root_pem: &str) -> Vec<u8> {
        bundle(root_pem, self.certificates.iter())
    }

    /// Returns the same without the public roots, for clients that bring those along or cannot meet them.
    pub fn extra_pem(&self, root_pem: &str) -> Vec<u8> {
        let public = PublicRoots::read();
        bundle(root_pem, self.certificates.iter().filter(|certificate| !public.contain(certificate)))
    }

    /// Returns the same as a Java key store (format JKS, password `changeit`), which Java 8 and later read as their own.
    pub fn java_trust_store(&self, root_der: &[u8]) -> Vec<u8> {
        java::write(root_der, self.certificates.iter().map(AsRef::as_ref))
    }

    /// Returns what upstreams are trusted by: the caller's roots, never the run's own.
    pub fn upstream_roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(self.certificates.iter().cloned());
        roots
    }
}

fn bundle<'a>(root_pem: &str, certificates: impl Iterator<Item = &'a CertificateDer<'static>>) -> Vec<u8> {
    let mut bundle = root_pem.as_bytes().to_vec();
    for certificate in certificates {
        bundle.extend_from_slice(to_pem(certificate).as_bytes());
    }
    bundle
}

/// Trust while it is read. A dozen variables may name one bundle; it is read once.
struct Reading<'a> {
    caller: &'a Caller,
    trust: CallerTrust,
    seen: HashSet<CertificateDer<'static>>,
    n_in: HashMap<Identity, usize>,
}

impl Reading<'_> {
    /// Returns how many certificates a file holds, new ones or not.
    fn add(&mut self, path: &Path) -> usize {
        // A hashed directory leads to each file by two or three links: following them by name costs ten times as much.
        let Some(file) = self.caller.files().identity(path) else { return 0 };
        if let Some(n) = self.n_in.get(&file) {
            return *n;
        }
        let found = self.caller.files().read(path).map(|bytes| pem::read(&bytes)).unwrap_or_default();
        self.n_in.insert(file, found.len());
        self.take(found)
    }

    fn add_named(&mut self, path: PathBuf, named_by: String) {
        if self.add(&path) == 0 {
            self.trust.unreadable.push(Unreadable { path, named_by });
        }
    }

    fn take(&mut self, found: Vec<CertificateDer<'static>>) -> usize {
        let n = found.len();
        let seen = &mut self.seen;
        self.trust.certificates.extend(found.into_iter().filter(|it| seen.insert(it.clone())));
        n
    }
}

/// Feeds bytes to every parser here; a value is a part of its text.
#[cfg(test)]
pub(crate) fn no_panic(bytes: &[u8]) {
    drop(pem::read(bytes));
    let text = String::from_utf8_lossy(bytes);
    for key in ["cafile", "cainfo", "https-proxy"] {
        assert!(settings::values(&text, key).iter().all(|value| text.contains(value.as_str())));
    }
}

#[cfg(test)]
mod tests;
