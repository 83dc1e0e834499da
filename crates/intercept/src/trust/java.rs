//! Java's own key store format, written by hand: PEM is not accepted by Java, and PKCS#12 not by every Java 8.
//!
//! Format: `sun.security.provider.JavaKeyStore` in OpenJDK (read 2026-11). All numbers are big-endian.

use ring::digest::{Context, SHA1_FOR_LEGACY_USE_ONLY};

const MAGIC: u32 = 0xfeed_feed;
const VERSION: u32 = 2;
const TRUSTED_CERTIFICATE: u32 = 2;
/// What every Java knows its own store by; it protects nothing and is no secret.
const PASSWORD: &str = "changeit";
/// Java's salt of the integrity digest.
const SALT: &[u8] = b"Mighty Aphrodite";

/// Writes a store of trusted certificates, the run's root first.
pub(super) fn write<'a>(root: &[u8], others: impl Iterator<Item = &'a [u8]> + Clone) -> Vec<u8> {
    let mut store = Vec::new();
    put(&mut store, MAGIC);
    put(&mut store, VERSION);
    put(&mut store, count(1 + others.clone().count()));
    entry(&mut store, "outlast", root);
    for (i, certificate) in others.enumerate() {
        entry(&mut store, &format!("caller-{i}"), certificate);
    }
    let mut digest = Context::new(&SHA1_FOR_LEGACY_USE_ONLY);
    for unit in PASSWORD.encode_utf16() {
        digest.update(&unit.to_be_bytes());
    }
    digest.update(SALT);
    digest.update(&store);
    store.extend_from_slice(digest.finish().as_ref());
    store
}

fn entry(store: &mut Vec<u8>, alias: &str, certificate: &[u8]) {
    put(store, TRUSTED_CERTIFICATE);
    text(store, alias);
    // When it was added, in milliseconds; nobody asks.
    store.extend_from_slice(&0_u64.to_be_bytes());
    text(store, "X.509");
    put(store, count(certificate.len()));
    store.extend_from_slice(certificate);
}

/// Java's "modified UTF-8", which equals ASCII for what we write.
fn text(store: &mut Vec<u8>, text: &str) {
    debug_assert!(text.is_ascii() && text.len() < 256);
    store.extend_from_slice(&[0, u8::try_from(text.len()).unwrap_or(u8::MAX)]);
    store.extend_from_slice(text.as_bytes());
}

fn put(store: &mut Vec<u8>, number: u32) {
    store.extend_from_slice(&number.to_be_bytes());
}

/// Sizes are bounded far below 4 GB when files are read.
fn count(n: usize) -> u32 {
    u32::try_from(n).expect("sizes were bounded when the files were read")
}
