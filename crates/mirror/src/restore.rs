//! What a copy has, and the repository given back, as it was at a moment.

use std::path::Path;

use git::{Git, GitError};
use model::{CommitId, RepoId, Timestamp};
use store::Store;

use crate::address::Address;
use crate::copy::{Copy, CopyError, folder};
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
    let state = State::read(store, repo, at)?;
    let nothing = || RestoreError::Nothing { repo: repo.clone(), at };
    let format = state.object_format().ok_or_else(nothing)?;
    Copy::catch_up(git, store, repo, format, state.seq)?;
    let view = git::view(&folder(store.home(), repo), &state.served, format).map_err(GitError::from)?;
    let followed = store.repo(repo).map_err(CopyError::from)?.and_then(|entry| Address::of(&entry.event));
    let origin =
        followed.map_or_else(|| format!("https://{repo}.git"), |address| address.as_str().to_owned());
    Ok(git.clone_local(&view, into, is_mirror, &origin)?)
}

/// Returns whether anything of a repository is held, and if a revision is asked for, that: a commit, the beginning of one that is no
/// other's, a tag, a branch, or a ref by its whole name.
pub fn has(git: &Git, store: &Store, repo: &RepoId, revision: Option<&str>) -> Result<bool, RestoreError> {
    let state = State::read(store, repo, None)?;
    let Some(format) = state.object_format() else { return Ok(false) };
    let Some(revision) = revision else { return Ok(true) };
    let is_ref = |name: String| state.served.contains_key(name.as_str());
    if ["", "refs/tags/", "refs/heads/"].iter().any(|kind| is_ref(format!("{kind}{revision}"))) {
        return Ok(true);
    }
    Copy::catch_up(git, store, repo, format, state.seq)?;
    let folder = folder(store.home(), repo);
    match CommitId::parse(revision) {
        Some(commit) => Ok(git.has_commit(&folder, &commit)?),
        None => Ok(git.has_abbreviation(&folder, revision)?),
    }
}
