//! A second copy of a store: the same blobs and the same journal in another place, where losing this one does not reach.
//!
//! It only ever grows, as the store does. It is a store itself: a folder that `--home` can name, with an index of its own.
//! Blobs come before the lines that name them, so that whatever ends a copy half way leaves one that verifies.

mod carry;
mod folder;
mod heal;

use std::error::Error;
use std::fmt::Debug;
use std::io::{self, Write};

use model::Sha256;
use serde::{Deserialize, Serialize};

pub use carry::{CopyProgress, CopyReport};
pub use folder::CopyFolder;
pub use heal::BLOB_BYTES_MAX;

use crate::blob::BlobReader;
use crate::error::{IndexError, WriteError};

/// A place that has, or will have, the second copy of one store.
pub trait SecondCopy: Debug + Send + Sync {
    /// Returns where it is, in words for a person and without secrets.
    fn place(&self) -> String;

    /// Returns how far its journal has come; nothing where it has none yet.
    fn head(&self) -> Result<Option<Head>, CopyError>;

    /// Returns which of these blobs it does not have, or has and are damaged, as far as it was looked at. `size_bytes` is how
    /// much it has to read for that, as far as anybody knows.
    fn missing(&self, blobs: &[Sha256], look: Look, size_bytes: u64) -> Result<Vec<Sha256>, CopyError>;

    /// Takes blobs: they are durable there and were read back when this returns.
    ///
    /// Returns those that could not be read whole from here; of them nothing is there.
    fn put(&self, blobs: Vec<BlobReader>) -> Result<Vec<Sha256>, CopyError>;

    /// Takes the next part of the journal, whose blobs are there: it is durable when this returns.
    fn append(&self, part: Part<'_>) -> Result<(), CopyError>;

    /// Writes the bytes of a blob; whoever asks verifies them.
    fn get(&self, sha256: &Sha256, to: &mut dyn Write) -> Result<(), CopyError>;
}

/// How closely a second copy is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Look {
    /// Only what is new is looked at.
    New,
    /// Whether a file of that name is there.
    There,
    /// Whether its bytes are right: all of them are read.
    Whole,
}

/// How far the journal of a second copy has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// The number of its open segment, from 1.
    pub segment: u64,
    /// The length of the open segment. Its end may be torn.
    pub size_bytes: u64,
    /// The digest of the open segment's bytes.
    pub sha256: Sha256,
    /// The number of its last whole entry.
    pub seq: u64,
}

/// A part of a journal.
#[derive(Debug, Clone, Copy)]
pub enum Part<'a> {
    /// A closed segment, which takes the place of the open one with the same number.
    Closed {
        /// Its name.
        name: &'a Sha256,
        /// Its bytes, compressed.
        packed: &'a [u8],
        /// The first line of the segment after it, with its line feed.
        next: &'a [u8],
    },
    /// What follows in the open segment.
    Open {
        /// Behind which byte of it; 0 where there is no journal yet.
        offset: u64,
        /// The bytes.
        bytes: &'a [u8],
    },
}

/// Why a second copy is not up to date.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// The place cannot be used now: a disk that is full or not there, a server that does not answer.
    #[error("the second copy at `{place}` cannot be used")]
    Place {
        /// Where.
        place: String,
        /// Why.
        source: Box<dyn Error + Send + Sync>,
    },
    /// What lies there is no copy of this store.
    #[error("`{place}` {what}")]
    Foreign {
        /// Where.
        place: String,
        /// What it is.
        what: String,
    },
    /// A link lies where one of its folders belongs: it may lead out of the copy.
    #[error("`{place}` has a link where its folder `{link}` belongs")]
    Link {
        /// Where.
        place: String,
        /// Which.
        link: String,
    },
    /// It has entries that this store does not have: this one has lost them, or somebody wrote to the copy.
    #[error("the second copy at `{place}` has entries that this store does not have")]
    Diverged {
        /// Where.
        place: String,
    },
    /// Somebody else brings the same copy up to date.
    #[error("the second copy at `{place}` grew meanwhile: somebody else brings it up to date")]
    Moved {
        /// Where.
        place: String,
    },
    /// It does not have the blob.
    #[error("the second copy at `{place}` does not have blob {sha256}")]
    Missing {
        /// Where.
        place: String,
        /// Which.
        sha256: Sha256,
    },
    /// What it gave for a blob are other bytes.
    #[error("the second copy at `{place}` has other bytes under the name {sha256}")]
    Wrong {
        /// Where.
        place: String,
        /// Which.
        sha256: Sha256,
    },
    /// This store's own journal is damaged: nothing of it is carried on.
    #[error("the journal is damaged: {reason}")]
    Journal {
        /// What is wrong, in words for a person.
        reason: String,
    },
    /// What waits could not be written here.
    #[error("could not write what waits")]
    Waiting {
        /// The reason.
        #[from]
        source: WriteError,
    },
    /// The index gave no answer.
    #[error("could not ask the index")]
    Index {
        /// The reason.
        #[from]
        source: IndexError,
    },
    /// This store's disk failed.
    #[error("could not read the store")]
    Io {
        /// The system's reason.
        #[from]
        source: io::Error,
    },
}

impl CopyError {
    /// Returns a function that says at which place an error happened.
    pub fn at<E: Into<Box<dyn Error + Send + Sync>>>(place: &str) -> impl FnOnce(E) -> Self + '_ {
        move |source| Self::Place { place: place.to_owned(), source: source.into() }
    }
}
