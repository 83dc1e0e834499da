//! Remembers which files were hashed, and in which state each of them was: one that is in the same state still need not be read again.

use std::collections::HashMap;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::time::Duration;

use model::{Sha256, Timestamp};

/// How many files are remembered; more are hashed again.
const N_FILES_MAX: usize = 4096;

/// A file system's clock may stand still for as long (FAT: 2 s): two changes within it look like one.
const TICK: Duration = Duration::from_secs(2);

/// What changes when a file does, whoever changes it: nobody can set the time of the last change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FileState {
    device: u64,
    inode: u64,
    size_bytes: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl FileState {
    pub(crate) fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size_bytes: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }

    /// Returns whether a change from now on would show.
    fn is_settled(&self, now: Timestamp) -> bool {
        let tick = i64::try_from(TICK.as_secs()).unwrap_or(i64::MAX);
        self.changed.0.saturating_add(tick) < now.as_second()
    }
}

/// The files that were found to be what they are called.
#[derive(Debug, Default)]
pub(crate) struct Hashed {
    all: HashMap<Sha256, (FileState, Duration)>,
}

impl Hashed {
    /// Returns whether a file was hashed in this state, at `since` or later.
    pub(crate) fn knows(&self, sha256: &Sha256, state: &FileState, since: Duration) -> bool {
        self.all.get(sha256).is_some_and(|(known, at)| known == state && *at >= since)
    }

    /// Takes down that a file was hashed which was in this state before and after.
    pub(crate) fn note(&mut self, sha256: Sha256, state: FileState, at: Duration, now: Timestamp) {
        if !state.is_settled(now) {
            return;
        }
        if self.all.len() >= N_FILES_MAX {
            self.all.clear();
        }
        self.all.insert(sha256, (state, at));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_known_in_the_state_in_which_it_was_hashed() {
        let state = FileState { device: 1, inode: 2, size_bytes: 3, modified: (100, 0), changed: (100, 0) };
        let (name, at) = (Sha256::of(b"a"), Duration::from_secs(60));
        let second = |second: i64| Timestamp::from_second(second).unwrap();
        let mut hashed = Hashed::default();
        hashed.note(name, state, at, second(102));
        assert!(!hashed.knows(&name, &state, Duration::ZERO), "it may have changed since in the same tick");
        hashed.note(name, state, at, second(103));
        assert!(hashed.knows(&name, &state, at));
        assert!(!hashed.knows(&name, &state, at + Duration::from_secs(1)), "too long ago");
        assert!(!hashed.knows(&Sha256::of(b"b"), &state, at));
        for other in [
            FileState { device: 0, ..state },
            FileState { inode: 0, ..state },
            FileState { size_bytes: 0, ..state },
            FileState { modified: (100, 1), ..state },
            FileState { changed: (100, 1), ..state },
        ] {
            assert!(!hashed.knows(&name, &other, at), "{other:?}");
        }
    }
}
