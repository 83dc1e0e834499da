//! The store from outside, as the engine, a second process and a person with `jq` see it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]
#![expect(
    clippy::disallowed_methods,
    reason = "tests start processes of their own and read their environment"
)]

mod attention;
mod conformance;
mod crash;
mod damage;
mod disk;
mod format;
mod old;
mod processes;
mod rebuild;
mod second;
mod space;
mod workload;
mod world;
