//! What waits for a person, and what they decide.

use std::collections::BTreeSet;

use git::{GitError, Lost};
use model::{Event, MoveClass, ObjectId, RefName, RepoId, Ruling, Sha256, Target, Timestamp};
use store::{AppendError, IndexError};

use crate::copy::{Copy, CopyError};
use crate::judge::is_followed;
use crate::state::{State, StateError};
use crate::sync::Mirror;

/// How much of a digest names a hold.
const ID_DIGITS: usize = 12;

/// A ref that waits for a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    /// Its name, the same as long as the same move waits.
    pub id: String,
    /// The repository.
    pub repo: RepoId,
    /// The ref.
    pub name: RefName,
    /// What it would do to history to follow.
    pub class: MoveClass,
    /// What the copy that is served has it point at.
    pub old: Option<Target>,
    /// What the upstream has it point at.
    pub new: Option<Target>,
    /// When it was seen.
    pub seen_at: Timestamp,
}

/// Why nothing was decided.
#[derive(Debug, thiserror::Error)]
pub enum DecideError {
    /// It does not wait, or no longer.
    #[error("nothing that waits is called `{id}`")]
    Unknown {
        /// What was asked for.
        id: String,
    },
    /// A pattern that does not name the ref itself would decide about others.
    #[error(
        "the pattern `{pattern}` does not match `{name}`; it is a name, or its beginning followed by `*`"
    )]
    Pattern {
        /// The pattern.
        pattern: String,
        /// The ref.
        name: RefName,
    },
    /// The copy.
    #[error(transparent)]
    Copy(#[from] CopyError),
    /// The journal.
    #[error(transparent)]
    Append(#[from] AppendError),
    /// The state.
    #[error(transparent)]
    State(#[from] StateError),
    /// The index.
    #[error(transparent)]
    Index(#[from] IndexError),
}

impl Hold {
    /// Returns what of a repository waits, in the order of names.
    pub fn of(repo: &RepoId, state: &State) -> Vec<Self> {
        let one = |(name, held): (&RefName, &crate::state::Held)| {
            let (old, new) = (state.served.get(name).cloned(), state.upstream.get(name).cloned());
            let word =
                |target: &Option<Target>| target.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string);
            let text = format!("{repo} {name} {} {}", word(&old), word(&new));
            let mut id = Sha256::of(text.as_bytes()).to_string();
            id.truncate(ID_DIGITS);
            let (name, class, seen_at) = (name.clone(), held.class, held.since);
            Self { id, repo: repo.clone(), name, class, old, new, seen_at }
        };
        state.held.iter().map(one).collect()
    }
}

impl Mirror {
    /// Returns what waits, of every repository.
    pub fn holds(&self) -> Result<Vec<Hold>, DecideError> {
        let mut holds = Vec::new();
        for entry in self.store().repos()? {
            let Event::Mirrored { repo, .. } = entry.event else { continue };
            holds.extend(Hold::of(&repo, &State::read(self.store(), &repo, None)?));
        }
        Ok(holds)
    }

    /// Returns what would be lost by following, of commits that nothing else that is served reaches; nothing where git cannot say.
    pub fn lost(&self, hold: &Hold) -> Result<Option<Lost>, CopyError> {
        let copy = Copy::open(self.git(), self.store(), &hold.repo, "sha1")?;
        let Some(old) = hold.old.as_ref().and_then(commit) else {
            return Ok(Some(Lost::default()));
        };
        // As if everything that waits were followed: what waits as well would go, too.
        let others: BTreeSet<ObjectId> = copy.state.upstream.values().filter_map(commit).collect();
        let new = hold.new.as_ref().and_then(commit);
        match copy.bare.lost(&old, &others.into_iter().chain(new).collect()) {
            // A tag of something that is no commit, or one that says it is of something else.
            Err(GitError::Failed { .. }) => Ok(None),
            lost => Ok(Some(lost?)),
        }
    }

    /// Decides about what waits: the copy follows once, follows every move of refs that a pattern names, or stays as it is.
    pub fn decide(&self, id: &str, ruling: Ruling, pattern: Option<String>) -> Result<Hold, DecideError> {
        let unknown = || DecideError::Unknown { id: id.to_owned() };
        let hold = self.holds()?.into_iter().find(|hold| hold.id == id).ok_or_else(unknown)?;
        if let Some(pattern) = &pattern
            && !is_followed(std::slice::from_ref(pattern), &hold.name)
        {
            return Err(DecideError::Pattern { pattern: pattern.clone(), name: hold.name });
        }
        let mut copy = Copy::open(self.git(), self.store(), &hold.repo, "sha1")?;
        // It may have moved on before the copy was this process's.
        if !Hold::of(&hold.repo, &copy.state).contains(&hold) {
            return Err(unknown());
        }
        let event = Event::Decided {
            repo: hold.repo.clone(),
            hold: hold.id.clone(),
            name: hold.name.clone(),
            new: hold.new.clone(),
            ruling,
            pattern: pattern.clone(),
            at: self.clock().now(),
        };
        let seq = self.store().append(None, vec![event])?;
        let pins = hold.old.as_ref().and_then(Target::id).copied().into_iter().collect();
        copy.state.decide(&hold.name, hold.new.as_ref(), ruling, pattern.as_deref());
        copy.write(pins, seq).map_err(CopyError::from)?;
        Ok(hold)
    }
}

/// Returns the commit that a target names, as far as it says so.
fn commit(target: &Target) -> Option<ObjectId> {
    match target {
        Target::Object { id, peeled } => Some(peeled.unwrap_or(*id)),
        Target::Ref(_) => None,
    }
}
