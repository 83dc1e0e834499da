//! Why the helper could not build the room.

use std::fmt::Display;

use crate::wire::FromRoom;

/// A failure, told to Outlast as the message of the same name.
#[derive(Debug)]
pub(super) enum Failure {
    /// The machine does not allow it.
    NotPossible(String),
    /// The copies of a fresh room could not be made.
    Copies(String),
    /// The plan makes no sense.
    BadPlan(String),
}

impl Failure {
    pub(super) fn into_message(self) -> FromRoom {
        match self {
            Self::NotPossible(why) => FromRoom::NotPossible { why },
            Self::Copies(why) => FromRoom::Copies { why },
            Self::BadPlan(why) => FromRoom::BadPlan { why },
        }
    }
}

/// Returns what makes a failure of an error that `step` met.
pub(super) fn refused<E: Display>(step: &str) -> impl FnOnce(E) -> Failure {
    move |error| Failure::NotPossible(format!("{step}: {error}"))
}
