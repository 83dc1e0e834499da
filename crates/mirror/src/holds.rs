//! What waits for a person, and what they decide.

use std::collections::{BTreeMap, BTreeSet};

use git::{GitError, Lost};
use model::{Event, MoveClass, ObjectId, RefName, RepoId, Ruling, Sha256, Target, Timestamp};
use store::{AppendError, IndexError};

use crate::copy::{Copy, CopyError};
use crate::judge::{conflict, is_followed};
use crate::mirror::Mirror;
use crate::state::{Decided, Held, State, StateError, Unwanted, Unwilling};
use crate::tripwires::is_named;

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
    /// Why it waits; nothing where that was not written down.
    pub reason: Option<String>,
    /// When it was seen.
    pub seen_at: Timestamp,
}

/// A ref that stays where it is because a person said so, though the upstream has it elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    /// What was held; decided about under this name, it is followed after all.
    pub hold: Hold,
    /// When that was said.
    pub at: Timestamp,
}

/// Refs of a repository that are followed wherever they go, because a person said so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// The repository.
    pub repo: RepoId,
    /// A name, or the beginning of names followed by `*`.
    pub pattern: String,
    /// When that was said.
    pub since: Timestamp,
}

/// What waits for a person, and what was decided.
#[derive(Debug, Default)]
pub struct Decisions {
    /// What waits.
    pub holds: Vec<Hold>,
    /// What is not followed.
    pub rejected: Vec<Rejected>,
    /// What always is.
    pub rules: Vec<Rule>,
}

/// How much a pattern takes in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reach {
    /// How many refs that are served now.
    pub n_refs: u64,
    /// Those of them that nobody wants to lose: the default branch, and the protected ones.
    pub protected: Vec<RefName>,
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
    /// What is served leaves no place for it.
    #[error("`{name}` cannot be followed now: {reason}")]
    InTheWay {
        /// The ref.
        name: RefName,
        /// What is in the way.
        reason: String,
    },
    /// Nobody has said so.
    #[error("`{pattern}` of `{repo}` is not followed always")]
    NoRule {
        /// The repository.
        repo: RepoId,
        /// The pattern.
        pattern: String,
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
        let one = |(name, held): (&RefName, &Held)| Self::new(repo, state, name, held.clone());
        state.held.iter().map(one).collect()
    }

    fn new(repo: &RepoId, state: &State, name: &RefName, held: Held) -> Self {
        let (old, new) = (state.served.get(name).cloned(), state.upstream.get(name).cloned());
        let word =
            |target: &Option<Target>| target.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string);
        let text = format!("{repo} {name} {} {}", word(&old), word(&new));
        let mut id = Sha256::of(text.as_bytes()).to_string();
        id.truncate(ID_DIGITS);
        let Held { class, since: seen_at, reason } = held;
        Self { id, repo: repo.clone(), name: name.clone(), class, old, new, reason, seen_at }
    }
}

impl Rejected {
    /// Returns what of a repository is not followed because a person said so, in the order of names.
    pub fn of(repo: &RepoId, state: &State) -> Vec<Self> {
        let is_so = |name: &RefName, new: &Option<String>| {
            let (served, upstream) = (state.served.get(name), state.upstream.get(name));
            served != upstream && *new == upstream.map(ToString::to_string)
        };
        let rejected = state.rejected.iter().filter(|((name, new), _)| is_so(name, new));
        let one = |((name, _), said): (&Unwanted, &Unwilling)| {
            let class = said.class.unwrap_or_else(|| class_of(name, state));
            let hold = Hold::new(repo, state, name, Held { class, since: said.at, reason: None });
            Self { hold, at: said.at }
        };
        rejected.map(one).collect()
    }
}

/// Returns what a move was that an entry of before 2026-12 does not name.
fn class_of(name: &RefName, state: &State) -> MoveClass {
    match (state.served.get(name), state.upstream.get(name)) {
        (None, _) => MoveClass::Create,
        (_, None) => MoveClass::Delete,
        (Some(Target::Ref(_)), _) | (_, Some(Target::Ref(_))) => MoveClass::Retarget,
        _ if name.is_tag() => MoveClass::TagMove,
        _ => MoveClass::Force,
    }
}

impl Mirror {
    /// Returns what waits, and what persons decided that still decides, of every repository.
    pub fn decisions(&self) -> Result<Decisions, DecideError> {
        let mut all = Decisions::default();
        for entry in self.store().repos()? {
            let Event::Mirrored { repo, .. } = entry.event else { continue };
            let state = State::read(self.store(), &repo, None)?;
            all.holds.extend(Hold::of(&repo, &state));
            all.rejected.extend(Rejected::of(&repo, &state));
            let rule = |(pattern, since)| Rule { repo: repo.clone(), pattern, since };
            all.rules.extend(state.rules.into_iter().map(rule));
        }
        Ok(all)
    }

    /// Returns for each of these what would be lost by following, of commits that nothing else that is served reaches; nothing where git
    /// cannot say. Those of one repository stand together.
    pub fn lost(&self, holds: &[&Hold]) -> Result<Vec<Option<Lost>>, CopyError> {
        let mut lost = Vec::new();
        for of_one in holds.chunk_by(|one, other| one.repo == other.repo) {
            let copy = Copy::open(self.git(), self.store(), &of_one[0].repo, "sha1")?;
            for hold in of_one {
                lost.push(lost_by(&copy, hold)?);
            }
        }
        Ok(lost)
    }

    /// Decides about what waits, or was rejected: the copy follows once, follows every move of refs that a pattern names, or stays as
    /// it is.
    pub fn decide(&self, id: &str, ruling: Ruling, pattern: Option<String>) -> Result<Hold, DecideError> {
        let unknown = || DecideError::Unknown { id: id.to_owned() };
        let Decisions { holds, rejected, .. } = self.decisions()?;
        let mut all = holds.into_iter().chain(rejected.into_iter().map(|rejected| rejected.hold));
        let hold = all.find(|hold| hold.id == id).ok_or_else(unknown)?;
        if let Some(pattern) = &pattern
            && !is_followed([pattern], &hold.name)
        {
            return Err(DecideError::Pattern { pattern: pattern.clone(), name: hold.name });
        }
        let mut copy = Copy::open(self.git(), self.store(), &hold.repo, "sha1")?;
        // It may have moved on before the copy was this process's.
        let is_there =
            |target: Option<&Target>, refs: &BTreeMap<RefName, Target>| refs.get(&hold.name) == target;
        if !is_there(hold.old.as_ref(), &copy.state.served)
            || !is_there(hold.new.as_ref(), &copy.state.upstream)
        {
            return Err(unknown());
        }
        if ruling != Ruling::Reject {
            stands(&copy.state, &hold)?;
        }
        let (name, class, new) = (Some(&hold.name), Some(hold.class), hold.new.as_ref());
        self.note(
            &mut copy,
            Some(&hold),
            &Decided { name, class, new, ruling, pattern: pattern.as_deref(), at: self.clock().now() },
        )?;
        Ok(hold)
    }

    /// Takes back that refs of a name, or of a beginning of names, are followed wherever they go.
    pub fn revoke(&self, repo: &RepoId, pattern: &str) -> Result<(), DecideError> {
        let mut copy = Copy::open(self.git(), self.store(), repo, "sha1")?;
        if !copy.state.rules.contains_key(pattern) {
            return Err(DecideError::NoRule { repo: repo.clone(), pattern: pattern.to_owned() });
        }
        let (ruling, at) = (Ruling::Revoke, self.clock().now());
        let decided = Decided { name: None, class: None, new: None, ruling, pattern: Some(pattern), at };
        self.note(&mut copy, None, &decided)
    }

    /// Returns how much a pattern takes in of what is served of a repository.
    pub fn reach(&self, repo: &RepoId, pattern: &str) -> Result<Reach, DecideError> {
        let (state, tripwires) = (State::read(self.store(), repo, None)?, self.tripwires().of(repo));
        let named: Vec<&RefName> =
            state.served.keys().filter(|name| is_named(pattern, name.as_str())).collect();
        let is_default = |name: &RefName| matches!(state.served.get("HEAD"), Some(Target::Ref(default)) if default == name);
        let is_protected = |name: &&&RefName| is_default(name) || tripwires.protect(name);
        let protected = named.iter().filter(is_protected).map(|name| (*name).clone()).collect();
        Ok(Reach { n_refs: named.len() as u64, protected })
    }

    fn note(&self, copy: &mut Copy, hold: Option<&Hold>, decided: &Decided<'_>) -> Result<(), DecideError> {
        let &Decided { name, class, new, ruling, pattern, at } = decided;
        let event = Event::Decided {
            repo: copy.repo().clone(),
            hold: hold.map(|hold| hold.id.clone()),
            name: name.cloned(),
            class,
            new: new.cloned(),
            ruling,
            pattern: pattern.map(str::to_owned),
            at,
        };
        let seq = self.store().append(None, vec![event])?;
        let old = hold.and_then(|hold| hold.old.as_ref()?.id().copied());
        copy.state.decide(decided);
        copy.write(old.into_iter().collect(), seq).map_err(CopyError::from)?;
        Ok(())
    }
}

fn lost_by(copy: &Copy, hold: &Hold) -> Result<Option<Lost>, CopyError> {
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

/// Finds out whether a ref may stand where the upstream has it, beside what is served.
fn stands(state: &State, hold: &Hold) -> Result<(), DecideError> {
    let reason = match &hold.new {
        None => None,
        Some(Target::Ref(to)) => (!state.served.contains_key(to)).then(|| format!("`{to}` is not served")),
        Some(Target::Object { .. }) => conflict(&state.served, &hold.name),
    };
    match reason {
        None => Ok(()),
        Some(reason) => Err(DecideError::InTheWay { name: hold.name.clone(), reason }),
    }
}

/// Returns the commit that a target names, as far as it says so.
fn commit(target: &Target) -> Option<ObjectId> {
    match target {
        Target::Object { id, peeled } => Some(peeled.unwrap_or(*id)),
        Target::Ref(_) => None,
    }
}
