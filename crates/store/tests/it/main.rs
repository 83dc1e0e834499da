//! The store from outside, as the engine, a second process and a person with `jq` see it.

#![expect(
    clippy::disallowed_methods,
    reason = "tests start processes of their own and read their environment"
)]

mod conformance;
mod world;
