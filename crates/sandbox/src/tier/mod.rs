//! The ways to contain a command, strongest first; one folder each.

mod observed;
mod room;

pub use observed::{Forward, run_observed};
pub use room::{Ended, Opening, Room, Running, open};
