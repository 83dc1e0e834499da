//! Git repositories, as journal and index know them.

use std::fs::File;
use std::io;

use model::{Kind, RepoId, Sha256, Timestamp};

use crate::error::IndexError;
use crate::index;
use crate::journal::Entry;
use crate::regular;
use crate::store::Store;

impl Store {
    /// Returns of every repository that is to be kept the newest entry that says so, oldest first.
    pub fn repos(&self) -> Result<Vec<Entry>, IndexError> {
        self.list(|connection| index::newest_of_each(connection, Kind::Mirrored))
    }

    /// Returns that a repository is to be kept, if it is.
    pub fn repo(&self, repo: &RepoId) -> Result<Option<Entry>, IndexError> {
        self.list(|connection| index::newest_about(connection, repo, Kind::Mirrored))
    }

    /// Returns what says how the refs of a repository were at a moment, or are now, oldest first: the newest entry with a whole
    /// state, what moved since, and every decision before the moment.
    pub fn refs_of(&self, repo: &RepoId, at: Option<Timestamp>) -> Result<Vec<Entry>, IndexError> {
        self.list(|connection| index::refs_of(connection, repo, at))
    }

    /// Returns every entry that says how refs of a repository moved or what was decided about them, oldest first.
    pub fn all_refs_of(&self, repo: &RepoId) -> Result<Vec<Entry>, IndexError> {
        self.list(|connection| index::all_refs_of(connection, repo))
    }

    /// Returns the newest entry that says how refs of a repository moved.
    pub fn newest_refs(&self, repo: &RepoId) -> Result<Option<Entry>, IndexError> {
        self.list(|connection| index::newest_about(connection, repo, Kind::Refs))
    }

    /// Returns when an upstream last listed the same refs of a repository as before.
    pub fn observed(&self, repo: &RepoId) -> Result<Option<Entry>, IndexError> {
        self.list(|connection| index::newest_about(connection, repo, Kind::Observed))
    }

    /// Returns what git last found fault with in a repository.
    pub fn flawed(&self, repo: &RepoId) -> Result<Option<Entry>, IndexError> {
        self.list(|connection| index::newest_about(connection, repo, Kind::Flawed))
    }

    /// Opens a durable blob as a file, for whoever hashes what he reads: nothing is verified.
    pub fn blob_file(&self, sha256: &Sha256) -> io::Result<File> {
        regular::open(&self.shared().folder.path(sha256))
    }
}
