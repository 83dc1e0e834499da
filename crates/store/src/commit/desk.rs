//! The journal and the index as their one writer has them; everything here happens under both locks.

use std::collections::HashMap;
use std::path::Path;

use super::{Item, Shared};
use crate::error::{AppendError, IndexError, WriteError};
use crate::index::IndexWriter;
use crate::journal::{Journal, Line, Numbered, SEGMENT_BYTES_MAX, Whole, hash_at};

/// What is appended with one write, beyond which the next begins: a segment is never much longer than its bound.
const BATCH_BYTES_MAX: usize = SEGMENT_BYTES_MAX as usize;

#[derive(Debug)]
pub(crate) struct Desk {
    pub(crate) journal: Journal,
    index: IndexWriter,
}

impl Desk {
    /// Opens journal and index and lets the index catch up. The caller holds the file lock.
    pub(crate) fn open(home: &Path) -> Result<Self, IndexError> {
        let folder = home.join("journal");
        let journal = Journal::open(&folder)?;
        let (index, _) = IndexWriter::open(&home.join("index.db"), &journal)?;
        let mut desk = Self { journal, index };
        desk.compare_with_index(&folder)?;
        desk.journal.mend_tail()?;
        desk.fold_journal(|transaction| transaction.commit())?;
        Ok(desk)
    }

    /// Makes the index anew from the journal. The caller holds the file lock.
    pub(crate) fn rebuild(home: &Path) -> Result<(Self, Whole), IndexError> {
        let mut journal = Journal::open(&home.join("journal"))?;
        journal.mend_tail()?;
        let (index, whole) = IndexWriter::rebuild(&home.join("index.db"), &journal)?;
        Ok((Self { journal, index }, whole))
    }

    /// Returns how many entries the index has.
    pub(crate) fn n_folded(&self) -> Result<u64, IndexError> {
        Ok(self.index.position()?.seq)
    }

    pub(crate) fn rebuild_index(&mut self, shared: &Shared) -> Result<(), IndexError> {
        let (index, _) = IndexWriter::rebuild(&shared.home.join("index.db"), &self.journal)?;
        self.index = index;
        shared.overlay_mut().retire();
        Ok(())
    }

    /// Reads what others appended and folds what is not folded yet.
    pub(crate) fn catch_up(&mut self, shared: &Shared) -> Result<(), IndexError> {
        self.journal.refresh()?;
        self.journal.mend_tail()?;
        self.index.renew(&self.journal)?;
        self.fold_journal(|transaction| retire(shared, transaction))?;
        // What waited may have been folded by somebody else.
        shared.overlay_mut().retire();
        shared.note_folded(self.journal.stamp());
        Ok(())
    }

    /// Appends what waits. Each item's outcome is told through `done`, in order, as soon as it is durable.
    pub(crate) fn append(
        &mut self,
        shared: &Shared,
        items: &mut Vec<Item>,
        mut done: impl FnMut(Item),
    ) -> Result<(), WriteError> {
        self.catch_up(shared).map_err(index_failed)?;
        while !items.is_empty() {
            let (n_items, lines) = self.append_some(items)?;
            let mut upto = 0;
            for item in items.drain(..n_items) {
                upto = item.upto;
                done(item);
            }
            shared.overlay_mut().note_appended(upto);
            self.index.fold(&lines, |transaction| retire(shared, transaction)).map_err(index_failed)?;
            shared.note_folded(self.journal.stamp());
        }
        self.index.tidy();
        Ok(())
    }

    /// Appends with one write as many items as fit, and answers those who lost a race or won one.
    fn append_some(&mut self, items: &[Item]) -> Result<(usize, Vec<Line>), WriteError> {
        let mut heads: HashMap<String, u64> = HashMap::new();
        let mut entries = Vec::new();
        let mut n_items = 0;
        let mut n_bytes = 0;
        let mut answers = Vec::new();
        for item in items {
            if n_bytes > BATCH_BYTES_MAX {
                break;
            }
            n_items += 1;
            if let Some(guarded) = &item.guarded {
                if let Some((subject, expected)) = &guarded.expect {
                    let at = self.head(&mut heads, subject)?;
                    if at != *expected {
                        // He may be gone; then nobody wants to know.
                        let _ = guarded.answer.send(Err(AppendError::Moved { subject: subject.clone(), at }));
                        continue;
                    }
                }
                answers.push((guarded, entries.len() + item.drafts.len()));
            }
            for draft in &item.drafts {
                let subject_seq = self.head(&mut heads, &draft.subject)? + 1;
                heads.insert(draft.subject.clone(), subject_seq);
                n_bytes += draft.payload.get().len();
                entries.push(Numbered { draft, subject_seq });
            }
        }
        let before = self.journal.seq;
        let lines = if entries.is_empty() { Vec::new() } else { self.journal.append(&entries)? };
        for (guarded, n_entries) in answers {
            let _ = guarded.answer.send(Ok(before + n_entries as u64));
        }
        Ok((n_items, lines))
    }

    fn head(&self, heads: &mut HashMap<String, u64>, subject: &str) -> Result<u64, WriteError> {
        if let Some(head) = heads.get(subject) {
            return Ok(*head);
        }
        let head = self.index.head(subject).map_err(index_failed)?;
        heads.insert(subject.to_owned(), head);
        Ok(head)
    }

    /// Stops writing if the index has seen entries that the journal does not have any more.
    fn compare_with_index(&mut self, folder: &Path) -> Result<(), IndexError> {
        let position = self.index.position()?;
        if self.journal.damage.is_some() || position.seq == 0 {
            return Ok(());
        }
        if position.seq > self.journal.seq {
            self.journal.damage = Some(format!(
                "it ends with entry {}, and entry {} had been written",
                self.journal.seq, position.seq
            ));
        } else if hash_at(folder, position.seq).is_some_and(|hash| hash != position.hash) {
            self.journal.damage = Some(format!("entry {} is another than was written", position.seq));
        }
        Ok(())
    }

    fn fold_journal(
        &mut self,
        commit: impl FnOnce(rusqlite::Transaction<'_>) -> rusqlite::Result<()>,
    ) -> Result<(), IndexError> {
        let folded = self.index.position()?.seq;
        if folded >= self.journal.seq {
            return Ok(());
        }
        let mut lines = Vec::new();
        self.journal.after(folded, |line| {
            lines.push(line);
            Ok(())
        })?;
        self.index.fold(&lines, commit)
    }
}

/// Commits and forgets what waited for it in one step that no lookup can see half of.
fn retire(shared: &Shared, transaction: rusqlite::Transaction<'_>) -> rusqlite::Result<()> {
    let mut overlay = shared.overlay_mut();
    transaction.commit()?;
    overlay.retire();
    Ok(())
}

fn index_failed(source: IndexError) -> WriteError {
    WriteError::Index { source: std::sync::Arc::new(source) }
}
