//! Real commands in real rooms: everything here runs `sandbox-probe`, as a user would run Outlast.

mod basics;
mod fresh;
mod leftovers;
mod observed;
mod probe;
mod sealed;
mod signals;
mod terminal;
mod users;
