//! Words of the glossary that are one of a few values, spelled as records, reports and the journal have them.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Whether anything could have bypassed Outlast during a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Containment {
    /// Nothing could bypass Outlast.
    Sealed,
    /// Something could; the run proves nothing by itself.
    Observed,
}

/// Who answers for the bytes of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Proof {
    /// An index, a lock or a signature vouches for the digest.
    Verified,
    /// Nobody vouches; the first bytes are held.
    FirstSeen,
}

/// How an answer relates to what the upstream says now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Freshness {
    /// Confirmed by the upstream, or immutable and verified.
    Fresh,
    /// The upstream could not confirm it.
    Stale,
    /// Vanished upstream, still kept and served.
    Gone,
}

/// Where the bytes of one answer came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// Fetched from the upstream during this run.
    Upstream,
    /// Served from what Outlast holds.
    Copy,
}

/// What a drill proved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The command survives.
    Pass,
    /// It does not.
    Fail,
    /// The drill does not show either.
    Inconclusive,
}

/// The protocol of a connection that was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Protocol {
    /// A TCP connection.
    Tcp,
    /// A UDP datagram.
    Udp,
    /// An ICMP or ICMPv6 packet.
    Icmp,
    /// A connection to a terminated port that spoke neither TLS nor HTTP.
    Unknown,
}

impl fmt::Display for Containment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sealed => "sealed",
            Self::Observed => "observed",
        })
    }
}

impl fmt::Display for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Verified => "verified",
            Self::FirstSeen => "first seen",
        })
    }
}

impl fmt::Display for Freshness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Fresh => "fresh",
            Self::Stale => "stale",
            Self::Gone => "gone",
        })
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Upstream => "upstream",
            Self::Copy => "copy",
        })
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Inconclusive => "inconclusive",
        })
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Icmp => "icmp",
            Self::Unknown => "unknown",
        })
    }
}
