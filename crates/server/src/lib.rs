//! The server of a team: registry addresses for clients that know nothing of Outlast, a forward proxy for those that cannot be told of
//! any, and pages about the server itself.
//!
//! It listens, bounds what clients may do, and says who may ask; what is answered, `proxy` decides.

mod adopt;
mod answer;
mod arriving;
mod clients;
mod connection;
mod copies;
mod counted;
mod forward;
mod hosts;
mod limits;
mod metrics;
mod pages;
mod patient;
mod repositories;
mod route;
mod server;
mod setup;
mod strict;
mod tokens;

pub use adopt::{AdoptAnswer, AdoptRequest, AdoptWork, Adopter, SentLock};
pub use clients::Pace;
pub use connection::listen;
pub use copies::Copies;
pub use forward::{Certifier, Forward};
pub use route::NAMES_PATH;
pub use server::{Gate, Server, Settings};
pub use tokens::{Scope, Token, TokenError, Tokens};
