//! The kinds of events: what the journal calls them, and whom they concern.

use std::fmt;

/// A kind of event, named like the event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Kept,
    Confirmed,
    Gone,
    Quarantined,
    Rejected,
    Damaged,
    Healed,
    Copied,
    Adopted,
    Changed,
    Vanished,
    Republished,
    Unpacked,
    Differs,
    Repacked,
    Down,
    Up,
    Stale,
    Expired,
    Mirrored,
    Refs,
    Observed,
    Destroyed,
    Refused,
    Flawed,
    Replaced,
    Decided,
    Ran,
    Drilled,
}

/// Whom an event concerns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Concern {
    /// Outlast itself.
    Nobody,
    /// A person: it happened, once.
    Happened,
    /// A person: it may hold still. The newest of each subject counts.
    Holds,
    /// A person, as long as it lasts: an outage of a host begins with it, goes on or ends.
    Outage,
}

/// A row for each kind, in their order: its name in the journal, which never changes, and whom it concerns.
const TABLE: [(Kind, &str, Concern); 29] = [
    (Kind::Kept, "kept", Concern::Nobody),
    (Kind::Confirmed, "confirmed", Concern::Nobody),
    (Kind::Gone, "gone", Concern::Holds),
    (Kind::Quarantined, "quarantined", Concern::Happened),
    (Kind::Rejected, "rejected", Concern::Happened),
    (Kind::Damaged, "damaged", Concern::Holds),
    (Kind::Healed, "healed", Concern::Happened),
    (Kind::Copied, "copied", Concern::Nobody),
    (Kind::Adopted, "adopted", Concern::Nobody),
    (Kind::Changed, "changed", Concern::Happened),
    (Kind::Vanished, "vanished", Concern::Happened),
    (Kind::Republished, "republished", Concern::Happened),
    (Kind::Unpacked, "unpacked", Concern::Nobody),
    (Kind::Differs, "differs", Concern::Happened),
    (Kind::Repacked, "repacked", Concern::Nobody),
    (Kind::Down, "down", Concern::Outage),
    (Kind::Up, "up", Concern::Outage),
    (Kind::Stale, "stale", Concern::Outage),
    (Kind::Expired, "expired", Concern::Happened),
    (Kind::Mirrored, "mirrored", Concern::Nobody),
    (Kind::Refs, "refs", Concern::Nobody),
    (Kind::Observed, "observed", Concern::Nobody),
    (Kind::Destroyed, "destroyed", Concern::Happened),
    (Kind::Refused, "refused", Concern::Happened),
    (Kind::Flawed, "flawed", Concern::Happened),
    (Kind::Replaced, "replaced", Concern::Happened),
    (Kind::Decided, "decided", Concern::Nobody),
    (Kind::Ran, "ran", Concern::Nobody),
    (Kind::Drilled, "drilled", Concern::Nobody),
];

impl Kind {
    /// Returns every kind.
    pub fn all() -> impl Iterator<Item = Self> {
        TABLE.iter().map(|(kind, ..)| *kind)
    }

    /// Returns what the journal calls it.
    pub const fn name(self) -> &'static str {
        TABLE[self as usize].1
    }

    /// Returns whom it concerns.
    pub const fn concern(self) -> Concern {
        TABLE[self as usize].2
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Event;

    #[test]
    fn the_table_has_a_row_for_each_kind_of_event() {
        let error = serde_json::from_str::<Event>(r#"{"kind":"?","payload":{}}"#).unwrap_err().to_string();
        // It names all that there are: `unknown variant`, `expected one of`, each between backticks.
        let mut events: Vec<&str> = error.split('`').skip(3).step_by(2).collect();
        let mut kinds: Vec<&str> = Kind::all().map(Kind::name).collect();
        events.sort_unstable();
        kinds.sort_unstable();
        assert_eq!(kinds, events);
        for (place, kind) in Kind::all().enumerate() {
            assert_eq!(kind as usize, place, "{kind}");
        }
    }
}
