//! The engine as a door sees it: requests go in, scripted upstreams stand outside, a store in a temporary folder inside.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]
#![expect(
    clippy::disallowed_methods,
    reason = "tests start processes of their own and read their environment"
)]

mod arrival;
mod as_of;
mod basics;
mod blocked;
mod cuts;
mod damage;
mod door;
mod forges;
mod framing;
mod guard;
mod health;
mod hostile;
mod lists;
mod mended;
mod named;
mod outage;
mod pins;
mod private;
mod questions;
mod races;
mod resume;
mod secrets;
mod space;
mod world;
mod worse;
