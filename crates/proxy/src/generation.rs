//! Lists whose documents go with them: a generation is of use only as a whole, and only as long as its clients believe it.

use std::cell::OnceCell;
use std::collections::{HashMap, HashSet};

use model::{Event, Expired, Held, Method, ObjectKey, ObjectUrl, Proof, Sha256};
use registry::{IndexRequest, Listed};

use crate::decide;
use crate::limits::{INDEX_BYTES_MAX, LISTED_FOR, N_GENERATIONS_TRIED, N_WHOLE_TRIED};
use crate::session::{Inner, lock};
use crate::want::{Shape, Want};

/// What one generation lists, and whether each of it is held.
#[derive(Debug, Default)]
struct List {
    documents: HashMap<ObjectUrl, (Listed, bool)>,
}

/// A document as a list names it.
pub(crate) struct Current {
    pub(crate) held: Held,
    /// Whether the list was confirmed a moment ago: whoever asks for the document has that list, and needs no other bytes.
    pub(crate) is_certain: bool,
}

impl Inner {
    /// Returns the copy of an index that stands in for its upstream: of those with documents the newest of which everything is
    /// held that clients asked for of the one before. Tells of one whose time is over.
    pub(crate) fn standing_copy(&self, want: &Want, newest: Held) -> Held {
        let Shape::Index(index) = &want.shape else { return newest };
        let Some(leader) = want.ecosystem.leader(index) else { return newest };
        tokio::task::block_in_place(|| {
            let held = match self.at {
                // What was held at a moment is told by that.
                Some(_) => newest,
                None => self.goes_with_its_documents(want, &leader, newest),
            };
            self.note_expired(want, index, &held);
            held
        })
    }

    /// Returns whether it is the newest generation of an index that would stand in.
    pub(crate) fn is_whole(&self, want: &Want, newest: &Held) -> bool {
        let Shape::Index(index) = &want.shape else { return true };
        let Some(leader) = want.ecosystem.leader(index) else { return true };
        let chosen =
            tokio::task::block_in_place(|| self.goes_with_its_documents(want, &leader, newest.clone()));
        chosen.sha256 == newest.sha256
    }

    fn goes_with_its_documents(&self, want: &Want, leader: &IndexRequest, newest: Held) -> Held {
        let Some(chosen) = self.newest_whole(want, leader) else { return newest };
        let Shape::Index(index) = &want.shape else { return newest };
        if leader.url == index.url {
            return chosen;
        }
        // A signature does not say what it signs; both are asked for one after the other.
        let generations = self.engine.store.generations(&want.key).unwrap_or_default();
        let apart = |held: &Held| held.confirmed_at.duration_since(chosen.confirmed_at).unsigned_abs();
        generations.into_iter().filter(is_answer).min_by_key(apart).unwrap_or(newest)
    }

    /// Returns the newest generation of a list that is whole, for whoever wants it or something that goes with it.
    fn newest_whole(&self, want: &Want, leader: &IndexRequest) -> Option<Held> {
        let store = &self.engine.store;
        let variant = want.who.partition(&leader.variant);
        let key = ObjectKey { method: Method::Get, url: leader.url.clone(), variant: variant.clone() };
        let generations = store.generations(&key).ok()?;
        let mut generations: Vec<Held> =
            generations.into_iter().rev().filter(is_answer).take(N_GENERATIONS_TRIED).collect();
        if generations.len() > 1 {
            let address = leader.url.as_str();
            let held = store.below(&address[..=address.rfind('/')?], &variant).ok()?;
            let held: HashSet<(ObjectUrl, Sha256)> = held.into_iter().collect();
            // Most often the first two tell.
            let lists: Vec<OnceCell<List>> = generations.iter().map(|_| OnceCell::new()).collect();
            let read = |number: usize| self.list(want, leader, &generations[number], &held);
            let number = newest_whole(lists.len(), |number| lists[number].get_or_init(|| read(number)));
            generations.swap(0, number);
        }
        generations.into_iter().next()
    }

    fn list(
        &self,
        want: &Want,
        leader: &IndexRequest,
        generation: &Held,
        held: &HashSet<(ObjectUrl, Sha256)>,
    ) -> List {
        let body = self.engine.store.read_blob(&generation.sha256, INDEX_BYTES_MAX);
        let facts = body.ok().and_then(|body| want.ecosystem.read_index(leader, &body).ok());
        let documents = facts.unwrap_or_default().documents.into_iter().map(|listed| {
            let is_held = sha256_of(&listed).is_some_and(|sha256| {
                let mut places = listed.by_digest.iter().chain([&listed.url]);
                places.any(|url| held.contains(&(url.clone(), sha256)))
            });
            (listed.url.clone(), (listed, is_held))
        });
        List { documents: documents.collect() }
    }

    /// Returns the copy of a document that its list names, as it would stand in.
    pub(crate) fn current(&self, want: &Want) -> Option<Current> {
        if self.at.is_some() {
            return None;
        }
        let mut held: Vec<_> = self.lists_of(want).collect();
        held.sort_by_key(|(.., held)| std::cmp::Reverse(held.confirmed_at));
        held.into_iter().find_map(|(request, key, newest)| {
            let age = self.engine.clock.now().duration_since(newest.confirmed_at).unsigned_abs();
            let whole = tokio::task::block_in_place(|| self.newest_whole(want, &request));
            let list = whole.unwrap_or_else(|| newest.clone());
            let is_newest = list.sha256 == newest.sha256 && newest.gone_since.is_none();
            let is_certain = is_newest && age < LISTED_FOR;
            let table = self.table(want.ecosystem, &request, &key, &list)?;
            let listed = table.facts.documents.iter().find(|listed| listed.url == *want.url.object())?;
            Some(Current { held: self.copy_of(want, listed)?, is_certain })
        })
    }

    /// Returns the copy of a document with the bytes that are listed, by its name or by its digest.
    fn copy_of(&self, want: &Want, listed: &Listed) -> Option<Held> {
        let sha256 = sha256_of(listed)?;
        let keys = std::iter::once(&listed.url).chain(&listed.by_digest);
        let mut all = keys.flat_map(|url| {
            let key = ObjectKey { url: url.clone(), ..want.key.clone() };
            self.engine.store.generations(&key).unwrap_or_default().into_iter().rev()
        });
        let held = all.find(|held| held.sha256 == sha256 && is_answer(held))?;
        // That it is the list's has been seen; that it lies under its digest says nothing about its name.
        Some(Held { proof: Proof::Verified, immutable: false, ..held })
    }

    /// Returns whether a list that is held says that a document is these bytes.
    pub(crate) fn is_listed(&self, want: &Want, sha256: &Sha256) -> bool {
        let mut lists = self.lists_of(want);
        lists.any(|list| self.digests_in(want, &list).contains(sha256))
    }

    /// Returns whether a list that was confirmed a moment ago says that a document has other bytes: then a copy is of no use, however
    /// the host of its documents stands.
    pub(crate) fn is_outdated(&self, want: &Want, sha256: &Sha256) -> bool {
        let age = |held: &Held| self.engine.clock.now().duration_since(held.confirmed_at).unsigned_abs();
        let mut fresh =
            self.lists_of(want).filter(|(.., held)| held.gone_since.is_none() && age(held) < LISTED_FOR);
        fresh.any(|list| self.digests_in(want, &list).iter().any(|listed| listed != sha256))
    }

    /// Yields the lists that may name a document, of those that are held; none for what is not a document.
    fn lists_of(&self, want: &Want) -> impl Iterator<Item = (IndexRequest, ObjectKey, Held)> {
        let is_document = matches!(want.shape, Shape::Document(_));
        let listings = if is_document { want.ecosystem.listings(want.url.object()) } else { Vec::new() };
        listings.into_iter().filter_map(|request| {
            let variant = want.who.partition(&request.variant);
            let key = ObjectKey { method: Method::Get, url: request.url.clone(), variant };
            let held = self.engine.store.lookup(&key).ok().flatten().filter(is_answer)?;
            Some((request, key, held))
        })
    }

    /// Returns the digests that a list gives for a document: one, or none where it does not name it.
    fn digests_in(&self, want: &Want, (request, key, held): &(IndexRequest, ObjectKey, Held)) -> Vec<Sha256> {
        let Some(table) = self.table(want.ecosystem, request, key, held) else { return Vec::new() };
        let listed = table.facts.documents.iter().filter(|listed| listed.url == *want.url.object());
        listed.filter_map(sha256_of).collect()
    }

    /// Tells, once in a session, that a copy is served whose time is over.
    fn note_expired(&self, want: &Want, index: &IndexRequest, held: &Held) {
        let Some(option) = want.ecosystem.expiry_option() else { return };
        let body = self.engine.store.read_blob(&held.sha256, INDEX_BYTES_MAX);
        let facts = body.ok().and_then(|body| want.ecosystem.read_index(index, &body).ok());
        let Some(valid_until) = facts.and_then(|facts| facts.valid_until) else { return };
        if valid_until > self.engine.clock.now() {
            return;
        }
        let option = option.to_owned();
        let expired = Expired { url: index.url.clone(), valid_until, option: option.clone() };
        if lock(&self.expired).insert(expired) {
            let key = want.key.clone();
            self.journal(want.host(), Event::Expired { key, valid_until, option });
        }
    }
}

/// Returns which of several generations, newest first, stands in.
fn newest_whole<'a>(n_lists: usize, list: impl Fn(usize) -> &'a List) -> usize {
    let has_something = |number: &usize| list(*number).documents.values().any(|(_, is_held)| *is_held);
    let of_use = || (0..n_lists).filter(has_something);
    let is_whole = |number: &usize| {
        let mut older = *number + 1..n_lists;
        older.find_map(|older| has_all(list(*number), list(older))).unwrap_or(true)
    };
    of_use().take(N_WHOLE_TRIED).find(is_whole).or_else(|| of_use().next()).unwrap_or(0)
}

/// Returns whether everything of `list` is held that was asked for of `older` and is something else now; nothing where nothing was.
fn has_all(list: &List, older: &List) -> Option<bool> {
    let asked = older.documents.iter().filter(|(_, (_, is_held))| *is_held);
    let mut now = asked.filter_map(|(url, (before, _))| {
        let (listed, is_held) = list.documents.get(url)?;
        (listed.digests != before.digests).then_some(*is_held)
    });
    let first = now.next()?;
    Some(first && now.all(|is_held| is_held))
}

fn is_answer(held: &Held) -> bool {
    decide::is_good(held) && held.status == 200
}

/// Returns the digest by which blobs are named; lists without it are believed, and not looked through.
fn sha256_of(listed: &Listed) -> Option<Sha256> {
    listed.digests.iter().find_map(|digest| {
        let bytes: [u8; 32] = digest.as_bytes().try_into().ok()?;
        Some(Sha256::from_bytes(bytes))
    })
}

#[cfg(test)]
mod tests {
    use model::{Digest, DigestSet};

    use super::*;

    /// A generation: `a1` is the document `a` with the bytes `1`, and held; `a1-` is not held.
    fn list(text: &str) -> List {
        let documents = text.split_whitespace().map(|word| {
            let url = ObjectUrl::parse(&format!("https://deb.example/dists/sid/{}", &word[..1])).unwrap();
            let digests = DigestSet::from(Digest::from(Sha256::of(&word.as_bytes()[1..2])));
            (url.clone(), (Listed { url, digests, by_digest: Vec::new() }, !word.ends_with('-')))
        });
        List { documents: documents.collect() }
    }

    #[test]
    fn the_newest_generation_stands_in_of_which_all_is_held_that_was_asked_for() {
        let check = |generations: &[&str], expected: usize| {
            let lists: Vec<List> = generations.iter().map(|text| list(text)).collect();
            assert_eq!(newest_whole(lists.len(), |number| &lists[number]), expected, "{generations:?}");
        };
        check(&["a1 b1-"], 0);
        check(&["a2 b1-", "a1 b1-"], 0);
        check(&["a2- b1-", "a1 b1-"], 1);
        check(&["a2 b2-", "a1 b1"], 1);
        // What is the same in both is held of both.
        check(&["a2- b1", "a1 b1"], 1);
        check(&["a2 b1", "a1 b1"], 0);
        check(&["a1 b1 c1-", "a1 b1 c1-"], 0);
        // Nobody asked for anything of those between.
        check(&["a3- b3-", "a2- b2-", "a1 b1"], 2);
        // What is no longer listed is not missed.
        check(&["a2", "a1 b1"], 0);
        check(&["a1-", "a2-"], 0);
        // Two clients that want different things by turns.
        check(&["a6 b6-", "a5- b5", "a4 b4-", "a3- b3", "a2 b2-", "a1- b1"], 0);
    }
}
