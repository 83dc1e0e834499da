//! From entries of the journal to what a person is told needs attention.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use model::{Event, Timestamp};
use serde::Serialize;
use store::Entry;

use crate::speak::{count, minute};
use crate::tasks::damage::Damage;
use crate::tasks::repositories::{Shrunk, Standing};

/// Something that needs attention.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Attention {
    time: Timestamp,
    pub(crate) kind: &'static str,
    pub(crate) subject: String,
    pub(crate) detail: String,
}

impl Attention {
    /// Returns that a blob was found damaged when all were read back.
    pub(crate) fn of_damage(damage: &Damage) -> Self {
        let Damage { sha256, belongs_to, fault, at } = damage;
        let detail =
            format!("{fault}; it belongs to {}; `outlast store verify --heal` mends it", some(belongs_to));
        Self { time: *at, kind: "damaged", subject: format!("blob {sha256}"), detail }
    }

    /// Returns that many repositories of one owner are gone.
    pub(crate) fn of_owner(shrunk: &Shrunk) -> Self {
        let (time, subject) = (shrunk.since, format!("owner {}", shrunk.owner));
        Self { time, kind: "shrunk", subject, detail: shrunk.to_string() }
    }

    /// Returns what of a repository waits for a person.
    pub(crate) fn of_holds(standing: &Standing) -> Option<Self> {
        let (time, n_held) = (standing.held_since?, count(standing.n_held as u64, "ref"));
        let detail = format!("{n_held} wait for you; see `outlast holds`");
        Some(Self { time, kind: "held", subject: standing.repo.subject(), detail })
    }

    /// Returns the day and minute.
    pub(crate) fn minute(&self) -> String {
        minute(self.time)
    }
}

/// Returns what needs attention, newest first; `outages` are as `Store::outages` returns them, `holds` what waits for a person now.
pub(crate) fn list(
    entries: Vec<Entry>,
    outages: &[Entry],
    holds: Vec<Attention>,
    now: Timestamp,
) -> Vec<Attention> {
    let mut list = hosts(outages, now);
    list.extend(holds);
    list.extend(entries.into_iter().filter_map(|entry| one(entry.time, entry.subject, &entry.event)));
    list.sort_by_key(|attention| Reverse(attention.time));
    list
}

fn one(time: Timestamp, subject: String, event: &Event) -> Option<Attention> {
    let detail = match event {
        Event::Quarantined { expected, got, vouched_by, from, .. } => {
            let giver = from.as_ref().map_or_else(|| "the upstream".to_owned(), |host| format!("`{host}`"));
            format!("{vouched_by} vouches for {expected}, {giver} gave {got}")
        }
        Event::Rejected { reason, .. } => reason.clone(),
        Event::Damaged { sha256, reason, .. } => {
            format!("its copy {sha256}: {reason}; run again what fetched it, which mends it")
        }
        Event::Healed { belongs_to, from, .. } => {
            format!("was damaged, and is whole again from `{from}`; it belongs to {}", some(belongs_to))
        }
        Event::Changed { before, after, .. } => format!("from {before} to {after}; both are kept"),
        Event::Gone { status, since, .. } => {
            format!("the upstream answers {status} since {since}; the copy is kept")
        }
        Event::Vanished { versions, .. } => {
            format!("no longer lists {}; they stay listed here", some(versions))
        }
        Event::Republished { versions, .. } => {
            format!("lists other bytes for {}; the first ones stay", some(versions))
        }
        Event::Differs { sha256, release, first_url, first, .. } => {
            format!(
                "{sha256} holds something else than {first}, which was seen first of {release} at {first_url}; each stays what its address gives"
            )
        }
        Event::Destroyed { n_applied, n_held, refs, reasons, .. } => {
            let held = match n_held {
                0 => String::new(),
                n_held => format!("; {n_held} were held: {}", reasons.join("; ")),
            };
            format!(
                "{} moved away from what they reached, all of which is kept{held}",
                some_of(refs, n_applied + n_held)
            )
        }
        Event::Refused { reason, .. } => reason.clone(),
        Event::Expired { valid_until, option, .. } => {
            format!("its copy stood in, which is valid until {valid_until} by its own word: {option}")
        }
        Event::Flawed { flaws, .. } => {
            format!("`git fsck` finds fault with what came, which is kept as it is: {}", some(flaws))
        }
        Event::Replaced { packs, .. } => {
            let n = packs.len();
            format!("{n} damaged packs are needed no more: all that its refs ever reached is held elsewhere")
        }
        // An outage is told as a whole.
        Event::Down { .. } | Event::Up { .. } | Event::Stale { .. } => return None,
        // Whoever adds a kind that concerns people has the compiler's word for it that it is told here.
        Event::Kept { .. }
        | Event::Confirmed { .. }
        | Event::Unpacked { .. }
        | Event::Repacked { .. }
        | Event::Copied { .. }
        | Event::Adopted { .. }
        | Event::Mirrored { .. }
        | Event::Refs { .. }
        | Event::Observed { .. }
        | Event::Decided { .. }
        | Event::Ran { .. }
        | Event::Drilled { .. } => return None,
    };
    Some(Attention { time, kind: event.kind().name(), subject, detail })
}

/// An outage as far as it was read.
#[derive(Debug)]
struct Outage<'a> {
    since: Timestamp,
    time: Timestamp,
    until: Option<Timestamp>,
    reason: &'a str,
}

/// Returns one line for each thing of a host that is down, and one for each host whose copies are served.
fn hosts(outages: &[Entry], now: Timestamp) -> Vec<Attention> {
    let mut begun: BTreeMap<&str, Timestamp> = BTreeMap::new();
    let mut lines: BTreeMap<(&str, String), Outage<'_>> = BTreeMap::new();
    for entry in outages {
        let (subject, since, until, reason) = match &entry.event {
            Event::Down { since, until, reason, .. } => (entry.subject.clone(), *since, Some(*until), reason),
            Event::Stale { host, since, reason, .. } => (format!("host {host}"), *since, None, reason),
            _ => continue,
        };
        let line = (entry.event.kind().name(), subject);
        let since = *begun.entry(&entry.subject).or_insert(since);
        let since = lines.get(&line).map_or(since, |known| known.since.min(since));
        lines.insert(line, Outage { since, time: entry.time, until, reason });
    }
    let told = lines.into_iter().map(|((kind, subject), outage)| {
        let Outage { since, time, until, reason } = outage;
        let waits = until.filter(|until| *until > now);
        let waits = waits.map(|until| format!(", nobody waits for it until {until}")).unwrap_or_default();
        Attention { time, kind, subject, detail: format!("since {since}{waits}: {reason}") }
    });
    told.collect()
}

/// Returns the first few of a list, and how many more there are.
fn some(list: &[String]) -> String {
    some_of(list, list.len() as u64)
}

/// Returns the first few of a list, which may be the beginning of a longer one, and how many more there are.
fn some_of(list: &[String], n_all: u64) -> String {
    const N_NAMED_MAX: usize = 5;
    let n_named = list.len().min(N_NAMED_MAX);
    let named = list[..n_named].join(", ");
    match n_all.saturating_sub(n_named as u64) {
        0 => named,
        n_more => format!("{named} and {n_more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn entry(second: i64, event: Event) -> Entry {
        let subject = event.subject();
        Entry { seq: second.unsigned_abs(), time: at(second), subject, subject_seq: 1, event }
    }

    fn stale(second: i64, what: &str, since: i64) -> Entry {
        let (host, what, since) = ("a.example".to_owned(), what.to_owned(), at(since));
        entry(second, Event::Stale { host, what, since, reason: format!("at {second}") })
    }

    fn down(second: i64, what: &str, until: i64) -> Entry {
        let (host, what, since) = ("a.example".to_owned(), what.to_owned(), at(second));
        entry(
            second,
            Event::Down {
                host,
                what,
                since,
                until: at(until),
                reason: format!("at {second}"),
                is_absent: false,
            },
        )
    }

    fn check(outages: &[Entry], expected: &[(&str, &str, &str)]) {
        let list = list(Vec::new(), outages, Vec::new(), at(60));
        let found: Vec<_> = list
            .iter()
            .map(|attention| (attention.kind, attention.subject.as_str(), attention.detail.as_str()))
            .collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn an_outage_is_one_line_since_it_began() {
        check(&[], &[]);
        check(&[stale(5, "files", 5)], &[("stale", "host a.example", "since 1970-01-01T00:00:05Z: at 5")]);
        check(
            &[stale(5, "files", 5), stale(7, "indexes", 3), stale(9, "files", 9)],
            &[("stale", "host a.example", "since 1970-01-01T00:00:03Z: at 9")],
        );
        let waits = "since 1970-01-01T00:00:02Z, nobody waits for it until 1970-01-01T00:01:40Z: at 4";
        check(
            &[down(2, "files", 32), down(4, "files", 100), stale(6, "files", 6)],
            &[
                ("stale", "host a.example", "since 1970-01-01T00:00:02Z: at 6"),
                ("down", "host a.example files", waits),
            ],
        );
        check(
            &[down(2, "files", 32)],
            &[("down", "host a.example files", "since 1970-01-01T00:00:02Z: at 2")],
        );
    }
}
