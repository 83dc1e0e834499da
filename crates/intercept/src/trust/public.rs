//! Which roots are public: those Mozilla trusts or once trusted. A company's own, or one made for tests, is none.

use std::collections::HashSet;

use ring::digest::{SHA256, digest};
use rustls_pki_types::CertificateDer;

const ROOTS: &str = include_str!("public_roots.txt");

/// The digests of all public roots.
pub(super) struct PublicRoots(HashSet<[u8; 32]>);

impl PublicRoots {
    pub(super) fn read() -> Self {
        Self(ROOTS.lines().filter_map(line).collect())
    }

    pub(super) fn contain(&self, certificate: &CertificateDer<'_>) -> bool {
        self.0.contains(digest(&SHA256, certificate).as_ref())
    }
}

/// Reads one line; remarks have no digest.
fn line(line: &str) -> Option<[u8; 32]> {
    let (hex, _) = line.split_once(' ')?;
    let mut bytes = [0; 32];
    if hex.len() != 2 * bytes.len() {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(hex.as_bytes().chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(bytes)
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
