//! Real commands in real rooms: everything here runs `sandbox-probe`, as a user would run Outlast.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on has failed; clippy knows only functions marked as tests"
)]

mod basics;
mod devices;
mod fresh;
mod leftovers;
mod mounts;
mod observed;
mod openings;
mod probe;
mod sealed;
mod signals;
mod terminal;
mod users;
