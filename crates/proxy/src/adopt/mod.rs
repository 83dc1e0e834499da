//! Fetches what a project needs before anybody asks for it: what its locks pin, and the indexes that its clients read.
//!
//! The same transfers as for a client, under the same names, so that whoever comes later finds what they would have asked for.

mod agree;
mod files;
mod last;
mod obtain;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use model::{Freshness, ObjectUrl, Proof, SafeUrl, Source};
use registry::{Ask, Needs, Pin};
use tokio::sync::{OnceCell, Semaphore};
use tokio::task::JoinSet;

use self::files::{File, grouped, listed};
pub use self::last::{Found, LastResort};
use self::obtain::{Got, Look, Trouble};
use crate::limits::N_HOPS_MAX;
use crate::session::{Inner, Session, lock};
use crate::vouch::tables::Table;

/// Requests to one host at a time; package clients take 12 to 50.
const N_AT_ONE_HOST: usize = 16;
/// Requests at a time, and so files in memory.
const N_AT_ONCE: usize = 48;
/// How often something is asked for that an upstream could not give.
const N_TRIES: u32 = 3;
/// How long to wait before the second try; twice as long before the third.
const PAUSE: Duration = Duration::from_millis(500);
/// A host that could not give this many things in a row is not asked for more.
const N_FAILURES_MAX: u32 = 8;

/// What is to be kept.
#[derive(Debug, Clone)]
pub enum Wanted {
    /// A file that a lock names.
    Pinned(Pin),
    /// Whatever lies at an address.
    At(ObjectUrl),
}

/// What became of something that was to be kept.
#[derive(Debug, Clone)]
pub struct Adopted {
    /// What it is: `left-pad 1.3.0 of registry.npmjs.org`, or an address.
    pub name: String,
    /// Where its bytes are from, or should have been.
    pub url: Option<ObjectUrl>,
    /// Whether they are kept.
    pub outcome: Outcome,
}

/// Whether something is kept.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// It is.
    Kept {
        /// Bytes of it.
        size_bytes: u64,
        /// Who answers for them.
        proof: Proof,
        /// Whether they were there already.
        source: Source,
        /// Where a client had left them, if no upstream gave them.
        rescued_from: Option<String>,
    },
    /// It is not.
    Missing {
        /// Why, in words for a person.
        reason: String,
    },
}

/// How far it is.
#[derive(Debug, Clone, Copy, Default)]
pub struct Progress {
    /// Things to keep.
    pub n_wanted: usize,
    /// Those of which is known what became of them.
    pub n_done: usize,
    /// Bytes that came from upstreams.
    pub n_bytes: u64,
}

/// One host, as it was found while adopting.
#[derive(Debug)]
struct Budget {
    at_once: Semaphore,
    /// Since something was got from it.
    n_failures: AtomicU32,
    last_failure: Mutex<String>,
}

type Cell = Arc<OnceCell<Result<Got, Trouble>>>;

/// What is adopted at one time.
#[derive(Debug)]
struct Adoption {
    inner: Arc<Inner>,
    at_once: Semaphore,
    budgets: Mutex<HashMap<String, Arc<Budget>>>,
    /// Indexes that were asked for, by address and form.
    indexes: Mutex<HashMap<(ObjectUrl, Option<&'static str>), Cell>>,
}

impl Session {
    /// Keeps everything that is wanted, and returns what became of it, one or more for each that is wanted.
    ///
    /// What is here already is read back and not fetched again, so that it goes on where it was broken off. Where the session
    /// is for [`crate::Purpose::Inspect`], what is not here is missing.
    pub async fn adopt(&self, wanted: Vec<Wanted>, watch: impl Fn(Progress)) -> Vec<Adopted> {
        let adoption = Arc::new(Adoption {
            inner: self.0.clone(),
            at_once: Semaphore::new(N_AT_ONCE),
            budgets: Mutex::default(),
            indexes: Mutex::default(),
        });
        let wanted = grouped(wanted);
        let mut progress = Progress { n_wanted: wanted.len(), ..Progress::default() };
        watch(progress);
        let mut tasks = JoinSet::new();
        let mut names: HashMap<usize, String> = HashMap::new();
        for (number, one) in wanted.into_iter().enumerate() {
            names.insert(number, one.name());
            let adoption = adoption.clone();
            tasks.spawn(async move { (number, adoption.keep(one).await) });
        }
        let mut all = Vec::new();
        while let Some(done) = tasks.join_next().await {
            progress.n_done += 1;
            // One that failed for a fault of Outlast's own is named below.
            let Ok((number, adopted)) = done else { continue };
            names.remove(&number);
            progress.n_bytes += adopted.iter().map(Adopted::n_bytes_fetched).sum::<u64>();
            watch(progress);
            all.push((number, adopted));
        }
        all.sort_unstable_by_key(|(number, _)| *number);
        let lost = names.into_values().map(|name| {
            let reason = "adopting it came to grief; run it again".to_owned();
            Adopted::missing(name, None, reason)
        });
        let files = all.into_iter().flat_map(|(_, adopted)| adopted);
        files.chain(lost).chain(adoption.unread_indexes()).collect()
    }
}

impl Adopted {
    const fn missing(name: String, url: Option<ObjectUrl>, reason: String) -> Self {
        Self { name, url, outcome: Outcome::Missing { reason } }
    }

    const fn n_bytes_fetched(&self) -> u64 {
        match self.outcome {
            Outcome::Kept { size_bytes, source: Source::Upstream, .. } => size_bytes,
            _ => 0,
        }
    }
}

impl Adoption {
    async fn keep(&self, mut file: File) -> Vec<Adopted> {
        // Which registry a private name has, no lock decides.
        let private = file.coordinate.as_ref().and_then(|it| self.inner.own.registries.of_any(it));
        let is_private = private.is_some();
        file.coordinate = private.or(file.coordinate);
        let ecosystem = file.coordinate.as_ref().and_then(|it| registry::ecosystem(it.ecosystem));
        let needs = match (&file.coordinate, ecosystem) {
            (Some(coordinate), Some(ecosystem)) => ecosystem.needs(coordinate),
            _ => Needs::default(),
        };
        let mut indexes = Vec::new();
        for ask in &needs.indexes {
            indexes.push(self.index(ask, is_private || needs.files.is_empty()).await);
        }
        for url in &needs.documents {
            // Its absence is kept like an answer, and its failure is no failure of what is adopted.
            let _ = self.get(url, &Look::default()).await;
        }
        let settings = indexes.iter().flatten().filter_map(|got| got.settings.as_ref());
        let placed = file.coordinate.as_ref().zip(ecosystem).and_then(|(coordinate, ecosystem)| {
            settings.filter_map(|settings| ecosystem.placed(settings, coordinate)).next()
        });
        let places = match placed {
            _ if !file.urls.is_empty() => file.urls.clone(),
            Some(placed) => vec![placed],
            // A private registry may have them anywhere.
            None if is_private => Vec::new(),
            None => needs.files.clone(),
        };
        if let Some(reason) = outdated(&file, &indexes) {
            return vec![Adopted::missing(file.name(), None, reason)];
        }
        if !places.is_empty() {
            return vec![self.one_of(&file, file.name(), &places).await];
        }
        let listed = file.coordinate.as_ref().map_or_else(Vec::new, |wanted| {
            let tables = indexes.iter().flatten().filter_map(|got| got.table.as_deref());
            listed(tables, wanted, &file.digests)
        });
        if listed.is_empty() && !needs.files.is_empty() && indexes.iter().any(Result::is_ok) {
            return vec![self.one_of(&file, file.name(), &needs.files).await];
        }
        if listed.is_empty() {
            let trouble =
                indexes.into_iter().find_map(Result::err).map(|trouble| trouble.reason().to_owned());
            let reason = trouble.unwrap_or_else(|| match needs.indexes.is_empty() {
                true => "no lock says where its registry is".to_owned(),
                false => "its index does not list it".to_owned(),
            });
            return vec![Adopted::missing(file.name(), None, reason)];
        }
        let mut adopted = Vec::new();
        for (coordinate, url) in listed {
            let one = File { coordinate: Some(coordinate), digests: file.digests.clone(), urls: Vec::new() };
            adopted.push(self.one_of(&one, one.name(), &[url]).await);
        }
        adopted
    }

    /// Keeps a file from the first of its places that has it, or else from where a client has left it.
    async fn one_of(&self, file: &File, name: String, places: &[ObjectUrl]) -> Adopted {
        let mut reason = String::new();
        // Then no other bytes may take their place, wherever a client has left some.
        let mut is_disputed = false;
        for url in places {
            match self.get(url, &Look::default()).await {
                Ok(Got { held, source, .. }) => {
                    if let Some(why) = self.inner.disagrees(file, url, &held).await {
                        (reason, is_disputed) = (why, true);
                        continue;
                    }
                    let (size_bytes, proof) = (held.size_bytes, held.proof);
                    let outcome = Outcome::Kept { size_bytes, proof, source, rescued_from: None };
                    return Adopted { name, url: Some(url.clone()), outcome };
                }
                Err(trouble) if reason.is_empty() => reason = trouble.reason().to_owned(),
                Err(_) => {}
            }
        }
        if is_disputed {
            return Adopted::missing(name, places.first().cloned(), reason);
        }
        // What a client has left is in memory as a whole.
        let _of_all = self.at_once.acquire().await;
        match self.inner.rescue(file.coordinate.as_ref(), &file.digests, places).await {
            Some(outcome) => Adopted { name, url: places.first().cloned(), outcome },
            None => Adopted::missing(name, places.first().cloned(), reason),
        }
    }

    /// Gets an index, once for all that need it.
    async fn index(&self, ask: &Ask, wants_table: bool) -> Result<Got, Trouble> {
        let cell: Cell = lock(&self.indexes).entry((ask.url.clone(), ask.accept)).or_default().clone();
        let look = Look { headers: ask.headers(), wants_table };
        cell.get_or_init(|| self.get(&ask.url, &look)).await.clone()
    }

    /// Returns the indexes that their upstreams could not give: without them some clients install nothing.
    fn unread_indexes(&self) -> Vec<Adopted> {
        let mut missing: Vec<Adopted> = lock(&self.indexes)
            .iter()
            .filter_map(|((url, _), cell)| match cell.get()? {
                // That there is no such package is an answer.
                Ok(_) | Err(Trouble::Absent(_)) => None,
                Err(trouble) => {
                    Some(Adopted::missing(url.to_string(), Some(url.clone()), trouble.reason().to_owned()))
                }
            })
            .collect();
        missing.sort_unstable_by(|one, other| one.name.cmp(&other.name));
        // It may be lacking in several forms.
        missing.dedup_by(|one, other| one.name == other.name);
        missing
    }

    /// Gets what lies at an address as a client gets it, wherever redirects lead.
    async fn get(&self, url: &ObjectUrl, look: &Look) -> Result<Got, Trouble> {
        let mut url = SafeUrl::from(url.clone());
        for _ in 0..=N_HOPS_MAX {
            url = self.inner.place(url).map_err(|refusal| Trouble::Absent(refusal.reason))?;
            let budget = self.budget(url.object().host());
            let got = self.tried(&budget, &url, look).await?;
            let Some(location) = &got.location else {
                let is_answer = !(300..400).contains(&got.held.status);
                return if is_answer {
                    Ok(got)
                } else {
                    Err(Trouble::Wrong(format!("`{url}` redirects nowhere")))
                };
            };
            let joined = url.object().join(location);
            url = joined.map_err(|_| Trouble::Wrong(format!("`{url}` redirects to no address")))?;
        }
        Err(Trouble::Wrong(format!("more than {N_HOPS_MAX} redirects, the last to `{url}`")))
    }

    async fn tried(&self, budget: &Budget, url: &SafeUrl, look: &Look) -> Result<Got, Trouble> {
        let closed = || Trouble::Unavailable("adopting ended".to_owned());
        let mut pause = PAUSE;
        for n_tries in 1.. {
            let result = {
                let _of_host = budget.at_once.acquire().await.map_err(|_| closed())?;
                let _of_all = self.at_once.acquire().await.map_err(|_| closed())?;
                self.asked(budget, url, look).await
            };
            match result {
                Err(Trouble::Unavailable(_)) if n_tries < N_TRIES && budget.has_patience() => {}
                result => return result,
            }
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
        Err(closed())
    }

    async fn asked(&self, budget: &Budget, url: &SafeUrl, look: &Look) -> Result<Got, Trouble> {
        let result = self.inner.obtain(url, look, || budget.check()).await;
        match &result {
            Ok(Got { source: Source::Upstream, .. }) | Err(Trouble::Absent(_)) => {
                budget.n_failures.store(0, Ordering::Relaxed);
            }
            Err(Trouble::Unavailable(reason)) if budget.has_patience() => {
                reason.clone_into(&mut lock(&budget.last_failure));
                budget.n_failures.fetch_add(1, Ordering::Relaxed);
            }
            _ => {}
        }
        result
    }

    fn budget(&self, host: &str) -> Arc<Budget> {
        let make = || Budget {
            at_once: Semaphore::new(N_AT_ONE_HOST),
            n_failures: AtomicU32::new(0),
            last_failure: Mutex::default(),
        };
        lock(&self.budgets).entry(host.to_owned()).or_insert_with(|| Arc::new(make())).clone()
    }
}

/// Returns why a file is of no use to clients though it may be had: no index that they would get knows its version.
fn outdated(file: &File, indexes: &[Result<Got, Trouble>]) -> Option<String> {
    let wanted = file.coordinate.as_ref()?;
    let stale = indexes.iter().flatten().find(|got| got.freshness == Freshness::Stale)?;
    let mut listed = indexes.iter().flatten().filter_map(|got| got.table.as_ref()).peekable();
    listed.peek()?;
    let lists = |table: &Arc<Table>| {
        table.facts.vouched.iter().filter_map(|it| it.coordinate.as_ref()).any(|it| wanted.covers(it))
    };
    let kept = stale.held.confirmed_at.strftime("%Y-%m-%d");
    (!listed.any(lists)).then(|| {
        format!("the index that is kept, of {kept}, does not list it, and its upstream gives no newer one")
    })
}

impl Budget {
    fn has_patience(&self) -> bool {
        self.n_failures.load(Ordering::Relaxed) < N_FAILURES_MAX
    }

    /// Says why the host is not asked for more.
    fn check(&self) -> Result<(), Trouble> {
        if self.has_patience() {
            return Ok(());
        }
        let last = lock(&self.last_failure).clone();
        Err(Trouble::Unavailable(format!(
            "not asked for after {N_FAILURES_MAX} failures in a row, the last: {last}"
        )))
    }
}
