//! A room for one command: every address it talks to is Outlast, and nothing else of the machine's network is in reach.
//!
//! [`open`] builds the room, [`Room::start`] runs the command in it and hands each connection to [`Events`]. Where the
//! machine allows no namespaces, [`run_observed`] runs the command with its environment alone. The only crate with
//! `unsafe` code, and therefore the place of [`check_stdout`] too, which has nothing to do with rooms. The
//! binary must call [`run_helper_if_asked`] first in `main`, before any thread exists.

mod events;
mod exit;
mod helper;
pub mod memory;
#[cfg(test)]
mod mutation;
mod names;
mod networks;
mod plan;
mod scratch;
mod signals;
mod stopping;
mod streams;
mod tier;
mod unix;
mod wire;

pub use events::{Connection, Events, Resolution, Resolving};
pub use exit::{Exit, RoomError};
pub use helper::run_helper_if_asked;
pub use names::Names;
pub use plan::{Fresh, PlacedFile, Plan, ProjectCopy, ROOM_FILES, Stdout};
pub use streams::{check_stdout, ways_out};
pub use tier::{Ended, Forward, Opening, Room, Running, open, run_observed};
