//! Reads certificates from PEM, as the lenient readers among the clients do.

use rustls::RootCertStore;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

/// More than any bundle holds (150 to 500), and a bound on what a hostile file costs.
const CERTIFICATES_MAX: usize = 10_000;

/// Returns the certificates of a file that can be a trust anchor; private keys and broken sections are passed over.
///
/// OpenSSL's `TRUSTED CERTIFICATE` is a certificate with a remark behind it; the remark is dropped.
pub(super) fn read(bytes: &[u8]) -> Vec<CertificateDer<'static>> {
    let mut found = Vec::new();
    let text = String::from_utf8_lossy(bytes);
    let text = text.replace(" TRUSTED CERTIFICATE-----", " CERTIFICATE-----");
    let text = text.replace(" X509 CERTIFICATE-----", " CERTIFICATE-----");
    for section in CertificateDer::pem_slice_iter(text.as_bytes()).take(CERTIFICATES_MAX) {
        let Ok(certificate) = section else { continue };
        let whole = certificate.as_ref();
        let der = der_length(whole).and_then(|n| whole.get(..n)).unwrap_or(whole).to_vec();
        let certificate = CertificateDer::from(der);
        // One certificate that cannot be read makes Java and others refuse a whole bundle.
        if RootCertStore::empty().add(certificate.clone()).is_ok() {
            found.push(certificate);
        }
    }
    found
}

/// Returns the length of the outermost element.
fn der_length(der: &[u8]) -> Option<usize> {
    let first = *der.get(1)?;
    if first < 0x80 {
        return Some(2 + usize::from(first));
    }
    let n = usize::from(first & 0x7f);
    if n == 0 || n > 4 {
        return None;
    }
    let length = der.get(2..2 + n)?.iter().fold(0_usize, |length, byte| (length << 8) | usize::from(*byte));
    length.checked_add(2 + n)
}
