//! Looking after a store: verify it, count it, make its index anew.

mod rebuild;
mod stat;
mod verify;

pub use rebuild::RebuildReport;
pub use stat::{Count, Stat, StatError};
pub use verify::{Damaged, VerifyError, VerifyProgress, VerifyReport};
