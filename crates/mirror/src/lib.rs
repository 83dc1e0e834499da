//! Keeps git repositories: brings copies up to date, and never lets an upstream destroy what they hold.
//!
//! Truth is the packs, which are blobs, and what the journal says of the refs ([`State`]). The bare repository that is served
//! ([`struct@Copy`]) is derived from both. [`Mirror::sync`] asks an upstream, judges what it lists ([`judge()`]), makes the objects durable,
//! tells the journal, and only then moves refs of the copy: those that only grow follow at once, those that would lose something wait.

mod address;
mod answer;
mod archive;
mod ask;
mod copy;
mod flight;
mod history;
mod holds;
mod judge;
mod listed;
mod mend;
mod mirror;
#[cfg(test)]
mod mutation;
mod outage;
mod outcome;
mod pace;
mod passing;
mod relay;
mod restore;
mod served;
mod server;
mod state;
mod steps;
mod sync;
mod tell;
mod tripwires;

pub use address::{Address, AddressError};
pub use answer::{AnswerError, Ask, REQUEST_BYTES_MAX, answer};
pub use archive::{Archive, ArchiveError};
pub use copy::{Copy, CopyError, folder};
pub use holds::{DecideError, Decisions, Hold, Reach, Rejected, Rule};
pub use judge::{History, Judgement, Relation, judge};
pub use mend::Mended;
pub use mirror::Mirror;
pub use outage::{Standstill, outage};
pub use outcome::{Outage, SyncError, Synced};
pub use pace::Patience;
pub use restore::{RestoreError, has, restore};
pub use served::{Given, Refs, ServeError, Served};
pub use server::{Server, Taken};
pub use state::{Held, State, StateError};
pub use tell::names_left_out;
pub use tripwires::{AllTripwires, Tripwires};

/// Every failure point of taking objects and refs in, in the order in which a sync passes them.
pub const FAILURE_POINTS: [&str; 6] = [
    "git.pack_received",
    "git.pack_indexed",
    "git.pack_sealed",
    "git.journal_appended",
    "git.taken_in",
    "git.refs_written",
];

/// Every failure point of merging packs.
pub const MAINTENANCE_POINTS: [&str; 2] = ["git.packs_merged", "git.graph_written"];
