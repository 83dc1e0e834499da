//! Brings a second copy up to date: what its journal does not have yet, and the blobs that those lines name.

use std::collections::HashSet;
use std::io;

use model::{Event, Sha256};
use serde::Serialize;

use super::heal::Bounded;
use super::{CopyError, Head, Look, Part, SecondCopy};
use crate::blob::{BlobError, BlobReader};
use crate::index::n_since;
use crate::journal::{self, Header, Line, Scan};
use crate::regular;
use crate::store::Store;

/// So many blobs share their syncs; that many bytes are enough for one batch.
const N_BATCH_MAX: usize = 256;
const BATCH_BYTES_MAX: u64 = 64 << 20;
/// So many blobs are asked about at a time.
const N_ASKED_MAX: usize = 4096;
/// So much is read back at a time, unless one blob alone is longer: nobody hears anything of the other side meanwhile.
const READ_BACK_BYTES_MAX: u64 = 1 << 30;
/// So many are fetched back each time, unless they are longer.
const N_FETCHED_BACK: usize = 4;
const FETCHED_BACK_BYTES_MAX: u64 = 16 << 20;

/// How far a second copy has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CopyProgress {
    /// The last entry that was looked at.
    pub seq: u64,
    /// The last entry there is.
    pub last_seq: u64,
    /// Blobs that were given to it.
    pub n_blobs: u64,
    /// Their bytes.
    pub size_bytes: u64,
}

/// What a second copy was given.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct CopyReport {
    /// Where it lies.
    pub to: String,
    /// It has everything up to this entry.
    pub seq: u64,
    /// Entries that it did not have before.
    pub n_entries: u64,
    /// Blobs that it was given.
    pub n_blobs: u64,
    /// Their bytes.
    pub size_bytes: u64,
    /// Blobs of its own that were damaged or missing, and are whole now.
    pub n_healed: u64,
    /// Blobs that are damaged or missing here, and that it does not have either.
    pub damaged: Vec<Sha256>,
}

impl Store {
    /// Returns the id of this store's journal, which a copy of it has, too.
    pub fn journal_id(&self) -> Result<String, CopyError> {
        self.shared().locked(|desk| Ok(desk.journal.id().to_owned()))
    }

    /// Brings a second copy up to date; broken off at any moment, the next one goes on. This store may be written to meanwhile.
    ///
    /// Then, unless only what is new is looked at, it is asked for every blob that it should have, and given what it lacks; with
    /// [`Look::Whole`] it reads all of them back. At last some of them are fetched back, whatever it says of itself.
    ///
    /// # Errors
    /// `Diverged` where the copy has entries that are not here; then nothing was changed there.
    pub fn copy_to(
        &self,
        to: &dyn SecondCopy,
        look: Look,
        progress: &mut dyn FnMut(CopyProgress),
    ) -> Result<CopyReport, CopyError> {
        self.flush()?;
        // Chosen before the end is: what others add from then on is not carried this time.
        let chosen = self.chosen()?;
        // Asked for first: meanwhile others may carry there what this one has not read yet.
        let head = to.head()?;
        let (open, last_seq) = self.open_segment()?;
        let closed = self.closed_since(&open, head.as_ref().map_or(1, |head| head.segment))?;
        let mut carrier = Carrier {
            store: self,
            known: 0,
            to,
            progress,
            at: CopyProgress { last_seq, ..CopyProgress::default() },
            report: CopyReport::default(),
            seen: HashSet::new(),
        };
        carrier.report.to = carrier.to.place();
        for (index, name) in closed.iter().enumerate() {
            let next = match closed.get(index + 1) {
                Some(next) => self.header_of(next)?,
                None => header_line(&open),
            };
            carrier.closed(head.as_ref(), name, &next)?;
        }
        carrier.open(head.as_ref(), &open)?;
        if look != Look::New {
            carrier.heal(&self.needed()?, look)?;
        }
        carrier.fetch_back(&chosen)?;
        Ok(CopyReport { seq: last_seq, n_entries: last_seq - carrier.known, ..carrier.report })
    }

    /// Chooses a few blobs that are not long.
    fn chosen(&self) -> Result<Vec<Sha256>, CopyError> {
        let mut chosen = Vec::new();
        for _ in 0..N_FETCHED_BACK {
            let Some(sha256) = self.any_needed()? else { break };
            if self.blob_size(&sha256)?.is_none_or(|size_bytes| size_bytes <= FETCHED_BACK_BYTES_MAX) {
                chosen.push(sha256);
            }
        }
        Ok(chosen)
    }

    /// Returns how much has happened here that a second copy does not have.
    ///
    /// # Errors
    /// `Diverged` where it has entries that are not here.
    pub fn n_behind(&self, copy: &dyn SecondCopy) -> Result<u64, CopyError> {
        let Some(head) = copy.head()? else { return Ok(self.list(|connection| n_since(connection, 0))?) };
        let (open, _) = self.open_segment()?;
        let begun = match self.closed_since(&open, head.segment)?.first() {
            None => open,
            Some(name) => self.closed_segment(name)?.1,
        };
        let known = check_begun(copy, &head, &begun)?;
        Ok(self.list(|connection| n_since(connection, known))?)
    }

    /// Returns how many blobs a second copy should have and does not; it looks whether they are there.
    pub fn n_absent(&self, copy: &dyn SecondCopy) -> Result<u64, CopyError> {
        let mut n_absent = 0;
        for some in self.needed()?.chunks(N_ASKED_MAX) {
            n_absent += copy.missing(some, Look::There, 0)?.len() as u64;
        }
        Ok(n_absent)
    }

    /// Returns a closed segment, compressed and not.
    fn closed_segment(&self, name: &Sha256) -> Result<(Vec<u8>, Vec<u8>), CopyError> {
        let packed = regular::read(&journal::closed_path(&self.home().join("journal"), name))?;
        let (found, bytes) = journal::unpack_closed(&packed);
        let bytes = bytes.map_err(|error| damaged(&format!("segment {name}: {error}")))?;
        match found == *name {
            true => Ok((packed, bytes)),
            false => Err(damaged(&format!("segment {name} is not what was written"))),
        }
    }

    /// Returns the bytes of the open segment, which are whole entries, and the number of the last.
    fn open_segment(&self) -> Result<(Vec<u8>, u64), CopyError> {
        self.shared().locked(|desk| {
            desk.journal.refresh()?;
            desk.journal.mend_tail()?;
            if let Some(reason) = &desk.journal.damage {
                return Err(CopyError::Journal { reason: reason.clone() });
            }
            Ok((regular::read(&self.home().join("journal/current.jsonl"))?, desk.journal.seq))
        })
    }

    /// Returns the closed segments from a number on, oldest first.
    fn closed_since(&self, open: &[u8], number: u64) -> Result<Vec<Sha256>, CopyError> {
        let mut names = Vec::new();
        let mut header = Scan::of(open).header.ok_or_else(|| damaged("current.jsonl has no first line"))?;
        while header.segment > number {
            let name = header.previous.ok_or_else(|| damaged("a segment names none before it"))?;
            names.push(name);
            header = self.header(&name)?;
        }
        names.reverse();
        Ok(names)
    }

    fn header(&self, name: &Sha256) -> Result<Header, CopyError> {
        journal::read_header(&journal::closed_path(&self.home().join("journal"), name))
            .ok_or_else(|| damaged(&format!("segment {name} is missing or damaged")))
    }

    fn header_of(&self, name: &Sha256) -> Result<Vec<u8>, CopyError> {
        Ok(self.header(name)?.encode()?)
    }
}

/// What is under way.
struct Carrier<'a> {
    store: &'a Store,
    to: &'a dyn SecondCopy,
    progress: &'a mut dyn FnMut(CopyProgress),
    at: CopyProgress,
    /// The last entry that the copy had before.
    known: u64,
    report: CopyReport,
    /// Blobs that were looked at.
    seen: HashSet<Sha256>,
}

impl Carrier<'_> {
    /// Carries a closed segment over, which the copy does not have, or has open.
    fn closed(&mut self, head: Option<&Head>, name: &Sha256, next: &[u8]) -> Result<(), CopyError> {
        let (packed, bytes) = self.store.closed_segment(name)?;
        let scan = Scan::of(&bytes);
        if !scan.problems.is_empty() {
            return Err(damaged(&format!("segment {name} is not what was written")));
        }
        let number = scan.header.as_ref().map_or(0, |header| header.segment);
        self.check_begun(head, number, &bytes)?;
        self.blobs(&bytes, &scan)?;
        self.to.append(Part::Closed { name, packed: &packed, next })
    }

    /// Carries over what follows in the open segment.
    fn open(&mut self, head: Option<&Head>, bytes: &[u8]) -> Result<(), CopyError> {
        let scan = Scan::of(bytes);
        let number = scan.header.as_ref().map_or(0, |header| header.segment);
        if head.is_some_and(|head| head.segment > number) {
            return Err(CopyError::Diverged { place: self.to.place() });
        }
        self.check_begun(head, number, bytes)?;
        self.blobs(bytes, &scan)?;
        let offset = match head.filter(|head| head.segment == number) {
            Some(head) => head.size_bytes,
            // The segments before brought this one's first line along.
            None if number > 1 => header_line(bytes).len() as u64,
            None => 0,
        };
        let rest = &bytes[usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len())..];
        if rest.is_empty() { Ok(()) } else { self.to.append(Part::Open { offset, bytes: rest }) }
    }

    /// Refuses a copy whose open segment is not the beginning of this store's own.
    fn check_begun(&mut self, head: Option<&Head>, number: u64, bytes: &[u8]) -> Result<(), CopyError> {
        if let Some(head) = head.filter(|head| head.segment == number) {
            self.known = check_begun(self.to, head, bytes)?;
        }
        Ok(())
    }

    /// Gives the copy what a segment's entries name and it does not have.
    fn blobs(&mut self, bytes: &[u8], scan: &Scan) -> Result<(), CopyError> {
        let mut batch = Vec::new();
        for (range, link) in &scan.lines {
            self.at.seq = link.seq;
            if link.seq <= self.known {
                continue;
            }
            let line = Line::parse(&bytes[range.clone()]).map_err(io::Error::from)?;
            for sha256 in line.event().as_ref().map(named).unwrap_or_default() {
                if self.seen.insert(sha256) {
                    batch.push(sha256);
                }
                if batch.len() == N_BATCH_MAX {
                    self.give(&std::mem::take(&mut batch), Look::There, 0)?;
                }
            }
        }
        self.give(&batch, Look::There, 0)
    }

    /// Gives the copy what it should have and has not, or not whole.
    fn heal(&mut self, needed: &[Sha256], look: Look) -> Result<(), CopyError> {
        let n_before = self.report.n_blobs;
        // What is damaged here was told of above, where it is new.
        let told: HashSet<Sha256> = self.report.damaged.iter().copied().collect();
        let needed: Vec<Sha256> = needed.iter().filter(|sha256| !told.contains(sha256)).copied().collect();
        let mut rest = &*needed;
        while !rest.is_empty() {
            let (n, size_bytes) = self.portion(rest, look)?;
            self.give(&rest[..n], look, size_bytes)?;
            rest = &rest[n..];
        }
        self.report.n_healed = self.report.n_blobs - n_before;
        Ok(())
    }

    /// Returns how many of some blobs are asked about at a time, and how much is read for that; one at least.
    fn portion(&self, blobs: &[Sha256], look: Look) -> Result<(usize, u64), CopyError> {
        if look != Look::Whole {
            return Ok((blobs.len().min(N_ASKED_MAX), 0));
        }
        let mut all_bytes = 0;
        for (n, sha256) in blobs.iter().take(N_BATCH_MAX).enumerate() {
            // How long they were is not known of the records of old runs, which are short.
            let size_bytes = self.store.blob_size(sha256)?.unwrap_or(0);
            if n > 0 && all_bytes + size_bytes > READ_BACK_BYTES_MAX {
                return Ok((n, all_bytes));
            }
            all_bytes += size_bytes;
        }
        Ok((blobs.len().min(N_BATCH_MAX), all_bytes))
    }

    /// Fetches blobs back, and compares them with their names.
    fn fetch_back(&mut self, chosen: &[Sha256]) -> Result<(), CopyError> {
        for sha256 in chosen {
            if self.report.damaged.contains(sha256) {
                continue;
            }
            let mut bytes = Vec::new();
            match self.to.get(sha256, &mut Bounded { to: &mut bytes, n_left: FETCHED_BACK_BYTES_MAX }) {
                Ok(()) if Sha256::of(&bytes) == *sha256 => {}
                Ok(()) => return Err(CopyError::Wrong { place: self.to.place(), sha256: *sha256 }),
                // It could not be given what is damaged here, now or an earlier time.
                Err(CopyError::Missing { .. }) if !self.store.is_whole(sha256) => {
                    self.report.damaged.push(*sha256);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Gives the copy those of some blobs that it does not have.
    fn give(&mut self, blobs: &[Sha256], look: Look, size_bytes: u64) -> Result<(), CopyError> {
        let missing = self.to.missing(blobs, look, size_bytes)?;
        let (mut batch, mut n_bytes) = (Vec::new(), 0);
        for sha256 in missing {
            match self.store.open_blob(&sha256) {
                Ok(reader) => {
                    n_bytes += reader.size_bytes();
                    batch.push(reader);
                }
                Err(BlobError::Io { source }) => return Err(source.into()),
                // What nobody needs any more is nobody's loss.
                Err(_) if self.store.belongs_to(&sha256)?.is_empty() => {}
                Err(_) => self.report.damaged.push(sha256),
            }
            if n_bytes >= BATCH_BYTES_MAX || batch.len() == N_BATCH_MAX {
                self.put(std::mem::take(&mut batch))?;
                n_bytes = 0;
            }
        }
        self.put(batch)?;
        (self.progress)(self.at);
        Ok(())
    }

    fn put(&mut self, batch: Vec<BlobReader>) -> Result<(), CopyError> {
        let sizes: Vec<(Sha256, u64)> = batch.iter().map(|blob| (blob.sha256(), blob.size_bytes())).collect();
        let unread = self.to.put(batch)?;
        for (sha256, size_bytes) in sizes {
            if unread.contains(&sha256) {
                self.report.damaged.push(sha256);
                continue;
            }
            self.report.n_blobs += 1;
            self.report.size_bytes += size_bytes;
        }
        (self.at.n_blobs, self.at.size_bytes) = (self.report.n_blobs, self.report.size_bytes);
        (self.progress)(self.at);
        Ok(())
    }
}

/// Returns the blobs that must be there before an entry is: also one that was damaged when the copy was made, and came again.
fn named(event: &Event) -> Vec<Sha256> {
    match event {
        Event::Confirmed { sha256, .. } | Event::Healed { sha256, .. } => vec![*sha256],
        _ => event.needs().iter().map(|need| need.sha256).collect(),
    }
}

/// Refuses a copy whose open segment is not the beginning of `bytes`; returns the number of its last entry, whatever it says.
fn check_begun(copy: &dyn SecondCopy, head: &Head, bytes: &[u8]) -> Result<u64, CopyError> {
    let diverged = || CopyError::Diverged { place: copy.place() };
    let begun = usize::try_from(head.size_bytes).ok().and_then(|length| bytes.get(..length));
    let begun = begun.filter(|begun| Sha256::of(begun) == head.sha256).ok_or_else(diverged)?;
    let scan = Scan::of(begun);
    let first = scan.header.as_ref().map(|header| header.first_seq - 1);
    scan.last().map(|link| link.seq).or(first).ok_or_else(diverged)
}

fn header_line(segment: &[u8]) -> Vec<u8> {
    let end = memchr::memchr(b'\n', segment).map_or(segment.len(), |end| end + 1);
    segment[..end].to_vec()
}

fn damaged(reason: &str) -> CopyError {
    CopyError::Journal { reason: reason.to_owned() }
}
