//! Writes down what is held: the last look at what was there before, and the line in the journal.

use std::sync::Mutex;

use http::StatusCode;
use model::{Event, Held, ObjectKey, Proof, SavedHeader};
use registry::Ecosystem;
use store::Blob;

use crate::copy::Prior;
use crate::decide;
use crate::fetch::not_stored;
use crate::headers;
use crate::session::{Inner, lock};
use crate::upstream::Giver;
use crate::want::Want;

/// Held while the journal's next line about an object is chosen: sessions of one process share a store.
static KEEPING: Mutex<()> = Mutex::new(());

/// Why something is not kept.
#[derive(Debug)]
pub(crate) enum NotKept {
    /// Something better came meanwhile: the first bytes of what cannot change, or an answer in place of an absence.
    First(Box<Held>),
    /// The disk.
    Because(String),
}

impl NotKept {
    pub(crate) fn reason(self) -> String {
        match self {
            Self::First(_) => "other bytes were seen first, and these are not vouched for".to_owned(),
            Self::Because(reason) => reason,
        }
    }
}

impl Inner {
    /// Hands something over to the store. Where that has to wait for the disk, other clients are answered meanwhile.
    pub(crate) fn storing<T>(&self, work: impl FnOnce() -> T) -> T {
        if self.engine.store.is_full() { tokio::task::block_in_place(work) } else { work() }
    }

    /// Describes an answer that is about to be kept; mutable and vouched for by nobody, unless told otherwise.
    pub(crate) fn held(
        &self,
        ecosystem: &dyn Ecosystem,
        status: StatusCode,
        mut headers: Vec<SavedHeader>,
        blob: &Blob,
        giver: Giver,
    ) -> Held {
        headers::hide_secrets(&mut headers);
        Held {
            status: status.as_u16(),
            headers,
            sha256: blob.sha256,
            size_bytes: blob.size_bytes,
            ecosystem: ecosystem.name().to_owned(),
            proof: Proof::FirstSeen,
            immutable: false,
            confirmed_at: giver.confirmed_at(self.engine.clock.now()),
            gone_since: giver.gone_since(),
        }
    }

    /// Returns what is known of an object now: others may have kept something while the upstream was asked.
    pub(crate) fn newest(&self, want: &Want, prior: Prior) -> Prior {
        let Ok(Some(newest)) = self.engine.store.lookup(&want.key) else {
            return prior;
        };
        let is_known = prior.known().is_some_and(|held| held.sha256 == newest.sha256);
        if is_known || !decide::is_good(&newest) { prior } else { Prior::Good(Box::new(newest)) }
    }

    /// Puts bytes that are here as a whole into the store, under the name that is wanted.
    pub(crate) fn keep_bytes(
        &self,
        want: &Want,
        status: StatusCode,
        headers: Vec<SavedHeader>,
        body: &[u8],
        giver: Giver,
    ) -> Result<Held, NotKept> {
        self.keep_bytes_as(&want.key, want, status, headers, body, giver)
    }

    /// Puts bytes that are here as a whole into the store.
    pub(crate) fn keep_bytes_as(
        &self,
        key: &ObjectKey,
        want: &Want,
        status: StatusCode,
        headers: Vec<SavedHeader>,
        body: &[u8],
        giver: Giver,
    ) -> Result<Held, NotKept> {
        let blob = self.engine.store.put(body).map_err(|error| NotKept::Because(not_stored(&error)))?;
        let held = self.held(want.ecosystem, status, headers, &blob, giver);
        self.keep_as(key, want.host(), held.clone())?;
        Ok(held)
    }

    /// Writes to the journal that an object is held, or that it still is.
    pub(crate) fn keep(&self, want: &Want, held: Held) -> Result<(), NotKept> {
        self.keep_as(&want.key, want.host(), held)
    }

    /// Writes to the journal that something is held under a name.
    pub(crate) fn keep_as(&self, key: &ObjectKey, host: &str, held: Held) -> Result<(), NotKept> {
        self.storing(|| self.write_down_as(key, host, held))
    }

    fn write_down_as(&self, key: &ObjectKey, host: &str, held: Held) -> Result<(), NotKept> {
        // Another session may have kept it meanwhile; none of this process may between the look and the line.
        let _keeping = lock(&KEEPING);
        let newest = self.engine.store.lookup(key).map_err(|error| NotKept::Because(not_stored(&error)))?;
        if let Some(newest) = newest.as_ref().filter(|newest| is_better(newest, &held)) {
            let reason = NotKept::First(Box::new(newest.clone()));
            let event = if decide::is_good(&held) {
                let reason = "other bytes were seen first, and these are not vouched for".to_owned();
                Event::Rejected { key: key.clone(), reason }
            } else {
                Event::Gone { key: key.clone(), status: held.status, since: held.confirmed_at }
            };
            self.journal(host, event);
            return Err(reason);
        }
        let sha256 = held.sha256;
        if let Some(shelf) = &self.shelf {
            shelf.forget(key);
        }
        let event = if newest.is_some_and(|newest| is_same(&newest, &held)) {
            Event::Confirmed { key: key.clone(), sha256: held.sha256, at: held.confirmed_at }
        } else {
            Event::Kept { key: key.clone(), held }
        };
        let recorded = self.engine.store.record(vec![event]);
        recorded.map_err(|error| NotKept::Because(not_stored(&error)))?;
        self.note_healed(&sha256, host);
        Ok(())
    }
}

/// Returns whether what is held must not give way: the first bytes of what cannot change to others that nobody vouches
/// for, and an answer to an absence.
fn is_better(newest: &Held, held: &Held) -> bool {
    decide::is_good(newest) && (newest.outlasts(held) || !decide::is_good(held))
}

/// Returns whether an answer says the same as the one that is held; a redirect says where to.
fn is_same(held: &Held, new: &Held) -> bool {
    let location = |held: &Held| headers::saved(&held.headers, "location").map(str::to_owned);
    (held.status, held.sha256, held.proof, held.immutable)
        == (new.status, new.sha256, new.proof, new.immutable)
        && location(held) == location(new)
}
