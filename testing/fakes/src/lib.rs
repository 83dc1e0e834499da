//! Loopback upstreams for tests: any host name, over TLS and plain HTTP, with packages real clients can install,
//! with faults played on request, and with a log of every request as the oracle.
#![expect(
    clippy::disallowed_methods,
    reason = "a fake is the outside world: it reads the clock and starts `git` as an upstream would"
)]

mod answer;
mod archive;
pub mod cargo;
mod certificate;
pub mod composer;
mod connection;
mod fault;
pub mod git;
mod http1;
mod http2;
pub mod npm;
mod play;
mod query;
mod site;
mod upstream;

pub use answer::{Answer, Asked};
pub use archive::tar_gz;
pub use fault::Fault;
pub use site::{Generation, Seen};
pub use upstream::Upstream;
