//! Where the copies of a fresh room lie: on disk, or in memory where they are known to fit.
//!
//! In memory they are written and removed without waiting for a disk, which is half of what a replay costs more than
//! the build itself. A recorded run with copies of its own tells how much space that takes; of another it is guessed from what it
//! fetched. A drill that fails while memory ran short says nothing, so that it is held again on disk.

use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use model::Record;
use sandbox::memory;

use crate::tasks::room::Order;

/// A replay may need more than the recorded run did: another order of the same work, other temporary files.
const TIMES_RECORDED: u64 = 2;
/// What a run makes of what it fetches: packed in a cache, unpacked, and built.
const TIMES_FETCHED: u64 = 8;
/// A run that fetches little may build much; few build more than this.
const GUESSED_BYTES_MIN: u64 = 2 << 30;
/// And a little more at the least.
const ADDED_BYTES: u64 = 64 << 20;
/// At most one part in so many of what is free is counted on; the rest is for the build's own programs.
const PART_OF_FREE: u64 = 2;
/// With less than this left, a command may have been refused space.
const SHORT_BYTES: u64 = 256 << 20;
/// How often it is looked how much is left.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Where copies lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Space {
    Disk,
    Memory,
}

impl Space {
    /// Chooses for a replay of a run whose copies take so much. A folder that the caller names is used.
    pub(crate) fn for_replay(order: &Order, copies_bytes: u64) -> Self {
        let is_named = order.variable("TMPDIR").is_some_and(|folder| !folder.is_empty());
        if !is_named && fits(copies_bytes, memory::free_bytes()) && memory::can_carry() {
            Self::Memory
        } else {
            Self::Disk
        }
    }

    /// Returns the folder in which the copies lie: not in a home folder, which they cover.
    pub(crate) fn folder(self, order: &Order, homes: &[PathBuf]) -> PathBuf {
        let is_outside =
            |folder: &PathBuf| folder.is_dir() && !homes.iter().any(|home| folder.starts_with(home));
        let in_memory = (self == Self::Memory).then(|| PathBuf::from(memory::FOLDER));
        let named = order.variable("TMPDIR").map(PathBuf::from).filter(|folder| folder.is_absolute());
        in_memory
            .into_iter()
            .chain(named)
            .chain([PathBuf::from("/var/tmp"), PathBuf::from("/tmp")])
            .find(is_outside)
            .unwrap_or_else(|| PathBuf::from("/tmp"))
    }
}

/// Returns how much the copies of a recorded run's replay are expected to take.
pub(crate) fn expected_bytes(record: &Record) -> u64 {
    let fetched_bytes: u64 = record.objects.iter().map(|object| object.size_bytes).sum();
    record.copies_bytes.unwrap_or_else(|| fetched_bytes.saturating_mul(TIMES_FETCHED).max(GUESSED_BYTES_MIN))
}

fn fits(copies_bytes: u64, free_bytes: u64) -> bool {
    let needed = copies_bytes.saturating_mul(TIMES_RECORDED).saturating_add(ADDED_BYTES);
    needed <= free_bytes / PART_OF_FREE && free_bytes / PART_OF_FREE > SHORT_BYTES
}

/// Looks, as long as it is polled, whether memory runs short for copies that lie in `scratch`; it never ends.
pub(crate) async fn watch(scratch: Option<&Path>, is_short: &AtomicBool) -> Infallible {
    if scratch != Some(Path::new(memory::FOLDER)) {
        return std::future::pending().await;
    }
    let mut every = tokio::time::interval(LOOK_EVERY);
    loop {
        every.tick().await;
        if memory::free_bytes() < SHORT_BYTES {
            is_short.store(true, Ordering::Relaxed);
            return std::future::pending().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_fit_where_twice_their_size_is_half_of_what_is_free() {
        let check = |copies: u64, free: u64, expected: bool| {
            assert_eq!(fits(copies << 20, free << 20), expected, "{copies} MB of {free} MB");
        };
        check(400, 8000, true);
        check(400, 1728, true);
        check(400, 1727, false);
        check(1, 500, false);
        check(u64::MAX >> 20, u64::MAX >> 20, false);
        check(0, 0, false);
    }
}
