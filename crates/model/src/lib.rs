//! The words of Outlast as types: digests, addresses, secrets, times, runs and records.
//!
//! Parsed once at the rim; inside there is no raw string. No IO, no async, no clock.

mod digest;
mod escape;
mod event;
mod fault;
mod git;
mod key;
#[cfg(test)]
mod mutation;
mod query;
mod record;
mod run;
mod secret;
mod time;
mod url;
mod word;

pub use digest::{Algorithm, Digest, DigestError, DigestSet, Sha256, Sha256Hasher};
pub use escape::{escape, is_escaped, unescape};
pub use event::{BUILT_FROM, Concern, Event, Held, Kind, Need, SavedHeader};
pub use fault::{Cut, Fault, ParseFaultError};
pub use git::{
    CommitId, Decision, MoveClass, ObjectId, ObjectIdError, Pack, RefMove, RefName, RefNameError, RepoId,
    RepoIdError, Ruling, Target,
};
pub use key::{Method, ObjectKey};
pub use record::{Expired, HostUse, NotKept, Object, Output, RECORD_SCHEMA, Record, Refused, Unlisted};
pub use run::{RunId, RunIdError};
pub use secret::Secret;
pub use time::{Timestamp, format_compact, parse_time};
pub use url::{ObjectUrl, SafeUrl, UrlError};
pub use word::{Containment, Freshness, Proof, Protocol, Source, Verdict};
