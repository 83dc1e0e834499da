//! Nothing lost, nothing left behind: the binary is killed, interrupted, and runs out of disk.
#![expect(clippy::print_stdout, reason = "a test prints its seed")]

mod control;
mod follow;
pub(crate) mod full;
mod leave;
mod points;
mod random;
mod repositories;
mod scene;
