//! What was heard at the door besides requests. Each list is bounded, and says how much it left out.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use model::Refused;

/// How many of a kind are written down of one run.
const N_HEARD_MAX: usize = 10_000;

/// What was heard at the door besides requests.
#[derive(Debug, Default)]
pub(crate) struct Heard {
    refused: Mutex<List<Refused>>,
    unanswered: Mutex<List<String>>,
    distrusted: Mutex<List<String>>,
    hung_up: Mutex<List<String>>,
    passed: Mutex<List<(String, u16)>>,
}

impl Heard {
    pub(crate) fn refused(&self) -> Vec<Refused> {
        lock(&self.refused).all()
    }

    /// Names that were looked up and got no address.
    pub(crate) fn unanswered(&self) -> Vec<String> {
        lock(&self.unanswered).all()
    }

    /// Hosts whose clients said that they do not trust the run's certificate.
    pub(crate) fn distrusted(&self) -> Vec<String> {
        lock(&self.distrusted).all()
    }

    /// Hosts whose clients hung up before they asked for anything, and never said why.
    pub(crate) fn hung_up(&self) -> Vec<String> {
        let distrusted = self.distrusted();
        lock(&self.hung_up).all().into_iter().filter(|host| !distrusted.contains(host)).collect()
    }

    /// Hosts and ports to which connections were passed without being looked into.
    pub(crate) fn passed(&self) -> Vec<(String, u16)> {
        lock(&self.passed).all()
    }

    /// Returns how many refusals are not among those that are listed.
    pub(crate) fn n_refused_unlisted(&self) -> u64 {
        lock(&self.refused).n_more
    }

    /// Returns how many names are not among those that are listed.
    pub(crate) fn n_names_unlisted(&self) -> u64 {
        let names = [&self.unanswered, &self.distrusted, &self.hung_up];
        names.map(|names| lock(names).n_more).iter().sum::<u64>() + lock(&self.passed).n_more
    }

    pub(super) fn refuse(&self, refused: Refused) {
        lock(&self.refused).add(refused);
    }

    /// Notes that something was refused of which nothing is known.
    pub(super) fn refuse_more(&self) {
        lock(&self.refused).n_more += 1;
    }

    pub(super) fn leave_unanswered(&self, name: &str) {
        lock(&self.unanswered).add(name.to_owned());
    }

    pub(super) fn distrust(&self, host: &str) {
        lock(&self.distrusted).add(host.to_owned());
    }

    pub(super) fn hang_up(&self, host: &str) {
        lock(&self.hung_up).add(host.to_owned());
    }

    pub(super) fn pass(&self, host: &str, port: u16) {
        lock(&self.passed).add((host.to_owned(), port));
    }
}

/// Each thing once, and how many were too many; those are counted each time.
#[derive(Debug)]
struct List<T> {
    all: BTreeSet<T>,
    n_more: u64,
}

impl<T> Default for List<T> {
    fn default() -> Self {
        Self { all: BTreeSet::new(), n_more: 0 }
    }
}

impl<T: Ord + Clone> List<T> {
    fn add(&mut self, one: T) {
        if self.all.len() < N_HEARD_MAX || self.all.contains(&one) {
            self.all.insert(one);
        } else {
            self.n_more += 1;
        }
    }

    fn all(&self) -> Vec<T> {
        self.all.iter().cloned().collect()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_beyond_the_bound_is_counted() {
        let heard = Heard::default();
        for n in 0..N_HEARD_MAX {
            heard.leave_unanswered(&n.to_string());
        }
        heard.leave_unanswered("0");
        assert_eq!((heard.unanswered().len(), heard.n_names_unlisted()), (N_HEARD_MAX, 0));
        heard.leave_unanswered("one more");
        heard.refuse_more();
        assert_eq!((heard.unanswered().len(), heard.n_names_unlisted()), (N_HEARD_MAX, 1));
        assert_eq!((heard.refused().len(), heard.n_refused_unlisted()), (0, 1));
    }
}
