//! Locks that were sent: the server keeps what they pin, once for all who send the same, and few projects at a time.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use host::Clock;
use model::{Event, Sha256};
use server::{AdoptAnswer, AdoptRequest, Adopter, SentLock};
use store::Store;
use tokio::sync::{OnceCell, Semaphore};

use super::{Thing, once};
use crate::command_line::Global;
use crate::failure::Failure;
use crate::home::Home;
use crate::project::Locks;
use crate::speak;

/// Locks and addresses of one project.
const N_THINGS_MAX: usize = 500;
/// Letters of a project's name that are kept.
const NAME_LETTERS_MAX: usize = 100;
/// Projects that are adopted at a time: each asks every host as often at once as `adopt` does.
const N_AT_ONCE: usize = 2;
/// Projects that are known to be under way or waiting, each with its locks in memory.
const N_WAITING_MAX: usize = 32;
/// How long locks of which something is missing are not tried again because a run has ended; a person's `adopt` tries at once.
const REST: Duration = Duration::from_secs(3600);
/// Projects of which is known when they were tried.
const N_TRIED_MAX: usize = 1000;

/// Keeps what the locks pin that are sent to a server. It lives as long as the server: settings that are read again share it.
#[derive(Debug, Clone)]
pub(crate) struct Adopting(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    global: Global,
    store: Store,
    clock: Clock,
    at_once: Semaphore,
    works: Mutex<Works>,
}

/// What is adopted now and what was a while ago, by the digest of who sent which locks.
#[derive(Debug, Default)]
struct Works {
    under_way: HashMap<Sha256, Arc<OnceCell<Told>>>,
    /// When each was tried.
    tried: HashMap<Sha256, Duration>,
}

/// The report of an adoption, or why there is none.
type Told = Result<serde_json::Value, String>;

impl Adopter for Adopting {
    fn adopt(&self, who: String, request: AdoptRequest) -> Pin<Box<dyn Future<Output = AdoptAnswer> + Send>> {
        let adopting = self.clone();
        Box::pin(async move {
            adopting
                .take(&who, request)
                .await
                .unwrap_or_else(|failure| AdoptAnswer::Refused(failure.to_string()))
        })
    }
}

impl Adopting {
    pub(crate) fn new(global: &Global, store: &Store, clock: &Clock) -> Self {
        Self(Arc::new(Shared {
            global: global.clone(),
            store: store.clone(),
            clock: clock.clone(),
            at_once: Semaphore::new(N_AT_ONCE),
            works: Mutex::default(),
        }))
    }

    async fn take(&self, who: &str, request: AdoptRequest) -> Result<AdoptAnswer, Failure> {
        let name = format!("{} ({who})", speak::in_line(&request.project, NAME_LETTERS_MAX));
        if request.project.is_empty() || (request.locks.is_empty() && request.urls.is_empty()) {
            return Ok(AdoptAnswer::Refused("nothing is named that could be kept".to_owned()));
        }
        if request.locks.len() + request.urls.len() > N_THINGS_MAX {
            return Ok(AdoptAnswer::Refused(format!(
                "more than {N_THINGS_MAX} locks and addresses at a time"
            )));
        }
        if self.is_known(&name, &request)? {
            return Ok(AdoptAnswer::Known);
        }
        let work = digest(&name, &request);
        if request.locks.iter().any(|lock| lock.text.is_none()) {
            // A run has ended. Every one that ends until something has changed would ask for all of it again.
            let is_tried = self.works().is_tried(&work, self.0.clock.elapsed());
            return Ok(if is_tried { AdoptAnswer::Known } else { AdoptAnswer::WantsTexts });
        }
        let Some(told) = self.works().join(work, self.0.clock.elapsed()) else {
            return Ok(AdoptAnswer::Busy);
        };
        let outcome = told.get_or_init(|| self.keep(name, request)).await.clone();
        self.works().leave(&work, &told);
        outcome.map_or_else(|reason| Ok(AdoptAnswer::Refused(reason)), |report| Ok(AdoptAnswer::Done(report)))
    }

    async fn keep(&self, name: String, request: AdoptRequest) -> Told {
        let Shared { global, store, at_once, .. } = &*self.0;
        let _of_all = at_once.acquire().await;
        let mut locks = Locks::default();
        for SentLock { path, text, .. } in &request.locks {
            locks.add_bytes(path, text.as_deref().unwrap_or_default().as_bytes());
        }
        let keep = async {
            let thing = Thing::sent(name, locks, &request.urls)?;
            let quiet = Global { quiet: true, ..global.clone() };
            once(&quiet, &Home::find(global)?, store, vec![thing]).await
        };
        let report = keep.await.map_err(|failure| failure.to_string())?;
        report.say(global);
        serde_json::to_value(&report).map_err(|error| error.to_string())
    }

    /// Returns whether these very locks were adopted with nothing missing.
    fn is_known(&self, name: &str, request: &AdoptRequest) -> Result<bool, Failure> {
        let sent: Vec<(&str, Sha256)> = request.locks.iter().map(|lock| (&*lock.path, lock.sha256)).collect();
        let is_it = |event: &Event| match event {
            Event::Adopted { thing, locks, n_missing: 0, .. } if thing == name => {
                locks.iter().map(|(path, sha256)| (&**path, *sha256)).eq(sent.iter().copied())
            }
            _ => false,
        };
        let was_adopted = self.0.store.adopted()?.iter().any(|entry| is_it(&entry.event));
        Ok(was_adopted && request.urls.is_empty() && !request.locks.is_empty())
    }

    fn works(&self) -> MutexGuard<'_, Works> {
        self.0.works.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Works {
    /// Returns whether something is under way or was tried a short while ago.
    fn is_tried(&self, work: &Sha256, now: Duration) -> bool {
        let is_fresh = |at: &Duration| now.saturating_sub(*at) < REST;
        self.under_way.contains_key(work) || self.tried.get(work).is_some_and(is_fresh)
    }

    /// Joins what is under way, or begins it; `None` where too much is.
    fn join(&mut self, work: Sha256, now: Duration) -> Option<Arc<OnceCell<Told>>> {
        if let Some(told) = self.under_way.get(&work) {
            return Some(told.clone());
        }
        if self.under_way.len() >= N_WAITING_MAX {
            return None;
        }
        if self.tried.len() >= N_TRIED_MAX {
            self.tried.clear();
        }
        self.tried.insert(work, now);
        Some(self.under_way.entry(work).or_default().clone())
    }

    fn leave(&mut self, work: &Sha256, told: &Arc<OnceCell<Told>>) {
        // Others may have begun it anew meanwhile.
        if self.under_way.get(work).is_some_and(|other| Arc::ptr_eq(other, told)) {
            self.under_way.remove(work);
        }
    }
}

/// Returns what tells one project's locks from others.
fn digest(name: &str, request: &AdoptRequest) -> Sha256 {
    let mut text = name.to_owned();
    for SentLock { path, sha256, .. } in &request.locks {
        text.push_str(&format!("\0{path}\0{sha256}"));
    }
    for url in &request.urls {
        text.push_str(&format!("\0\0{url}"));
    }
    Sha256::of(text.as_bytes())
}
