//! The copy of an object: its bytes are read and verified once, before anything is decided about it.

use std::collections::BTreeSet;

use bytes::Bytes;
use model::{Algorithm, Digest, Event, Held, ObjectKey, Proof, Sha256};
use registry::Coordinate;
use store::{BlobReader, IndexError, Store};

use crate::decide::{self, Kind};
use crate::limits::{CHUNK_BYTES, N_GENERATIONS_TRIED, SHELVED_BYTES_MAX, VERIFIED_FOR, VERIFY_FIRST_BYTES};
use crate::refusal::Refusal;
use crate::session::{Inner, lock};
use crate::transfer::hashers::Hashers;
use crate::vouch::Expectation;
use crate::want::{Shape, Want};
use crate::who::Who;

/// A copy whose bytes were verified.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) held: Held,
    pub(crate) bytes: Verified,
    /// Whether somebody with other credentials got them: they stand in where nothing else comes, and say nothing else.
    pub(crate) is_anothers: bool,
    /// Whether the list of which it is a document was confirmed just now, and names these bytes.
    pub(crate) is_certain: bool,
}

/// Bytes that are what their blob is named after.
#[derive(Debug)]
pub(crate) enum Verified {
    Whole(Bytes),
    File(Box<BlobReader>),
}

/// A copy that the journal knows and that cannot be served.
#[derive(Debug, Clone)]
pub(crate) struct Lost {
    pub(crate) held: Held,
    why: Why,
}

#[derive(Debug, Clone)]
enum Why {
    /// Its bytes are not what they were.
    Damaged(String),
    /// A lock pins others.
    Contradicted(String),
}

/// What there is of an object when it is wanted.
#[derive(Debug)]
pub(crate) enum Copy {
    None,
    Good(Box<Loaded>),
    Lost(Box<Lost>),
}

/// What a transfer needs to know of it.
#[derive(Debug, Clone)]
pub(crate) enum Prior {
    None,
    Good(Box<Held>),
    Lost(Box<Lost>),
}

impl Copy {
    pub(crate) fn prior(&self) -> Prior {
        match self {
            Self::None => Prior::None,
            Self::Good(loaded) if loaded.is_anothers => Prior::None,
            Self::Good(loaded) => Prior::Good(Box::new(loaded.held.clone())),
            Self::Lost(lost) => Prior::Lost(lost.clone()),
        }
    }
}

impl Prior {
    /// Returns what may be served in place of an answer.
    pub(crate) fn good(&self) -> Option<&Held> {
        if let Self::Good(held) = self { Some(held) } else { None }
    }

    /// Returns what the journal knows, whether or not it can be served: it decides what a new answer is worth.
    pub(crate) fn known(&self) -> Option<&Held> {
        match self {
            Self::None => None,
            Self::Good(held) => Some(held),
            Self::Lost(lost) => Some(&lost.held),
        }
    }

    /// Returns the first bytes of something immutable, which cannot be served, and which no others may replace.
    pub(crate) fn first_bytes(&self) -> Option<&Held> {
        match self {
            Self::Lost(lost) if lost.held.immutable && matches!(lost.why, Why::Damaged(_)) => {
                Some(&lost.held)
            }
            _ => None,
        }
    }
}

impl Lost {
    /// Returns what to say when nothing else comes either, and the blob that is missed.
    pub(crate) fn refusal(&self, trouble: &str) -> (Refusal, Option<Sha256>) {
        match &self.why {
            Why::Damaged(why) => (Refusal::damaged(format!("{why}, and {trouble}")), Some(self.held.sha256)),
            Why::Contradicted(why) => (Refusal::contradicted(format!("{why}, and {trouble}")), None),
        }
    }
}

impl Inner {
    /// Returns the copy of an object, verified, and compared with the lock that pins it.
    pub(crate) async fn copy(&self, want: &Want) -> Copy {
        let mut is_anothers = false;
        let current = self.current(want);
        let is_certain = current.as_ref().is_some_and(|current| current.is_certain);
        let held = match current
            .map(|current| Ok(Some(current.held)))
            .unwrap_or_else(|| self.lookup(&want.key, want.kind()))
        {
            Ok(Some(held)) if decide::is_good(&held) => held,
            Ok(found) => match self.at_a_twin(want).or_else(|| self.at_a_sibling(want)).or(found) {
                Some(held) => held,
                None => match self.of_another(&want.key, &want.variant, want.who, want.kind()) {
                    Some(held) => {
                        is_anothers = true;
                        held
                    }
                    None => return Copy::None,
                },
            },
            Err(error) => {
                tracing::error!("the index could not be read: {error}");
                return Copy::None;
            }
        };
        let mut loaded = load(&self.engine.store, held.clone(), self.small_bytes_max()).await;
        // Once in a session: where the second copy could not help, it will not help the next client either.
        if let Err(error) = &loaded
            && self.tell_damaged(want, held.sha256, error.clone())
            && self.heal(held.sha256).await
        {
            loaded = load(&self.engine.store, held.clone(), self.small_bytes_max()).await;
        }
        match loaded {
            Ok(loaded) => self.compare_with_lock(want, Loaded { is_anothers, is_certain, ..loaded }).await,
            Err(error) => {
                let why =
                    format!("the copy of `{}` cannot be used (blob {}: {error})", want.url, held.sha256);
                tracing::error!("{why}");
                Copy::Lost(Box::new(Lost { held, why: Why::Damaged(why) }))
            }
        }
    }

    /// Returns what somebody with other credentials got, where it can stand for what `who` would get.
    pub(crate) fn of_another(&self, key: &ObjectKey, variant: &str, who: Who, kind: Kind) -> Option<Held> {
        if who == Who::NOBODY {
            return None;
        }
        if who == self.own.who(key.url.host()) {
            // Whoever Outlast lets in may have what anybody gets, and nothing that a client's own credentials got.
            let key = ObjectKey { variant: variant.to_owned(), ..key.clone() };
            return self.lookup(&key, kind).ok().flatten().filter(decide::is_good);
        }
        let variants = self.engine.store.variants(key.method, &key.url).ok()?;
        let others = variants.into_iter().filter_map(|(key, _)| {
            let other = Who::of(variant, &key.variant).filter(|other| *other != who)?;
            let held = self.lookup(&key, kind).ok().flatten().filter(decide::is_good)?;
            Some((other, held))
        });
        let mut others: Vec<(Who, Held)> = others.collect();
        others.sort_by_key(|(_, held)| std::cmp::Reverse(held.confirmed_at));
        let got: Vec<(Who, Sha256)> = others.iter().map(|(who, held)| (*who, held.sha256)).collect();
        let index = lock(&self.seen).stand_in(key.url.host(), who, &got)?;
        Some(others.swap_remove(index).1)
    }

    /// Returns what is small enough to be read as a whole: for a server, what it keeps ready.
    pub(crate) const fn small_bytes_max(&self) -> u64 {
        if self.shelf.is_some() { SHELVED_BYTES_MAX } else { VERIFY_FIRST_BYTES }
    }

    /// Returns what is held, or was at the moment that is asked for. A file is the same at all times.
    pub(crate) fn lookup(&self, key: &ObjectKey, kind: Kind) -> Result<Option<Held>, IndexError> {
        match self.at.filter(|_| kind != Kind::File) {
            Some(at) => self.engine.store.lookup_at(key, at),
            None => self.engine.store.lookup(key),
        }
    }

    /// A lock may have come after the copy: it has the last word, and makes what agrees with it verified.
    async fn compare_with_lock(&self, want: &Want, mut loaded: Loaded) -> Copy {
        let pinned = match decide::is_good(&loaded.held) {
            true => self.vouchers.by_lock(coordinate(want), want.url.object()),
            false => None,
        };
        let Some(pinned) = pinned else { return Copy::Good(Box::new(loaded)) };
        let compared = (want.key.clone(), loaded.held.sha256);
        let known = self.vouchers.compared(&compared);
        let is_new = known.is_none();
        let contradiction = match known {
            Some(known) => known,
            None => {
                let got;
                (loaded, got) = match digests(loaded, pinned.algorithms()).await {
                    Ok(done) => done,
                    Err(lost) => return Copy::Lost(lost),
                };
                let contradiction = (!pinned.accepts(&got)).then(|| said(&got));
                self.vouchers.note_compared(compared, contradiction.clone());
                contradiction
            }
        };
        match contradiction {
            None => {
                if loaded.held.proof != Proof::Verified {
                    loaded.held.proof = Proof::Verified;
                    // Whoever only looks at the past writes nothing about it.
                    if self.at.is_none()
                        && let Err(reason) = self.keep(want, loaded.held.clone())
                    {
                        let reason = reason.reason();
                        tracing::error!("that `{}` is verified could not be noted: {reason}", want.key);
                    }
                }
                // For this project nothing else would be right; for others the address may move on.
                loaded.held.immutable = true;
                Copy::Good(Box::new(loaded))
            }
            Some(got) => {
                if let Some(earlier) = self.pinned_generation(want, &loaded.held, &pinned).await {
                    return Copy::Good(Box::new(earlier));
                }
                let why = format!(
                    "the copy of `{}` is {got}, and {} vouches for {}",
                    want.url,
                    pinned.vouched_by,
                    pinned.expected()
                );
                if is_new {
                    tracing::error!("{why}");
                    self.quarantine_copy(want, &loaded.held, &pinned, got);
                }
                Copy::Lost(Box::new(Lost { held: loaded.held, why: Why::Contradicted(why) }))
            }
        }
    }

    /// Returns an earlier generation that is what a lock pins: the address moved on, and this project did not.
    async fn pinned_generation(&self, want: &Want, newest: &Held, pinned: &Expectation) -> Option<Loaded> {
        let generations = self.engine.store.generations(&want.key).ok()?;
        let earlier = generations.into_iter().rev().filter(|held| held.sha256 != newest.sha256);
        for held in earlier.filter(decide::is_good).take(N_GENERATIONS_TRIED) {
            let Ok(loaded) = load(&self.engine.store, held, self.small_bytes_max()).await else { continue };
            let Ok((mut loaded, got)) = digests(loaded, pinned.algorithms()).await else { continue };
            if pinned.accepts(&got) {
                (loaded.held.proof, loaded.held.immutable) = (Proof::Verified, true);
                return Some(loaded);
            }
        }
        None
    }

    /// Tells, once in a session, that a copy cannot be used; returns whether it did. No fault that a drill plays: it lies here.
    fn tell_damaged(&self, want: &Want, sha256: Sha256, reason: String) -> bool {
        let is_new = lock(&self.damaged).insert(sha256);
        if is_new {
            let event = Event::Damaged { key: want.key.clone(), sha256, reason };
            self.write(&want.key, event);
        }
        is_new
    }

    fn quarantine_copy(&self, want: &Want, held: &Held, pinned: &Expectation, got: String) {
        let event = Event::Quarantined {
            key: want.key.clone(),
            sha256: Some(held.sha256),
            size_bytes: held.size_bytes,
            expected: pinned.expected(),
            got,
            vouched_by: pinned.vouched_by.clone(),
            from: None,
        };
        // No fault that a drill plays: these bytes are here.
        self.write(&want.key, event);
    }
}

fn coordinate(want: &Want) -> Option<&Coordinate> {
    if let Shape::File(file) = &want.shape { file.coordinate.as_ref() } else { None }
}

/// Reads small bytes, and hashes large ones where they lie.
pub(crate) async fn load(store: &Store, held: Held, small_bytes_max: u64) -> Result<Loaded, String> {
    let (sha256, size_bytes) = (held.sha256, held.size_bytes);
    let bytes = if size_bytes <= small_bytes_max {
        let bytes = store.read_blob(&sha256, small_bytes_max).map_err(|error| error.to_string())?;
        Verified::Whole(bytes.into())
    } else {
        let mut blob = store.open_blob(&sha256).map_err(|error| error.to_string())?;
        if !blob.is_verified(VERIFIED_FOR).unwrap_or(false) {
            let verify = move || blob.verify().map(|()| blob);
            let verified = tokio::task::spawn_blocking(verify).await.map_err(|error| error.to_string())?;
            blob = verified.map_err(|error| error.to_string())?;
        }
        Verified::File(Box::new(blob))
    };
    if bytes.size_bytes() == size_bytes {
        Ok(Loaded { held, bytes, is_anothers: false, is_certain: false })
    } else {
        Err(format!("it has {} bytes in place of {size_bytes}", bytes.size_bytes()))
    }
}

impl Verified {
    pub(crate) fn size_bytes(&self) -> u64 {
        match self {
            Self::Whole(bytes) => bytes.len() as u64,
            Self::File(blob) => blob.size_bytes(),
        }
    }
}

/// Returns the digests of a copy by several algorithms; the one that names it is known.
pub(crate) async fn digests(
    loaded: Loaded,
    algorithms: BTreeSet<Algorithm>,
) -> Result<(Loaded, Vec<Digest>), Box<Lost>> {
    let name = Digest::from(loaded.held.sha256);
    if algorithms.iter().all(|algorithm| *algorithm == name.algorithm()) {
        return Ok((loaded, vec![name]));
    }
    let held = loaded.held.clone();
    let hash = move || {
        let mut others =
            Hashers::new(algorithms.into_iter().filter(|algorithm| *algorithm != name.algorithm()));
        match &loaded.bytes {
            Verified::Whole(bytes) => others.update(bytes),
            Verified::File(blob) => {
                let mut chunk = vec![0; CHUNK_BYTES];
                let mut offset = 0;
                while let n @ 1.. = blob.read_at(&mut chunk, offset)? {
                    others.update(&chunk[..n]);
                    offset += n as u64;
                }
            }
        }
        let digests = std::iter::once(name).chain(others.finish()).collect();
        Ok::<_, std::io::Error>((loaded, digests))
    };
    let done = match tokio::task::spawn_blocking(hash).await {
        Ok(Ok(done)) => return Ok(done),
        Ok(Err(error)) => error.to_string(),
        Err(error) => error.to_string(),
    };
    let why = format!("blob {} cannot be used: {done}", held.sha256);
    Err(Box::new(Lost { held, why: Why::Damaged(why) }))
}

/// Returns the digest that a message gives for bytes that nobody vouches for: by another algorithm than the store's, where
/// that is what was compared.
fn said(got: &[Digest]) -> String {
    got.last().map_or_else(String::new, Digest::to_string)
}
