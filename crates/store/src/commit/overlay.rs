//! Events that are not in the index yet, for lookups to see.

use std::collections::{BTreeMap, HashMap};

use model::{Event, Held, Method, ObjectKey, ObjectUrl, Sha256};

use crate::index::{apply, needs};

#[derive(Debug, Default)]
pub(crate) struct Overlay {
    events: BTreeMap<u64, Event>,
    /// Which events are about an address, oldest first.
    by_url: HashMap<ObjectUrl, Vec<u64>>,
    /// Everything up to here is in the journal, so that whoever folds the journal retires it.
    appended_upto: u64,
}

impl Overlay {
    pub(crate) fn push(&mut self, id: u64, event: Event) {
        if let Some(key) = key_of(&event) {
            self.by_url.entry(key.url.clone()).or_default().push(id);
        }
        self.events.insert(id, event);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    pub(crate) fn note_appended(&mut self, upto: u64) {
        self.appended_upto = self.appended_upto.max(upto);
    }

    /// Forgets what the index has now.
    pub(crate) fn retire(&mut self) {
        while let Some(first) = self.events.first_entry()
            && *first.key() <= self.appended_upto
        {
            let (id, event) = first.remove_entry();
            if let Some(key) = key_of(&event)
                && let Some(ids) = self.by_url.get_mut(&key.url)
            {
                ids.retain(|other| *other != id);
                if ids.is_empty() {
                    self.by_url.remove(&key.url);
                }
            }
        }
    }

    /// Changes what the index says about a key.
    pub(crate) fn apply(&self, key: &ObjectKey, generations: &mut Vec<Held>) {
        for event in self.about(&key.url).filter(|event| key_of(event) == Some(key)) {
            apply(generations, event);
        }
    }

    /// Returns the keys of an address that were kept.
    pub(crate) fn variants(&self, method: Method, url: &ObjectUrl) -> impl Iterator<Item = &ObjectKey> {
        self.about(url).filter_map(move |event| match event {
            Event::Kept { key, .. } if key.method == method => Some(key),
            _ => None,
        })
    }

    pub(crate) fn knows_host(&self, host: &str) -> bool {
        self.events.values().any(|event| matches!(event, Event::Kept { key, .. } if key.url.host() == host))
    }

    pub(crate) fn belongs_to(&self, sha256: &Sha256) -> impl Iterator<Item = String> {
        self.events
            .values()
            .filter_map(needs)
            .filter(move |need| need.sha256 == *sha256)
            .map(|need| need.subject)
    }

    /// Returns how many events a subject will have more.
    pub(crate) fn n_about(&self, subject: &str) -> u64 {
        self.events.values().filter(|event| event.subject() == subject).count() as u64
    }

    fn about(&self, url: &ObjectUrl) -> impl Iterator<Item = &Event> {
        self.by_url.get(url).into_iter().flatten().filter_map(|id| self.events.get(id))
    }
}

const fn key_of(event: &Event) -> Option<&ObjectKey> {
    match event {
        Event::Kept { key, .. }
        | Event::Confirmed { key, .. }
        | Event::Gone { key, .. }
        | Event::Quarantined { key, .. }
        | Event::Rejected { key, .. }
        | Event::Changed { key, .. } => Some(key),
        Event::Stale { .. } | Event::Ran { .. } | Event::Drilled { .. } => None,
    }
}
