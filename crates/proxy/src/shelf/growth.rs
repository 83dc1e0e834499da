//! Notices that somebody has appended to the journal, this process or another of the same home.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::session::lock;

/// How often is looked: what others kept has to be given out within a second, and a look is a call of the system.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Generations of the journal, the first of which is 1.
#[derive(Debug)]
pub(crate) struct Growth {
    generation: AtomicU64,
    /// On the clock that begins with the process, in nanoseconds.
    next_look: AtomicU64,
    last: Mutex<Look>,
}

#[derive(Debug, Default)]
struct Look {
    stamp: Option<(u64, u64)>,
    /// Whether this stamp was new when it was looked last.
    was_new: bool,
}

impl Default for Growth {
    fn default() -> Self {
        Self { generation: AtomicU64::new(1), next_look: AtomicU64::default(), last: Mutex::default() }
    }
}

impl Growth {
    /// Returns the generation, and looks first where that is due.
    pub(crate) fn generation(&self, now: Duration, stamp: impl FnOnce() -> Option<(u64, u64)>) -> u64 {
        let nanoseconds = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let due = self.next_look.load(Ordering::Relaxed);
        let next = nanoseconds(now + LOOK_EVERY);
        let is_mine = nanoseconds(now) >= due
            && self.next_look.compare_exchange(due, next, Ordering::AcqRel, Ordering::Relaxed).is_ok();
        if is_mine {
            let mut last = lock(&self.last);
            let stamp = stamp();
            let is_new = last.stamp != stamp;
            // Whoever appends may still be folding what the stamp shows already: once more at the next look.
            if is_new || last.was_new {
                self.generation.fetch_add(1, Ordering::AcqRel);
            }
            *last = Look { stamp, was_new: is_new };
        }
        self.generation.load(Ordering::Acquire)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growth_is_a_new_generation_and_once_more() {
        let growth = Growth::default();
        let at = |n_looks: u32, length: u64| growth.generation(n_looks * LOOK_EVERY, || Some((1, length)));
        let begun = at(0, 10);
        assert_eq!((at(0, 20), at(0, 20)), (begun, begun), "nobody looks so soon");
        assert_eq!([at(1, 20), at(2, 20), at(3, 20), at(4, 20)].map(|it| it - begun), [1, 2, 2, 2]);
        assert_eq!([at(5, 30), at(6, 40), at(7, 40), at(8, 40)].map(|it| it - begun), [3, 4, 5, 5]);
    }
}
