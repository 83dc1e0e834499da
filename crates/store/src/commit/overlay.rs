//! Events that are not in the index yet, for lookups to see.

use std::collections::{BTreeMap, HashMap};

use model::{Event, Held, Method, ObjectKey, ObjectUrl, Sha256};

use crate::index::{FirstSeen, apply};
use crate::journal::Line;

/// In the order in which events apply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    /// An entry of the journal, anybody's, that the index could not take: its disk is full.
    Behind { seq: u64 },
    /// Handed over to this store.
    Waiting { id: u64 },
}

#[derive(Debug, Default)]
pub(crate) struct Overlay {
    events: BTreeMap<Place, Event>,
    /// Which events are about an address, oldest first.
    by_url: HashMap<ObjectUrl, Vec<Place>>,
    /// Everything up to here is in the journal, so that whoever folds the journal retires it.
    appended_upto: u64,
}

impl Overlay {
    pub(crate) fn push(&mut self, id: u64, event: Event) {
        self.insert(Place::Waiting { id }, event);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    pub(crate) fn note_appended(&mut self, upto: u64) {
        self.appended_upto = self.appended_upto.max(upto);
    }

    /// Forgets what the index has now.
    pub(crate) fn retire(&mut self) {
        while let Some((place, _)) = self.events.first_key_value() {
            let place = *place;
            if matches!(place, Place::Waiting { id } if id > self.appended_upto) {
                return;
            }
            if let Some(event) = self.events.remove(&place)
                && let Some(key) = event.key()
                && let Some(places) = self.by_url.get_mut(&key.url)
            {
                places.retain(|other| *other != place);
                if places.is_empty() {
                    self.by_url.remove(&key.url);
                }
            }
        }
    }

    /// Takes what the journal has and the index does not, in place of what was appended before.
    pub(crate) fn fall_behind(&mut self, lines: &[Line]) {
        let waiting = self.retained();
        for line in lines {
            if let Some(event) = line.event() {
                self.insert(Place::Behind { seq: line.seq }, event);
            }
        }
        for (place, event) in waiting {
            self.insert(place, event);
        }
    }

    pub(crate) fn is_behind(&self) -> bool {
        self.events.first_key_value().is_some_and(|(place, _)| matches!(place, Place::Behind { .. }))
    }

    /// Empties the overlay and returns what is not in the journal yet; it comes after everything else.
    fn retained(&mut self) -> BTreeMap<Place, Event> {
        self.retire();
        self.by_url.clear();
        std::mem::take(&mut self.events)
    }

    fn insert(&mut self, place: Place, event: Event) {
        if let Some(key) = event.key() {
            self.by_url.entry(key.url.clone()).or_default().push(place);
        }
        self.events.insert(place, event);
    }

    /// Changes what the index says about a key.
    pub(crate) fn apply(&self, key: &ObjectKey, generations: &mut Vec<Held>) {
        for event in self.about(&key.url).filter(|event| event.key() == Some(key)) {
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

    /// Returns what was kept below a folder.
    pub(crate) fn below(&self, folder: &str, variant: &str) -> impl Iterator<Item = (ObjectUrl, Sha256)> {
        self.events.values().filter_map(move |event| match event {
            Event::Kept { key, held }
                if key.method == Method::Get
                    && key.variant == variant
                    && key.url.as_str().starts_with(folder) =>
            {
                Some((key.url.clone(), held.sha256))
            }
            _ => None,
        })
    }

    pub(crate) fn tree_of(&self, archive: &Sha256) -> Option<Sha256> {
        self.events.values().find_map(|event| match event {
            Event::Unpacked { sha256, tree, .. } if sha256 == archive => Some(*tree),
            _ => None,
        })
    }

    pub(crate) fn first_of(&self, wanted: &str) -> Option<FirstSeen> {
        self.events.values().find_map(|event| match event {
            Event::Unpacked { key, sha256, tree, release: Some(release) } if release == wanted => {
                Some(FirstSeen { url: key.url.clone(), sha256: *sha256, tree: *tree })
            }
            _ => None,
        })
    }

    pub(crate) fn knows_host(&self, host: &str) -> bool {
        self.events.values().any(|event| matches!(event, Event::Kept { key, .. } if key.url.host() == host))
    }

    pub(crate) fn belongs_to(&self, sha256: &Sha256) -> impl Iterator<Item = String> {
        self.events
            .values()
            .flat_map(Event::needs)
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
