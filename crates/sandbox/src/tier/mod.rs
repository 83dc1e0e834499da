//! The ways to contain a command, strongest first; one folder each.

mod observed;
mod room;

pub use observed::{Forward, run_observed};
#[cfg(test)]
pub(crate) use room::no_panic;
pub use room::{Ended, Opening, Room, Running, open};
