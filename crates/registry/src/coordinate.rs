//! The name of one version of one package, equal in an index, an address and a lock.

use std::fmt;

/// The registry of a pin whose lock does not say where the package comes from.
pub const ANY_REGISTRY: &str = "*";

/// The longest version that is accepted; crates.io and npm allow less.
const VERSION_BYTES_MAX: usize = 256;

/// One version of one package of one registry.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Coordinate {
    /// The ecosystem's name.
    pub ecosystem: &'static str,
    /// The registry's canonical name: one name for all hosts of a public registry, otherwise its host, with its port
    /// and base path where it has them. [`ANY_REGISTRY`] in a pin that fits every registry.
    pub registry: String,
    /// The package.
    pub name: String,
    /// The version; the commit from which it was made where that names the bytes better, as for Composer.
    pub version: String,
    /// Which of the version's files, where it has several.
    pub file: Option<String>,
}

impl Coordinate {
    /// Returns whether the bytes are the same at every address: a package with the commit it was made from is, wherever
    /// a mirror keeps it, and whatever a moved tag says.
    pub fn is_of_a_commit(&self) -> bool {
        matches!(self.version.len(), 40 | 64) && self.version.bytes().all(|byte| byte.is_ascii_hexdigit())
    }

    /// Returns whether the file only describes another one beside which it lies, as PEP 658 has it.
    pub fn is_description(&self) -> bool {
        self.file.as_deref().is_some_and(|file| file.ends_with(".metadata"))
    }

    /// Returns whether a pin with this coordinate speaks about `other`.
    ///
    /// A pin of a whole version has the digests of its archives, not of what describes them.
    pub fn covers(&self, other: &Self) -> bool {
        self.ecosystem == other.ecosystem
            && self.name == other.name
            && self.version == other.version
            && (self.file == other.file || (self.file.is_none() && !other.is_description()))
            && (self.registry == ANY_REGISTRY || self.registry == other.registry)
    }
}

/// `left-pad 1.3.0 of registry.npmjs.org`.
impl fmt::Display for Coordinate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, self.version)?;
        if let Some(file) = &self.file {
            write!(f, " ({file})")?;
        }
        if self.registry != ANY_REGISTRY {
            write!(f, " of {}", self.registry)?;
        }
        Ok(())
    }
}

/// Returns whether a text is a version by the rules of Semantic Versioning 2.0, leading zeros forgiven.
pub fn is_version(text: &str) -> bool {
    if text.len() > VERSION_BYTES_MAX {
        return false;
    }
    let (rest, build) = text.split_once('+').map_or((text, None), |(rest, build)| (rest, Some(build)));
    let (core, pre) = rest.split_once('-').map_or((rest, None), |(core, pre)| (core, Some(pre)));
    let is_tail = |tail: Option<&str>| {
        tail.is_none_or(|tail| {
            tail.split('.').all(|part| {
                !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            })
        })
    };
    let mut n_numbers = 0;
    let is_core = core.split('.').all(|number| {
        n_numbers += 1;
        !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
    });
    is_core && n_numbers == 3 && is_tail(pre) && is_tail(build)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_told_from_other_words() {
        for text in ["1.0.0", "0.0.1-security", "1.0.0-rc.1+build.5", "10.20.30", "1.0.0--x"] {
            assert!(is_version(text), "{text}");
        }
        for text in
            ["", "1", "1.0", "v1.0.0", "latest", "1.0.0.0", "1.0.0-", "1.0.0+", "1..0", "1.0.0/..", "1.0.x"]
        {
            assert!(!is_version(text), "{text}");
        }
        assert!(!is_version(&format!("1.0.0-{}", "a".repeat(300))));
    }

    #[test]
    fn a_pin_without_a_registry_covers_all_and_no_other_name() {
        let make = |registry: &str, name: &str| Coordinate {
            ecosystem: "npm",
            registry: registry.to_owned(),
            name: name.to_owned(),
            version: "1.0.0".to_owned(),
            file: None,
        };
        assert!(make("*", "a").covers(&make("example.com", "a")));
        assert!(!make("*", "a").covers(&make("example.com", "b")));
        assert!(!make("example.org", "a").covers(&make("example.com", "a")));
        let file = |name: &str| Coordinate { file: Some(name.to_owned()), ..make("*", "a") };
        assert!(make("*", "a").covers(&file("a.whl")), "all files of the version");
        assert!(file("a.whl").covers(&file("a.whl")));
        assert!(!file("a.whl").covers(&file("a.tar.gz")));
        assert!(
            !make("*", "a").covers(&file("a.whl.metadata")),
            "no digest of an archive is one of its metadata"
        );
    }
}
