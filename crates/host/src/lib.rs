//! The outside world behind one door: clock, randomness, files that survive a crash, outgoing HTTP, programs, and points at which
//! a test can make them fail.

pub mod clock;
pub mod descriptors;
pub mod failpoint;
pub mod file;
pub mod http;
#[cfg(test)]
mod mutation;
pub mod name;
pub mod process;
pub mod random;

pub use clock::Clock;
