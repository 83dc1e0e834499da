//! How the journal says that a repository cannot be asked for, and that it can be again.

use model::{Event, RepoId, Timestamp};
use store::Entry;

/// Says that a repository could not be asked for.
pub(crate) fn down(repo: &RepoId, at: Timestamp, reason: String) -> Event {
    Event::Down { host: repo.host().to_owned(), what: lane(repo), since: at, until: at, reason }
}

/// Says that it answers.
pub(crate) fn up(repo: &RepoId, at: Timestamp) -> Event {
    Event::Up { host: repo.host().to_owned(), what: lane(repo), at }
}

/// Returns since when a repository cannot be asked for, and why not by now, by what [`store::Store::outages`] returns.
pub fn outage<'a>(outages: &'a [Entry], repo: &RepoId) -> Option<(Timestamp, &'a str)> {
    let what_of_it = lane(repo);
    let mut told = outages.iter().filter_map(|entry| match &entry.event {
        Event::Down { host, what, since, reason, .. } if host == repo.host() && *what == what_of_it => {
            Some((*since, reason.as_str()))
        }
        _ => None,
    });
    let (since, first) = told.next()?;
    Some((since, told.next_back().map_or(first, |(_, reason)| reason)))
}

/// Returns what of its host a repository is.
fn lane(repo: &RepoId) -> String {
    format!("git {}", &repo.as_str()[repo.host().len()..])
}
