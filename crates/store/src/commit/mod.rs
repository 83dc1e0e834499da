//! From handed over to durable: what waits, who sees it meanwhile, and the one thread that commits it in batches.

mod committer;
mod desk;
mod overlay;
mod queue;

use std::collections::HashSet;
use std::collections::hash_map::Entry;
use std::fs::{self, File};
use std::path::PathBuf;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use model::{Event, Sha256};

pub(crate) use committer::run;
pub(crate) use desk::{Desk, Outcome};
pub(crate) use overlay::Overlay;
pub(crate) use queue::{Guarded, Item, Queue};

use crate::access::Access;
use crate::blob::{Folder, Hashed, Stage, Temporary};
use crate::error::{IndexError, WriteError};
use crate::index::Index;
use crate::journal::{Draft, Journal, Stamp};

/// The longest event; a thousand times what is usual.
const EVENT_BYTES_MAX: usize = 1 << 20;
/// The most that one guarded append may hold together; a segment must stay readable in one go.
const GUARDED_BYTES_MAX: usize = 16 << 20;

/// Everything of one open store, shared with the committing thread.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) home: PathBuf,
    pub(crate) clock: host::Clock,
    pub(crate) access: Access,
    pub(crate) folder: Folder,
    pub(crate) index: Index,
    /// Locked on disk around everything that appends to the journal or writes the index.
    pub(crate) lock: File,
    desk: Mutex<Desk>,
    queue: Mutex<Queue>,
    overlay: RwLock<Overlay>,
    /// The state of the open segment which the index is known to have folded.
    folded: Mutex<Option<Stamp>>,
    /// Blobs that were found damaged: they are replaced when the same bytes come again.
    damaged: Mutex<HashSet<Sha256>>,
    hashed: Mutex<Hashed>,
    /// Something was handed over, or somebody is in a hurry.
    pub(crate) work: Condvar,
    /// An attempt to commit has ended.
    pub(crate) ended: Condvar,
}

impl Shared {
    pub(crate) fn new(
        home: PathBuf,
        clock: host::Clock,
        access: Access,
        folder: Folder,
        lock: File,
        desk: Desk,
    ) -> Self {
        Self {
            index: Index::new(desk.place()),
            home,
            clock,
            access,
            folder,
            lock,
            desk: Mutex::new(desk),
            queue: Mutex::default(),
            overlay: RwLock::default(),
            folded: Mutex::default(),
            damaged: Mutex::default(),
            hashed: Mutex::default(),
            work: Condvar::new(),
            ended: Condvar::new(),
        }
    }

    /// Takes a finished blob over. On error the caller still owns the temporary file.
    pub(crate) fn take_blob(&self, blob: Temporary) -> Result<(), WriteError> {
        let mut queue = self.room(Queue::has_room_for_blob)?;
        if queue.blobs.contains_key(&blob.sha256) {
            // The same bytes, on their way already. A leftover is swept when the store is opened next.
            let _ = fs::remove_file(&blob.path);
        } else {
            queue.n_blob_bytes += blob.size_bytes;
            queue.blobs.insert(blob.sha256, blob);
        }
        queue.handed += 1;
        self.begin_work(&queue);
        Ok(())
    }

    /// Takes over a blob that lies here whole: somebody may have put it there a moment ago, and its folder is made durable.
    pub(crate) fn take_held(&self, sha256: Sha256, size_bytes: u64) -> Result<(), WriteError> {
        let mut queue = self.room(Queue::has_room_for_held)?;
        let path = self.folder.path(&sha256);
        let held = Temporary { sha256, size_bytes, path, stage: Stage::Renamed };
        if let Entry::Vacant(place) = queue.blobs.entry(sha256) {
            place.insert(held);
            queue.n_blob_bytes += size_bytes;
        }
        queue.handed += 1;
        self.begin_work(&queue);
        Ok(())
    }

    /// Returns whether the same bytes are on their way already.
    pub(crate) fn is_pending(&self, sha256: &Sha256) -> bool {
        self.queue().blobs.contains_key(sha256)
    }

    /// Wakes the committing thread where it waits for work; while it gathers some or is at work, it looks by itself.
    fn begin_work(&self, queue: &Queue) {
        if queue.is_idle {
            self.work.notify_all();
        }
    }

    /// Takes events over.
    pub(crate) fn take_events(&self, events: Vec<Event>) -> Result<(), WriteError> {
        let drafts = self.draft(&events)?;
        let mut queue = self.room(Queue::has_room_for_event)?;
        let mut overlay = self.overlay_mut();
        queue.n_events += events.len();
        // One item each: nobody promised that they stand together, and a write to the journal is bounded.
        for (event, draft) in events.into_iter().zip(drafts) {
            queue.handed += 1;
            let upto = queue.handed;
            overlay.push(upto, event);
            queue.items.push_back(Item { upto, drafts: vec![draft], guarded: None });
        }
        self.begin_work(&queue);
        Ok(())
    }

    /// Returns whether somebody who hands something over has to wait.
    pub(crate) fn is_full(&self) -> bool {
        let queue = self.queue();
        !(queue.has_room_for_blob() && queue.has_room_for_event())
    }

    /// Takes over events that stand or fall with what they expect, and waits for the outcome.
    pub(crate) fn take_guarded(
        &self,
        expect: Option<(String, u64)>,
        events: Vec<Event>,
    ) -> Result<u64, crate::AppendError> {
        let drafts = self.draft(&events)?;
        let size_bytes = drafts.iter().map(|draft| draft.payload.get().len()).sum();
        if size_bytes > GUARDED_BYTES_MAX {
            return Err(WriteError::TooLong { size_bytes }.into());
        }
        let (sender, receiver) = std::sync::mpsc::channel();
        {
            let mut queue = self.queue();
            if queue.is_stopped {
                return Err(stopped().into());
            }
            queue.handed += 1;
            queue.is_urgent = true;
            let upto = queue.handed;
            queue.items.push_back(Item { upto, drafts, guarded: Some(Guarded { expect, answer: sender }) });
            self.work.notify_all();
        }
        receiver.recv().unwrap_or_else(|_| Err(stopped().into()))
    }

    /// Waits until everything handed over before is durable.
    pub(crate) fn flush(&self) -> Result<(), WriteError> {
        let mut queue = self.queue();
        let target = queue.handed;
        let before = queue.n_attempts;
        while queue.durable < target {
            if let Some((attempt, error)) = &queue.failure
                && *attempt > before
            {
                return Err(error.clone());
            }
            if queue.is_stopped {
                return Err(stopped());
            }
            queue.is_urgent = true;
            self.work.notify_all();
            queue = self.ended.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
        Ok(())
    }

    fn draft(&self, events: &[Event]) -> Result<Vec<Draft>, WriteError> {
        self.access.check_write()?;
        let now = self.clock.now();
        let mut drafts = Vec::with_capacity(events.len());
        for event in events {
            let draft = Draft::new(now, event).map_err(std::io::Error::from)?;
            let size_bytes = draft.payload.get().len();
            if size_bytes > EVENT_BYTES_MAX {
                return Err(WriteError::TooLong { size_bytes });
            }
            if let Some(need) = event.needs().iter().find(|need| !self.has_blob(&need.sha256)) {
                return Err(WriteError::NoBlob { sha256: need.sha256 });
            }
            drafts.push(draft);
        }
        Ok(drafts)
    }

    /// Returns whether a blob is held and not known to be damaged.
    pub(crate) fn has_blob(&self, sha256: &Sha256) -> bool {
        self.is_pending(sha256)
            || (self.folder.size_bytes(sha256).is_some() && !unpoisoned(&self.damaged).contains(sha256))
    }

    pub(crate) fn note_damage(&self, sha256: Sha256) {
        unpoisoned(&self.damaged).insert(sha256);
    }

    pub(crate) fn hashed(&self) -> MutexGuard<'_, Hashed> {
        unpoisoned(&self.hashed)
    }

    pub(crate) fn forget_damage(&self, blobs: &[Temporary]) {
        let mut damaged = unpoisoned(&self.damaged);
        for blob in blobs {
            damaged.remove(&blob.sha256);
        }
    }

    /// Waits until there is room; where the disk is what fails, the caller is told instead.
    fn room(&self, has_room: impl Fn(&Queue) -> bool) -> Result<MutexGuard<'_, Queue>, WriteError> {
        let mut queue = self.queue();
        let before = queue.n_attempts;
        while !has_room(&queue) {
            if let Some((attempt, error)) = &queue.failure
                && *attempt > before
            {
                return Err(error.clone());
            }
            if queue.is_stopped {
                return Err(stopped());
            }
            queue.is_urgent = true;
            self.work.notify_all();
            queue = self.ended.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
        Ok(queue)
    }

    /// Brings the index up to date with what other processes appended, if that needs no waiting for them.
    pub(crate) fn catch_up(&self) -> Result<(), IndexError> {
        let stamp = Journal::stamp_on_disk(&self.home.join("journal"));
        if *unpoisoned(&self.folded) == stamp && stamp.is_some() && !self.overlay().is_behind() {
            return Ok(());
        }
        if self.index.is_in_memory() {
            // Nobody else folds into it, so what others have acknowledged must be waited for.
            return self.locked(|desk| desk.catch_up(self).map(|_| ()));
        }
        self.index.renew();
        // Whoever holds either lock folds what he appends before he lets go; it is not acknowledged yet.
        let Ok(mut desk) = self.desk.try_lock() else {
            return Ok(());
        };
        match self.lock.try_lock() {
            Err(fs::TryLockError::WouldBlock) => return Ok(()),
            Err(fs::TryLockError::Error(error)) => return Err(error.into()),
            Ok(()) => {}
        }
        let caught_up = desk.catch_up(self);
        let unlocked = self.lock.unlock();
        caught_up?;
        unlocked?;
        Ok(())
    }

    /// Makes the index anew, because it was found to be corrupt.
    pub(crate) fn mend_index(&self) -> Result<(), IndexError> {
        self.locked(|desk| desk.rebuild_index(self))?;
        self.index.renew();
        Ok(())
    }

    /// Does something under both locks, the thread's and the file's.
    pub(crate) fn locked<T, E: From<std::io::Error>>(
        &self,
        act: impl FnOnce(&mut Desk) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut desk = self.desk.lock().unwrap_or_else(PoisonError::into_inner);
        self.lock.lock()?;
        let done = act(&mut desk);
        let unlocked = self.lock.unlock();
        let done = done?;
        unlocked?;
        Ok(done)
    }

    pub(crate) fn note_folded(&self, stamp: Stamp) {
        *unpoisoned(&self.folded) = Some(stamp);
    }

    pub(crate) fn queue(&self) -> MutexGuard<'_, Queue> {
        unpoisoned(&self.queue)
    }

    pub(crate) fn overlay(&self) -> RwLockReadGuard<'_, Overlay> {
        self.overlay.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn overlay_mut(&self) -> RwLockWriteGuard<'_, Overlay> {
        self.overlay.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A bug in the committing thread: nothing more is written by this process, and whoever waits must not wait for ever.
fn stopped() -> WriteError {
    WriteError::Damaged { reason: "the committing thread has stopped".to_owned() }
}

fn unpoisoned<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
