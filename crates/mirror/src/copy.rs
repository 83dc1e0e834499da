//! The bare repository that is served, brought to what the journal says. It is derived: deleted, it comes back from the packs.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use git::{Bare, BareError, Git, GitError, PackError};
use model::{Decision, Event, MoveClass, ObjectId, Pack, RefMove, RepoId, Target};
use store::{Entry, IndexError, Store, WriteError};

use crate::outcome::{Stop, SyncError};
use crate::state::{State, StateError};

/// The longest name of a folder that is written out.
const NAME_BYTES_MAX: usize = 200;
/// With so many packs they are merged; git looks into each for each object.
const N_PACKS_MAX: usize = 50;

/// One repository's copy on disk, for one writer.
#[derive(Debug)]
pub struct Copy {
    pub(crate) bare: Bare,
    pub(crate) state: State,
    repo: RepoId,
}

/// What refs named once.
struct Superseded {
    tips: BTreeSet<ObjectId>,
    /// Why not everything is known of it.
    unread: Option<StateError>,
}

/// Why a copy could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// Its folder.
    #[error(transparent)]
    Bare(#[from] BareError),
    /// The journal or the index.
    #[error(transparent)]
    State(#[from] StateError),
    /// The store.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// Git.
    #[error(transparent)]
    Git(#[from] GitError),
    /// A pack of the store.
    #[error("`{repo}` cannot be made anew from its packs; run `outlast store verify`")]
    Pack {
        /// The repository.
        repo: RepoId,
        /// Why.
        source: PackError,
    },
}

impl CopyError {
    /// Returns whether another process is at work on it, so that it is worth while to wait.
    pub const fn is_busy(&self) -> bool {
        matches!(self, Self::Bare(BareError::Busy { .. }))
    }
}

impl From<IndexError> for CopyError {
    fn from(error: IndexError) -> Self {
        Self::State(error.into())
    }
}

impl From<std::io::Error> for CopyError {
    fn from(error: std::io::Error) -> Self {
        Self::Git(error.into())
    }
}

/// Returns the folder of a repository below a home.
pub fn folder(home: &Path, repo: &RepoId) -> PathBuf {
    // Nested folders would let one repository lie in another one's.
    let name = repo.as_str().replace('%', "%25").replace('/', "%2F");
    let name =
        if name.len() <= NAME_BYTES_MAX { name } else { model::Sha256::of(name.as_bytes()).to_string() };
    home.join("git").join(format!("{name}.git"))
}

impl Copy {
    /// Opens a repository's copy, and brings it to what the journal says.
    ///
    /// `object_format` is that of a repository of which nothing is held yet.
    pub fn open(git: &Git, store: &Store, repo: &RepoId, object_format: &str) -> Result<Self, CopyError> {
        let bare = Bare::lock(git, &folder(store.home(), repo))?;
        // Under the lock: nobody else tells of these refs now.
        let state = State::read(store, repo, None)?;
        bare.lay_out(state.object_format().unwrap_or(object_format))?;
        let copy = Self { bare, state, repo: repo.clone() };
        if copy.bare.noted() != Some(copy.state.seq) && copy.state.seq > 0 {
            copy.bring_up(store)?;
        }
        Ok(copy)
    }

    /// Brings a copy to what the journal says where it is behind that.
    ///
    /// # Errors
    /// Also where somebody else is at work there, and is not done: see [`CopyError::is_busy`].
    pub(crate) fn catch_up(
        git: &Git,
        store: &Store,
        repo: &RepoId,
        object_format: &str,
        seq: u64,
    ) -> Result<(), CopyError> {
        if git::noted(&folder(store.home(), repo)) >= Some(seq) {
            return Ok(());
        }
        Self::open(git, store, repo, object_format).map(drop)
    }

    /// Returns the repository's name.
    pub const fn repo(&self) -> &RepoId {
        &self.repo
    }

    /// Returns the refs.
    pub const fn state(&self) -> &State {
        &self.state
    }

    /// Returns the repository on disk.
    pub const fn bare(&self) -> &Bare {
        &self.bare
    }

    /// Has the copy of a repository made anew from its packs: the bytes of one were damaged, and the copy may share them.
    pub fn discard(git: &Git, store: &Store, repo: &RepoId) -> Result<(), CopyError> {
        let bare = Bare::lock(git, &folder(store.home(), repo))?;
        bare.lay_out(git::object_format(bare.folder()).unwrap_or("sha1"))?;
        Ok(bare.clear()?)
    }

    fn bring_up(&self, store: &Store) -> Result<(), CopyError> {
        let wanted: Vec<ObjectId> = self.state.tips().into_iter().collect();
        let entries = store.all_refs_of(&self.repo)?;
        if !self.bare.missing(&wanted)?.is_empty() || self.bare.check_connected(&wanted).is_err() {
            let damaged = self.index_all(store, &entries)?;
            let connected = self.bare.check_connected(&wanted);
            connected.map_err(|source| CopyError::Pack { repo: self.repo.clone(), source })?;
            if let Some(error) = damaged {
                tracing::warn!("a pack of `{}` is damaged, and not needed: {error}", self.repo);
            }
        }
        let Superseded { mut tips, unread } = self.superseded(store, entries)?;
        if let Some(error) = unread {
            tracing::warn!("what some refs of `{}` reached once is not known: {error}", self.repo);
        }
        tips.extend(self.bare.pins()?);
        self.write(tips, self.state.seq)?;
        Ok(())
    }

    /// Returns everything that refs named once and may name no more.
    fn superseded(&self, store: &Store, entries: Vec<Entry>) -> Result<Superseded, CopyError> {
        let (mut tips, mut unread, mut state) = (BTreeSet::new(), None, State::default());
        for entry in entries {
            let is_told_whole =
                matches!(&entry.event, Event::Refs { moves, state: Some(_), .. } if moves.is_empty());
            let before = is_told_whole.then(|| state.tips());
            if let Event::Decided { name: Some(name), .. } = &entry.event {
                tips.extend(state.served.get(name).and_then(Target::id).copied());
            }
            match state.take(store, &self.repo, &entry) {
                Ok(()) => {}
                // The refs as they are now were read already: a copy is not given up for what they were once.
                Err(error @ StateError::Blob { .. }) => {
                    tips.extend(state.tips());
                    unread = Some(error);
                }
                Err(error) => return Err(error.into()),
            }
            // Which of so many moves destroyed something was not written down: one pin too many does no harm.
            if let Some(before) = before {
                tips.extend(before.difference(&state.tips()));
            }
            if let Event::Refs { moves, .. } = entry.event {
                tips.extend(superseded(&moves));
            }
        }
        Ok(Superseded { tips, unread })
    }

    /// Returns whether everything that refs once reached is here.
    pub(crate) fn has_history(&self, store: &Store) -> Result<bool, CopyError> {
        let Superseded { tips, unread: None } = self.superseded(store, store.all_refs_of(&self.repo)?)?
        else {
            return Ok(false);
        };
        let once: Vec<ObjectId> = tips.into_iter().collect();
        Ok(self.bare.missing(&once)?.is_empty() && self.bare.check_connected(&once).is_ok())
    }

    /// Indexes every pack that is whole; returns why one is not. What builds on a damaged pack may build on one that came after it.
    fn index_all(&self, store: &Store, entries: &[Entry]) -> Result<Option<CopyError>, CopyError> {
        let packs = entries.iter().filter_map(|entry| match &entry.event {
            Event::Refs { packs, .. } => Some(packs),
            _ => None,
        });
        let mut left: Vec<&Pack> = packs.flatten().collect();
        loop {
            let (mut damaged, mut failed) = (None, Vec::new());
            for pack in &left {
                match self.index(store, pack) {
                    Ok(()) => {}
                    // It is not the pack's fault.
                    Err(error @ CopyError::Pack { source: PackError::Git(_), .. }) => return Err(error),
                    Err(error @ CopyError::Pack { .. }) => {
                        damaged = Some(error);
                        failed.push(*pack);
                    }
                    Err(error) => return Err(error),
                }
            }
            if failed.is_empty() || failed.len() == left.len() {
                return Ok(damaged);
            }
            left = failed;
        }
    }

    /// Indexes a pack of the store.
    fn index(&self, store: &Store, pack: &Pack) -> Result<(), CopyError> {
        let bad = |source| CopyError::Pack { repo: self.repo.clone(), source };
        let incoming = self.bare.incoming()?;
        let file = store.blob_file(&pack.sha256).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => bad(PackError::Bad { said: "it is missing".to_owned() }),
            _ => error.into(),
        })?;
        incoming.index_thin(file, self.state.object_format().unwrap_or("sha1")).map_err(bad)?;
        incoming.take_in()?;
        Ok(())
    }

    /// Writes the refs as the state has them, with pins besides those that are there.
    pub(crate) fn write(&self, mut pins: BTreeSet<ObjectId>, seq: u64) -> std::io::Result<()> {
        pins.extend(self.bare.pins()?);
        pins.extend(self.state.upstream.values().filter_map(Target::id).copied());
        self.bare.write_refs(&self.state.served, &pins)?;
        self.bare.note(seq)
    }

    /// Says whose fault it is that something is missing or does not fit: a copy that is damaged itself is made anew the next time.
    pub(crate) fn blame(&self, stop: Stop) -> Stop {
        let tips: Vec<ObjectId> = self.state.tips().into_iter().collect();
        match self.bare.check_connected(&tips) {
            Err(source @ PackError::Incomplete { .. }) => match self.bare.forget() {
                Ok(()) => Stop::Here(CopyError::Pack { repo: self.repo.clone(), source }.into()),
                Err(error) => Stop::Here(SyncError::Disk(error)),
            },
            _ => stop,
        }
    }

    /// Looks after a copy while nothing else is to be done: one that rarely moves is given fast, too, and each is checked as a whole
    /// once. Returns what git finds fault with.
    pub(crate) fn look_after(git: &Git, store: &Store, repo: &RepoId) -> Result<Vec<String>, CopyError> {
        let folder = folder(store.home(), repo);
        let (is_slow, is_checked) = (git::is_slow_to_give(&folder)?, git::is_checked(&folder));
        if !is_slow && is_checked {
            return Ok(Vec::new());
        }
        let copy = match Self::open(git, store, repo, "sha1") {
            Err(error) if error.is_busy() => return Ok(Vec::new()),
            copy => copy?,
        };
        if is_slow && let Err(error) = copy.bare.maintain() {
            tracing::warn!("clones of `{repo}` are slower than they could be: {error}");
        }
        if is_checked {
            return Ok(Vec::new());
        }
        let flaws = match copy.bare.check() {
            Ok(flaws) => flaws,
            Err(GitError::Failed { said, .. }) => {
                tracing::warn!("the copy of `{repo}` is damaged, and made anew from its packs: {said}");
                copy.bare.clear()?;
                drop(copy);
                return Self::open(git, store, repo, "sha1").map(|_| Vec::new());
            }
            Err(error) => return Err(error.into()),
        };
        copy.bare.note_checked()?;
        Ok(flaws)
    }

    /// Merges packs where there are many.
    pub(crate) fn maintain(&self) -> Result<(), GitError> {
        if self.bare.n_packs()? > N_PACKS_MAX { self.bare.maintain() } else { Ok(()) }
    }
}

/// Returns the objects that no ref may reach after moves.
pub(crate) fn superseded(moves: &[RefMove]) -> BTreeSet<ObjectId> {
    let leaves = |moved: &&RefMove| !matches!(moved.class, MoveClass::Create | MoveClass::FastForward);
    let old = moves.iter().filter(leaves).filter_map(|moved| moved.old.as_ref()?.id());
    let held = moves.iter().filter(|moved| moved.decision == Decision::Hold);
    old.chain(held.filter_map(|moved| moved.new.as_ref()?.id())).copied().collect()
}
