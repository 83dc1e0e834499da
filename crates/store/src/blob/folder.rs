//! The folder `blobs/`: where each blob lies, and the steps from a temporary file to a durable blob.

use std::collections::{BTreeSet, HashSet};
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use host::failpoint;
use host::file::sync_folder;
use model::{Sha256, Sha256Hasher};

use super::BlobFault;
use crate::access::Access;
use crate::regular;

/// Files and folders are synced by as many threads: all of an fsync is waiting, and file systems and disks commit at once
/// whatever they are asked for at the same time.
const N_SYNC_THREADS: usize = 16;
/// Things to sync that are worth a thread.
const N_PER_THREAD_MIN: usize = 4;
const CHUNK_BYTES: usize = 128 * 1024;

/// How far a blob has come on its way to being durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// All bytes are in the temporary file.
    Written,
    /// An fsync failed: the kernel may have dropped the bytes and forgotten about it, so they are written anew.
    Suspect,
    /// The temporary file is durable.
    Synced,
    /// It lies under its final name, or lay there before; the folder may not be durable.
    Renamed,
}

/// A blob that is not durable yet.
#[derive(Debug, Clone)]
pub(crate) struct Temporary {
    pub(crate) sha256: Sha256,
    pub(crate) size_bytes: u64,
    pub(crate) path: PathBuf,
    pub(crate) stage: Stage,
}

#[derive(Debug)]
pub(crate) struct Folder {
    root: PathBuf,
    /// The file that is locked by whoever sweeps.
    lock: PathBuf,
    /// Made for the first blob: whoever only reads needs no space.
    temporaries: Mutex<Option<Temporaries>>,
    n_temporaries: AtomicU64,
    /// Folders whose own entry is known to be durable.
    durable: Mutex<HashSet<PathBuf>>,
}

/// This store's own temporary folder. Its `alive` file is locked for as long as the store is open, which also holds
/// across containers that cannot see each other's process ids.
#[derive(Debug)]
struct Temporaries {
    path: PathBuf,
    _alive: File,
}

impl Folder {
    /// Opens `blobs/` and sweeps the temporaries of the dead. The caller holds the journal's lock.
    pub(crate) fn open(home: &Path, access: &Access) -> io::Result<Self> {
        let root = home.join("blobs");
        if matches!(access, Access::Write) {
            host::file::create_folder(&root)?;
            sweep(&root)?;
        }
        Ok(Self {
            root,
            lock: home.join("journal/lock"),
            temporaries: Mutex::default(),
            n_temporaries: AtomicU64::new(0),
            durable: Mutex::default(),
        })
    }

    /// Returns where a blob lies.
    pub(crate) fn path(&self, sha256: &Sha256) -> PathBuf {
        let hex = sha256.to_string();
        self.root.join(&hex[..2]).join(&hex[2..4]).join(&hex)
    }

    /// Returns the length of a blob that lies under its final name.
    pub(crate) fn size_bytes(&self, sha256: &Sha256) -> Option<u64> {
        let metadata = fs::symlink_metadata(self.path(sha256)).ok()?;
        metadata.is_file().then_some(metadata.len())
    }

    /// Makes a new temporary file. The caller does not hold the journal's lock.
    pub(crate) fn temporary(&self) -> io::Result<(PathBuf, File)> {
        let number = self.n_temporaries.fetch_add(1, Ordering::Relaxed);
        let path = self.temporaries()?.join(number.to_string());
        let file = File::options().read(true).write(true).create_new(true).open(&path)?;
        Ok((path, file))
    }

    /// Returns the temporary folder, which is made under the journal's lock, so that nobody sweeps it half made.
    fn temporaries(&self) -> io::Result<PathBuf> {
        let mut temporaries = self.temporaries.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(made) = &*temporaries {
            return Ok(made.path.clone());
        }
        let lock = File::options().read(true).write(true).open(&self.lock)?;
        lock.lock()?;
        let name = format!("tmp-{}-{:08x}", std::process::id(), u32::from_be_bytes(host::random::bytes()));
        let path = self.root.join(name);
        fs::create_dir(&path)?;
        let alive = File::create(path.join("alive")).and_then(|alive| alive.lock().map(|()| alive));
        if alive.is_err() {
            // What is left of it is swept by whoever opens the store next.
            let _ = fs::remove_dir_all(&path);
        }
        *temporaries = Some(Temporaries { path: path.clone(), _alive: alive? });
        Ok(path)
    }

    /// Makes blobs durable: each file synced, each renamed, each folder synced once. Notes how far each came.
    ///
    /// What lies there already and is right stays; only its folder is synced, since another process may have put it there
    /// a moment ago. What lies there and is wrong is replaced.
    pub(crate) fn commit(&self, blobs: &mut [Temporary]) -> io::Result<()> {
        let mut waiting: Vec<&mut Temporary> =
            blobs.iter_mut().filter(|blob| blob.stage != Stage::Renamed).collect();
        for blob in waiting.iter().filter(|blob| blob.stage == Stage::Written) {
            if let Ok(file) = File::open(&blob.path) {
                host::file::begin_writing(&file);
            }
        }
        at_once(&mut waiting, |blob| {
            self.sync(blob)?;
            if blob.stage == Stage::Renamed { Ok(()) } else { self.rename(blob) }
        })?;
        self.sync_folders(blobs.iter().map(|blob| &blob.sha256))
    }

    fn sync(&self, blob: &mut Temporary) -> io::Result<()> {
        if blob.stage == Stage::Written && self.is_held(&blob.sha256, blob.size_bytes) {
            // A leftover is swept when the store is opened next.
            let _ = fs::remove_file(&blob.path);
            blob.stage = Stage::Renamed;
            return Ok(());
        }
        if blob.stage == Stage::Suspect {
            self.write_anew(blob)?;
        }
        if blob.stage == Stage::Written {
            if let Err(error) = File::open(&blob.path).and_then(|file| file.sync_data()) {
                blob.stage = Stage::Suspect;
                return Err(error);
            }
            failpoint::pass("blob.synced")?;
            blob.stage = Stage::Synced;
        }
        Ok(())
    }

    /// Returns whether a blob lies under its name. Its bytes are read: a length is right in a flipped file, too, and new bytes
    /// may be the only good ones there ever will be.
    pub(crate) fn is_held(&self, sha256: &Sha256, size_bytes: u64) -> bool {
        self.size_bytes(sha256) == Some(size_bytes)
            && hash_file(&self.path(sha256)).is_ok_and(|(found, _)| found == *sha256)
    }

    fn write_anew(&self, blob: &mut Temporary) -> io::Result<()> {
        let mut from = File::open(&blob.path)?;
        let (path, mut to) = self.temporary()?;
        let mut hasher = Sha256Hasher::new();
        let copied = each_chunk(&mut from, |chunk| {
            hasher.update(chunk);
            to.write_all(chunk)
        });
        if let Err(error) = copied {
            let _ = fs::remove_file(&path);
            return Err(error);
        }
        if hasher.finish() != blob.sha256 {
            let _ = fs::remove_file(&path);
            return Err(io::Error::other("a temporary file was lost by the disk"));
        }
        let _ = fs::remove_file(std::mem::replace(&mut blob.path, path));
        blob.stage = Stage::Written;
        Ok(())
    }

    fn rename(&self, blob: &mut Temporary) -> io::Result<()> {
        let path = self.path(&blob.sha256);
        let leaf = path.parent().unwrap_or(&self.root);
        if !leaf.is_dir() {
            fs::create_dir_all(leaf).map_err(|error| obstructed(error, leaf, "is no folder"))?;
        }
        match fs::rename(&blob.path, &path) {
            // An attempt before got this far.
            Err(error)
                if error.kind() == io::ErrorKind::NotFound
                    && self.size_bytes(&blob.sha256) == Some(blob.size_bytes) => {}
            renamed => renamed.map_err(|error| obstructed(error, &path, "is a folder"))?,
        }
        failpoint::pass("blob.renamed")?;
        blob.stage = Stage::Renamed;
        Ok(())
    }

    fn sync_folders<'a>(&self, names: impl Iterator<Item = &'a Sha256>) -> io::Result<()> {
        let mut leaves = BTreeSet::new();
        let mut parents = BTreeSet::new();
        let mut durable = self.durable.lock().unwrap_or_else(PoisonError::into_inner);
        for name in names {
            let hex = name.to_string();
            let above = self.root.join(&hex[..2]);
            let leaf = above.join(&hex[2..4]);
            if !durable.contains(&leaf) {
                parents.insert(above);
            }
            leaves.insert(leaf);
        }
        let mut folders: Vec<&Path> = leaves.iter().chain(&parents).map(PathBuf::as_path).collect();
        at_once(&mut folders, |folder| sync_folder(folder))?;
        if !parents.is_empty() {
            sync_folder(&self.root)?;
        }
        durable.extend(leaves);
        failpoint::pass("blob.folder_synced")
    }

    /// Calls back with every file that has a blob's name and place.
    pub(crate) fn each_blob(&self, mut found: impl FnMut(Sha256, &Path) -> io::Result<()>) -> io::Result<()> {
        for first in folders_of_two(&self.root)? {
            for second in folders_of_two(&first)? {
                for file in fs::read_dir(&second)? {
                    let path = file?.path();
                    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
                    if let Ok(sha256) = name.parse()
                        && self.path(&sha256) == path
                    {
                        found(sha256, &path)?;
                    }
                }
            }
        }
        Ok(())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let temporaries = self.temporaries.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(made) = temporaries {
            // What is left of it is swept by whoever opens the store next.
            let _ = fs::remove_dir_all(&made.path);
        }
    }
}

/// Returns the digest and the length of a file.
pub(crate) fn hash_file(path: &Path) -> io::Result<(Sha256, u64)> {
    let mut hasher = Sha256Hasher::new();
    let mut size_bytes = 0;
    each_chunk(&mut regular::open(path)?, |chunk| {
        hasher.update(chunk);
        size_bytes += chunk.len() as u64;
        Ok(())
    })?;
    Ok((hasher.finish(), size_bytes))
}

/// Returns what is wrong with a blob that has other bytes than its name says.
pub(crate) fn fault_of(size_bytes: u64, expected: Option<u64>) -> BlobFault {
    match expected {
        Some(expected) if size_bytes < expected => BlobFault::Truncated,
        // How long it was is not known of the records of old runs, and of what nobody names; of an empty file it is clear
        // all the same.
        None if size_bytes == 0 => BlobFault::Truncated,
        _ => BlobFault::Flipped,
    }
}

fn each_chunk(from: &mut File, mut take: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        match from.read(&mut chunk) {
            Ok(0) => return Ok(()),
            Ok(n) => take(&chunk[..n])?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

fn folders_of_two(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name().len() == 2 && entry.file_type()?.is_dir() {
            found.push(entry.path());
        }
    }
    found.sort();
    Ok(found)
}

/// Removes temporary folders whose owner no longer holds its lock.
fn sweep(root: &Path) -> io::Result<()> {
    for entry in fs::read_dir(root)? {
        let path = entry?.path();
        let is_temporary =
            path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with("tmp-"));
        if !is_temporary {
            continue;
        }
        let is_dead = match regular::open(&path.join("alive")) {
            Ok(alive) => alive.try_lock().is_ok(),
            // Made and locked under the journal's lock, which the caller holds: without the file its owner died before.
            Err(error) => error.kind() == io::ErrorKind::NotFound,
        };
        if is_dead {
            fs::remove_dir_all(&path)?;
        }
    }
    Ok(())
}

/// Names what lies where a blob or its folder belongs; the system's own error says neither.
fn obstructed(error: io::Error, path: &Path, what: &str) -> io::Error {
    match error.kind() {
        io::ErrorKind::IsADirectory | io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => {
            io::Error::new(io::ErrorKind::IsADirectory, format!("`{}` {what}", path.display()))
        }
        _ => error,
    }
}

/// Does the same to each of many things, by several threads where it is worth them and the system gives them; this one is always
/// one of them. Every thread is waited for; the first error is the one that is told.
fn at_once<T: Send>(things: &mut [T], act: impl Fn(&mut T) -> io::Result<()> + Sync) -> io::Result<()> {
    let n_threads = (things.len() / N_PER_THREAD_MIN).min(N_SYNC_THREADS);
    let left = Mutex::new(things.iter_mut());
    let next = || left.lock().unwrap_or_else(PoisonError::into_inner).next();
    let work = || {
        while let Some(thing) = next() {
            act(thing)?;
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let begin = || {
            // A machine that gives no more threads is slow, and loses nothing.
            failpoint::pass("blob.thread")?;
            std::thread::Builder::new().spawn_scoped(scope, work)
        };
        let threads: Vec<_> = (1..n_threads).map_while(|_| begin().ok()).collect();
        let own = work();
        let outcomes = threads.into_iter().map(|thread| thread.join().unwrap_or_else(|_| Err(panicked())));
        let outcomes: io::Result<()> = outcomes.collect();
        own.and(outcomes)
    })
}

fn panicked() -> io::Error {
    io::Error::other("a thread that syncs files panicked")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_no_thread_can_be_had_everything_is_done_all_the_same() {
        for point in ["", "blob.thread=broken+", "blob.thread=broken@3"] {
            failpoint::arm(point).unwrap();
            let mut things = vec![0; 100];
            at_once(&mut things, |thing| {
                *thing += 1;
                Ok(())
            })
            .unwrap();
            failpoint::arm("").unwrap();
            assert_eq!(things, [1; 100], "{point}");
        }
        let mut things: Vec<usize> = (0..100).collect();
        let broken = at_once(&mut things, |thing| match *thing {
            77 => Err(io::Error::other("77")),
            _ => Ok(()),
        });
        assert_eq!(broken.unwrap_err().to_string(), "77");
    }
}
