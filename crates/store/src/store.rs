//! One open store: blobs and journal; the questions are in `lookup.rs`, the care in `care/`.

use std::fs::File;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use model::{Event, Sha256};

use crate::access::Access;
use crate::blob::{Blob, BlobError, BlobFault, BlobReader, BlobWriter, Folder};
use crate::commit::{self, Desk, Shared};
use crate::error::{AppendError, IndexError, OpenError, WriteError};
use crate::journal::Journal;
use crate::regular;

/// What the caller of [`Store::append`] has seen of a subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expect {
    /// The subject.
    pub subject: String,
    /// Its last number, 0 where it has none.
    pub subject_seq: u64,
}

/// A home's blobs, journal and index; cheap to clone. Several processes may have the same home open.
///
/// There is no delete. When the last clone is dropped, what waits is written.
#[derive(Debug, Clone)]
pub struct Store(Arc<Handle>);

#[derive(Debug)]
struct Handle {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Store {
    /// Opens a home's store, or makes it: sweeps what dead processes left, and lets the index catch up.
    ///
    /// One that may not be written to is opened as well, without making or sweeping anything; every write is refused.
    /// A damaged journal does not keep it from opening: lookups answer, nothing is appended, `verify` says what is wrong.
    pub fn open(home: &Path, clock: host::Clock) -> Result<Self, OpenError> {
        let (lock, access) = Self::lock_or_read(home)?;
        let folder = Folder::open(home, &access).map_err(OpenError::at(&home.join("blobs")))?;
        let desk = Desk::open(home, &access).map_err(|source| OpenError::Index { source })?;
        lock.unlock().map_err(OpenError::at(home))?;
        let shared = Arc::new(Shared::new(home.to_owned(), clock, access, folder, lock, desk));
        let for_thread = shared.clone();
        let thread = std::thread::Builder::new()
            .name("store".to_owned())
            .spawn(move || commit::run(&for_thread))
            .map_err(OpenError::at(home))?;
        Ok(Self(Arc::new(Handle { shared, thread: Mutex::new(Some(thread)) })))
    }

    /// Returns the folder that holds the store.
    pub fn home(&self) -> &Path {
        &self.shared().home
    }

    /// Refuses where the home may not be written to, for whoever wants to know before the work is begun.
    pub fn check_writable(&self) -> Result<(), WriteError> {
        self.shared().access.check_write()
    }

    /// Returns what is wrong with the journal, as far as this process has read it: nothing is appended to it then.
    pub fn journal_damage(&self) -> std::io::Result<Option<String>> {
        self.shared().locked(|desk| {
            desk.journal.refresh()?;
            Ok(desk.journal.damage.clone())
        })
    }

    /// Begins a new blob.
    pub fn writer(&self) -> Result<BlobWriter, WriteError> {
        BlobWriter::new(self.clone())
    }

    /// Keeps small bytes in one go; as [`BlobWriter::finish`]. Those that are held already are read instead of written.
    pub fn put(&self, bytes: &[u8]) -> Result<Blob, WriteError> {
        self.check_writable()?;
        let (shared, sha256, size_bytes) = (self.shared(), Sha256::of(bytes), bytes.len() as u64);
        if shared.is_pending(&sha256) {
            return Ok(Blob { sha256, size_bytes });
        }
        if shared.folder.is_held(&sha256, size_bytes) {
            shared.take_held(sha256, size_bytes)?;
            return Ok(Blob { sha256, size_bytes });
        }
        let mut writer = BlobWriter::named(self.clone(), sha256)?;
        std::io::Write::write_all(&mut writer, bytes)?;
        writer.finish()
    }

    /// Opens a blob, durable or not yet. One that is shorter or longer than what was kept is refused at once.
    pub fn open_blob(&self, sha256: &Sha256) -> Result<BlobReader, BlobError> {
        let shared = self.shared();
        let pending = shared.queue().blobs.get(sha256).map(|blob| (blob.path.clone(), blob.size_bytes));
        if let Some((path, size_bytes)) = pending {
            // It may be renamed at any moment; then it is under its final name.
            if let Ok(file) = File::open(path) {
                return BlobReader::new(shared.clone(), *sha256, file, Some(size_bytes));
            }
        }
        let file = match regular::open(&shared.folder.path(sha256)) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Err(BlobError::Missing),
            Err(error) if regular::is_other(&error) => {
                shared.note_damage(*sha256);
                return Err(BlobError::Damaged { fault: BlobFault::Missing });
            }
            opened => opened?,
        };
        // Without the index the digest still decides, only later.
        let expected = self.blob_size(sha256).ok().flatten();
        BlobReader::new(shared.clone(), *sha256, file, expected)
    }

    /// Returns what changes whenever anybody, in whatever process, has appended to the journal; nothing of it is read.
    ///
    /// What was handed over and is not durable yet shows later. Where there is no journal there is nothing to tell apart.
    pub fn stamp(&self) -> Option<(u64, u64)> {
        Journal::stamp_on_disk(&self.home().join("journal"))
    }

    /// Reads a blob of at most `size_max` bytes, verified before it returns.
    pub fn read_blob(&self, sha256: &Sha256, size_max: u64) -> Result<Vec<u8>, BlobError> {
        let reader = self.open_blob(sha256)?;
        if reader.size_bytes() > size_max {
            return Err(BlobError::TooLarge { size_bytes: reader.size_bytes() });
        }
        reader.read_whole()
    }

    /// Returns whether a blob is held and not known to be damaged. Its bytes are not read.
    pub fn has_blob(&self, sha256: &Sha256) -> bool {
        self.shared().has_blob(sha256)
    }

    /// Hands events over: every lookup of this store sees them now; they are durable after [`Store::flush`], or soon.
    ///
    /// An event is appended only after the blob it names is durable. It waits only while far too much is waiting.
    pub fn record(&self, events: Vec<Event>) -> Result<(), WriteError> {
        self.shared().take_events(events)
    }

    /// Returns whether what is handed over now waits until the disk has taken what was handed over before.
    pub fn is_full(&self) -> bool {
        self.shared().is_full()
    }

    /// Appends events, all or none, and returns the number of the last; durable when it returns.
    ///
    /// # Errors
    /// `Moved` if the subject's last number is not the expected one. On any other error it is not appended later either.
    pub fn append(&self, expect: Option<Expect>, events: Vec<Event>) -> Result<u64, AppendError> {
        let expect = expect.map(|expect| (expect.subject, expect.subject_seq));
        self.shared().take_guarded(expect, events)
    }

    /// Returns when everything handed over so far is durable.
    ///
    /// # Errors
    /// Why it is not. It stays readable and in order, and is tried again, by the next flush at once.
    pub fn flush(&self) -> Result<(), WriteError> {
        self.shared().flush()
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.0.shared
    }

    /// Takes the lock under which everything is appended, and makes the folders.
    pub(crate) fn lock(home: &Path) -> Result<File, OpenError> {
        let folder = home.join("journal");
        host::file::create_folder(&folder).map_err(OpenError::at(&folder))?;
        let path = folder.join("lock");
        let lock = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(OpenError::at(&path))?;
        lock.lock().map_err(OpenError::at(&path))?;
        Ok(lock)
    }

    /// As [`Store::lock`], but where that may not be written to, the lock is opened and not taken.
    fn lock_or_read(home: &Path) -> Result<(File, Access), OpenError> {
        match Self::lock(home) {
            Err(OpenError::Io { path, source }) if Access::is_denied(&source) => {
                let folder = home.join("journal");
                // A folder can be locked, too; nobody else locks it.
                let Ok(lock) = regular::open(&folder.join("lock")).or_else(|_| File::open(&folder)) else {
                    return Err(OpenError::Io { path, source });
                };
                Ok((lock, Access::Read { reason: Arc::new(source) }))
            }
            locked => Ok((locked?, Access::Write)),
        }
    }

    /// Returns how long a blob is, by what the index knows now.
    pub(crate) fn blob_size(&self, sha256: &Sha256) -> Result<Option<u64>, IndexError> {
        self.shared().index.read(|connection| crate::index::blob_size(connection, sha256))
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shared.queue().is_closing = true;
        self.shared.work.notify_all();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            // A panic there was printed there.
            let _ = thread.join();
        }
    }
}
