//! From a captured connection to plain HTTP requests, and the settings that let clients trust it.
//!
//! `authority` is the certificate authority of one run or of a home, `serve` terminates one connection, `trust` says whom the caller
//! trusts, `clients` says which variables and files make each client trust the room. Nothing here connects or listens.

pub mod authority;
pub mod caller;
pub mod clients;
#[cfg(test)]
mod mutation;
pub mod serve;
pub mod trust;

pub use authority::{Authority, AuthorityError, Root, RootError};
pub use caller::Caller;
pub use clients::{Client, Paths, Settings, Tier, settings};
pub use serve::{
    Asked, BadRequest, Captured, Connection, Handler, Limits, Origin, RefusedWhy, Tunnel, asked, named,
    serve, serve_forward, serve_within, terminate,
};
pub use trust::{CallerTrust, SYSTEM_BUNDLES, Unreadable};
