//! A second copy in a folder: on another disk, or in the home of another Outlast.

use std::fs::{self, File};
use std::io::{self, Read as _, Write};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use host::failpoint;
use model::Sha256;

use super::{CopyError, Head, Look, Part, SecondCopy};
use crate::access::Access;
use crate::blob::{Arriving, BlobReader, Folder, Stage, Temporary, hash_file};
use crate::journal::{self, Header, Scan, Tail};
use crate::regular;

const CHUNK_BYTES: usize = 128 * 1024;
/// No part of a journal is longer: a full segment, and the longest batch after it.
const PART_BYTES_MAX: usize = 64 << 20;

/// A folder with the second copy of a store.
#[derive(Debug)]
pub struct CopyFolder {
    path: PathBuf,
    journal: String,
    blobs: Folder,
}

impl CopyFolder {
    /// Begins a copy of the store whose journal has this id, or goes on with the one that is there.
    ///
    /// # Errors
    /// `Foreign` for a folder in which something else lies, or the copy of another store.
    pub fn create(path: &Path, journal: &str) -> Result<Self, CopyError> {
        let place = path.display().to_string();
        let is_new = match fs::read_dir(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => true,
            entries => entries.map_err(CopyError::at(&place))?.next().is_none(),
        };
        if is_new {
            host::file::create_folder(path).map_err(CopyError::at(&place))?;
            // As a home is: copies of private packages and whole command lines lie in it.
            fs::set_permissions(path, fs::Permissions::from_mode(0o700)).map_err(CopyError::at(&place))?;
            host::file::create_folder(&path.join("journal")).map_err(CopyError::at(&place))?;
        }
        Self::open(path, journal)
    }

    /// Opens a copy that was begun: a disk that is not there today must not become a new, empty copy beside its mount point.
    pub fn open(path: &Path, journal: &str) -> Result<Self, CopyError> {
        let place = path.display().to_string();
        let folder = path.join("journal");
        if !folder.is_dir() {
            let what = if path.exists() { "is a folder with something else in it" } else { "is not there" };
            return Err(CopyError::Foreign { place, what: what.to_owned() });
        }
        if let Some(link) = link_in(path).map_err(CopyError::at(&place))? {
            let link = link.strip_prefix(path).unwrap_or(&link).display().to_string();
            return Err(CopyError::Link { place, link });
        }
        let lock = lock(path).map_err(CopyError::at(&place))?;
        let blobs = Folder::open(path, &Access::Write).map_err(CopyError::at(&place))?;
        let copy = Self { path: path.to_owned(), journal: journal.to_owned(), blobs };
        copy.read_open().map(drop)?;
        drop(lock);
        Ok(copy)
    }

    fn at<E: Into<Box<dyn std::error::Error + Send + Sync>>>(&self) -> impl FnOnce(E) -> CopyError {
        let place = self.place();
        move |source| CopyError::Place { place, source: source.into() }
    }

    fn foreign(&self, what: &str) -> CopyError {
        CopyError::Foreign { place: self.place(), what: what.to_owned() }
    }

    fn current(&self) -> PathBuf {
        self.path.join("journal/current.jsonl")
    }

    /// Reads the open segment, which must be of the store that is copied, up to where a loss of power left something behind it.
    fn read_open(&self) -> Result<Option<(Header, Vec<u8>)>, CopyError> {
        let mut bytes = match regular::read(&self.current()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            read => read.map_err(self.at())?,
        };
        let damaged = || self.foreign("has a journal that is damaged");
        let scan = Scan::of(&bytes);
        let header = scan.header.ok_or_else(damaged)?;
        match scan.tail {
            Tail::Clean => {}
            Tail::Torn { start: end } | Tail::Whole { end } => bytes.truncate(end),
        }
        match header.journal == self.journal {
            true => Ok(Some((header, bytes))),
            false => Err(self.foreign("has the journal of another store")),
        }
    }

    /// Writes one blob into a temporary file; nothing where it cannot be read whole from where it comes.
    fn take(&self, mut from: BlobReader) -> Result<Option<Temporary>, CopyError> {
        let (sha256, size_bytes) = (from.sha256(), from.size_bytes());
        let (path, mut to) = self.blobs.temporary().map_err(self.at())?;
        let mut chunk = vec![0; CHUNK_BYTES];
        loop {
            match from.read(&mut chunk) {
                Ok(0) => break,
                Ok(n) => to.write_all(&chunk[..n]).map_err(self.at())?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => {
                    // A leftover is swept when the copy is opened next.
                    let _ = fs::remove_file(path);
                    return Ok(None);
                }
            }
        }
        Ok(Some(Temporary { sha256, size_bytes, path, stage: Stage::Written }))
    }

    /// Begins a blob whose bytes come from somewhere else.
    pub fn begin(&self) -> Result<Arriving, CopyError> {
        self.blobs.temporary().map(Arriving::new).map_err(self.at())
    }

    /// Takes a blob that has arrived, which must have this name: it is durable and was read back when this returns.
    pub fn finish(&self, mut blob: Arriving, sha256: &Sha256) -> Result<(), CopyError> {
        let is_it = blob.sha256() == *sha256;
        // What is not it goes with `blob`.
        match is_it.then(|| blob.give_away()).flatten() {
            Some(temporary) => self.commit(vec![temporary]),
            None => Err(CopyError::Wrong { place: self.place(), sha256: *sha256 }),
        }
    }

    /// Makes blobs durable, and reads back what lies there then.
    fn commit(&self, mut blobs: Vec<Temporary>) -> Result<(), CopyError> {
        self.blobs.commit(&mut blobs).map_err(self.at())?;
        match blobs.iter().find(|blob| !self.is_whole(&blob.sha256)) {
            None => Ok(()),
            Some(blob) => Err(CopyError::Wrong { place: self.place(), sha256: blob.sha256 }),
        }
    }

    fn is_whole(&self, sha256: &Sha256) -> bool {
        hash_file(&self.blobs.path(sha256)).is_ok_and(|(found, _)| found == *sha256)
    }

    fn append_open(&self, offset: u64, bytes: &[u8]) -> Result<(), CopyError> {
        let current = self.read_open()?.map(|(_, current)| current);
        let mut whole = current.clone().unwrap_or_default();
        if whole.len() as u64 != offset {
            return Err(CopyError::Moved { place: self.place() });
        }
        whole.extend_from_slice(bytes);
        let scan = Scan::of(&whole);
        let is_ours = scan.header.as_ref().is_some_and(|header| header.journal == self.journal);
        if !is_ours || !scan.problems.is_empty() || scan.tail != Tail::Clean || whole.len() > PART_BYTES_MAX {
            return Err(self.foreign("was given lines that do not follow its own"));
        }
        if current.is_none() {
            return host::file::write_atomically(&self.current(), bytes).map_err(self.at());
        }
        let mut file = File::options().append(true).open(self.current()).map_err(self.at())?;
        let mut write = || -> io::Result<()> {
            failpoint::pass("journal.append")?;
            // What came after the last whole entry is cut off, as the store's own journal does.
            file.set_len(offset)?;
            file.write_all(bytes)?;
            failpoint::pass("journal.appended")?;
            file.sync_all()?;
            failpoint::pass("journal.synced")
        };
        write().map_err(self.at())
    }

    fn append_closed(&self, name: &Sha256, packed: &[u8], next: &[u8]) -> Result<(), CopyError> {
        let (found, unpacked) = journal::unpack_closed(packed);
        let unpacked = unpacked.map_err(self.at())?;
        if found != *name {
            return Err(self.foreign("was given a segment that is not what its name says"));
        }
        let header = Scan::of(next).header;
        let follows = |header: &Header| header.previous == Some(*name) && header.journal == self.journal;
        let Some(header) = header.filter(follows) else {
            return Err(self.foreign("was given segments that do not follow each other"));
        };
        let folder = self.path.join("journal");
        if let Some((open, current)) = self.read_open()? {
            if open.segment >= header.segment {
                // Somebody else has closed it already.
                return match is_file(&journal::closed_path(&folder, name)) {
                    true => Ok(()),
                    false => Err(CopyError::Moved { place: self.place() }),
                };
            }
            // What is there must be the beginning of what takes its place.
            if !unpacked.starts_with(&current) {
                return Err(CopyError::Diverged { place: self.place() });
            }
        }
        if !is_file(&journal::closed_path(&folder, name)) {
            journal::write_closed(&folder, name, packed).map_err(self.at())?;
        }
        host::file::write_atomically(&self.current(), next).map_err(self.at())
    }
}

impl SecondCopy for CopyFolder {
    fn place(&self) -> String {
        self.path.display().to_string()
    }

    fn head(&self) -> Result<Option<Head>, CopyError> {
        let Some((header, bytes)) = self.read_open()? else { return Ok(None) };
        let last = Scan::of(&bytes).last().map_or(header.first_seq - 1, |link| link.seq);
        Ok(Some(Head {
            segment: header.segment,
            size_bytes: bytes.len() as u64,
            sha256: Sha256::of(&bytes),
            seq: last,
        }))
    }

    fn missing(&self, blobs: &[Sha256], look: Look, _: u64) -> Result<Vec<Sha256>, CopyError> {
        let is_there = |sha256: &Sha256| match look {
            Look::New | Look::There => self.blobs.size_bytes(sha256).is_some(),
            Look::Whole => self.is_whole(sha256),
        };
        Ok(blobs.iter().filter(|sha256| !is_there(sha256)).copied().collect())
    }

    fn put(&self, blobs: Vec<BlobReader>) -> Result<Vec<Sha256>, CopyError> {
        let (mut taken, mut unread) = (Vec::with_capacity(blobs.len()), Vec::new());
        for blob in blobs {
            let sha256 = blob.sha256();
            match self.take(blob)? {
                Some(temporary) => taken.push(temporary),
                None => unread.push(sha256),
            }
        }
        self.commit(taken)?;
        Ok(unread)
    }

    fn append(&self, part: Part<'_>) -> Result<(), CopyError> {
        let _lock = lock(&self.path).map_err(self.at())?;
        match part {
            Part::Closed { name, packed, next } => self.append_closed(name, packed, next),
            Part::Open { offset, bytes } => self.append_open(offset, bytes),
        }
    }

    fn get(&self, sha256: &Sha256, to: &mut dyn Write) -> Result<(), CopyError> {
        match regular::open(&self.blobs.path(sha256)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(CopyError::Missing { place: self.place(), sha256: *sha256 })
            }
            opened => io::copy(&mut opened.map_err(self.at())?, to).map(drop).map_err(self.at()),
        }
    }
}

/// Returns a link that lies where a folder of the copy's own belongs: what it leads to is no part of the copy.
fn link_in(path: &Path) -> io::Result<Option<PathBuf>> {
    let is_link = |path: &Path| fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_symlink());
    let (journal, blobs) = (path.join("journal"), path.join("blobs"));
    if let Some(link) = [&journal, &blobs].into_iter().find(|path| is_link(path)) {
        return Ok(Some(link.clone()));
    }
    // `blobs/ab/cd`, and no deeper.
    let mut folders = vec![blobs];
    for _ in 0..2 {
        let mut below = Vec::new();
        for folder in folders.iter().filter(|folder| folder.is_dir()) {
            for entry in fs::read_dir(folder)? {
                let entry = entry?;
                let kind = entry.file_type()?;
                if kind.is_symlink() {
                    return Ok(Some(entry.path()));
                }
                if kind.is_dir() && entry.file_name().len() == 2 {
                    below.push(entry.path());
                }
            }
        }
        folders = below;
    }
    Ok(None)
}

fn is_file(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_file())
}

/// Takes the lock under which a store's journal is written.
fn lock(path: &Path) -> io::Result<File> {
    let lock = File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path.join("journal/lock"))?;
    lock.lock()?;
    Ok(lock)
}
