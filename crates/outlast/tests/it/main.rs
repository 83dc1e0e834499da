//! The binary as people use it: real clients, real registries, and loopback upstreams where a fault has to be played.
#![expect(
    clippy::disallowed_methods,
    reason = "tests start the binary and real clients, and read where the tools are"
)]

mod clients;
mod drills;
mod evidence;
mod faults;
mod kills;
mod warm;
mod world;
