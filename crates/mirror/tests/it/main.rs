//! Whole syncs against a real git server on loopback.
#![expect(clippy::disallowed_methods, reason = "tests run git as its users do")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod counting;
mod faults;
mod files;
mod follow;
mod hostile;
mod remote;
mod shared;
mod steps;
mod turns;
mod waiting;
mod world;
