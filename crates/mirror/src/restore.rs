//! A repository as it was at a moment.

use std::path::{Path, PathBuf};

use git::{BareError, Git, GitError};
use model::{ObjectId, RepoId, Timestamp};
use store::Store;

use crate::copy::{Copy, CopyError, folder, tips};
use crate::state::{State, StateError};

/// Why a repository cannot be given back as it was.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// Nothing of it was held then.
    #[error("nothing of `{repo}` was held {}", at.map_or_else(|| "yet".to_owned(), |at| format!("at {at}")))]
    Nothing {
        /// The repository.
        repo: RepoId,
        /// The moment.
        at: Option<Timestamp>,
    },
    /// There is something already.
    #[error("`{folder}` is there already")]
    Occupied {
        /// Where it was to be written.
        folder: String,
    },
    /// The copy.
    #[error(transparent)]
    Copy(#[from] CopyError),
    /// The state.
    #[error(transparent)]
    State(#[from] StateError),
    /// Git.
    #[error(transparent)]
    Git(#[from] GitError),
}

/// Returns a folder with a repository as it was at a moment, or is now, for git to read.
pub fn view(git: &Git, store: &Store, repo: &RepoId, at: Option<Timestamp>) -> Result<PathBuf, RestoreError> {
    let state = State::read(store, repo, at)?;
    let format = tips(&state).first().map(ObjectId::format);
    let Some(format) = format else { return Err(RestoreError::Nothing { repo: repo.clone(), at }) };
    match Copy::open(git, store, repo, format) {
        // Who is at work there only adds to it.
        Ok(_) | Err(CopyError::Bare(BareError::Busy { .. })) => {}
        Err(error) => return Err(error.into()),
    }
    Ok(git::view(&folder(store.home(), repo), &state.served, format).map_err(GitError::from)?)
}

/// Writes a repository as it was at a moment, or is now, into a new folder.
pub fn restore(
    git: &Git,
    store: &Store,
    repo: &RepoId,
    at: Option<Timestamp>,
    into: &Path,
    is_mirror: bool,
) -> Result<(), RestoreError> {
    if into.exists() {
        return Err(RestoreError::Occupied { folder: into.display().to_string() });
    }
    Ok(git.clone_local(&view(git, store, repo, at)?, into, is_mirror)?)
}
