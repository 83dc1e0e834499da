//! Decides what to answer: upstream, copy or refusal. The engine behind every door.
//!
//! classify → coalesce → fetch → verify → store → serve. A door hands each request to a [`Session`]; what the session
//! found is what the run's record is made from. No web framework, no listening, no ecosystem known by name.

mod adopt;
mod ask;
mod blocked;
mod body;
mod build;
mod copy;
mod decide;
mod door;
mod elsewhere;
mod fetch;
mod flight;
mod form;
mod generation;
mod headers;
mod heal;
mod health;
mod index;
mod keep;
mod late;
mod leaving;
mod limits;
mod meanwhile;
mod mirrors;
#[cfg(test)]
mod mutation;
mod note;
mod notice;
mod origin;
mod pass;
mod plan;
mod private;
mod question;
mod range;
mod redirect;
mod refusal;
mod repository;
mod serve;
mod session;
mod shelf;
mod stand_in;
mod state;
mod theirs;
mod transfer;
mod upstream;
mod via;
mod vouch;
mod waiting;
mod want;
mod who;

pub use adopt::{Adopted, Found, LastResort, Outcome, Progress, Wanted};
pub use blocked::Block;
pub use heal::Healer;
pub use mirrors::FileMirror;
pub use note::{Ending, Exchange, HostTimes};
pub use plan::{Purpose, SessionPlan};
pub use private::Private;
pub use repository::{Answering, PackedArchive, Packing, Repositories, RepositoryAnswer, RepositoryAsked};
pub use session::{Engine, Findings, Session};
pub use state::set_state;
pub use via::{ServerUse, TeamServer};
pub use who::{CredentialKey, CredentialUse};
