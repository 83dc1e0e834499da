//! Each fault does what its name says, seen by a raw client; real clients install from the fakes.
#![expect(clippy::disallowed_methods, reason = "tests start real clients and read the clock")]
#![expect(clippy::unwrap_used, reason = "the functions that tests share are tests too")]

mod answers;
mod client;
mod clients;
mod composer;
mod faults;
mod git;
mod packagist;
mod pypi;
mod python;
mod registries;
mod tls;
