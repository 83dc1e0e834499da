//! Git: its protocol as a client speaks it, and the only place that runs `git`.
//!
//! The protocol is pure: bytes in, bytes out; whoever connects is elsewhere. What git itself does best (indexing packs, walking
//! history, repacking) is asked of `git`, in a bare repository that nothing but Outlast writes to ([`Bare`]).

mod archive;
mod bare;
mod bases;
mod broken;
mod capabilities;
mod command;
mod earlier;
mod fetch;
mod files;
mod harmless;
mod history;
mod incoming;
mod listing;
#[cfg(test)]
mod mutation;
mod opening;
mod pack;
mod pkt;
mod remote;
mod serve;
mod stage;
mod view;
mod wanted;

pub use archive::{Blobs, Committed};
pub use bare::{Bare, BareError, is_checked, is_slow_to_give, noted, object_format, speech};
pub use broken::{Commit, commits};
pub use capabilities::{Capabilities, Speech, Spoken};
pub use command::{Git, GitError, Ssh};
pub use earlier::Advertised;
pub use fetch::{FetchAnswer, FetchRequest, TakeError};
pub use files::{file_bytes_max, may_be_refs};
pub use history::Lost;
pub use incoming::{Incoming, PackError};
pub use listing::{BYTES_MAX as LISTING_BYTES_MAX, LeftOut, Listed, Listing, listing_request};
pub use opening::Opening;
pub use pkt::{Packet, Packets, ProtocolError};
pub use remote::{Fetched, Remote, RemoteError};
pub use serve::{Asked, Protocol, RefsAsked, capabilities, refusal};
pub use view::view;
pub use wanted::Wanted;
