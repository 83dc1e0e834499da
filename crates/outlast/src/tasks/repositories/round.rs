//! Brings repositories up to date, many at once: one that is dead holds up none of the others.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use indicatif::ProgressBar;
use mirror::{Address, Mirror, Outage, SyncError, Synced};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::One;
use crate::command_line::Global;
use crate::speak;

/// How many repositories are asked for at once.
const N_AT_ONCE: usize = 16;
/// And how many of them at one host.
const N_AT_HOST: usize = 8;
/// After so many in a row that could not be asked, a host is asked for no more of them in this round.
const N_SILENT_MAX: usize = 8;
/// How long a repository keeps its turn: one that comes slowly, on purpose or not, goes on beside the others.
const TURN_FOR: Duration = Duration::from_secs(600);
/// How soon the journal has what was found unchanged while others still take their time.
const TELL_EVERY: Duration = Duration::from_secs(1);

/// Brings repositories up to date, and returns what became of each, in their order.
pub(crate) async fn sync(global: &Global, mirror: &Arc<Mirror>, addresses: Vec<Address>) -> Vec<One> {
    let mut round = Round::begin(global, mirror, &Turns::default(), addresses);
    let mut done = Vec::new();
    while let Some(one) = round.next().await {
        done.push(one);
    }
    done.sort_by_key(|(place, _)| *place);
    done.into_iter().map(|(_, one)| one).collect()
}

/// How many may be asked for at once, at all and at each host; shared by rounds that overlap.
#[derive(Debug, Clone)]
pub(super) struct Turns {
    all: Arc<Semaphore>,
    hosts: Arc<Mutex<HashMap<String, Arc<Semaphore>>>>,
}

impl Default for Turns {
    fn default() -> Self {
        Self { all: Arc::new(Semaphore::new(N_AT_ONCE)), hosts: Arc::default() }
    }
}

impl Turns {
    fn at(&self, host: &str) -> Arc<Semaphore> {
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        hosts.entry(host.to_owned()).or_insert_with(|| Arc::new(Semaphore::new(N_AT_HOST))).clone()
    }
}

/// Repositories that are asked for.
pub(super) struct Round {
    mirror: Arc<Mirror>,
    /// Each with its place among the addresses.
    tasks: JoinSet<(usize, One)>,
    bar: ProgressBar,
}

impl Round {
    /// Begins to ask for repositories.
    pub(super) fn begin(
        global: &Global,
        mirror: &Arc<Mirror>,
        turns: &Turns,
        addresses: Vec<Address>,
    ) -> Self {
        let bar = speak::bar(global, "repositories {bar:30} {pos} of {len}, {eta} left");
        bar.set_length(addresses.len() as u64);
        let mut hosts: HashMap<String, Arc<Host>> = HashMap::new();
        let mut tasks = JoinSet::new();
        for (place, address) in addresses.into_iter().enumerate() {
            let name = address.repo().host();
            let host = hosts.entry(name.to_owned()).or_default().clone();
            let (mirror, at_host, all) = (mirror.clone(), turns.at(name), turns.all.clone());
            tasks.spawn(async move {
                let turn = (at_host.acquire_owned().await, all.acquire_owned().await);
                let done = within_turn(TURN_FOR, turn, host.ask(&mirror, &address)).await;
                (place, One::new(address.repo().clone(), done))
            });
        }
        Self { mirror: mirror.clone(), tasks, bar }
    }

    /// Returns the next that is done, with its place among the addresses; one that panicked has said so, and is missing.
    pub(super) async fn next(&mut self) -> Option<(usize, One)> {
        loop {
            match tokio::time::timeout(TELL_EVERY, self.tasks.join_next()).await {
                Ok(Some(done)) => {
                    self.bar.inc(1);
                    if let Ok(one) = done {
                        return Some(one);
                    }
                }
                Ok(None) => {
                    self.bar.finish_and_clear();
                    self.tell();
                    return None;
                }
                Err(_) => self.tell(),
            }
        }
    }

    fn tell(&self) {
        if let Err(error) = self.mirror.finish() {
            // What is kept is kept; only how new it is known to be is lost.
            tracing::error!("that nothing moved could not be written down: {error}");
        }
    }
}

/// Does some work, and lets others have its turn once that takes long.
async fn within_turn<T>(turn_for: Duration, turn: impl Sized, work: impl Future<Output = T>) -> T {
    let mut work = std::pin::pin!(work);
    match tokio::time::timeout(turn_for, &mut work).await {
        Ok(done) => done,
        Err(_) => {
            drop(turn);
            work.await
        }
    }
}

/// One host, as a round meets it.
#[derive(Debug, Default)]
struct Host {
    /// How many in a row could not be asked, and why the last could not.
    n_silent: AtomicUsize,
    reason: Mutex<String>,
}

impl Host {
    async fn ask(&self, mirror: &Mirror, address: &Address) -> Result<Synced, SyncError> {
        if self.n_silent.load(Ordering::Relaxed) >= N_SILENT_MAX {
            let reason = self.reason.lock().unwrap_or_else(PoisonError::into_inner).clone();
            return mirror.pass_over(address, reason);
        }
        let synced = mirror.sync(address).await;
        match &synced {
            Ok(Synced::Unavailable { reason, outage: Outage::Silent }) => {
                self.reason.lock().unwrap_or_else(PoisonError::into_inner).clone_from(reason);
                self.n_silent.fetch_add(1, Ordering::Relaxed);
            }
            Ok(_) => self.n_silent.store(0, Ordering::Relaxed),
            // What is wrong here says nothing about the host.
            Err(_) => {}
        }
        synced
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_takes_long_lets_others_have_its_turn() {
        let (turns, turn_for) = (Arc::new(Semaphore::new(1)), Duration::from_millis(300));
        let turn = turns.clone().acquire_owned().await;
        let slow = tokio::spawn(within_turn(turn_for, turn, std::future::pending::<()>()));
        // The control: until then it is taken.
        assert!(tokio::time::timeout(turn_for / 10, turns.acquire()).await.is_err());
        turns.acquire().await.unwrap().forget();
        assert!(!slow.is_finished());
        // What is done in time gives its turn back as well.
        let turn = Arc::new(Semaphore::new(1));
        within_turn(turn_for, turn.clone().acquire_owned().await, std::future::ready(())).await;
        assert_eq!(turn.available_permits(), 1);
    }
}
