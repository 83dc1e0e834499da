//! The index: a fold of the journal in SQLite, never the only place of anything.
//!
//! It speaks of outcomes, not of tables. Behind, it catches up; corrupt, foreign or gone, it is made anew.

mod condition;
mod fold;
mod list;
mod lookup;
mod place;
mod repos;
mod schema;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use model::Sha256;
use rusqlite::{Connection, OpenFlags, TransactionBehavior};

pub(crate) use fold::{apply, fold};
pub(crate) use list::{
    SUCCEEDED, WHATEVER_ENDING, count, each_object, happened, holding, n_happened, n_of_kind, n_since,
    needed, needed_from, newest as newest_entry, newest_of_each, newest_recording, of_kind, outages, run,
    since,
};
pub use lookup::FirstSeen;
pub(crate) use lookup::{
    belongs_to, below, blob_size, first_of, generations, head, knows_host, newest, newest_at, tree_of,
    variants,
};
pub(crate) use place::Place;
pub(crate) use repos::{all_refs_of, newest_about, refs_of};

use crate::error::IndexError;
use crate::journal::{Journal, Line, Whole};

/// Connections that wait for the next lookup; more are opened when more threads ask at once.
const N_IDLE_MAX: usize = 8;
/// Entries folded in one transaction while catching up.
const N_FOLDED_AT_ONCE: usize = 10_000;

/// How far the index has got, and of which journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Position {
    pub(crate) journal: String,
    pub(crate) seq: u64,
    pub(crate) hash: Sha256,
}

/// Connections that read.
#[derive(Debug)]
pub(crate) struct Index {
    place: Place,
    idle: Mutex<Idle>,
}

#[derive(Debug, Default)]
struct Idle {
    inode: u64,
    connections: Vec<Connection>,
}

impl Index {
    pub(crate) fn new(place: Place) -> Self {
        Self { place, idle: Mutex::default() }
    }

    /// Gives `read` a connection; it is kept for the next unless it failed.
    pub(crate) fn read<T>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, IndexError>,
    ) -> Result<T, IndexError> {
        let taken = {
            let mut idle = self.lock();
            idle.connections.pop().map(|connection| (idle.inode, connection))
        };
        let (inode, connection) = match taken {
            Some(taken) => taken,
            None => (self.place.inode()?, schema::connect(&self.place, OpenFlags::SQLITE_OPEN_READ_WRITE)?),
        };
        let answer = read(&connection)?;
        let mut idle = self.lock();
        if idle.connections.is_empty() {
            idle.inode = inode;
        }
        if idle.inode == inode && idle.connections.len() < N_IDLE_MAX {
            idle.connections.push(connection);
        }
        Ok(answer)
    }

    /// Returns whether only this process has it.
    pub(crate) const fn is_in_memory(&self) -> bool {
        matches!(self.place, Place::Memory(_))
    }

    /// Forgets connections to a file that has been replaced.
    pub(crate) fn renew(&self) {
        let now = self.place.inode().unwrap_or_default();
        let mut idle = self.lock();
        if idle.inode != now {
            idle.connections.clear();
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Idle> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The one connection that writes; used under the journal's lock.
#[derive(Debug)]
pub(crate) struct IndexWriter {
    place: Place,
    inode: u64,
    connection: Connection,
}

impl IndexWriter {
    /// Opens the index, or makes it anew where it is missing, corrupt or foreign.
    pub(crate) fn open(path: &Path, journal: &Journal) -> Result<(Self, Whole), IndexError> {
        match Self::open_existing(path) {
            // A damaged journal has no say in whose index this is.
            Ok(writer) if journal.damage.is_some() || writer.position()?.journal == journal.id() => {
                Ok((writer, Whole::default()))
            }
            Err(error) if !is_replaceable(&error) => Err(error),
            _ => Self::rebuild(path, journal),
        }
    }

    fn open_existing(path: &Path) -> Result<Self, IndexError> {
        let place = Place::File(path.to_owned());
        let inode = place.inode()?;
        let connection = schema::connect(&place, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        schema::check(&connection)?;
        let writer = Self { place, inode, connection };
        writer.position()?;
        Ok(writer)
    }

    /// Makes the index from the journal; the old one stays until the new one is whole.
    pub(crate) fn rebuild(path: &Path, journal: &Journal) -> Result<(Self, Whole), IndexError> {
        let (temporary, whole) = Self::fold_whole(path, journal)?;
        Ok((Self::replace(path, &temporary)?, whole))
    }

    /// As [`IndexWriter::rebuild`], but where something is wrong with the journal an index that can be read stays.
    ///
    /// How far it had got may be the only thing that still shows a loss.
    pub(crate) fn rebuild_from_good(path: &Path, journal: &Journal) -> Result<(Self, Whole), IndexError> {
        let (temporary, mut whole) = Self::fold_whole(path, journal)?;
        if let Some(damage) = &journal.damage
            && whole.problems.is_empty()
        {
            whole.problems.push(damage.clone());
        }
        if !whole.problems.is_empty()
            && let Ok(writer) = Self::open_existing(path)
        {
            fs::remove_file(&temporary)?;
            whole.problems.push(
                "the index that was there is left as it was, because it may show what is lost".to_owned(),
            );
            return Ok((writer, whole));
        }
        Ok((Self::replace(path, &temporary)?, whole))
    }

    /// Makes an index in memory, where none can be opened on disk. It is folded anew, so it says the same.
    pub(crate) fn in_memory(journal: &Journal) -> Result<Self, IndexError> {
        let place = Place::memory();
        let (connection, _) = fold_into(&place, journal)?;
        // From now on a fold that fails is taken back; and no reader waits before the commit.
        connection.execute_batch("PRAGMA journal_mode = MEMORY; PRAGMA cache_spill = OFF;")?;
        Ok(Self { place, inode: 0, connection })
    }

    /// Returns how far the index at `path` has got, if it can be read.
    pub(crate) fn position_at(path: &Path) -> Option<Position> {
        Self::open_existing(path)
            .and_then(|writer| writer.position())
            .ok()
            .or_else(|| Self::position_of_immutable(path))
    }

    /// Returns how far the index at `path` has got, without writing anything; its log is left out of account.
    pub(crate) fn position_of_immutable(path: &Path) -> Option<Position> {
        schema::position(&place::open_immutable(path)?).ok()
    }

    /// Returns where it lies.
    pub(crate) const fn place(&self) -> &Place {
        &self.place
    }

    /// Folds the whole journal into a new file beside the index.
    fn fold_whole(path: &Path, journal: &Journal) -> Result<(PathBuf, Whole), IndexError> {
        let temporary = path.with_extension("db.tmp");
        let _ = fs::remove_file(&temporary);
        let folded = fold_into(&Place::File(temporary.clone()), journal).and_then(|(connection, whole)| {
            connection.close().map_err(|(_, source)| source)?;
            fs::File::open(&temporary)?.sync_all()?;
            Ok(whole)
        });
        if folded.is_err() {
            // It must not take the space that it lacked.
            let _ = fs::remove_file(&temporary);
        }
        Ok((temporary, folded?))
    }

    fn replace(path: &Path, temporary: &Path) -> Result<Self, IndexError> {
        // The log of the old database must not be taken for the new one's.
        for old in ["db", "db-wal", "db-shm"] {
            match fs::remove_file(path.with_extension(old)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
                _ => {}
            }
        }
        fs::rename(temporary, path)?;
        host::file::sync_folder(path.parent().unwrap_or(path))?;
        Self::open_existing(path)
    }

    /// Returns how far the index has got.
    pub(crate) fn position(&self) -> Result<Position, IndexError> {
        schema::position(&self.connection)
    }

    /// Returns the last number of a subject.
    pub(crate) fn head(&self, subject: &str) -> Result<u64, IndexError> {
        Ok(lookup::head(&self.connection, subject)?.unwrap_or_default())
    }

    /// Opens the file again if another process has replaced it.
    pub(crate) fn renew(&mut self, journal: &Journal) -> Result<(), IndexError> {
        if let Place::File(path) = &self.place
            && self.place.inode().ok() != Some(self.inode)
        {
            (*self, _) = Self::open(&path.clone(), journal)?;
        }
        Ok(())
    }

    /// Folds entries; `commit` is given the transaction to be committed.
    pub(crate) fn fold(
        &mut self,
        lines: &[Line],
        commit: impl FnOnce(rusqlite::Transaction<'_>) -> rusqlite::Result<()>,
    ) -> Result<(), IndexError> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        fold(&transaction, lines)?;
        host::failpoint::pass("index.update")?;
        commit(transaction)?;
        host::failpoint::pass("index.updated")?;
        Ok(())
    }

    /// Moves the write-ahead log into the database once it is long. Slow: no lookup may wait for it.
    pub(crate) fn tidy(&self) {
        const LOG_BYTES_MAX: u64 = 4 << 20;
        let Place::File(path) = &self.place else { return };
        let log = fs::metadata(path.with_extension("db-wal")).map_or(0, |metadata| metadata.len());
        if log > LOG_BYTES_MAX {
            // It is tried again after the next batch; nothing depends on it.
            let _ = self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
        }
    }
}

/// Makes an index of the whole journal at a place where there is none.
fn fold_into(place: &Place, journal: &Journal) -> Result<(Connection, Whole), IndexError> {
    let mut connection = schema::create(place, journal.id())?;
    let mut waiting = Vec::new();
    let whole = journal.after(0, |line| {
        waiting.push(line);
        if waiting.len() == N_FOLDED_AT_ONCE {
            fold_all(&mut connection, &mut waiting)?;
        }
        Ok(())
    })?;
    fold_all(&mut connection, &mut waiting)?;
    Ok((connection, whole))
}

fn fold_all(connection: &mut Connection, waiting: &mut Vec<Line>) -> io::Result<()> {
    let transaction = connection.transaction().map_err(io::Error::other)?;
    fold(&transaction, waiting).map_err(io::Error::other)?;
    transaction.commit().map_err(io::Error::other)?;
    waiting.clear();
    Ok(())
}

/// Returns whether a new index may take the place of one that failed so.
fn is_replaceable(error: &IndexError) -> bool {
    match error {
        IndexError::Io { source } => source.kind() == io::ErrorKind::NotFound,
        error => error.is_corrupt(),
    }
}
