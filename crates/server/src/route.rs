//! What a path of the server is, and what whoever asks for it has to be allowed.

use crate::tokens::Scope;
use crate::{adopt, copies, repositories};

/// Where a company's names are told to another Outlast: a list in JSON, each with `ecosystem`, `registry` and `names`.
pub const NAMES_PATH: &str = "/names";

/// What is at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Route {
    /// The second copy of another home.
    Copies,
    /// Where projects are named that are to be kept.
    Adopt,
    /// A git repository.
    Repository,
    /// What is a company's by its name.
    Names,
    /// A page of the server's own, or what the world has.
    World,
}

impl Route {
    /// Returns what is at a path, without its query.
    pub(crate) fn of(path: &str) -> Self {
        match path {
            adopt::PATH => Self::Adopt,
            NAMES_PATH => Self::Names,
            path if path.starts_with(copies::PATH) => Self::Copies,
            path if path.starts_with(repositories::PATH) => Self::Repository,
            path if repositories::of_client(path).is_some() => Self::Repository,
            _ => Self::World,
        }
    }

    /// Returns what a token must allow.
    pub(crate) const fn scope(self) -> Scope {
        match self {
            Self::Copies => Scope::Admin,
            Self::Adopt => Scope::Adopt,
            Self::Repository | Self::Names | Self::World => Scope::Read,
        }
    }

    /// Returns whether the connection goes on after a request with a body: whoever brings a second copy up to date sends thousands
    /// of blobs, and is trusted with everything anyway; a git asks twice.
    pub(crate) const fn stays_open(self) -> bool {
        matches!(self, Self::Copies | Self::Repository)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_path_takes_what_it_must() {
        for (path, route, scope) in [
            ("/copies/7f3a/head", Route::Copies, Scope::Admin),
            ("/adopt", Route::Adopt, Scope::Adopt),
            ("/adopt/", Route::World, Scope::Read),
            ("/git/forge.example/a.git/git-upload-pack", Route::Repository, Scope::Read),
            ("/composer/git/gh-acme/app.git/info/refs", Route::Repository, Scope::Read),
            ("/composer/git/another", Route::World, Scope::Read),
            ("/names", Route::Names, Scope::Read),
            ("/npm/names", Route::World, Scope::Read),
            ("/", Route::World, Scope::Read),
        ] {
            assert_eq!((Route::of(path), Route::of(path).scope()), (route, scope), "{path}");
        }
    }
}
