//! The names of git's objects.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Names an object of a repository, a commit, tree, blob or tag: its SHA-1, or its SHA-256 in a repository of that format.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ObjectId {
    /// 20 bytes, of most repositories.
    Sha1([u8; 20]),
    /// 32 bytes, of repositories with `extensions.objectFormat = sha256`.
    Sha256([u8; 32]),
}

/// Why a text is no object's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an object of git has a name of 40 or 64 hexadecimal digits")]
pub struct ObjectIdError;

impl ObjectId {
    /// Returns the bytes, 20 or 32.
    pub const fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Sha1(bytes) => bytes,
            Self::Sha256(bytes) => bytes,
        }
    }

    /// Returns how the protocol calls the format of repositories with such names.
    pub const fn format(&self) -> &'static str {
        match self {
            Self::Sha1(_) => "sha1",
            Self::Sha256(_) => "sha256",
        }
    }

    /// Returns whether it is all zeros, by which git means that there is nothing.
    pub fn is_null(&self) -> bool {
        self.as_bytes().iter().all(|byte| *byte == 0)
    }
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_bytes().iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for ObjectId {
    type Err = ObjectIdError;

    /// Reads a whole name in lower case, as git writes it.
    fn from_str(text: &str) -> Result<Self, ObjectIdError> {
        match text.len() {
            40 => read(text).map(Self::Sha1),
            64 => read(text).map(Self::Sha256),
            _ => Err(ObjectIdError),
        }
    }
}

fn read<const N: usize>(text: &str) -> Result<[u8; N], ObjectIdError> {
    let digit = |letter: u8| match letter {
        b'0'..=b'9' => Ok(letter - b'0'),
        b'a'..=b'f' => Ok(letter - b'a' + 10),
        _ => Err(ObjectIdError),
    };
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Ok(bytes)
}

impl Serialize for ObjectId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ObjectId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_name_is_one() {
        for text in ["0123456789abcdef0123456789abcdef01234567", &"a5".repeat(32)] {
            assert_eq!(text.parse::<ObjectId>().unwrap().to_string(), text);
        }
        for text in ["", "HEAD", &"a".repeat(41), &"A".repeat(40), &"g".repeat(40), &"é".repeat(20)] {
            assert_eq!(text.parse::<ObjectId>(), Err(ObjectIdError), "{text}");
        }
        assert!("0".repeat(40).parse::<ObjectId>().unwrap().is_null());
        assert!(!"1".repeat(40).parse::<ObjectId>().unwrap().is_null());
    }
}
