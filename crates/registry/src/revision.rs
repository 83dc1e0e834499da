//! Archives of a repository's revision, which its forge packs when it is asked, and others can as well.

use model::{CommitId, ObjectUrl, RepoId};

use crate::ecosystem::ALL;

/// An archive that a forge packs when it is asked, as its address says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RevisionArchive {
    /// The repository.
    pub repo: RepoId,
    /// A whole commit id, or the name of a tag or a branch.
    pub revision: String,
    /// `tags` or `heads`, where the address says which of both.
    pub kind: Option<&'static str>,
    /// How it is packed.
    pub packing: Packing,
    /// How its one folder is called, up to the commit.
    pub folder: Folder,
}

/// How an archive is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packing {
    /// zip.
    Zip,
    /// tar in gzip.
    TarGz,
    /// tar alone.
    Tar,
}

/// How a forge calls the one folder in an archive. Clients leave it out, whatever it is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Folder {
    /// A name, a dash, and so many letters of the commit.
    Commit(String, usize),
    /// A name, a dash, and the revision as it was asked for.
    Revision(String),
}

impl RevisionArchive {
    /// Reads an address; nothing where it is none of an archive, or does not say of which repository.
    pub fn of(url: &ObjectUrl) -> Option<Self> {
        ALL.iter().find_map(|ecosystem| ecosystem.revision_archive(url))
    }

    /// Returns whether a commit is asked for, which never moves.
    pub fn is_of_commit(&self) -> bool {
        self.kind.is_none() && CommitId::parse(&self.revision).is_some()
    }

    /// Returns the name of its one folder, with a slash, for the commit that it is of.
    pub fn prefix(&self, commit: &str) -> String {
        match &self.folder {
            Folder::Commit(name, n_letters) => {
                format!("{name}-{}/", commit.get(..*n_letters).unwrap_or(commit))
            }
            Folder::Revision(name) => format!("{name}-{}/", self.revision.replace('/', "-")),
        }
    }
}

impl Packing {
    /// Returns what git calls it.
    pub const fn format(self) -> &'static str {
        match self {
            Self::Zip => "zip",
            Self::TarGz => "tar.gz",
            Self::Tar => "tar",
        }
    }

    /// Returns its media type.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Zip => "application/zip",
            Self::TarGz => "application/x-gzip",
            Self::Tar => "application/x-tar",
        }
    }
}
