//! The key that signs evidence: `keys/evidence.ed25519` and `keys/evidence.pub.pem`.
//!
//! Ed25519 (RFC 8032); PKCS#8 version 1 and SubjectPublicKeyInfo in PEM (RFC 8410), so that `openssl pkey` reads both.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use model::Sha256;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};

/// The private key's file name.
pub const PRIVATE_FILE: &str = "evidence.ed25519";

/// The public key's file name.
pub const PUBLIC_FILE: &str = "evidence.pub.pem";

/// Version 0, the algorithm's identifier 1.3.101.112, and an octet string in an octet string (RFC 8410 §7).
const PRIVATE_PREFIX: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];

/// The algorithm's identifier, and a bit string without unused bits (RFC 8410 §4).
const PUBLIC_PREFIX: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// The longest key file; a real one has under 200 bytes.
const FILE_BYTES_MAX: u64 = 4 * 1024;

/// Signs evidence. Cannot be printed.
pub struct SigningKey {
    pair: Ed25519KeyPair,
    public: PublicKey,
}

impl SigningKey {
    /// Makes a key and writes both files into a folder; what is there of an earlier key is never overwritten.
    pub fn create(folder: &Path) -> Result<Self, KeyError> {
        let public_path = folder.join(PUBLIC_FILE);
        if public_path.exists() && !folder.join(PRIVATE_FILE).exists() {
            return Err(KeyError::Lost { private: folder.join(PRIVATE_FILE), public: public_path });
        }
        let seed: [u8; 32] = host::random::bytes();
        let key =
            Self::from_seed(&seed).ok_or_else(|| KeyError::Malformed { path: folder.join(PRIVATE_FILE) })?;
        let path = folder.join(PRIVATE_FILE);
        host::file::create_folder(folder).map_err(|source| KeyError::io(&path, source))?;
        let pem = pem("PRIVATE KEY", &[&PRIVATE_PREFIX[..], &seed].concat());
        host::file::create_private(&path, pem.as_bytes()).map_err(|source| match source.kind() {
            io::ErrorKind::AlreadyExists => KeyError::Exists { path: path.clone() },
            _ => KeyError::io(&path, source),
        })?;
        host::file::write_atomically(&public_path, key.public.to_pem().as_bytes())
            .map_err(|source| KeyError::io(&public_path, source))?;
        Ok(key)
    }

    /// Reads the private key of a folder; one that others can read is refused.
    pub fn open(folder: &Path) -> Result<Self, KeyError> {
        let path = folder.join(PRIVATE_FILE);
        let metadata = fs::metadata(&path).map_err(|source| KeyError::io(&path, source))?;
        let mode = metadata.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(KeyError::Exposed { path, mode });
        }
        let der = read_pem(&path, "PRIVATE KEY")?;
        let seed = der.strip_prefix(&PRIVATE_PREFIX[..]).and_then(|seed| <&[u8; 32]>::try_from(seed).ok());
        seed.and_then(Self::from_seed).ok_or(KeyError::Malformed { path })
    }

    /// Reads the private key of a folder, or makes one where there is none; the second value says whether it did.
    pub fn open_or_create(folder: &Path) -> Result<(Self, bool), KeyError> {
        match Self::open(folder) {
            Err(KeyError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                Ok((Self::create(folder)?, true))
            }
            opened => Ok((opened?, false)),
        }
    }

    /// Returns the public half.
    pub const fn public(&self) -> &PublicKey {
        &self.public
    }

    /// Signs a message.
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        let mut signature = [0; 64];
        signature.copy_from_slice(self.pair.sign(message).as_ref());
        signature
    }

    fn from_seed(seed: &[u8; 32]) -> Option<Self> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).ok()?;
        let public = PublicKey(pair.public_key().as_ref().try_into().ok()?);
        Some(Self { pair, public })
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.public.fingerprint())
    }
}

/// Checks evidence.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PublicKey([u8; 32]);

impl PublicKey {
    /// Reads a public key in PEM.
    pub fn from_pem(text: &str) -> Option<Self> {
        let der = from_pem("PUBLIC KEY", text)?;
        Some(Self(der.strip_prefix(&PUBLIC_PREFIX[..])?.try_into().ok()?))
    }

    /// Reads a public key's file.
    pub fn read(path: &Path) -> Result<Self, KeyError> {
        let der = read_pem(path, "PUBLIC KEY")?;
        let bytes = der.strip_prefix(&PUBLIC_PREFIX[..]).and_then(|bytes| bytes.try_into().ok());
        bytes.map(Self).ok_or_else(|| KeyError::Malformed { path: path.to_owned() })
    }

    /// Returns the key in PEM.
    pub fn to_pem(&self) -> String {
        pem("PUBLIC KEY", &self.to_der())
    }

    /// Returns the SHA-256 of the key's DER form: `openssl pkey -pubin -outform DER | sha256sum`.
    pub fn fingerprint(&self) -> Sha256 {
        Sha256::of(&self.to_der())
    }

    /// Returns whether `signature` is this key's over `message`.
    pub fn accepts(&self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, self.0).verify(message, signature).is_ok()
    }

    fn to_der(self) -> Vec<u8> {
        [&PUBLIC_PREFIX[..], &self.0].concat()
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", self.fingerprint())
    }
}

/// Why a key cannot be made or read.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// There is a key already.
    #[error("`{}` exists already and is not overwritten", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// The private half is gone. Another key would not vouch for the evidence that this one signed.
    #[error("`{}` is gone, and its public half `{}` is not", private.display(), public.display())]
    Lost {
        /// The file that is gone.
        private: PathBuf,
        /// The public half.
        public: PathBuf,
    },
    /// Other accounts can read the private key.
    #[error("`{}` can be read by others (mode {mode:o}), make it 600", path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// Not an Ed25519 key in PEM.
    #[error("`{}` is not an Ed25519 key in PEM", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
    },
    /// The file cannot be read or written.
    #[error("cannot use the key `{}`", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl KeyError {
    fn io(path: &Path, source: io::Error) -> Self {
        Self::Io { path: path.to_owned(), source }
    }
}

fn read_pem(path: &Path, kind: &str) -> Result<Vec<u8>, KeyError> {
    let mut text = String::new();
    File::open(path)
        .and_then(|file| file.take(FILE_BYTES_MAX).read_to_string(&mut text))
        .map_err(|source| KeyError::io(path, source))?;
    from_pem(kind, &text).ok_or_else(|| KeyError::Malformed { path: path.to_owned() })
}

fn pem(kind: &str, der: &[u8]) -> String {
    // Both keys fit on one line of PEM's 64 characters.
    format!("-----BEGIN {kind}-----\n{}\n-----END {kind}-----\n", BASE64.encode(der))
}

fn from_pem(kind: &str, text: &str) -> Option<Vec<u8>> {
    let body = text.trim().strip_prefix(&format!("-----BEGIN {kind}-----"))?;
    let body = body.strip_suffix(&format!("-----END {kind}-----"))?;
    let body: String = body.split_ascii_whitespace().collect();
    BASE64.decode(body).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_survives_its_files_and_is_never_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let (key, is_new) = SigningKey::open_or_create(folder.path()).unwrap();
        let (again, is_new_again) = SigningKey::open_or_create(folder.path()).unwrap();
        assert_eq!((key.public(), is_new, is_new_again), (again.public(), true, false));
        assert_eq!(&PublicKey::read(&folder.path().join(PUBLIC_FILE)).unwrap(), key.public());
        assert_eq!(PublicKey::from_pem(&key.public().to_pem()).as_ref(), Some(key.public()));
        assert!(matches!(SigningKey::create(folder.path()), Err(KeyError::Exists { .. })));
        assert_eq!(SigningKey::open(folder.path()).unwrap().public(), key.public());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "no temporary file stays");
        // Half of a key is no leave to make another.
        fs::remove_file(folder.path().join(PRIVATE_FILE)).unwrap();
        assert!(matches!(SigningKey::open_or_create(folder.path()), Err(KeyError::Lost { .. })));
        assert_eq!(&PublicKey::read(&folder.path().join(PUBLIC_FILE)).unwrap(), key.public());
    }

    #[test]
    fn a_key_that_others_can_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        SigningKey::create(folder.path()).unwrap();
        let path = folder.path().join(PRIVATE_FILE);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(
            SigningKey::open_or_create(folder.path()),
            Err(KeyError::Exposed { mode: 0o640, .. })
        ));
    }

    #[test]
    fn a_signature_holds_for_one_message_and_one_key() {
        let (a, b) = (SigningKey::from_seed(&[1; 32]).unwrap(), SigningKey::from_seed(&[2; 32]).unwrap());
        let signature = a.sign(b"message");
        assert!(a.public().accepts(b"message", &signature));
        assert!(!a.public().accepts(b"messagf", &signature));
        assert!(!b.public().accepts(b"message", &signature));
        assert!(!a.public().accepts(b"message", &signature[..63]));
    }

    #[test]
    fn what_is_not_a_key_is_refused() {
        let good = SigningKey::from_seed(&[1; 32]).unwrap().public().to_pem();
        for text in ["", "-----BEGIN PUBLIC KEY-----", &good.replace("PUBLIC", "PRIVATE"), &good[..70]] {
            assert!(PublicKey::from_pem(text).is_none(), "{text}");
        }
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(PUBLIC_FILE), "hello").unwrap();
        let error = PublicKey::read(&folder.path().join(PUBLIC_FILE));
        assert!(matches!(error, Err(KeyError::Malformed { .. })));
        assert!(matches!(SigningKey::open(folder.path()), Err(KeyError::Io { .. })));
    }

    #[test]
    fn the_private_key_is_not_printed() {
        let key = SigningKey::from_seed(&[7; 32]).unwrap();
        assert_eq!(format!("{key:?}"), format!("SigningKey({})", key.public().fingerprint()));
    }
}
