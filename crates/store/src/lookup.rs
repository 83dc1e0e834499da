//! Questions, answered from the index and from what is not in it yet as if both were one.

use std::cmp::Reverse;
use std::collections::HashSet;

use model::{Event, Held, Kind, Method, ObjectKey, ObjectUrl, RunId, Sha256, Timestamp};
use rusqlite::Connection;

use crate::commit::Overlay;
use crate::error::IndexError;
use crate::index::{self, FirstSeen};
use crate::journal::Entry;
use crate::store::Store;

/// What a person should see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attention {
    /// Newest first.
    pub entries: Vec<Entry>,
    /// How much more happened, longer ago.
    pub n_more: u64,
}

impl Store {
    /// Returns the newest generation held under a key, with what was confirmed or vanished since.
    pub fn lookup(&self, key: &ObjectKey) -> Result<Option<Held>, IndexError> {
        self.see(|connection, overlay| {
            if overlay.is_empty() {
                return index::newest(connection, key);
            }
            let mut generations: Vec<Held> = index::newest(connection, key)?.into_iter().collect();
            overlay.apply(key, &mut generations);
            Ok(generations.pop())
        })
    }

    /// Returns what was held under a key at a moment: "as of yesterday".
    ///
    /// It may have been confirmed since; `confirmed_at` is never later than the moment.
    pub fn lookup_at(&self, key: &ObjectKey, at: Timestamp) -> Result<Option<Held>, IndexError> {
        self.list(|connection| index::newest_at(connection, key, at))
    }

    /// Returns the digest of what an archive holds, if it was unpacked.
    pub fn tree_of(&self, sha256: &Sha256) -> Result<Option<Sha256>, IndexError> {
        self.see(|connection, overlay| {
            let found = index::tree_of(connection, sha256)?;
            Ok(found.or_else(|| overlay.tree_of(sha256)))
        })
    }

    /// Returns where a release was seen first, as [`Event::Unpacked`] names it.
    pub fn first_of(&self, release: &str) -> Result<Option<FirstSeen>, IndexError> {
        self.see(|connection, overlay| {
            let found = index::first_of(connection, release)?;
            Ok(found.or_else(|| overlay.first_of(release)))
        })
    }

    /// Returns every generation held under a key, oldest first.
    pub fn generations(&self, key: &ObjectKey) -> Result<Vec<Held>, IndexError> {
        self.see(|connection, overlay| {
            let mut generations = index::generations(connection, key)?;
            overlay.apply(key, &mut generations);
            Ok(generations)
        })
    }

    /// Returns every address below a folder (`https://deb.example/dists/sid/`) that is held under a variant, with the blob of each
    /// of its generations.
    pub fn below(&self, folder: &str, variant: &str) -> Result<Vec<(ObjectUrl, Sha256)>, IndexError> {
        self.see(|connection, overlay| {
            let mut found = index::below(connection, folder, variant)?;
            found.extend(overlay.below(folder, variant));
            Ok(found)
        })
    }

    /// Returns the newest generation of every variant of an address, in the order of the keys.
    pub fn variants(&self, method: Method, url: &ObjectUrl) -> Result<Vec<(ObjectKey, Held)>, IndexError> {
        self.see(|connection, overlay| {
            let mut keys = index::variants(connection, method, url)?;
            keys.extend(overlay.variants(method, url).cloned());
            keys.sort();
            keys.dedup();
            let mut found = Vec::with_capacity(keys.len());
            for key in keys {
                let mut generations: Vec<Held> = index::newest(connection, &key)?.into_iter().collect();
                overlay.apply(&key, &mut generations);
                found.extend(generations.pop().map(|held| (key, held)));
            }
            Ok(found)
        })
    }

    /// Returns whether any object of a host is held, or a repository of it kept.
    pub fn knows_host(&self, host: &str) -> Result<bool, IndexError> {
        self.see(|connection, overlay| Ok(overlay.knows_host(host) || index::knows_host(connection, host)?))
    }

    /// Returns the subjects that need a blob: keys of objects, and `run <id>` for the record of a run.
    pub fn belongs_to(&self, sha256: &Sha256) -> Result<Vec<String>, IndexError> {
        self.see(|connection, overlay| {
            let mut subjects = index::belongs_to(connection, sha256)?;
            subjects.extend(overlay.belongs_to(sha256));
            subjects.sort();
            subjects.dedup();
            Ok(subjects)
        })
    }

    /// Returns the last number of a subject, for [`crate::Expect`].
    pub fn head(&self, subject: &str) -> Result<Option<u64>, IndexError> {
        self.see(|connection, overlay| {
            let head = index::head(connection, subject)?;
            let n_waiting = overlay.n_about(subject);
            Ok((n_waiting > 0 || head.is_some()).then(|| head.unwrap_or_default() + n_waiting))
        })
    }

    /// Returns at most `limit` entries after `seq`, oldest first.
    pub fn events_since(&self, seq: u64, limit: usize) -> Result<Vec<Entry>, IndexError> {
        self.list(|connection| index::since(connection, seq, limit))
    }

    /// Returns what was said of upstreams that have not answered since, oldest first: of each subject the first entry of
    /// its outage, and the newest `Down` and `Stale`.
    pub fn outages(&self) -> Result<Vec<Entry>, IndexError> {
        self.list(index::outages)
    }

    /// Returns what a person should see besides outages, newest first: `limit` times what happened, and all that holds now:
    /// damaged, for which the blobs are read, and gone. Which is which is said by [`model::Concern`].
    pub fn attention(&self, limit: usize) -> Result<Attention, IndexError> {
        let (mut entries, holding, n_happened) = self.list(|connection| {
            let happened = index::happened(connection, limit)?;
            Ok((happened, index::holding(connection)?, index::n_happened(connection)?))
        })?;
        let n_more = n_happened.saturating_sub(entries.len() as u64);
        let mut seen = HashSet::new();
        for entry in holding {
            let holds = match &entry.event {
                Event::Damaged { key, sha256, .. } => {
                    self.would_give(key, sha256)? && seen.insert(*sha256) && !self.is_whole(sha256)
                }
                Event::Gone { key, .. } => self.lookup(key)?.is_none_or(|held| held.gone_since.is_some()),
                _ => true,
            };
            if holds {
                entries.push(entry);
            }
        }
        entries.sort_by_key(|entry| Reverse(entry.seq));
        Ok(Attention { entries, n_more })
    }

    /// Returns whether it is these bytes that would be given for a name. Of an older generation, which no upstream may have
    /// any more, `verify` tells.
    fn would_give(&self, key: &ObjectKey, sha256: &Sha256) -> Result<bool, IndexError> {
        Ok(self.lookup(key)?.is_none_or(|held| held.sha256 == *sha256))
    }

    /// Reads a blob, whatever is known about it.
    pub(crate) fn is_whole(&self, sha256: &Sha256) -> bool {
        self.open_blob(sha256).and_then(|blob| blob.verify()).is_ok()
    }

    /// Returns of every second copy the newest entry, and how much happened since that is not in it.
    pub fn copies(&self) -> Result<Vec<(Entry, u64)>, IndexError> {
        self.list(|connection| {
            let newest = index::newest_of_each(connection, Kind::Copied)?.into_iter().map(|entry| {
                let Event::Copied { seq, .. } = entry.event else { return Ok((entry, 0)) };
                index::n_since(connection, seq).map(|n_behind| (entry, n_behind))
            });
            newest.collect()
        })
    }

    /// Returns every blob that something needs, each once.
    pub fn needed(&self) -> Result<Vec<Sha256>, IndexError> {
        self.list(index::needed)
    }

    /// Returns any one of them.
    pub fn any_needed(&self) -> Result<Option<Sha256>, IndexError> {
        let name = Sha256::from_bytes(host::random::bytes());
        self.list(|connection| index::needed_from(connection, &name))
    }

    /// Returns the newest entry of the journal.
    pub fn newest(&self) -> Result<Option<Entry>, IndexError> {
        self.list(index::newest_entry)
    }

    /// Returns of everything that was adopted the newest entry, oldest first.
    pub fn adopted(&self) -> Result<Vec<Entry>, IndexError> {
        self.list(|connection| index::newest_of_each(connection, Kind::Adopted))
    }

    /// Returns the runs, drills' replays included, newest first.
    pub fn runs(&self, limit: usize) -> Result<Vec<Entry>, IndexError> {
        self.list(|connection| index::of_kind(connection, Kind::Ran, limit))
    }

    /// Returns one run.
    pub fn run(&self, id: &RunId) -> Result<Option<Entry>, IndexError> {
        self.list(|connection| index::run(connection, id))
    }

    /// Returns the newest recording of a command in a directory, whatever its exit code; a drill's replay is none.
    pub fn newest_recording(&self, command: &[String], directory: &str) -> Result<Option<Entry>, IndexError> {
        self.list(|connection| {
            index::newest_recording(connection, command, directory, index::WHATEVER_ENDING)
        })
    }

    /// Returns the newest recording of a command in a directory that exited with 0.
    pub fn newest_success(&self, command: &[String], directory: &str) -> Result<Option<Entry>, IndexError> {
        self.list(|connection| index::newest_recording(connection, command, directory, index::SUCCEEDED))
    }

    /// Returns every drill, oldest first.
    pub fn drills(&self) -> Result<Vec<Entry>, IndexError> {
        let mut drills = self.list(|connection| index::of_kind(connection, Kind::Drilled, usize::MAX))?;
        drills.reverse();
        debug_assert!(drills.iter().all(|entry| matches!(entry.event, Event::Drilled { .. })));
        Ok(drills)
    }

    /// Reads index and overlay at one moment: nothing moves from one to the other meanwhile.
    fn see<T>(&self, read: impl Fn(&Connection, &Overlay) -> Result<T, IndexError>) -> Result<T, IndexError> {
        let shared = self.shared();
        self.mending(|| {
            shared.catch_up()?;
            let overlay = shared.overlay();
            shared.index.read(|connection| read(connection, &overlay))
        })
    }

    /// Reads entries, which have their numbers only once they are in the journal.
    pub(crate) fn list<T>(
        &self,
        read: impl Fn(&Connection) -> Result<T, IndexError>,
    ) -> Result<T, IndexError> {
        let shared = self.shared();
        if !shared.overlay().is_empty() {
            shared.flush().map_err(|source| IndexError::Waiting { source })?;
        }
        self.mending(|| {
            shared.catch_up()?;
            // A list without what the index could not take would look whole and not be.
            if shared.overlay().is_behind() {
                return Err(IndexError::Behind);
            }
            shared.index.read(&read)
        })
    }

    /// Makes a corrupt index anew and asks once more.
    fn mending<T>(&self, ask: impl Fn() -> Result<T, IndexError>) -> Result<T, IndexError> {
        match ask() {
            Err(error) if error.is_corrupt() => {
                tracing::warn!(%error, "the index is made anew");
                self.shared().mend_index()?;
                ask()
            }
            answer => answer,
        }
    }
}
