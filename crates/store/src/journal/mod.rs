//! The append-only, hash-chained record: `journal/current.jsonl` and the closed segments before it.
//!
//! Several processes append to one journal. Each holds the lock on `journal/lock` while it reads what the others added,
//! appends and brings the index up to date.

mod line;
#[cfg(test)]
mod mutation;
mod segment;
mod whole;

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use host::failpoint;
use model::Sha256;

pub use line::Entry;
pub(crate) use line::{Draft, Line, event_of};
pub(crate) use segment::{Header, SEGMENT_BYTES_MAX, Scan, Tail};
pub(crate) use segment::{closed_path, read_header, unpack_closed, write_closed};
pub(crate) use whole::Whole;

use crate::error::WriteError;
use crate::regular;

/// What tells one state of the open segment from another: its inode and its length.
pub(crate) type Stamp = (u64, u64);

/// The journal as this process last saw it.
#[derive(Debug)]
pub(crate) struct Journal {
    folder: PathBuf,
    opened: Opened,
    stamp: Stamp,
    header: Header,
    tail: Tail,
    /// The last entry.
    pub(crate) seq: u64,
    pub(crate) hash: Sha256,
    /// Why nothing may be appended any more.
    pub(crate) damage: Option<String>,
}

/// What the open segment was opened for.
#[derive(Debug)]
enum Opened {
    ToAppend { file: File },
    ToRead,
}

impl Opened {
    fn file(&mut self) -> io::Result<&mut File> {
        match self {
            Self::ToAppend { file } => Ok(file),
            Self::ToRead => Err(io::ErrorKind::ReadOnlyFilesystem.into()),
        }
    }
}

/// An entry and the number it gets in its subject.
#[derive(Debug)]
pub(crate) struct Numbered<'a> {
    pub(crate) draft: &'a Draft,
    pub(crate) subject_seq: u64,
}

impl Journal {
    /// Opens the journal, or begins one. The caller holds the lock.
    pub(crate) fn open(home: &Path) -> io::Result<Self> {
        let folder = &home.join("journal");
        sweep(folder)?;
        let path = folder.join("current.jsonl");
        // An index without a journal has seen one: it is lost, and beginning another would hide that.
        let is_new = !path.exists() && segment::list(folder)?.is_empty() && !home.join("index.db").exists();
        if is_new {
            host::file::write_atomically(&path, &Header::first().encode()?)?;
        }
        // Without an open segment there is nothing to append to, but what is closed can still be read.
        let file = match Self::stamp_on_disk(folder) {
            None => File::open(folder)?,
            Some(_) => File::options().read(true).append(true).open(&path)?,
        };
        Self::read(folder, Opened::ToAppend { file })
    }

    /// Opens a journal that may not be written to; its end is not mended.
    pub(crate) fn open_to_read(home: &Path) -> io::Result<Self> {
        Self::read(&home.join("journal"), Opened::ToRead)
    }

    fn read(folder: &Path, opened: Opened) -> io::Result<Self> {
        let mut journal = Self {
            folder: folder.to_owned(),
            opened,
            stamp: (0, 0),
            header: Header::first(),
            tail: Tail::Clean,
            seq: 0,
            hash: Sha256::from_bytes([0; 32]),
            damage: None,
        };
        journal.refresh()?;
        Ok(journal)
    }

    /// Returns the journal's id.
    pub(crate) fn id(&self) -> &str {
        &self.header.journal
    }

    /// Returns the state of the open segment on disk; `None` if there is none.
    pub(crate) fn stamp_on_disk(folder: &Path) -> Option<Stamp> {
        let metadata = fs::symlink_metadata(folder.join("current.jsonl")).ok()?;
        metadata.is_file().then(|| (metadata.ino(), metadata.len()))
    }

    pub(crate) const fn stamp(&self) -> Stamp {
        self.stamp
    }

    /// Reads what others have added. The caller holds the lock.
    pub(crate) fn refresh(&mut self) -> io::Result<()> {
        let Some(stamp) = Self::stamp_on_disk(&self.folder) else {
            self.damage = Some("current.jsonl is missing".to_owned());
            return Ok(());
        };
        if stamp == self.stamp {
            return Ok(());
        }
        let path = self.folder.join("current.jsonl");
        if stamp.0 != self.stamp.0
            && let Opened::ToAppend { file } = &mut self.opened
        {
            *file = File::options().read(true).append(true).open(&path)?;
        }
        let bytes = regular::read(&path)?;
        let known = usize::try_from(self.stamp.1).unwrap_or(usize::MAX);
        let scan = if stamp.0 == self.stamp.0 && known > 0 && known <= bytes.len() {
            Scan::behind(&bytes, known, (self.seq + 1, self.hash))
        } else {
            Scan::of(&bytes)
        };
        if let Some(problem) = scan.problems.first() {
            self.damage = Some(format!("current.jsonl: {problem}"));
        }
        let (known_seq, known_hash) = (self.seq, self.hash);
        if let Some(header) = &scan.header {
            self.header = header.clone();
            (self.seq, self.hash) = (header.first_seq - 1, header.prev);
        }
        if let Some(link) = scan.last() {
            (self.seq, self.hash) = (link.seq, link.hash);
        }
        if self.seq < known_seq || (self.seq == known_seq && known_seq > 0 && self.hash != known_hash) {
            self.damage = Some(format!("entry {known_seq} was there and is not any more"));
        }
        self.tail = scan.tail;
        self.stamp = (stamp.0, bytes.len() as u64);
        Ok(())
    }

    /// Mends what a crash left at the end: cuts a torn entry off, completes a whole one. The caller holds the lock.
    pub(crate) fn mend_tail(&mut self) -> io::Result<()> {
        let Opened::ToAppend { file } = &mut self.opened else { return Ok(()) };
        if self.damage.is_some() {
            return Ok(());
        }
        match self.tail {
            Tail::Clean => return Ok(()),
            Tail::Torn { start } => {
                tracing::warn!("cut off an entry that a crash left unfinished");
                file.set_len(start as u64)?;
            }
            Tail::Whole { end } => {
                tracing::warn!("completed an entry whose line feed was missing");
                file.set_len(end as u64)?;
                file.write_all(b"\n")?;
            }
        }
        file.sync_all()?;
        // From the beginning: what was completed is an entry like any other.
        self.stamp = (self.stamp.0, 0);
        self.refresh()
    }

    /// Appends entries with one write and one fsync; all of them or none. The caller holds the lock and has refreshed.
    pub(crate) fn append(&mut self, entries: &[Numbered<'_>]) -> Result<Vec<Line>, WriteError> {
        self.mend_tail()?;
        self.check_whole()?;
        if self.stamp.1 >= SEGMENT_BYTES_MAX {
            self.close_segment()?;
        }
        let mut bytes = Vec::new();
        let mut lines = Vec::with_capacity(entries.len());
        let (mut seq, mut hash) = (self.seq, self.hash);
        for Numbered { draft, subject_seq } in entries {
            seq += 1;
            let (text, its_hash) = line::encode(draft, seq, *subject_seq, &hash).map_err(io::Error::from)?;
            hash = its_hash;
            lines.push(Line {
                seq,
                time: draft.time.to_string(),
                kind: draft.kind.clone(),
                subject: draft.subject.clone(),
                subject_seq: *subject_seq,
                payload: draft.payload.get().to_owned(),
                hash,
            });
            bytes.extend_from_slice(&text);
        }
        if let Err(error) = self.write(&bytes) {
            self.take_back();
            return Err(error.into());
        }
        self.stamp.1 += bytes.len() as u64;
        (self.seq, self.hash) = (seq, hash);
        Ok(lines)
    }

    fn check_whole(&self) -> Result<(), WriteError> {
        self.damage.as_ref().map_or(Ok(()), |reason| Err(WriteError::Damaged { reason: reason.clone() }))
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        failpoint::pass("journal.append")?;
        self.opened.file()?.write_all(bytes)?;
        failpoint::pass("journal.appended")?;
        self.opened.file()?.sync_data()?;
        failpoint::pass("journal.synced")
    }

    /// Takes a failed append back, so that it can be tried again without any entry standing twice.
    fn take_back(&mut self) {
        let size_bytes = self.stamp.1;
        let taken_back =
            self.opened.file().and_then(|file| file.set_len(size_bytes).and_then(|()| file.sync_all()));
        if let Err(error) = taken_back {
            self.damage = Some(format!("a failed append could not be taken back: {error}"));
        }
    }

    fn close_segment(&mut self) -> Result<(), WriteError> {
        let path = self.folder.join("current.jsonl");
        let bytes = regular::read(&path)?;
        let scan = Scan::of(&bytes);
        let is_whole = scan.problems.is_empty()
            && scan.tail == Tail::Clean
            && scan.last().map(|link| (link.seq, link.hash)) == Some((self.seq, self.hash));
        if !is_whole {
            self.damage = Some("current.jsonl changed since it was written".to_owned());
            return self.check_whole();
        }
        let name = segment::close(&self.folder, &bytes)?;
        let header = Header {
            format: self.header.format.clone(),
            journal: self.header.journal.clone(),
            segment: self.header.segment + 1,
            previous: Some(name),
            first_seq: self.seq + 1,
            prev: self.hash,
        };
        host::file::write_atomically(&path, &header.encode()?)?;
        self.refresh().map_err(WriteError::from)
    }

    /// Reads every entry after `seq`. The caller holds the lock.
    pub(crate) fn after(&self, seq: u64, mut entry: impl FnMut(Line) -> io::Result<()>) -> io::Result<Whole> {
        let current = regular::read(&self.folder.join("current.jsonl"));
        if let Ok(bytes) = &current
            && self.damage.is_none()
            && self.header.first_seq <= seq + 1
        {
            let scan = Scan::of(bytes);
            for (range, _) in scan.lines.into_iter().filter(|(_, link)| link.seq > seq) {
                entry(Line::parse(&bytes[range])?)?;
            }
            return Ok(Whole::default());
        }
        whole::read(
            &self.folder,
            current.ok().as_deref(),
            |line| {
                if line.seq > seq { entry(line) } else { Ok(()) }
            },
        )
    }
}

/// Reads the whole journal; see [`whole::read`].
pub(crate) fn read_whole(
    folder: &Path,
    current: Option<&[u8]>,
    entry: impl FnMut(Line) -> io::Result<()>,
) -> io::Result<Whole> {
    whole::read(folder, current, entry)
}

/// Returns the hash that the entry `seq` of the open segment has, if it is there.
pub(crate) fn hash_at(folder: &Path, seq: u64) -> Option<Sha256> {
    let bytes = regular::read(&folder.join("current.jsonl")).ok()?;
    let scan = Scan::of(&bytes);
    if let Some(header) = &scan.header
        && header.first_seq == seq + 1
    {
        return Some(header.prev);
    }
    scan.lines.iter().find(|(_, link)| link.seq == seq).map(|(_, link)| link.hash)
}

/// Removes what a crash left half written. The caller holds the lock.
fn sweep(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "tmp") {
            fs::remove_file(path)?;
        }
    }
    Ok(())
}
