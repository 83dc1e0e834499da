//! Where git's clients in a room meet the copies of repositories: created on first sight, brought up to date once a run.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use mirror::{Address, AllTripwires, Archive, Ask, Mirror, Patience, Served, Server, Taken};
use model::{Event, Pack, RepoId, Sha256, Timestamp};
use proxy::{
    Answering, Engine, PackedArchive, Packing, Repositories, RepositoryAnswer, RepositoryAsked, ServerUse,
    TeamServer,
};
use registry::RevisionArchive;
use store::{IndexError, Store};
use tokio::sync::{Mutex, OnceCell};

use super::git;

const INFO: &str = "/info/refs";
const PACK: &str = "/git-upload-pack";
/// How long a host may think that is asked only for what is newer than what a server had.
const BEHIND_SERVER: Duration = Duration::from_secs(5);

/// The repositories of one run.
#[derive(Debug)]
pub(crate) struct Kept {
    mirror: Mirror,
    /// The same, where a server has given what there was.
    hasty: Mirror,
    served: Served,
    store: Store,
    /// The team's server, which is asked first, and what came of it.
    server: Option<Server>,
    used: std::sync::Mutex<ServerUse>,
    /// Whether each that was asked for is as its host has it.
    asked: Mutex<HashMap<RepoId, Arc<OnceCell<bool>>>>,
}

impl Kept {
    /// Asks as the command would, through the engine's own client; a team's server first. What `served` gives to all takes turns.
    pub(crate) fn new(
        engine: &Engine,
        served: Served,
        tripwires: AllTripwires,
        via: Option<TeamServer>,
    ) -> Self {
        let Engine { store, client, clock, private, .. } = engine.clone();
        let mirror = |patience| {
            let mirror = Mirror::new(store.clone(), git(), client.clone(), clock.clone());
            let mirror = mirror.with_keyring(private.keyring()).with_tripwires(tripwires.clone());
            mirror.for_command().with_patience(patience)
        };
        let patience = Patience::default();
        let (mirror, hasty) = (mirror(patience), mirror(Patience { first_byte: BEHIND_SERVER, ..patience }));
        let server =
            |TeamServer { site, authorization, .. }| Server { base: site.base().to_owned(), authorization };
        let (asked, used) = (Mutex::default(), std::sync::Mutex::default());
        Self { mirror, hasty, served, store, server: via.map(server), used, asked }
    }

    async fn answered(&self, asked: RepositoryAsked) -> Option<RepositoryAnswer> {
        let (address, is_pack) = address(asked.url.object().as_str())?;
        let repo = address.repo();
        let is_fresh = asked.at.is_none() && self.is_fresh(&address, asked.may_ask).await;
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

    /// Brings a repository up to date once a run, and takes it on where somebody has it; returns whether it is as its host has it.
    async fn is_fresh(&self, address: &Address, may_ask: bool) -> bool {
        let once = self.asked.lock().await.entry(address.repo().clone()).or_default().clone();
        *once
            .get_or_init(|| async {
                // Whoever adopts it says where it is: a run may know it by an address that others can listen to.
                let known = said(address.repo(), self.store.repo(address.repo())).flatten();
                let followed = known.and_then(|entry| Address::of(&entry.event));
                let address = followed.as_ref().unwrap_or(address);
                let is_given = self.is_given(address).await;
                let is_fresh = may_ask && self.is_synced(address, is_given).await;
                // Who has decided that it is followed no longer is not overruled by a run.
                let is_new = followed.is_none() && (is_fresh || is_given);
                let is_followed = !is_new || said(address.repo(), self.mirror.take_on(address)).is_some();
                is_fresh && is_followed
            })
            .await
    }

    /// Asks a repository's own host what is new; one that hangs, not for long, where a server has given what there was.
    async fn is_synced(&self, address: &Address, is_given: bool) -> bool {
        let mirror = if is_given { &self.hasty } else { &self.mirror };
        let synced = match mirror.sync(address).await {
            Ok(synced) => synced,
            Err(error) => {
                tracing::error!("`{}` could not be kept: {error}", address.repo());
                return false;
            }
        };
        synced.is_followed() && said(address.repo(), mirror.finish()).is_some()
    }

    /// Takes what the team's server has of a repository; returns whether it has any.
    async fn is_given(&self, address: &Address) -> bool {
        let used = || self.used.lock().unwrap_or_else(PoisonError::into_inner);
        // One that is gone is not waited for again.
        let server = self.server.as_ref().filter(|_| used().trouble.is_none());
        let Some(server) = server else { return false };
        match said(address.repo(), self.mirror.take_from(server, address).await) {
            Some(Taken::Given) => {
                used().n_answers += 1;
                true
            }
            Some(Taken::Silent { reason }) => {
                used().trouble = Some(reason);
                false
            }
            Some(Taken::Absent) | None => false,
        }
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

    fn server_use(&self) -> ServerUse {
        self.used.lock().unwrap_or_else(PoisonError::into_inner).clone()
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
