//! What a server gives out often, ready to leave: verified once, linked to the server once, compressed once. It lies in memory,
//! bounded by bytes, and whoever asks for it reads no disk.
//!
//! What is put here is good for as long as it would be served without asking anybody: fresh for its time, or stale while nobody waits for
//! its host. What is here when its copy is damaged on the disk is the right bytes all the same.

pub(crate) mod forms;
pub(crate) mod growth;
pub(crate) mod linked;
pub(crate) mod ready;
pub(crate) mod spelling;

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use model::{Freshness, Held, ObjectKey, Sha256, Timestamp};

use crate::ask::Dress;
use crate::session::lock;
use crate::shelf::forms::{Bare, Form, Forms};
use crate::shelf::growth::Growth;
use crate::shelf::spelling::Spelling;

/// No one thing takes more than a part of the shelf.
const PART_OF_SHELF: usize = 4;
/// What an entry takes beside its bytes: its name, headers and places in lists.
const ENTRY_BYTES: usize = 2 << 10;
/// By how many spellings one thing is found: clients write their version and whether they run in CI.
const N_SPELLINGS_MAX: usize = 16;

/// One object in one dress.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct ShelfKey {
    pub(crate) key: ObjectKey,
    pub(crate) dress: Dress,
}

/// What tells one state of something held from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mark {
    sha256: Sha256,
    status: u16,
    confirmed_at: Timestamp,
    gone_since: Option<Timestamp>,
}

impl From<&Held> for Mark {
    fn from(held: &Held) -> Self {
        let Held { sha256, status, confirmed_at, gone_since, .. } = *held;
        Self { sha256, status, confirmed_at, gone_since }
    }
}

/// Something to be made ready.
#[derive(Debug)]
pub(crate) struct Goods {
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) freshness: Freshness,
    /// On the clock that begins with the process.
    pub(crate) good_until: Duration,
    /// By the time of day, where that counts: while a machine sleeps, the other clock stands still.
    pub(crate) fresh_until: Option<Timestamp>,
    /// What must not change either: what its headers say of an outage.
    pub(crate) watch: Option<Watch>,
    /// What the store says of its name.
    pub(crate) mark: Option<Mark>,
    /// When its upstream did.
    pub(crate) confirmed_at: Timestamp,
}

/// Something that is ready.
#[derive(Debug)]
pub(crate) struct Ready {
    forms: Forms,
    pub(crate) freshness: Freshness,
    good_until: Duration,
    pub(crate) fresh_until: Option<Timestamp>,
    watch: Option<Watch>,
    key: ObjectKey,
    mark: Option<Mark>,
    /// Which generation of the store was asked last whether it still says so.
    seen: AtomicU64,
    /// Whether something else has taken its place in the store.
    is_over: AtomicBool,
    pub(crate) confirmed_at: Timestamp,
    /// When it was taken last, as [`Inner::now`] counts.
    used: AtomicU64,
}

impl Ready {
    /// Returns the form for a client.
    pub(crate) fn form(&self, accepts_gzip: bool) -> Option<&Form> {
        self.forms.one(accepts_gzip)
    }

    /// Asks what the store says of its name, unless that was done in this generation of it; returns whether it is the same.
    pub(crate) fn is_held(&self, generation: u64, ask: impl FnOnce(&ObjectKey) -> Option<Mark>) -> bool {
        if self.seen.load(Ordering::Acquire) == generation {
            return true;
        }
        let is_held = ask(&self.key) == self.mark;
        if is_held {
            self.seen.store(generation, Ordering::Release);
        } else {
            self.is_over.store(true, Ordering::Release);
        }
        is_held
    }

    fn is_good(&self, now: Duration) -> bool {
        now < self.good_until
            && !self.is_over.load(Ordering::Acquire)
            && self.watch.as_ref().is_none_or(Watch::is_quiet)
    }
}

/// Sees whether anything has changed since about how a host stands.
#[derive(Debug, Clone)]
pub(crate) struct Watch {
    n_changes: Arc<AtomicU64>,
    seen: u64,
}

impl Watch {
    fn is_quiet(&self) -> bool {
        self.n_changes.load(Ordering::Acquire) == self.seen
    }
}

/// The shelf.
#[derive(Debug)]
pub(crate) struct Shelf {
    inner: Mutex<Inner>,
    /// How often it changed how a host stands.
    hosts: Mutex<HashMap<String, Arc<AtomicU64>>>,
    journal: Growth,
    size_bytes_max: usize,
}

#[derive(Debug, Default)]
struct Inner {
    entries: HashMap<ShelfKey, Entry>,
    /// The same once more, by how it was asked for. What is here is in an entry as well.
    spelled: HashMap<Arc<[u8]>, Arc<Ready>>,
    size_bytes: usize,
    /// Counts what is taken and put: the entry with the lowest number is the one that nobody wanted for longest.
    now: u64,
    /// What is being made ready, so that it is done once.
    in_the_making: Vec<ShelfKey>,
}

#[derive(Debug)]
struct Entry {
    ready: Arc<Ready>,
    /// The newest last.
    spellings: VecDeque<Arc<[u8]>>,
    size_bytes: usize,
}

impl Shelf {
    pub(crate) fn bounded(size_bytes_max: usize) -> Self {
        Self { inner: Mutex::default(), hosts: Mutex::default(), journal: Growth::default(), size_bytes_max }
    }

    /// Gives nothing out any more of what has been replaced. It stays where it is: its bytes may be those that come next.
    pub(crate) fn forget(&self, key: &ObjectKey) {
        let inner = lock(&self.inner);
        for dress in Dress::ALL {
            if let Some(entry) = inner.entries.get(&ShelfKey { key: key.clone(), dress }) {
                entry.ready.is_over.store(true, Ordering::Release);
            }
        }
    }

    /// Returns the generation of the store: `stamp` is asked for it now and then.
    pub(crate) fn generation<T: FnOnce() -> Option<(u64, u64)>>(&self, now: Duration, stamp: T) -> u64 {
        self.journal.generation(now, stamp)
    }

    /// Begins to see whether anything changes about how a host stands.
    pub(crate) fn watch(&self, host: &str) -> Watch {
        let mut hosts = lock(&self.hosts);
        let n_changes = match hosts.get(host) {
            Some(n_changes) => n_changes.clone(),
            None => hosts.entry(host.to_owned()).or_default().clone(),
        };
        Watch { seen: n_changes.load(Ordering::Acquire), n_changes }
    }

    /// Gives nothing out any more of what says how a host stood.
    pub(crate) fn note_change(&self, host: &str) {
        if let Some(n_changes) = lock(&self.hosts).get(host) {
            n_changes.fetch_add(1, Ordering::AcqRel);
        }
    }

    /// Takes what is ready and still good; who asks with the same spelling again finds it by that alone.
    pub(crate) fn take(
        &self,
        key: &ShelfKey,
        spelling: Option<&Spelling>,
        now: Duration,
    ) -> Option<Arc<Ready>> {
        let mut inner = lock(&self.inner);
        let ready = inner.entries.get(key)?.ready.clone();
        if !ready.is_good(now) {
            return None;
        }
        inner.use_now(&ready);
        inner.spell(key, spelling);
        Some(ready)
    }

    /// Takes what is ready and still good for a request that was spelled like this before.
    pub(crate) fn take_spelled(&self, spelled: &[u8], now: Duration) -> Option<Arc<Ready>> {
        let mut inner = lock(&self.inner);
        let ready = inner.spelled.get(spelled).filter(|ready| ready.is_good(now))?.clone();
        inner.use_now(&ready);
        Some(ready)
    }

    /// Makes something ready and puts it on the shelf, unless somebody does so at this moment, or it is too large.
    pub(crate) fn put(&self, key: ShelfKey, spelling: Option<&Spelling>, goods: Goods) -> Option<Arc<Ready>> {
        let before = {
            let mut inner = lock(&self.inner);
            if inner.in_the_making.contains(&key) {
                return None;
            }
            inner.in_the_making.push(key.clone());
            inner.entries.get(&key).map(|entry| entry.ready.clone())
        };
        let Goods { headers, body, freshness, good_until, fresh_until, watch, mark, confirmed_at } = goods;
        let bare = Bare { headers, body, is_as_sent: key.dress.is_as_sent() };
        let before = before.as_ref().map(|ready| &ready.forms);
        let forms = Forms::make(bare, before, self.size_bytes_max / PART_OF_SHELF);
        let mut inner = lock(&self.inner);
        inner.in_the_making.retain(|other| *other != key);
        let ready = Arc::new(Ready {
            forms: forms?,
            freshness,
            good_until,
            fresh_until,
            watch,
            key: key.key.clone(),
            mark,
            seen: AtomicU64::default(),
            is_over: AtomicBool::default(),
            confirmed_at,
            used: AtomicU64::default(),
        });
        inner.use_now(&ready);
        inner.replace(&key, &ready);
        inner.spell(&key, spelling);
        while inner.size_bytes > self.size_bytes_max {
            let used = |entry: &Entry| entry.ready.used.load(Ordering::Relaxed);
            let oldest = inner.entries.iter().min_by_key(|(_, entry)| used(entry));
            let Some(oldest) = oldest.map(|(key, _)| key.clone()) else { break };
            inner.remove(&oldest);
        }
        Some(ready)
    }
}

impl Inner {
    fn use_now(&mut self, ready: &Ready) {
        self.now += 1;
        ready.used.store(self.now, Ordering::Relaxed);
    }

    /// Puts something in the place of what was there; what is spelled the same means the same.
    fn replace(&mut self, key: &ShelfKey, ready: &Arc<Ready>) {
        let spellings = self.remove(key);
        let mut size_bytes = ENTRY_BYTES + ready.forms.size_bytes();
        for spelling in &spellings {
            size_bytes += spelling.len();
            self.spelled.insert(spelling.clone(), ready.clone());
        }
        self.size_bytes += size_bytes;
        self.entries.insert(key.clone(), Entry { ready: ready.clone(), spellings, size_bytes });
    }

    /// Lets an entry be found by a spelling, in place of its oldest where it has many.
    fn spell(&mut self, key: &ShelfKey, spelling: Option<&Spelling>) {
        let (Some(Spelling(spelling)), Some(entry)) = (spelling, self.entries.get_mut(key)) else { return };
        if self.spelled.insert(spelling.clone(), entry.ready.clone()).is_some() {
            return;
        }
        entry.spellings.push_back(spelling.clone());
        if entry.spellings.len() > N_SPELLINGS_MAX
            && let Some(oldest) = entry.spellings.pop_front()
        {
            self.spelled.remove(&oldest);
            entry.size_bytes -= oldest.len();
            self.size_bytes -= oldest.len();
        }
        entry.size_bytes += spelling.len();
        self.size_bytes += spelling.len();
    }

    /// Takes an entry away; returns how it was spelled.
    fn remove(&mut self, key: &ShelfKey) -> VecDeque<Arc<[u8]>> {
        let Some(entry) = self.entries.remove(key) else { return VecDeque::new() };
        self.size_bytes -= entry.size_bytes;
        for spelling in &entry.spellings {
            self.spelled.remove(spelling);
        }
        entry.spellings
    }
}

#[cfg(test)]
mod tests {
    use model::{Method, ObjectUrl};

    use super::*;

    fn key(name: &str) -> ShelfKey {
        let url = ObjectUrl::parse(&format!("https://a.example/{name}")).unwrap();
        ShelfKey { key: ObjectKey { method: Method::Get, url, variant: String::new() }, dress: Dress::Linked }
    }

    const LATER: Duration = Duration::from_secs(60);
    const NOW: Duration = Duration::from_secs(1);

    fn put(shelf: &Shelf, name: &str, body: impl Into<Bytes>) -> Option<Arc<Ready>> {
        let goods = Goods {
            headers: HeaderMap::new(),
            body: body.into(),
            freshness: Freshness::Fresh,
            good_until: LATER,
            fresh_until: None,
            watch: Some(shelf.watch("a.example")),
            mark: None,
            confirmed_at: Timestamp::UNIX_EPOCH,
        };
        shelf.put(key(name), None, goods)
    }

    #[test]
    fn it_is_good_for_its_time_and_the_least_wanted_makes_room() {
        let shelf = Shelf::bounded(36 << 10);
        let body = || vec![7; 8 << 10];
        for name in ["a", "b", "c"] {
            put(&shelf, name, body()).unwrap();
        }
        assert!(shelf.take(&key("a"), None, NOW).is_some());
        put(&shelf, "d", body()).unwrap();
        let is_there = |name: &str| shelf.take(&key(name), None, NOW).is_some();
        assert_eq!(["a", "b", "c", "d"].map(is_there), [true, false, true, true]);
        assert!(shelf.take(&key("a"), None, LATER).is_none(), "its time is over");
        assert!(put(&shelf, "e", vec![7; 20 << 10]).is_none());
        assert!(lock(&shelf.inner).size_bytes <= 36 << 10);
    }

    #[test]
    fn what_is_found_by_a_spelling_goes_with_its_entry() {
        let shelf = Shelf::bounded(1 << 20);
        let spelling = |number: usize| Spelling(format!("{number}").into_bytes().into());
        let is_found = |number: usize| shelf.take_spelled(&spelling(number).0, NOW).is_some();
        put(&shelf, "a", "a").unwrap();
        for number in 0..=N_SPELLINGS_MAX {
            assert!(!is_found(number));
            assert!(shelf.take(&key("a"), Some(&spelling(number)), NOW).is_some());
        }
        assert!(!is_found(0), "the oldest made room");
        assert!((1..=N_SPELLINGS_MAX).all(is_found));
        assert!(shelf.take_spelled(&spelling(1).0, LATER).is_none(), "its time is over");
        shelf.forget(&key("a").key);
        assert!(!(0..=N_SPELLINGS_MAX).any(is_found));
        put(&shelf, "a", "b").unwrap();
        assert!((1..=N_SPELLINGS_MAX).all(is_found), "they mean what is there now");
        shelf.note_change("b.example");
        assert!(is_found(1));
        shelf.note_change("a.example");
        assert!(!(0..=N_SPELLINGS_MAX).any(is_found));
        lock(&shelf.inner).remove(&key("a"));
        let inner = lock(&shelf.inner);
        assert_eq!((inner.spelled.len(), inner.size_bytes), (0, 0));
    }
}
