//! Reads every byte again: blobs against their names, the journal against its chain, and what it names against what is
//! there.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use model::{Event, Sha256};
use serde::Serialize;

use crate::blob::{BlobFault, fault_of, hash_file};
use crate::error::WriteError;
use crate::journal;
use crate::regular;
use crate::store::Store;

/// How far a verification has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VerifyProgress {
    /// Blobs read so far.
    pub checked: u64,
    /// Blobs in all.
    pub n_blobs: u64,
    /// Bytes read so far.
    pub size_bytes: u64,
}

/// What a verification found; `verify` of the interface.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct VerifyReport {
    /// Blobs that were read and hashed.
    pub checked: u64,
    /// Blobs that are damaged or missing.
    pub n_damaged: u64,
    /// Blobs that nothing in the journal names; a crash may leave some, and they do no harm.
    pub n_unnamed: u64,
    /// Damaged blobs that are needed no more, because something else is held in their place.
    pub n_replaced: u64,
    /// Bytes that were hashed.
    pub size_bytes: u64,
    /// Each damaged or missing blob.
    pub damaged: Vec<Damaged>,
    /// What is wrong with the journal, in words for a person.
    pub journal: Vec<String>,
}

impl VerifyReport {
    /// Returns whether nothing is wrong.
    pub fn is_good(&self) -> bool {
        self.n_damaged == 0 && self.journal.is_empty()
    }
}

/// A blob that is not what was kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Damaged {
    /// Its name.
    pub sha256: Sha256,
    /// What is wrong.
    pub fault: BlobFault,
    /// Who needs it: keys of objects, `run <id>`.
    pub belongs_to: Vec<String>,
    /// Where a folder lies in its place; anything else is replaced when the bytes come again, this a person has to move.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub obstructed: Option<PathBuf>,
}

/// Why a store could not be verified.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// The disk failed.
    #[error("could not read the store")]
    Io {
        /// The system's reason.
        #[from]
        source: io::Error,
    },
    /// What waits could not be written, so that nothing can be said about it.
    #[error("could not write what waits")]
    Waiting {
        /// The reason.
        source: WriteError,
    },
}

#[derive(Debug, Default)]
struct Named {
    size_bytes: Option<u64>,
    subjects: Vec<String>,
    /// Whether something else is held in its place.
    is_replaced: bool,
}

impl Named {
    /// Returns whether nobody misses it.
    fn is_given_up(&self) -> bool {
        self.is_replaced && self.subjects.is_empty()
    }
}

/// Notes which blobs an event needs, and which it needs no more.
fn name(named: &mut BTreeMap<Sha256, Named>, event: &Event) {
    for need in event.needs() {
        let named = named.entry(need.sha256).or_default();
        named.size_bytes = named.size_bytes.or(need.size_bytes);
        if let Err(place) = named.subjects.binary_search(&need.subject) {
            named.subjects.insert(place, need.subject);
        }
    }
    if let Event::Replaced { packs, .. } = event {
        let subject = event.subject();
        for sha256 in packs {
            let Some(named) = named.get_mut(sha256) else { continue };
            named.subjects.retain(|other| *other != subject);
            named.is_replaced = true;
        }
    }
}

impl Store {
    /// Verifies everything. The store may be written to meanwhile.
    ///
    /// What a blob belongs to and how long it must be is read from the journal, not from the index.
    pub fn verify(&self, progress: &mut dyn FnMut(VerifyProgress)) -> Result<VerifyReport, VerifyError> {
        match self.flush() {
            // That is what is to be found out.
            Ok(()) | Err(WriteError::Damaged { .. }) => {}
            Err(source) => return Err(VerifyError::Waiting { source }),
        }
        let folder = self.home().join("journal");
        let (current, damage) = self.shared().locked(|desk| {
            desk.journal.refresh()?;
            let current = match regular::read(&folder.join("current.jsonl")) {
                Err(error) if error.kind() == io::ErrorKind::NotFound || regular::is_other(&error) => None,
                read => Some(read?),
            };
            io::Result::Ok((current, desk.journal.damage.clone()))
        })?;
        let mut named: BTreeMap<Sha256, Named> = BTreeMap::new();
        let whole = journal::read_whole(&folder, current.as_deref(), |line| {
            line.event().iter().for_each(|event| name(&mut named, event));
            Ok(())
        })?;
        let mut report = VerifyReport {
            checked: 0,
            n_damaged: 0,
            n_unnamed: 0,
            n_replaced: 0,
            size_bytes: 0,
            damaged: Vec::new(),
            journal: whole.problems,
        };
        // Seen when the store was opened: an end that is missing leaves nothing that could be seen now.
        if let Some(damage) = damage
            && report.journal.is_empty()
        {
            report.journal.push(damage);
        }
        self.verify_blobs(named, &mut report, progress)?;
        Ok(report)
    }

    fn verify_blobs(
        &self,
        mut named: BTreeMap<Sha256, Named>,
        report: &mut VerifyReport,
        progress: &mut dyn FnMut(VerifyProgress),
    ) -> Result<(), VerifyError> {
        let mut blobs = Vec::new();
        self.shared().folder.each_blob(|sha256, path| {
            blobs.push((sha256, path.to_owned()));
            Ok(())
        })?;
        let n_blobs = blobs.len() as u64;
        hash_all(&blobs, |sha256, hashed| {
            let size_bytes = hashed.as_ref().map_or(0, |(_, size_bytes)| *size_bytes);
            report.checked += 1;
            report.size_bytes += size_bytes;
            let about = named.remove(&sha256);
            report.n_unnamed += u64::from(about.is_none());
            let about = about.unwrap_or_default();
            let is_whole = hashed.as_ref().is_ok_and(|(found, _)| *found == sha256);
            report.n_replaced += u64::from(!is_whole && about.is_given_up());
            if !is_whole && !about.is_given_up() {
                self.shared().note_damage(sha256);
                let fault = match hashed {
                    Err(error) if regular::is_other(&error) => BlobFault::Missing,
                    _ => fault_of(size_bytes, about.size_bytes),
                };
                let path = self.shared().folder.path(&sha256);
                let obstructed = Some(path).filter(|path| path.is_dir() && !path.is_symlink());
                report.damaged.push(Damaged { sha256, fault, belongs_to: about.subjects, obstructed });
            }
            progress(VerifyProgress { checked: report.checked, n_blobs, size_bytes: report.size_bytes });
        });
        for (sha256, about) in named.into_iter().filter(|(_, about)| !about.is_given_up()) {
            // Not in the list above, and there now: it was written meanwhile.
            if self.shared().folder.size_bytes(&sha256).is_none() {
                let (fault, belongs_to) = (BlobFault::Missing, about.subjects);
                report.damaged.push(Damaged { sha256, fault, belongs_to, obstructed: None });
            }
        }
        report.damaged.sort_by_key(|damaged| damaged.sha256);
        report.n_damaged = report.damaged.len() as u64;
        Ok(())
    }
}

/// Hashes files on every core.
fn hash_all(blobs: &[(Sha256, PathBuf)], mut found: impl FnMut(Sha256, io::Result<(Sha256, u64)>)) {
    /// Beyond this the disk is what one waits for.
    const N_THREADS_MAX: usize = 8;
    let n_threads = std::thread::available_parallelism().map_or(1, usize::from).min(N_THREADS_MAX);
    let next = AtomicUsize::new(0);
    let (sender, receiver) = std::sync::mpsc::sync_channel(64);
    std::thread::scope(|scope| {
        for _ in 0..n_threads {
            let sender = sender.clone();
            let next = &next;
            scope.spawn(move || {
                while let Some((sha256, path)) = blobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if sender.send((*sha256, hash_file(path))).is_err() {
                        return;
                    }
                }
            });
        }
        drop(sender);
        for (sha256, hashed) in receiver {
            found(sha256, hashed);
        }
    });
}
