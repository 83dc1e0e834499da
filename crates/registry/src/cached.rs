//! Where clients leave what they have downloaded, and unpacked: the last places to look for what no upstream has any more.

use std::path::{Component, Path};

/// A file in the cache of a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cached {
    /// The variable that moves the cache.
    pub variable: &'static str,
    /// Where it is otherwise: below the home folder, or an absolute path.
    pub folder: &'static str,
    /// The file below it; a `*` stands for any letters of one name.
    pub path: String,
}

impl Cached {
    /// Names a file of a cache; nothing where the path would lead out of it, as a hostile lock may have it.
    pub(crate) fn at(variable: &'static str, folder: &'static str, path: String) -> Option<Self> {
        is_inside(&path).then_some(Self { variable, folder, path })
    }
}

/// A package as it was unpacked into a project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installed {
    /// Its folder in the project.
    pub folder: String,
    /// The file in which the client wrote down what it installed.
    pub manifest: &'static str,
}

impl Installed {
    /// Names a folder; nothing where the path would lead out of the project.
    pub(crate) fn at(folder: String, manifest: &'static str) -> Option<Self> {
        is_inside(&folder).then_some(Self { folder, manifest })
    }
}

/// A folder in which a client leaves packages unpacked, or packed anew by itself: nothing in it is as it was downloaded, so that no
/// digest of a lock or an index fits, and no archive can be had from there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unpacked {
    /// In the project.
    OfProject(&'static str),
    /// Below the home folder.
    OfUser(&'static str),
}

fn is_inside(path: &str) -> bool {
    !path.contains(['\\', '\0'])
        && Path::new(path).components().all(|part| matches!(part, Component::Normal(_)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_leads_out_of_a_cache() {
        let at = |path: &str| Cached::at("X", ".x", path.to_owned()).is_some();
        assert!(at("a/*/b-1.0.0.crate"));
        for path in ["/etc/passwd", "../x", "a/../../x", "a\\b", "a/./b/..", "a\0"] {
            assert!(!at(path), "{path}");
        }
    }
}
