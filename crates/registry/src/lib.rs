//! Package registries: what a request wants, what an index vouches for, what a lock pins.
//!
//! Everything here is a pure function of bytes: no IO, no async, no clock. The engine of `proxy` does all the rest.
//! One ecosystem is one folder under `ecosystem/`; nothing outside `ecosystem/mod.rs` names one.

pub mod archive;
mod cached;
mod class;
mod coordinate;
mod ecosystem;
mod index;
mod lock;
mod mutation;
mod needs;
mod path;
mod private;
mod revision;
mod site;
mod splice;

pub use cached::{Cached, Installed, Unpacked};
pub use class::{Class, FileRequest, Form, Head, IndexRequest, Redirects, classify};
pub use coordinate::{ANY_REGISTRY, Coordinate, is_version};
pub use ecosystem::{ALL, Ecosystem, Examples, FORGES, ecosystem, public_hosts};
pub use index::{INDEX_BYTES_MAX, IndexError, IndexFacts, Listed, Older, Vouched, Worse, compare};
pub use lock::{LOCK_BYTES_MAX, Lock, LockError, Locked, Pin, RepoPin, Unpinned, lock_of, read_locks};
pub use mutation::no_panic;
pub use needs::{Ask, Needs};
pub use path::{Hostile, check_path};
pub use private::{About, BadRegistry, Placed, PrivateNames, PrivateRegistries, PrivateRegistry};
pub use revision::{Packing, RevisionArchive};
pub use site::{ClientSettings, Place, Site, Target};
