//! Where git's clients in a room meet the copies of repositories: created on first sight, brought up to date once a run.

use std::collections::HashMap;
use std::sync::Arc;

use mirror::{Address, AllTripwires, Archive, Ask, Mirror, Served};
use model::{Event, Pack, RepoId, Sha256, Timestamp};
use proxy::{Answering, Engine, PackedArchive, Packing, Repositories, RepositoryAnswer, RepositoryAsked};
use registry::RevisionArchive;
use store::{IndexError, Store};
use tokio::sync::{Mutex, OnceCell};

use super::{git, served};

const INFO: &str = "/info/refs";
const PACK: &str = "/git-upload-pack";

/// The repositories of one run.
#[derive(Debug)]
pub(crate) struct Kept {
    mirror: Mirror,
    served: Served,
    store: Store,
    /// Whether each that was asked for is as its host has it.
    asked: Mutex<HashMap<RepoId, Arc<OnceCell<bool>>>>,
}

impl Kept {
    /// Asks as the command would, through the engine's own client.
    pub(crate) fn new(engine: &Engine, tripwires: AllTripwires) -> Self {
        let Engine { store, client, clock, private, .. } = engine.clone();
        let mirror = Mirror::new(store.clone(), git(), client, clock).with_keyring(private.keyring());
        let mirror = mirror.with_tripwires(tripwires).for_command();
        Self { mirror, served: served(&store), store, asked: Mutex::default() }
    }

    async fn answered(&self, asked: RepositoryAsked) -> Option<RepositoryAnswer> {
        let (address, is_pack) = address(asked.url.object().as_str())?;
        let repo = address.repo();
        let is_fresh = asked.at.is_none() && asked.may_ask && self.is_fresh(&address).await;
        let known = self.served.refs(repo, asked.at);
        let refs = said(repo, known)??;
        // What waits for a person is not as the host has it.
        let is_fresh = is_fresh && refs.stale.is_none();
        let ask = if is_pack { Ask::Pack(&asked.body) } else { Ask::Capabilities };
        let answer = mirror::answer(&self.served, repo, asked.at, &refs, &asked.headers, ask);
        let response = said(repo, answer)?;
        let (pack, confirmed_at) = said(repo, tokio::task::block_in_place(|| self.newest(repo)))?;
        Some(RepositoryAnswer { response, pack, is_fresh, confirmed_at })
    }

    /// Asks a repository's host once a run, and takes it on when it answers.
    async fn is_fresh(&self, address: &Address) -> bool {
        let once = self.asked.lock().await.entry(address.repo().clone()).or_default().clone();
        *once
            .get_or_init(|| async {
                // Whoever adopts it says where it is: a run may know it by an address that others can listen to.
                let known = said(address.repo(), self.store.repo(address.repo())).flatten();
                let followed = known.and_then(|entry| Address::of(&entry.event));
                let address = followed.as_ref().unwrap_or(address);
                let synced = match self.mirror.sync(address).await {
                    Ok(synced) => synced,
                    Err(error) => {
                        tracing::error!("`{}` could not be kept: {error}", address.repo());
                        return false;
                    }
                };
                // Who has decided that it is followed no longer is not overruled by a run.
                let take_on =
                    || followed.is_some() || said(address.repo(), self.mirror.take_on(address)).is_some();
                synced.is_followed() && take_on() && said(address.repo(), self.mirror.finish()).is_some()
            })
            .await
    }

    /// Returns the newest pack of a repository, and when its host last said what it has.
    fn newest(&self, repo: &RepoId) -> Result<(Option<(Sha256, u64)>, Timestamp), IndexError> {
        let (mut pack, mut confirmed_at) = (None, Timestamp::UNIX_EPOCH);
        if let Some(Event::Refs { packs, at, .. }) = self.store.newest_refs(repo)?.map(|entry| entry.event) {
            (pack, confirmed_at) = (last(&packs), at);
        }
        if pack.is_none() {
            // What moved last needed nothing that was not here.
            pack = self.store.all_refs_of(repo)?.iter().rev().find_map(|entry| match &entry.event {
                Event::Refs { packs, .. } => last(packs),
                _ => None,
            });
        }
        if let Some(Event::Observed { at, .. }) = self.store.observed(repo)?.map(|entry| entry.event) {
            confirmed_at = confirmed_at.max(at);
        }
        Ok((pack, confirmed_at))
    }
}

impl Repositories for Kept {
    fn answer(&self, asked: RepositoryAsked) -> Answering<'_> {
        Box::pin(self.answered(asked))
    }

    fn pack(&self, asked: RevisionArchive, at: Option<Timestamp>) -> Packing<'_> {
        Box::pin(async move {
            let Archive { file, size_bytes, commit } =
                said(&asked.repo, self.served.archive(&asked, at).await)??;
            let newest = tokio::task::block_in_place(|| self.newest(&asked.repo));
            let (_, confirmed_at) = said(&asked.repo, newest)?;
            Some(PackedArchive { file, size_bytes, commit: commit.to_string(), confirmed_at })
        })
    }
}

fn last(packs: &[Pack]) -> Option<(Sha256, u64)> {
    packs.last().map(|pack| (pack.sha256, pack.size_bytes))
}

/// Returns which repository an address is about, and whether it is asked for a pack.
fn address(url: &str) -> Option<(Address, bool)> {
    let path = url.split('?').next().unwrap_or(url);
    let (base, is_pack) = match path.strip_suffix(PACK) {
        Some(base) => (base, true),
        None => (path.strip_suffix(INFO)?, false),
    };
    Some((Address::parse(base).ok()?, is_pack))
}

/// Returns what there is, and says why there is nothing.
fn said<T>(repo: &RepoId, result: Result<T, impl std::fmt::Display>) -> Option<T> {
    result.map_err(|error| tracing::error!("the copy of `{repo}` cannot be given: {error}")).ok()
}
