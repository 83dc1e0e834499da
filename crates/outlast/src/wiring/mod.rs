//! Where the crates meet: a captured connection goes through `intercept` to `proxy`.

mod door;
mod engine;
mod mirror;
mod repositories;

pub(crate) use door::{Bell, Door, Heard, NOT_LOOKED_INTO, Requests};
pub(crate) use engine::{client, engine, proxies, trust};
pub(crate) use mirror::{git, mirror, served};
pub(crate) use repositories::Kept;
