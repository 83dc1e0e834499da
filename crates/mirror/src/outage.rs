//! How the journal says that a repository cannot be asked for, and that it can be again.

use model::{Event, RepoId, Timestamp};
use store::Entry;

use crate::outcome::Outage;

/// Says that a repository could not be asked for.
pub(crate) fn down(repo: &RepoId, at: Timestamp, reason: String, outage: Outage) -> Event {
    let (host, what, is_absent) = (repo.host().to_owned(), lane(repo), outage == Outage::Absent);
    Event::Down { host, what, since: at, until: at, reason, is_absent }
}

/// Says that it answers.
pub(crate) fn up(repo: &RepoId, at: Timestamp) -> Event {
    Event::Up { host: repo.host().to_owned(), what: lane(repo), at }
}

/// How an upstream is that gives nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standstill<'a> {
    /// Since when.
    pub since: Timestamp,
    /// Why, by now.
    pub reason: &'a str,
    /// Whether it says that the repository is not there, or not for us.
    pub is_absent: bool,
}

/// Returns since when a repository cannot be asked for, and why not by now, by what [`store::Store::outages`] returns.
pub fn outage<'a>(outages: &'a [Entry], repo: &RepoId) -> Option<Standstill<'a>> {
    let what_of_it = lane(repo);
    let mut told = outages.iter().filter_map(|entry| match &entry.event {
        Event::Down { host, what, since, reason, is_absent, .. }
            if host == repo.host() && *what == what_of_it =>
        {
            Some(Standstill { since: *since, reason, is_absent: *is_absent })
        }
        _ => None,
    });
    let first = told.next()?;
    Some(Standstill { since: first.since, ..told.next_back().unwrap_or(first) })
}

/// Returns what of its host a repository is.
fn lane(repo: &RepoId) -> String {
    format!("git {}", &repo.as_str()[repo.host().len()..])
}
