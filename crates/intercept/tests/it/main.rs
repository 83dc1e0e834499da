//! One connection through the public doors: served, refused, trusted by real clients.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod clients;
mod desk;
mod forward;
mod refusal;
mod room;
mod serving;
