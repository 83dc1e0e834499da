//! The binary as people use it: real clients, real registries, and loopback upstreams where a fault has to be played.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]
#![expect(
    clippy::disallowed_methods,
    reason = "tests start the binary and real clients, and read where the tools are"
)]

mod apt;
mod archives;
mod as_of;
mod attention;
mod budget;
mod clients;
mod composer;
mod config;
mod crowd;
mod dated;
mod dependencies;
mod disagree;
mod doctor;
mod drills;
mod evidence;
mod faults;
mod git;
mod golang;
mod hangups;
mod holds;
mod interrupts;
mod kills;
mod leaks;
mod left;
mod libraries;
mod machines;
mod mended;
mod observed;
mod openings;
mod output;
mod packaging;
mod passing;
mod pinned;
mod presets;
mod proxied;
mod pypi;
mod raw;
mod repositories;
mod rows;
mod serve;
mod space;
mod ssh;
mod tokens;
mod told;
mod tree;
mod unread;
mod unrecorded;
mod users;
mod warm;
mod world;
