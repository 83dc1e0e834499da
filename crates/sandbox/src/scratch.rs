//! A folder on disk for as long as one process needs it, also if that process is killed.
//!
//! Beside the folder lies a locked file. A folder whose lock is free was left behind, and the next process that needs
//! one removes it.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use nix::fcntl::{Flock, FlockArg};
use nix::unistd::{Pid, geteuid, getpid};

const PREFIX: &str = "outlast-room-";
const LOCK: &str = ".lock";
/// A tree deeper than this is a loop or an attack.
const MAX_DEPTH: usize = 256;
/// A tree with more entries takes seconds to count.
const N_COUNTED_MAX: usize = 200_000;
const PAGE_BYTES: u64 = 4096;
const PER_ENTRY_BYTES: u64 = 1024;

/// The folder; dropped by the process that made it, it is removed.
#[derive(Debug)]
pub(crate) struct Scratch {
    folder: PathBuf,
    lock: PathBuf,
    /// A fork has the value too, and must not remove what is not its own.
    owner: Pid,
    _locked: Flock<File>,
}

impl Scratch {
    /// Makes an empty folder in `parent` that only this user can enter, after removing those left behind there and in
    /// memory: whose process was killed may have chosen the other.
    pub(crate) fn begin(parent: &Path) -> io::Result<Self> {
        remove_left_behind(parent);
        remove_left_behind(Path::new(crate::memory::FOLDER));
        loop {
            let name = format!("{PREFIX}{:016x}", u64::from_be_bytes(host::random::bytes()));
            let (folder, lock) = (parent.join(&name), parent.join(format!("{name}{LOCK}")));
            let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&lock)?;
            // Between making and locking it another process may have taken it for one left behind.
            let Ok(locked) = Flock::lock(file, FlockArg::LockExclusiveNonblock) else { continue };
            if locked.metadata()?.nlink() == 0 {
                continue;
            }
            let scratch = Self { folder, lock, owner: getpid(), _locked: locked };
            DirBuilder::new().mode(0o700).create(&scratch.folder)?;
            return Ok(scratch);
        }
    }

    /// Returns the folder.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }
}

impl Drop for Scratch {
    /// Removes the folder first and then its lock, so that a folder without a lock never stays.
    fn drop(&mut self) {
        if getpid() == self.owner && remove_tree(&self.folder) {
            let _ = fs::remove_file(&self.lock);
        }
    }
}

/// Removes scratch folders of this user whose wardens are gone.
pub(crate) fn remove_left_behind(parent: &Path) {
    let Ok(entries) = fs::read_dir(parent) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let Some(folder) =
            name.to_str().filter(|name| name.starts_with(PREFIX)).and_then(|name| name.strip_suffix(LOCK))
        else {
            continue;
        };
        let is_own =
            entry.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.uid() == geteuid().as_raw());
        let Some(file) = is_own.then(|| File::open(entry.path()).ok()).flatten() else { continue };
        if let Ok(_locked) = Flock::lock(file, FlockArg::LockExclusiveNonblock)
            && remove_tree(&parent.join(folder))
        {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Returns how much space the files of a folder take; none where there are too many to count, or one is out of reach.
pub(crate) fn size_bytes(folder: &Path) -> Option<u64> {
    let (mut n_entries, mut size) = (0, 0);
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).ok()? {
            let entry = entry.ok()?;
            let metadata = entry.metadata().ok()?;
            n_entries += 1;
            if n_entries > N_COUNTED_MAX {
                return None;
            }
            // A file in memory takes whole pages, a name half a kilobyte and more.
            size += (metadata.blocks() * 512).max(metadata.len().min(PAGE_BYTES)) + PER_ENTRY_BYTES;
            if metadata.is_dir() {
                folders.push(entry.path());
            }
        }
    }
    Some(size)
}

/// Removes a folder, also one whose folders forbid it to their own owner; returns whether it is gone.
fn remove_tree(folder: &Path) -> bool {
    let is_gone = |result: io::Result<()>| result.is_ok() || !folder.exists();
    is_gone(fs::remove_dir_all(folder)) || {
        open_up(folder, 0);
        is_gone(fs::remove_dir_all(folder))
    }
}

fn open_up(folder: &Path, depth: usize) {
    let _ = fs::set_permissions(folder, fs::Permissions::from_mode(0o700));
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if depth < MAX_DEPTH && entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            open_up(&entry.path(), depth + 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_removed_with_its_value_and_one_left_behind_with_the_next() {
        let parent =
            std::env::temp_dir().join(format!("scratch-{:x}", u64::from_be_bytes(host::random::bytes())));
        fs::create_dir(&parent).unwrap();
        let count = || fs::read_dir(&parent).unwrap().count();
        let first = Scratch::begin(&parent).unwrap();
        fs::create_dir(first.folder().join("locked")).unwrap();
        fs::set_permissions(first.folder().join("locked"), fs::Permissions::from_mode(0o000)).unwrap();
        let left = parent.join(format!("{PREFIX}0"));
        fs::create_dir(&left).unwrap();
        File::create(parent.join(format!("{PREFIX}0{LOCK}"))).unwrap();
        let second = Scratch::begin(&parent).unwrap();
        assert!(!left.exists());
        assert!(first.folder().exists(), "one in use stays");
        fs::write(second.folder().join("file"), [1; 100_000]).unwrap();
        let size = size_bytes(second.folder()).unwrap();
        assert!((100_000..200_000).contains(&size), "{size}");
        assert_eq!(size_bytes(&parent.join("nowhere")), None);
        drop((first, second));
        assert_eq!(count(), 0);
        fs::remove_dir(&parent).unwrap();
    }
}
