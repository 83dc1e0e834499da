//! The survival matrix: what is done in a project × what may vanish, each cell proved, claimed, lost or unknown.
//!
//! For one command and one thing that may vanish, the newest evidence decides:
//! - a drill that passed within `proved_for` makes it *proved*, unless a run recorded since then took something that
//!   is not kept; a drill that passed longer ago leaves it *claimed*;
//! - a drill that failed makes it *lost*, until a run recorded since then has everything kept: then it is *claimed*;
//! - without a drill, a successful recorded run makes it *claimed* where the host is kept and *lost* where it is not;
//! - what was adopted is *claimed* where all that its locks pin is kept, and else *lost*; which command needs it, nobody said;
//! - a failed recorded run, one that fetched nothing and an inconclusive drill show nothing: *unknown*.
//!
//! A drill that cut everything speaks for `all`, and if it passed for each host the command uses. One that failed speaks
//! for `all` and for the hosts of which something was missing; without those, for the only host if there is one. A drill that cut some hosts at
//! once speaks for each of them. An observed run may have missed hosts, so it claims nothing about `all`.

mod label;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use model::{Containment, Event, Timestamp, Verdict};
use serde::{Deserialize, Serialize};

pub use label::label;

use crate::judge::quoted;

/// One entry of the journal, as far as the matrix needs it.
#[derive(Debug, Clone, Copy)]
pub struct Entry<'a> {
    /// When it was written.
    pub time: Timestamp,
    /// What it says; anything but `Ran`, `Drilled` and `Adopted` is passed over.
    pub event: &'a Event,
}

/// One cell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cell {
    /// The project's directory.
    pub thing: String,
    /// What is done there: a command's [`label()`], or [`LOCKS`].
    pub what: String,
    /// A host, or `all`.
    pub vanished: String,
    /// What is known.
    pub state: State,
    /// When the newest passed drill ended, however long ago.
    pub proved_at: Option<Timestamp>,
    /// How long recovery took then.
    pub recovered_ms: Option<u64>,
}

/// What is known about one cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Passed a drill, recently enough.
    Proved,
    /// Kept but not proved, or proved too long ago.
    Claimed,
    /// Known not to survive.
    Lost,
    /// Never seen.
    Unknown,
}

impl std::fmt::Display for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Proved => "proved",
            Self::Claimed => "claimed",
            Self::Lost => "lost",
            Self::Unknown => "unknown",
        })
    }
}

/// The name of the column in which every host vanishes at once.
const ALL: &str = "all";
/// The name of the row of what was adopted.
pub const LOCKS: &str = "locks";

/// Returns the matrix, sorted by thing, then in the order in which software is made, then `all` before the hosts.
pub fn matrix(entries: &[Entry<'_>], now: Timestamp, proved_for: Duration) -> Vec<Cell> {
    let histories = histories(entries);
    let mut n_commands: BTreeMap<(&str, String), usize> = BTreeMap::new();
    for (directory, command) in histories.keys() {
        *n_commands.entry((directory, label(command))).or_default() += 1;
    }
    let mut cells = Vec::new();
    for ((directory, command), history) in &histories {
        let label = label(command);
        // Two commands of one project with one label are two rows, or one would answer for the other.
        let what = match n_commands.get(&(*directory, label.clone())) {
            Some(0 | 1) | None => label,
            Some(_) => format!("{label} ({})", quoted(command)),
        };
        for vanished in history.columns() {
            cells.push(history.cell(directory, &what, &vanished, now, proved_for));
        }
    }
    cells.extend(adopted(entries));
    cells.sort_by_cached_key(|cell| {
        let rank = label::rank(&cell.what);
        (cell.thing.clone(), rank, cell.what.clone(), cell.vanished != ALL, cell.vanished.clone())
    });
    cells
}

/// Returns one cell for each thing that was adopted, as it was the last time.
fn adopted(entries: &[Entry<'_>]) -> impl Iterator<Item = Cell> {
    let mut states: BTreeMap<String, State> = BTreeMap::new();
    for entry in entries {
        if let Event::Adopted { thing, n_missing, .. } = entry.event {
            let state = if *n_missing == 0 { State::Claimed } else { State::Lost };
            states.insert(thing.clone(), state);
        }
    }
    states.into_iter().map(|(thing, state)| Cell {
        thing,
        what: LOCKS.to_owned(),
        vanished: ALL.to_owned(),
        state,
        proved_at: None,
        recovered_ms: None,
    })
}

/// What is known of one command in one directory.
#[derive(Debug, Default)]
struct History<'a> {
    recorded: Option<Recorded<'a>>,
    drills: Vec<Drill<'a>>,
}

/// The newest run that succeeded.
#[derive(Debug)]
struct Recorded<'a> {
    at: Timestamp,
    hosts: BTreeMap<&'a str, bool>,
    containment: Containment,
}

#[derive(Debug)]
struct Drill<'a> {
    at: Timestamp,
    verdict: Verdict,
    cut: &'a [String],
    missing_hosts: &'a [String],
    recovered_ms: Option<u64>,
}

type Histories<'a> = BTreeMap<(&'a str, &'a [String]), History<'a>>;

fn histories<'a>(entries: &[Entry<'a>]) -> Histories<'a> {
    let mut histories = Histories::new();
    for entry in entries {
        match entry.event {
            Event::Ran { command, directory, exit_code, containment, hosts, is_drill: false, .. } => {
                let history = histories.entry((directory.as_str(), command.as_slice())).or_default();
                let is_newer = history.recorded.as_ref().is_none_or(|newest| newest.at <= entry.time);
                if *exit_code == 0 && is_newer {
                    history.recorded = Some(recorded(entry.time, hosts, *containment));
                }
            }
            // With a server it says nothing of what this home has.
            Event::Drilled { via: Some(_), .. } => {}
            Event::Drilled { command, directory, verdict, cut, missing_hosts, recovered_ms, at, .. } => {
                let history = histories.entry((directory.as_str(), command.as_slice())).or_default();
                let (at, verdict, recovered_ms) = (*at, *verdict, *recovered_ms);
                history.drills.push(Drill { at, verdict, cut, missing_hosts, recovered_ms });
            }
            _ => {}
        }
    }
    for history in histories.values_mut() {
        history.drills.sort_by_key(|drill| drill.at);
    }
    histories
}

fn recorded<'a>(at: Timestamp, hosts: &'a [(String, bool)], containment: Containment) -> Recorded<'a> {
    let mut kept: BTreeMap<&str, bool> = BTreeMap::new();
    for (host, is_kept) in hosts {
        // A host has one line per port; it is kept if every one is.
        let known = kept.entry(host).or_insert(true);
        *known = *known && *is_kept;
    }
    Recorded { at, hosts: kept, containment }
}

impl History<'_> {
    fn columns(&self) -> BTreeSet<String> {
        let used =
            self.recorded.iter().flat_map(|recorded| recorded.hosts.keys().map(|host| (*host).to_owned()));
        let cut = self.drills.iter().flat_map(|drill| drill.cut.iter().cloned());
        used.chain(cut).chain([ALL.to_owned()]).collect()
    }

    fn cell(&self, thing: &str, what: &str, vanished: &str, now: Timestamp, proved_for: Duration) -> Cell {
        let passed = self.newest(vanished, Verdict::Pass);
        Cell {
            thing: thing.to_owned(),
            what: what.to_owned(),
            vanished: vanished.to_owned(),
            state: self.state(vanished, now, proved_for),
            proved_at: passed.map(|drill| drill.at),
            recovered_ms: passed.and_then(|drill| drill.recovered_ms),
        }
    }

    fn state(&self, vanished: &str, now: Timestamp, proved_for: Duration) -> State {
        let claim = self.claim(vanished);
        let passed = self.newest(vanished, Verdict::Pass).map(|drill| drill.at);
        let failed = self.newest(vanished, Verdict::Fail).map(|drill| drill.at);
        let is_recorded_since = |at| self.recorded.as_ref().is_some_and(|recorded| recorded.at > at);
        match (passed, failed) {
            (None, None) => claim,
            (passed, Some(failed)) if passed.is_none_or(|passed| passed <= failed) => {
                if claim == State::Claimed && is_recorded_since(failed) {
                    State::Claimed
                } else {
                    State::Lost
                }
            }
            (Some(passed), _) if claim == State::Lost && is_recorded_since(passed) => State::Lost,
            (Some(passed), _) => {
                let is_recent = now.duration_since(passed).unsigned_abs() <= proved_for || passed > now;
                if is_recent { State::Proved } else { State::Claimed }
            }
            // Excluded by the guard above, which the compiler cannot see: a failure without a pass is lost.
            (None, Some(_)) => State::Lost,
        }
    }

    /// Returns what the newest recorded run says by itself.
    fn claim(&self, vanished: &str) -> State {
        let Some(recorded) = &self.recorded else {
            return State::Unknown;
        };
        let is_kept = if vanished == ALL {
            if recorded.hosts.is_empty() {
                return State::Unknown;
            }
            let is_whole = recorded.hosts.values().all(|is_kept| *is_kept);
            if is_whole && recorded.containment == Containment::Observed {
                return State::Unknown;
            }
            is_whole
        } else {
            match recorded.hosts.get(vanished) {
                Some(is_kept) => *is_kept,
                None => return State::Unknown,
            }
        };
        if is_kept { State::Claimed } else { State::Lost }
    }

    fn newest(&self, vanished: &str, verdict: Verdict) -> Option<&Drill<'_>> {
        self.drills.iter().rev().find(|drill| drill.verdict == verdict && self.speaks_for(drill, vanished))
    }

    fn speaks_for(&self, drill: &Drill<'_>, vanished: &str) -> bool {
        if drill.cut.iter().any(|cut| cut == vanished) {
            return true;
        }
        let cuts_all = drill.cut.iter().any(|cut| cut == ALL);
        let used = self.recorded.as_ref().map(|recorded| &recorded.hosts);
        let uses = used.is_some_and(|hosts| hosts.contains_key(vanished));
        let is_only = used.is_some_and(|hosts| hosts.len() == 1);
        let is_at_fault = drill.missing_hosts.iter().any(|host| host == vanished);
        cuts_all && (is_at_fault || uses && (drill.verdict == Verdict::Pass || is_only))
    }
}
