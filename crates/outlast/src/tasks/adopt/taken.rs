//! Locks that were sent: the server keeps what they pin, once for all who send the same, and few projects at a time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use host::Clock;
use model::{Event, Sha256};
use server::{AdoptAnswer, AdoptRequest, AdoptWork, Adopter, SentLock};
use store::Store;
use tokio::sync::{Semaphore, watch};

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
    under_way: HashMap<Sha256, watch::Receiver<Option<Told>>>,
    /// When each was tried.
    tried: HashMap<Sha256, Duration>,
}

/// The report of an adoption, or why there is none.
type Told = Result<serde_json::Value, String>;

/// Where a request finds itself.
#[derive(Debug)]
enum Place {
    /// The first: it does the work.
    Begun(watch::Sender<Option<Told>>),
    /// Behind one that does.
    Joined(watch::Receiver<Option<Told>>),
    Full,
}

impl Adopter for Adopting {
    fn adopt(&self, who: String, request: AdoptRequest) -> Result<AdoptWork, AdoptAnswer> {
        let refused = |failure: Failure| AdoptAnswer::Refused(failure.to_string());
        let name = format!("{} ({who})", speak::in_line(&request.project, NAME_LETTERS_MAX));
        if request.project.is_empty() || (request.locks.is_empty() && request.urls.is_empty()) {
            return Err(AdoptAnswer::Refused("nothing is named that could be kept".to_owned()));
        }
        if request.locks.len() + request.urls.len() > N_THINGS_MAX {
            let reason = format!("more than {N_THINGS_MAX} locks and addresses at a time");
            return Err(AdoptAnswer::Refused(reason));
        }
        if self.is_known(&name, &request).map_err(refused)? {
            return Err(AdoptAnswer::Known);
        }
        let (work, now) = (digest(&name, &request), self.0.clock.elapsed());
        if request.locks.iter().any(|lock| lock.text.is_none()) {
            // A run has ended. Every one that ends until something has changed would ask for all of it again.
            let is_tried = self.works().is_tried(&work, now);
            return Err(if is_tried { AdoptAnswer::Known } else { AdoptAnswer::WantsTexts });
        }
        // Only the first holds its locks in memory.
        let place = self.works().join(work, now);
        match place {
            Place::Full => Err(AdoptAnswer::Busy),
            Place::Joined(told) => Ok(Box::pin(joined(told))),
            Place::Begun(tell) => {
                let leaving = Leaving { adopting: self.clone(), work, is_done: false };
                Ok(Box::pin(self.clone().work(tell, leaving, (name, who), request)))
            }
        }
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

    async fn work(
        self,
        tell: watch::Sender<Option<Told>>,
        mut leaving: Leaving,
        names: (String, String),
        request: AdoptRequest,
    ) -> AdoptAnswer {
        let told = self.keep(names, request).await;
        leaving.is_done = told.is_ok();
        if let Err(reason) = &told {
            // Nobody may wait for it any more.
            tracing::warn!("locks that were sent are not kept: {reason}");
        }
        drop(leaving);
        tell.send_replace(Some(told.clone()));
        answer(told)
    }

    async fn keep(&self, (name, who): (String, String), request: AdoptRequest) -> Told {
        let Shared { global, store, at_once, .. } = &*self.0;
        let _of_all = at_once.acquire().await;
        let mut locks = Locks::default();
        for SentLock { path, text, .. } in &request.locks {
            locks.add_bytes(path, text.as_deref().unwrap_or_default().as_bytes());
        }
        let keep = async {
            let thing = Thing::sent(name, who, locks, &request.urls)?;
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

    /// Joins what is under way, or begins it.
    fn join(&mut self, work: Sha256, now: Duration) -> Place {
        if let Some(told) = self.under_way.get(&work) {
            return Place::Joined(told.clone());
        }
        if self.under_way.len() >= N_WAITING_MAX {
            return Place::Full;
        }
        if self.tried.len() >= N_TRIED_MAX {
            self.tried.clear();
        }
        self.tried.insert(work, now);
        let (tell, told) = watch::channel(None);
        self.under_way.insert(work, told);
        Place::Begun(tell)
    }
}

/// Makes room for others when a work ends, even where it panics or is given up.
#[derive(Debug)]
struct Leaving {
    adopting: Adopting,
    work: Sha256,
    is_done: bool,
}

impl Drop for Leaving {
    fn drop(&mut self) {
        let mut works = self.adopting.works();
        works.under_way.remove(&self.work);
        if !self.is_done {
            works.tried.remove(&self.work);
        }
    }
}

/// Waits for the work that others have begun.
async fn joined(mut told: watch::Receiver<Option<Told>>) -> AdoptAnswer {
    let told = told.wait_for(Option::is_some).await.ok().and_then(|told| told.clone());
    answer(told.unwrap_or_else(|| Err("adopting came to grief; look at the server's log".to_owned())))
}

fn answer(told: Told) -> AdoptAnswer {
    told.map_or_else(AdoptAnswer::Refused, AdoptAnswer::Done)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn work(number: usize) -> Sha256 {
        Sha256::of(number.to_string().as_bytes())
    }

    #[test]
    fn what_is_under_way_is_joined_and_only_so_much_is() {
        let (mut works, now) = (Works::default(), Duration::from_secs(1));
        let begun: Vec<_> = (0..N_WAITING_MAX).map(|number| works.join(work(number), now)).collect();
        assert!(begun.iter().all(|place| matches!(place, Place::Begun(_))));
        assert!(matches!(works.join(work(0), now), Place::Joined(_)));
        assert!(matches!(works.join(work(N_WAITING_MAX), now), Place::Full));
        works.under_way.remove(&work(0));
        assert!(matches!(works.join(work(N_WAITING_MAX), now), Place::Begun(_)));
        let known: Vec<bool> = [0, 1, N_WAITING_MAX + 1].map(|it| works.is_tried(&work(it), now)).to_vec();
        assert_eq!(known, [true, true, false]);
        assert!(!works.is_tried(&work(0), now + REST), "it rests no longer");
    }
}
