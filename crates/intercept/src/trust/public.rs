//! Which roots are public: those Mozilla trusts or once trusted. A company's own, or one made for tests, is none.

use std::collections::HashSet;

use model::Sha256;
use rustls_pki_types::CertificateDer;

const ROOTS: &str = include_str!("public_roots.txt");

/// The digests of all public roots.
pub(super) struct PublicRoots(HashSet<Sha256>);

impl PublicRoots {
    pub(super) fn read() -> Self {
        // Remarks begin with no digest.
        Self(ROOTS.lines().filter_map(|line| line.split_once(' ')?.0.parse().ok()).collect())
    }

    pub(super) fn contain(&self, certificate: &CertificateDer<'_>) -> bool {
        self.0.contains(&Sha256::of(certificate))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_but_the_remarks_is_read() {
        let n = ROOTS.lines().filter(|line| !line.starts_with('#')).count();
        assert_eq!((PublicRoots::read().0.len(), n), (287, 287));
    }
}
