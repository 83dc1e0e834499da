//! Repositories as they are given to clients: refs from memory, packs from the copy on disk.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use git::{Git, Protocol};
use host::process::{ProcessError, Stream};
use model::{Event, RefName, RepoId, Sha256, Target, Timestamp};
use store::Store;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::block_in_place;

use crate::copy::{Copy, CopyError, folder};
use crate::flight::{Flights, Key, Reader};
use crate::outage::outage;
use crate::state::{State, StateError};

/// How many clients are served for each core, those included that take what they are given slowly.
const N_PLACES_PER_CORE: usize = 16;
/// How long a client waits for its turn; who is before it takes what it is given, or loses its own.
const TURN_WITHIN: Duration = Duration::from_secs(600);
/// How often a client waits for a copy that is made anew by somebody else: two seconds each.
const N_COPY_TRIES: u32 = 30;
/// How often a client that waits is told so; proxies break off where nothing comes for a minute, and git itself says something as often.
const TOLD_EVERY: Duration = Duration::from_secs(5);
/// Repositories whose refs are in memory.
const N_KNOWN_MAX: usize = 1000;

/// Gives repositories to clients; cheap to clone.
#[derive(Debug, Clone)]
pub struct Served {
    inner: Arc<Inner>,
    told_every: Duration,
}

#[derive(Debug)]
struct Inner {
    store: Store,
    git: Git,
    known: Mutex<HashMap<RepoId, Known>>,
    /// Counting objects and making packs keeps a core busy: more at once than there are cores make each slower, and none faster.
    turns: Arc<Semaphore>,
    /// A program that waits for a slow client costs memory, and no core.
    places: Arc<Semaphore>,
    flights: Flights,
}

#[derive(Debug, Clone)]
struct Known {
    /// What the journal was when it was read.
    stamp: Option<(u64, u64)>,
    refs: Arc<Refs>,
}

/// The refs of a repository.
#[derive(Debug)]
pub struct Refs {
    /// As the copy serves them.
    pub refs: BTreeMap<RefName, Target>,
    /// `sha1` or `sha256`.
    pub object_format: &'static str,
    /// Since when they are not the upstream's, as far as is known, and why.
    pub stale: Option<(Timestamp, String)>,
    seq: u64,
}

/// Why a repository cannot be given.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The refs.
    #[error(transparent)]
    State(#[from] StateError),
    /// The copy.
    #[error(transparent)]
    Copy(#[from] CopyError),
    /// Git.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// Neither disk nor memory.
    #[error("there is no room for an answer; look at the disk")]
    Room(#[from] std::io::Error),
    /// So many others were before it.
    #[error("others keep every core busy; try again")]
    Crowded,
}

/// A request to which everybody who sends it has the same answer.
pub(crate) struct Shareable {
    pub(crate) protocol: Protocol,
    /// Says which one it is.
    pub(crate) digest: Sha256,
    pub(crate) body: Vec<u8>,
}

/// What git writes, once there is a turn for it, and the place of its client. The turn ends with git's work.
pub type Given = Pin<Box<dyn Future<Output = Result<(Stream, OwnedSemaphorePermit), ServeError>> + Send>>;

/// A client's place, and its turn.
type Both = (OwnedSemaphorePermit, OwnedSemaphorePermit);

impl Served {
    /// Gives what a store has, as many packs at once as there are cores.
    pub fn new(store: Store, git: Git, n_cores: usize) -> Self {
        let semaphore = |n| Arc::new(Semaphore::new(n));
        let (turns, places) = (semaphore(n_cores.max(1)), semaphore(n_cores.max(1) * N_PLACES_PER_CORE));
        let (known, flights) = (Mutex::default(), Flights::default());
        let inner = Arc::new(Inner { store, git, known, turns, places, flights });
        Self { inner, told_every: TOLD_EVERY }
    }

    /// Tells clients that wait so at other times.
    #[must_use]
    pub fn telling_every(self, told_every: Duration) -> Self {
        Self { told_every, ..self }
    }

    pub(crate) const fn told_every(&self) -> Duration {
        self.told_every
    }

    /// Returns the refs of a repository as they are served now, or were; nothing where none is held. What is in memory is there at
    /// once: to make room for a read that may block costs a list of refs more than the list itself.
    pub fn refs(&self, repo: &RepoId, at: Option<Timestamp>) -> Result<Option<Arc<Refs>>, StateError> {
        if at.is_some() {
            return Ok(block_in_place(|| self.read(repo, at))?.map(Arc::new));
        }
        let stamp = self.inner.store.stamp();
        if let Some(known) = self.lock().get(repo).filter(|known| known.stamp == stamp && stamp.is_some()) {
            return Ok(Some(known.refs.clone()));
        }
        let Some(refs) = block_in_place(|| self.read(repo, None))?.map(Arc::new) else { return Ok(None) };
        let mut known = self.lock();
        if known.len() >= N_KNOWN_MAX {
            known.clear();
        }
        known.insert(repo.clone(), Known { stamp, refs: refs.clone() });
        Ok(Some(refs))
    }

    fn read(&self, repo: &RepoId, at: Option<Timestamp>) -> Result<Option<Refs>, StateError> {
        let state = State::read(&self.inner.store, repo, at)?;
        // One without refs is a repository as well, once its upstream was asked.
        let none_yet = (state.seq > 0).then_some("sha1");
        let Some(object_format) = state.object_format().or(none_yet) else { return Ok(None) };
        let outages = self.inner.store.outages()?;
        let down = outage(&outages, repo).map(|down| (down.since, down.reason.to_owned()));
        let stale = match self.inner.store.repo(repo)?.map(|entry| entry.event) {
            Some(Event::Mirrored { is_left: true, at, .. }) => {
                Some((at, "it is followed no longer".to_owned()))
            }
            _ => down.or_else(|| held(&state)),
        };
        Ok(Some(Refs { refs: state.served, object_format, stale, seq: state.seq }))
    }

    /// Has git answer what a client asks of a repository.
    pub fn upload_pack(
        &self,
        repo: &RepoId,
        at: Option<Timestamp>,
        refs: &Refs,
        protocol: Protocol,
        request: Vec<u8>,
    ) -> Result<Given, ServeError> {
        self.given(repo, at, refs, move |git, folder, turn| git.upload_pack(folder, protocol, &request, turn))
    }

    /// Has git list the refs as earlier versions of the protocol do.
    pub fn advertise(
        &self,
        repo: &RepoId,
        at: Option<Timestamp>,
        refs: &Refs,
        protocol: Protocol,
    ) -> Result<Given, ServeError> {
        self.given(repo, at, refs, move |git, folder, turn| git.advertise(folder, protocol, turn))
    }

    fn given(
        &self,
        repo: &RepoId,
        at: Option<Timestamp>,
        refs: &Refs,
        give: impl FnOnce(&Git, &Path, OwnedSemaphorePermit) -> Result<Stream, ProcessError> + Send + 'static,
    ) -> Result<Given, ServeError> {
        let folder = block_in_place(|| self.folder(repo, at, refs))?;
        let (git, both) = (self.inner.git.clone(), self.both());
        Ok(Box::pin(async move {
            let (place, turn) = both.await?;
            Ok((give(&git, &folder, turn)?, place))
        }))
    }

    /// Waits for a place and a turn.
    fn both(&self) -> impl Future<Output = Result<Both, ServeError>> + Send + use<> {
        let Inner { turns, places, .. } = &*self.inner;
        let (turns, places) = (turns.clone(), places.clone());
        let both = async { Some((places.acquire_owned().await.ok()?, turns.acquire_owned().await.ok()?)) };
        let both = tokio::time::timeout(TURN_WITHIN, both);
        async move { both.await.ok().flatten().ok_or(ServeError::Crowded) }
    }

    /// Has git answer a request for everybody who sends it.
    pub(crate) fn shared(
        &self,
        repo: &RepoId,
        at: Option<Timestamp>,
        refs: &Refs,
        Shareable { protocol, digest, body }: Shareable,
    ) -> Result<Reader, ServeError> {
        let Inner { git, flights, store, .. } = &*self.inner;
        let key = Key { repo: repo.clone(), at, seq: refs.seq, digest };
        if let Some(reader) = flights.join(&key) {
            return Ok(reader);
        }
        let folder = block_in_place(|| self.folder(repo, at, refs))?;
        let (reader, writer) = flights.join_or_begin(key, &store.home().join("git"))?;
        if let Some(writer) = writer {
            let git = git.clone();
            let pour =
                move |give: &mut dyn FnMut(&[u8]) -> bool| git.pour_pack(&folder, protocol, &body, give);
            tokio::spawn(writer.write(self.both(), pour));
        }
        Ok(reader)
    }

    /// Returns the folder that git reads, which is made anew where it is not there.
    pub(crate) fn folder(
        &self,
        repo: &RepoId,
        at: Option<Timestamp>,
        refs: &Refs,
    ) -> Result<PathBuf, ServeError> {
        let Inner { store, git, .. } = &*self.inner;
        // Half a copy is none: who makes it anew is waited for.
        let mut n_left = N_COPY_TRIES;
        while let Err(error) = Copy::catch_up(git, store, repo, refs.object_format, refs.seq) {
            n_left -= 1;
            if !error.is_busy() || n_left == 0 {
                return Err(error.into());
            }
        }
        let folder = folder(store.home(), repo);
        match at {
            Some(_) => Ok(git::view(&folder, &refs.refs, refs.object_format).map_err(CopyError::from)?),
            None => Ok(folder),
        }
    }

    /// Waits for a turn to keep a core busy.
    pub(crate) async fn turn(&self) -> Result<OwnedSemaphorePermit, ServeError> {
        let turn = tokio::time::timeout(TURN_WITHIN, self.inner.turns.clone().acquire_owned()).await;
        turn.ok().and_then(Result::ok).ok_or(ServeError::Crowded)
    }

    pub(crate) fn git(&self) -> &Git {
        &self.inner.git
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<RepoId, Known>> {
        self.inner.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns since when refs are elsewhere than upstream until a person decides.
fn held(state: &State) -> Option<(Timestamp, String)> {
    let since = state.held.values().map(|held| held.since).min()?;
    Some((since, format!("{} refs wait for a person", state.held.len())))
}
