//! Who keeps repositories: with what, from where, and under which conditions.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use git::Git;
use host::Clock;
use host::http::{Client, Keyring};
use model::{Event, RepoId, Timestamp};
use store::{Store, WriteError};

use crate::address::Address;
use crate::ask::Upstream;
use crate::outcome::SyncError;
use crate::pace::Patience;
use crate::tripwires::AllTripwires;

/// Subjects of the journal that are down, why, and when that was told.
pub(crate) type Down = HashMap<String, (String, Timestamp)>;

/// Keeps repositories.
#[derive(Debug)]
pub struct Mirror {
    store: Store,
    git: Git,
    client: Client,
    keyring: Keyring,
    clock: Clock,
    is_for_command: bool,
    patience: Patience,
    tripwires: AllTripwires,
    /// What was found unchanged, and is not told yet.
    observed: Mutex<Vec<Event>>,
    /// Read when the first is asked for.
    pub(crate) down: Mutex<Option<Down>>,
}

impl Mirror {
    /// Makes one that keeps in a store what a client gets.
    pub fn new(store: Store, git: Git, client: Client, clock: Clock) -> Self {
        let (observed, down, keyring) = (Mutex::default(), Mutex::default(), Keyring::default());
        let (patience, tripwires) = (Patience::default(), AllTripwires::default());
        let is_for_command = false;
        Self { store, git, client, keyring, clock, is_for_command, patience, tripwires, observed, down }
    }

    /// Asks hosts with these credentials.
    #[must_use]
    pub fn with_keyring(self, keyring: Keyring) -> Self {
        Self { keyring, ..self }
    }

    /// Asks where a command would ask without Outlast, rather than public addresses alone.
    #[must_use]
    pub fn for_command(self) -> Self {
        Self { is_for_command: true, ..self }
    }

    /// Asks a person about what these say, rather than the usual.
    #[must_use]
    pub fn with_tripwires(self, tripwires: AllTripwires) -> Self {
        Self { tripwires, ..self }
    }

    /// Waits for upstreams so long and no longer.
    #[must_use]
    pub fn with_patience(self, patience: Patience) -> Self {
        Self { patience, ..self }
    }

    /// Tells the journal of everything that was found unchanged: at once, since each look at the index waits for what was told before.
    pub fn finish(&self) -> Result<(), WriteError> {
        let observed = std::mem::take(&mut *lock(&self.observed));
        match observed.is_empty() {
            true => Ok(()),
            false => self.store.record(observed),
        }
    }

    /// Notes what is told with much else of its kind.
    pub(crate) fn note_unchanged(&self, event: Event) {
        lock(&self.observed).push(event);
    }

    /// Returns the store.
    pub const fn store(&self) -> &Store {
        &self.store
    }

    pub(crate) const fn git(&self) -> &Git {
        &self.git
    }

    pub(crate) const fn keyring(&self) -> &Keyring {
        &self.keyring
    }

    pub(crate) const fn tripwires(&self) -> &AllTripwires {
        &self.tripwires
    }

    pub(crate) const fn is_for_command(&self) -> bool {
        self.is_for_command
    }

    pub(crate) const fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Returns the address at which a repository is followed, or was.
    pub fn known(&self, repo: &RepoId) -> Result<Option<Address>, SyncError> {
        Ok(self.store.repo(repo)?.and_then(|entry| Address::of(&entry.event)))
    }

    /// Takes a repository on, so that it is followed from now on; returns whether it is new.
    pub fn take_on(&self, address: &Address) -> Result<bool, SyncError> {
        let repo = address.repo();
        let is_known = self.store.repo(repo)?.is_some_and(|entry| {
            matches!(&entry.event, Event::Mirrored { address: known, is_left: false, .. } if known == address.as_str())
        });
        if !is_known {
            let address = address.as_str().to_owned();
            let event = Event::Mirrored { repo: repo.clone(), address, is_left: false, at: self.clock.now() };
            self.store.append(None, vec![event])?;
        }
        Ok(!is_known)
    }

    /// Asks the upstream of a repository no more, until it is taken on again; what is held stays.
    pub fn leave(&self, address: &Address) -> Result<(), SyncError> {
        let (repo, url) = (address.repo().clone(), address.as_str().to_owned());
        self.note_up(&repo)?;
        let event = Event::Mirrored { repo, address: url, is_left: true, at: self.clock.now() };
        self.store.append(None, vec![event])?;
        Ok(())
    }

    pub(crate) fn upstream<'a>(&'a self, address: &'a Address, keyring: &'a Keyring) -> Upstream<'a> {
        let (client, is_for_command, patience) = (&self.client, self.is_for_command, self.patience);
        Upstream { client, address, is_for_command, keyring, patience, server: None }
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
