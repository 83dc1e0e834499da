//! Digests: the SHA-256 that names a blob, and whatever an upstream vouches with.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Serialize};

/// The name of a blob: the SHA-256 of its bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sha256([u8; 32]);

impl Sha256 {
    /// Returns the digest of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        let mut hasher = Sha256Hasher::new();
        hasher.update(bytes);
        hasher.finish()
    }

    /// Wraps a digest computed elsewhere.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Returns the 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(&self.0, f)
    }
}

impl fmt::Debug for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Sha256 {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, DigestError> {
        let bytes = read_hex(text)?;
        Ok(Self(bytes.try_into().map_err(|_| DigestError::Length)?))
    }
}

impl Serialize for Sha256 {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Sha256 {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// Computes a [`Sha256`] piece by piece.
#[derive(Clone)]
pub struct Sha256Hasher(ring::digest::Context);

impl Sha256Hasher {
    /// Starts an empty digest.
    pub fn new() -> Self {
        Self(ring::digest::Context::new(&ring::digest::SHA256))
    }

    /// Adds the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// Returns the digest of everything added.
    pub fn finish(self) -> Sha256 {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(self.0.finish().as_ref());
        Sha256(bytes)
    }
}

impl Default for Sha256Hasher {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Sha256Hasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sha256Hasher")
    }
}

/// The algorithms upstreams vouch with, weakest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Algorithm {
    /// 20 bytes; old npm and Composer entries have nothing better.
    Sha1,
    /// 32 bytes.
    Sha256,
    /// 48 bytes.
    Sha384,
    /// 64 bytes; npm's `integrity`.
    Sha512,
}

impl Algorithm {
    /// Returns the name used in SRI strings and journals, such as `sha512`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sha1 => "sha1",
            Self::Sha256 => "sha256",
            Self::Sha384 => "sha384",
            Self::Sha512 => "sha512",
        }
    }

    const fn n_bytes(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }

    /// Returns the implementation, for hashing while bytes pass.
    pub fn ring(self) -> &'static ring::digest::Algorithm {
        match self {
            Self::Sha1 => &ring::digest::SHA1_FOR_LEGACY_USE_ONLY,
            Self::Sha256 => &ring::digest::SHA256,
            Self::Sha384 => &ring::digest::SHA384,
            Self::Sha512 => &ring::digest::SHA512,
        }
    }

    fn parse(name: &str) -> Result<Self, DigestError> {
        [Self::Sha1, Self::Sha256, Self::Sha384, Self::Sha512]
            .into_iter()
            .find(|algorithm| algorithm.name() == name)
            .ok_or(DigestError::Algorithm)
    }
}

/// A digest an upstream, an index or a lock vouches with.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest {
    algorithm: Algorithm,
    bytes: Vec<u8>,
}

impl Digest {
    /// Reads lower- or upper-case hexadecimal.
    pub fn from_hex(algorithm: Algorithm, text: &str) -> Result<Self, DigestError> {
        Self::checked(algorithm, read_hex(text)?)
    }

    /// Takes a finished hash.
    pub fn from_bytes(algorithm: Algorithm, bytes: &[u8]) -> Result<Self, DigestError> {
        Self::checked(algorithm, bytes.to_vec())
    }

    /// Returns the algorithm.
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Returns the raw bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    fn checked(algorithm: Algorithm, bytes: Vec<u8>) -> Result<Self, DigestError> {
        if bytes.len() == algorithm.n_bytes() {
            Ok(Self { algorithm, bytes })
        } else {
            Err(DigestError::Length)
        }
    }
}

/// `sha256:<hex>`, the spelling of journals and messages.
impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.algorithm.name())?;
        write_hex(&self.bytes, f)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Digest {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, DigestError> {
        let (name, hex) = text.split_once(':').ok_or(DigestError::Algorithm)?;
        Self::from_hex(Algorithm::parse(name)?, hex)
    }
}

impl Serialize for Digest {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// Digests of which the bytes must match at least one of the strongest algorithm present.
///
/// That is the rule of Subresource Integrity (W3C SRI §3.3.4), which npm follows.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct DigestSet(Vec<Digest>);

impl DigestSet {
    /// Reads an SRI string: `sha512-<base64>`, several separated by white space.
    ///
    /// Unknown algorithms are skipped, as the standard asks; nothing usable is an error.
    pub fn from_sri(text: &str) -> Result<Self, DigestError> {
        let mut digests = Vec::new();
        for part in text.split_ascii_whitespace() {
            let (name, rest) = part.split_once('-').ok_or(DigestError::Algorithm)?;
            let Ok(algorithm) = Algorithm::parse(name) else {
                continue;
            };
            let encoded = rest.split_once('?').map_or(rest, |(before, _)| before);
            let bytes = BASE64.decode(encoded).map_err(|_| DigestError::Encoding)?;
            digests.push(Digest::checked(algorithm, bytes)?);
        }
        if digests.is_empty() {
            return Err(DigestError::Algorithm);
        }
        Ok(Self(digests))
    }

    /// Adds one more digest.
    pub fn insert(&mut self, digest: Digest) {
        if !self.0.contains(&digest) {
            self.0.push(digest);
        }
    }

    /// Adds every digest of another set.
    pub fn merge(&mut self, other: &Self) {
        for digest in &other.0 {
            self.insert(digest.clone());
        }
    }

    /// Returns the strongest algorithm present, the one that decides.
    pub fn strongest(&self) -> Option<Algorithm> {
        self.0.iter().map(Digest::algorithm).max()
    }

    /// Returns the digests of the strongest algorithm present: a weaker match must not do.
    pub fn decisive(&self) -> impl Iterator<Item = Digest> {
        let strongest = self.strongest();
        self.0.iter().filter(move |digest| Some(digest.algorithm()) == strongest).cloned()
    }

    /// Returns whether bytes match one of the decisive digests.
    pub fn accepts(&self, bytes: &[u8]) -> bool {
        let is_of = |digest: Digest| {
            ring::digest::digest(digest.algorithm().ring(), bytes).as_ref() == digest.as_bytes()
        };
        self.decisive().any(is_of)
    }

    /// Returns whether nothing is vouched for.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the digests in the order they were added.
    pub fn iter(&self) -> impl Iterator<Item = &Digest> {
        self.0.iter()
    }
}

impl From<Digest> for DigestSet {
    fn from(digest: Digest) -> Self {
        Self(vec![digest])
    }
}

/// Each digest once, in the order of its first appearance.
impl FromIterator<Digest> for DigestSet {
    fn from_iter<I: IntoIterator<Item = Digest>>(digests: I) -> Self {
        let mut seen = BTreeSet::new();
        Self(digests.into_iter().filter(|digest| seen.insert(digest.clone())).collect())
    }
}

impl From<Sha256> for Digest {
    fn from(sha256: Sha256) -> Self {
        Self { algorithm: Algorithm::Sha256, bytes: sha256.0.to_vec() }
    }
}

impl fmt::Display for DigestSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, digest) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str(" or ")?;
            }
            write!(f, "{digest}")?;
        }
        Ok(())
    }
}

/// Why a digest could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DigestError {
    /// Neither sha1, sha256, sha384 nor sha512.
    #[error("unknown digest algorithm")]
    Algorithm,
    /// Neither hexadecimal nor base64, whichever was asked for.
    #[error("digest is not properly encoded")]
    Encoding,
    /// The wrong number of bytes for the algorithm.
    #[error("digest has the wrong length")]
    Length,
}

fn write_hex(bytes: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for byte in bytes {
        write!(f, "{byte:02x}")?;
    }
    Ok(())
}

fn read_hex(text: &str) -> Result<Vec<u8>, DigestError> {
    let nibble = |c: u8| match c {
        b'0'..=b'9' => Ok(c - b'0'),
        b'a'..=b'f' => Ok(c - b'a' + 10),
        b'A'..=b'F' => Ok(c - b'A' + 10),
        _ => Err(DigestError::Encoding),
    };
    if !text.len().is_multiple_of(2) {
        return Err(DigestError::Length);
    }
    text.as_bytes().chunks_exact(2).map(|pair| Ok(nibble(pair[0])? << 4 | nibble(pair[1])?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sha256_survives_its_spelling() {
        let digest = Sha256::of(b"abc");
        assert_eq!(digest.to_string(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(digest.to_string().parse(), Ok(digest));
        assert_eq!("ba78".parse::<Sha256>(), Err(DigestError::Length));
        assert_eq!("zz".repeat(32).parse::<Sha256>(), Err(DigestError::Encoding));
    }

    #[test]
    fn sri_decides_by_the_strongest_algorithm() {
        let set = DigestSet::from_sri(
            "sha1-qZk+NkcGgWq6PiVxeFDCbJzQ2J0= md5-ignored sha256-ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=",
        )
        .unwrap();
        let sha1 = Digest::from_hex(Algorithm::Sha1, "a9993e364706816aba3e25717850c26c9cd0d89d").unwrap();
        assert_eq!(set.decisive().collect::<Vec<_>>(), [Digest::from(Sha256::of(b"abc"))]);
        assert!(set.iter().any(|digest| *digest == sha1));
    }

    #[test]
    fn sri_without_a_known_algorithm_is_an_error() {
        assert_eq!(DigestSet::from_sri("md5-abc"), Err(DigestError::Algorithm));
        assert_eq!(DigestSet::from_sri(""), Err(DigestError::Algorithm));
        assert_eq!(DigestSet::from_sri("sha512-AAAA"), Err(DigestError::Length));
    }
}
