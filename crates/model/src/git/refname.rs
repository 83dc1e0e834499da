//! The names of refs, as git-check-ref-format(1) allows them.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The longest name that is read; a file system takes no longer part, and git no longer path.
const BYTES_MAX: usize = 1024;

/// The full name of a ref: `HEAD`, or `refs/…` by the rules of git-check-ref-format(1), in UTF-8 and without anything that a
/// terminal could take for a command.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RefName(Box<str>);

/// Why a text is no ref's name; it comes from strangers, and is not repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is no name of a ref by the rules of git-check-ref-format")]
pub struct RefNameError;

impl RefName {
    /// Returns the name of the ref that says which branch is the default.
    pub fn head() -> Self {
        Self("HEAD".into())
    }

    /// Returns the name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns whether it is `HEAD`.
    pub fn is_head(&self) -> bool {
        &*self.0 == "HEAD"
    }

    /// Returns a branch's name without `refs/heads/`.
    pub fn branch(&self) -> Option<&str> {
        self.0.strip_prefix("refs/heads/")
    }

    /// Returns whether it is a tag.
    pub fn is_tag(&self) -> bool {
        self.0.starts_with("refs/tags/")
    }

    /// Returns whether a forge moves it as it likes: the heads and trial merges of proposals.
    pub fn is_proposal(&self) -> bool {
        ["refs/pull/", "refs/merge-requests/", "refs/changes/", "refs/merge/"]
            .iter()
            .any(|prefix| self.0.starts_with(prefix))
    }

    /// Returns the names above it that no other ref may have beside it: `refs/heads/a` for `refs/heads/a/b`.
    pub fn folders(&self) -> impl Iterator<Item = &str> {
        self.0.match_indices('/').skip(1).map(|(place, _)| &self.0[..place])
    }
}

impl Borrow<str> for RefName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RefName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for RefName {
    type Err = RefNameError;

    fn from_str(text: &str) -> Result<Self, RefNameError> {
        let is_refused = |letter: char| {
            letter.is_control() || letter.is_whitespace() || "~^:?*[\\\u{200e}\u{200f}\u{202a}\u{202b}\u{202c}\u{202d}\u{202e}\u{2066}\u{2067}\u{2068}\u{2069}".contains(letter)
        };
        let is_part = |part: &str| {
            !part.is_empty()
                && !part.starts_with(['.', '-'])
                && !part.ends_with(".lock")
                && !part.ends_with('.')
        };
        let is_one = text == "HEAD"
            || text.len() <= BYTES_MAX
                && text.starts_with("refs/")
                && text.split('/').all(is_part)
                && !text.contains("..")
                && !text.contains("@{")
                && !text.contains(is_refused);
        is_one.then(|| Self(text.into())).ok_or(RefNameError)
    }
}

impl Serialize for RefName {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for RefName {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_gits_and_harmless() {
        for good in [
            "HEAD",
            "refs/heads/main",
            "refs/heads/feature/x@y",
            "refs/tags/v1.0",
            "refs/pull/1/head",
            "refs/stash",
            "refs/heads/ä",
        ] {
            assert_eq!(good.parse::<RefName>().unwrap().as_str(), good);
        }
        for bad in [
            "",
            "main",
            "refs/",
            "refs/heads/",
            "refs//main",
            "/refs/heads/main",
            "refs/heads/..",
            "refs/heads/../x",
            "refs/heads/a..b",
            "refs/heads/.a",
            "refs/heads/a.lock",
            "refs/heads/a.lock/b",
            "refs/heads/a.",
            "refs/heads/-x",
            "refs/heads/a b",
            "refs/heads/a\n",
            "refs/heads/\u{1b}[31m",
            "refs/heads/a~1",
            "refs/heads/a^",
            "refs/heads/a:b",
            "refs/heads/a?",
            "refs/heads/a*",
            "refs/heads/[a",
            "refs/heads/a\\b",
            "refs/heads/a@{1}",
            "refs/heads/\u{202e}x",
            "../refs/heads/x",
            "objects/x/y",
            &format!("refs/heads/{}", "a".repeat(BYTES_MAX)),
        ] {
            assert_eq!(bad.parse::<RefName>(), Err(RefNameError), "{bad:?}");
        }
    }

    #[test]
    fn the_names_above_are_found() {
        let name: RefName = "refs/heads/a/b/c".parse().unwrap();
        assert_eq!(name.folders().collect::<Vec<_>>(), ["refs/heads", "refs/heads/a", "refs/heads/a/b"]);
        let name: RefName = "refs/stash".parse().unwrap();
        assert_eq!(name.folders().count(), 0, "no ref can be called `refs`");
    }
}
