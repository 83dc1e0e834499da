//! Kinds of events as conditions in SQL.
//!
//! A partial index is used where its own condition stands in the question, word for word: both come from here.

use model::{Concern, Kind};

/// Returns the condition that an entry concerns people so.
pub(super) fn concerns(concern: Concern) -> String {
    let names = Kind::all().filter(|kind| kind.concern() == concern).map(|kind| format!("'{kind}'"));
    format!("kind IN ({})", names.collect::<Vec<_>>().join(", "))
}

/// Returns the condition that an entry is of a kind.
pub(super) fn is(kind: Kind) -> String {
    format!("kind = '{kind}'")
}

/// Returns the condition that an entry says how the refs of a repository are.
pub(super) fn is_about_refs() -> String {
    format!("kind IN ('{}', '{}')", Kind::Refs, Kind::Decided)
}
