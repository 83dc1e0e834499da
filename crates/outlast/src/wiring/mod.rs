//! Where the crates meet: a captured connection goes through `intercept` to `proxy`.

mod door;
mod engine;

pub(crate) use door::{Bell, Door, Heard, Requests};
pub(crate) use engine::engine;
