//! The journal and the index as their one writer has them; everything here happens under both locks.

use std::collections::HashMap;
use std::path::Path;

use super::{Item, Shared};
use crate::access::Access;
use crate::error::{IndexError, WriteError};
use crate::index::{IndexWriter, Place, Position};
use crate::journal::{Journal, Line, Numbered, SEGMENT_BYTES_MAX, Whole, hash_at};

/// What is appended with one write, beyond which the next begins: a segment is never much longer than its bound.
const BATCH_BYTES_MAX: usize = SEGMENT_BYTES_MAX as usize;

/// Entries that lookups see without an index; about 64 MB of memory.
const N_BEHIND_MAX: usize = 65_536;

/// How far the index has come.
#[derive(Debug)]
pub(crate) enum Caught {
    /// It has everything.
    Up,
    /// It could not take what is new; lookups see that through the overlay.
    Behind { source: IndexError },
}

/// What became of an item.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// It is in the journal.
    Appended { last_seq: u64 },
    /// Its subject had moved on.
    Moved { subject: String, at: u64 },
}

#[derive(Debug)]
pub(crate) struct Desk {
    pub(crate) journal: Journal,
    index: IndexWriter,
    /// The last numbers of subjects in entries that the index could not take.
    behind: HashMap<String, u64>,
}

impl Desk {
    /// Opens journal and index and lets the index catch up. The caller holds the file lock.
    pub(crate) fn open(home: &Path, access: &Access) -> Result<Self, IndexError> {
        if let Access::Read { .. } = access {
            return Self::open_to_read(home);
        }
        let mut journal = Journal::open(home)?;
        let index = match Self::open_index(home, &mut journal) {
            // The disk may be full: what is held can be looked up all the same, and listed whole.
            Err(error) if !error.is_corrupt() => {
                tracing::warn!(%error, "the index on disk cannot be used");
                if let Some(position) = IndexWriter::position_of_immutable(&home.join("index.db")) {
                    compare(&mut journal, &home.join("journal"), &position);
                }
                IndexWriter::in_memory(&journal)?
            }
            opened => opened?,
        };
        Ok(Self::new(journal, index))
    }

    /// Opens the journal and makes an index in memory, without a lock: others may append meanwhile.
    fn open_to_read(home: &Path) -> Result<Self, IndexError> {
        // Asked before the journal is read, so that the journal cannot be the one that is behind.
        let position = IndexWriter::position_of_immutable(&home.join("index.db"));
        let mut journal = Journal::open_to_read(home)?;
        if let Some(position) = position {
            compare(&mut journal, &home.join("journal"), &position);
        }
        let index = IndexWriter::in_memory(&journal)?;
        Ok(Self::new(journal, index))
    }

    fn new(journal: Journal, index: IndexWriter) -> Self {
        Self { journal, index, behind: HashMap::new() }
    }

    fn open_index(home: &Path, journal: &mut Journal) -> Result<IndexWriter, IndexError> {
        let (mut index, _) = IndexWriter::open(&home.join("index.db"), journal)?;
        compare(journal, &home.join("journal"), &index.position()?);
        mend_tail(journal);
        let lines = unfolded(journal, &index)?;
        if !lines.is_empty() {
            index.fold(&lines, |transaction| transaction.commit())?;
        }
        Ok(index)
    }

    /// Returns where the index lies.
    pub(crate) fn place(&self) -> Place {
        self.index.place().clone()
    }

    /// Makes the index anew from the journal, unless that would hide a loss. The caller holds the file lock.
    pub(crate) fn rebuild(home: &Path) -> Result<(Self, Whole), IndexError> {
        let mut journal = Journal::open(home)?;
        let path = home.join("index.db");
        // Another journal's index shows nothing about this one.
        if let Some(position) = IndexWriter::position_at(&path)
            && position.journal == journal.id()
        {
            compare(&mut journal, &home.join("journal"), &position);
        }
        journal.mend_tail()?;
        let (index, whole) = IndexWriter::rebuild_from_good(&path, &journal)?;
        Ok((Self::new(journal, index), whole))
    }

    /// Returns how many entries the index has.
    pub(crate) fn n_folded(&self) -> Result<u64, IndexError> {
        Ok(self.index.position()?.seq)
    }

    /// Makes a corrupt index anew. One that may show what a damaged journal has lost stays, and gives no answers.
    pub(crate) fn rebuild_index(&mut self, shared: &Shared) -> Result<(), IndexError> {
        let Place::File(path) = self.place() else {
            return Err(IndexError::Damaged { place: "a row in memory".to_owned() });
        };
        if self.journal.damage.is_some() && IndexWriter::position_at(&path).is_some() {
            return Err(IndexError::Damaged { place: "a row, and the journal is damaged too".to_owned() });
        }
        let (index, _) = IndexWriter::rebuild(&path, &self.journal)?;
        self.index = index;
        self.behind.clear();
        shared.overlay_mut().retire();
        Ok(())
    }

    /// Reads what others appended and folds what is not folded yet.
    pub(crate) fn catch_up(&mut self, shared: &Shared) -> Result<Caught, IndexError> {
        self.journal.refresh()?;
        mend_tail(&mut self.journal);
        self.index.renew(&self.journal)?;
        shared.index.renew();
        let lines = unfolded(&self.journal, &self.index)?;
        self.fold_or_fall_behind(shared, &lines)
    }

    /// Folds everything that the journal has and the index does not.
    ///
    /// Where the index cannot take it, because its disk is full, lookups see it through the overlay meanwhile.
    fn fold_or_fall_behind(&mut self, shared: &Shared, lines: &[Line]) -> Result<Caught, IndexError> {
        let caught = match self.fold(shared, lines) {
            Ok(()) => {
                // What waited may have been folded by somebody else.
                shared.overlay_mut().retire();
                self.behind.clear();
                Caught::Up
            }
            Err(source) if source.is_corrupt() => return Err(source),
            Err(source) => {
                // Asked again: it may have failed after the commit.
                let lines = unfolded(&self.journal, &self.index)?;
                if lines.len() > N_BEHIND_MAX {
                    return Err(source);
                }
                shared.overlay_mut().fall_behind(&lines);
                self.behind = lines.into_iter().map(|line| (line.subject, line.subject_seq)).collect();
                Caught::Behind { source }
            }
        };
        shared.note_folded(self.journal.stamp());
        Ok(caught)
    }

    /// Appends what waits. Each item's outcome is told through `done`, in order.
    ///
    /// An index that could not take what is in the journal keeps nobody from appending: it catches up later.
    pub(crate) fn append(
        &mut self,
        shared: &Shared,
        items: &mut Vec<Item>,
        mut done: impl FnMut(Item, Outcome),
    ) -> Result<(), WriteError> {
        // Without it the subjects' numbers are not known.
        match self.catch_up(shared) {
            Err(source) if source.is_corrupt() => self.rebuild_index(shared).map_err(index_failed)?,
            caught => report_behind(caught.map_err(index_failed)?),
        }
        while !items.is_empty() {
            let (outcomes, lines) = self.append_some(items)?;
            let appended: Vec<Item> = items.drain(..outcomes.len()).collect();
            shared.overlay_mut().note_appended(appended.last().map_or(0, |item| item.upto));
            let folded = self.take_up(shared, lines);
            // Answered only now, so that whoever appended sees it.
            for (item, outcome) in appended.into_iter().zip(outcomes) {
                done(item, outcome);
            }
            if let Err(source) = folded {
                // It is durable, and seen through the overlay; the next append finds out what can be done.
                tracing::warn!(error = %source, "the index could not take what is in the journal");
            }
        }
        self.index.tidy();
        Ok(())
    }

    /// Folds what was just appended, and what the index could not take before.
    fn take_up(&mut self, shared: &Shared, mut lines: Vec<Line>) -> Result<(), IndexError> {
        if !self.behind.is_empty() {
            lines = unfolded(&self.journal, &self.index)?;
        }
        self.fold_or_fall_behind(shared, &lines).map(report_behind)
    }

    /// Appends with one write as many items as fit; returns what became of each of them.
    fn append_some(&mut self, items: &[Item]) -> Result<(Vec<Outcome>, Vec<Line>), WriteError> {
        let mut heads: HashMap<String, u64> = HashMap::new();
        let mut entries = Vec::new();
        let mut outcomes = Vec::new();
        let mut n_bytes = 0;
        for item in items {
            if n_bytes > BATCH_BYTES_MAX {
                break;
            }
            if let Some((subject, expected)) =
                item.guarded.as_ref().and_then(|guarded| guarded.expect.as_ref())
            {
                let at = self.head(&mut heads, subject)?;
                if at != *expected {
                    outcomes.push(Outcome::Moved { subject: subject.clone(), at });
                    continue;
                }
            }
            for draft in &item.drafts {
                let subject_seq = self.head(&mut heads, &draft.subject)? + 1;
                heads.insert(draft.subject.clone(), subject_seq);
                n_bytes += draft.payload.get().len();
                entries.push(Numbered { draft, subject_seq });
            }
            outcomes.push(Outcome::Appended { last_seq: self.journal.seq + entries.len() as u64 });
        }
        let lines = if entries.is_empty() { Vec::new() } else { self.journal.append(&entries)? };
        Ok((outcomes, lines))
    }

    fn head(&self, heads: &mut HashMap<String, u64>, subject: &str) -> Result<u64, WriteError> {
        if let Some(head) = heads.get(subject) {
            return Ok(*head);
        }
        let head = match self.behind.get(subject) {
            Some(head) => *head,
            None => self.index.head(subject).map_err(index_failed)?,
        };
        heads.insert(subject.to_owned(), head);
        Ok(head)
    }

    /// Folds entries and forgets what waited for it, in one step that no lookup can see half of.
    fn fold(&mut self, shared: &Shared, lines: &[Line]) -> Result<(), IndexError> {
        if lines.is_empty() {
            return Ok(());
        }
        // In memory a lookup waits for the whole transaction, so it must not hold what the commit waits for.
        let held = matches!(self.index.place(), Place::Memory(_)).then(|| shared.overlay_mut());
        self.index.fold(lines, |transaction| {
            let mut overlay = held.unwrap_or_else(|| shared.overlay_mut());
            transaction.commit()?;
            overlay.retire();
            Ok(())
        })
    }
}

/// Returns what the journal has and the index does not.
fn unfolded(journal: &Journal, index: &IndexWriter) -> Result<Vec<Line>, IndexError> {
    let folded = index.position()?.seq;
    let mut lines = Vec::new();
    if folded < journal.seq {
        journal.after(folded, |line| {
            lines.push(line);
            Ok(())
        })?;
    }
    Ok(lines)
}

/// Mends the end of the journal if the disk lets it. If not, it is tried again before the next append, which fails.
fn mend_tail(journal: &mut Journal) {
    if let Err(error) = journal.mend_tail() {
        tracing::warn!(%error, "could not mend the end of the journal");
    }
}

/// Stops writing if an index has seen entries that the journal does not have any more.
fn compare(journal: &mut Journal, folder: &Path, position: &Position) {
    if journal.damage.is_some() || position.seq == 0 {
        return;
    }
    if position.seq > journal.seq {
        journal.damage =
            Some(format!("it ends with entry {}, and entry {} had been written", journal.seq, position.seq));
        return;
    }
    let hash = if position.seq == journal.seq { Some(journal.hash) } else { hash_at(folder, position.seq) };
    if hash.is_some_and(|hash| hash != position.hash) {
        journal.damage = Some(format!("entry {} is another than was written", position.seq));
    }
}

fn report_behind(caught: Caught) {
    if let Caught::Behind { source } = caught {
        tracing::warn!(error = %source, "the index is behind the journal");
    }
}

fn index_failed(source: IndexError) -> WriteError {
    WriteError::Index { source: std::sync::Arc::new(source) }
}
