//! How the answers of a git server are bent: in which step, and how.

use super::repository::Repository;

/// A step of a clone or fetch over smart HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// `GET …/info/refs`: what the server can do; before version 2, also its refs.
    Advertisement,
    /// `ls-refs` of version 2.
    Listing,
    /// `fetch` of version 2; before, the only POST there is.
    Fetch,
}

/// One way in which a git server fails or lies; all but the first leave HTTP in order.
///
/// Packs are bent in version 2 only: who speaks an earlier one gets a 501 there.
#[derive(Debug, Clone)]
pub enum Fault {
    /// As any web server fails.
    Http(crate::Fault),
    /// Git answers from another repository: what there was before, what it became meanwhile, or somebody else's.
    From(Repository),
    /// Not a byte.
    Nothing,
    /// The end of a list, and no list.
    Empty,
    /// An error in band, as gitprotocol-pack(5) has it: `ERR` and this.
    Refused(&'static str),
    /// The first half of the pack, and then the end as it should be.
    HalfPack,
    /// The first half of the pack, and then this on band 3, after which nothing more may come.
    Fatal(&'static str),
    /// The pack with one bit in its middle turned.
    FlippedBit,
    /// This pack, whatever was asked for.
    Pack(Vec<u8>),
}

impl From<crate::Fault> for Fault {
    fn from(fault: crate::Fault) -> Self {
        Self::Http(fault)
    }
}
