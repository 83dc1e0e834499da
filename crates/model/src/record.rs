//! What one run did: `runs/<run_id>/record.json`, which others read, so that its fields stay what they are.

use serde::{Deserialize, Serialize};

use crate::digest::Sha256;
use crate::run::RunId;
use crate::time::Timestamp;
use crate::url::ObjectUrl;
use crate::word::{Containment, Freshness, Proof, Protocol, Source};

/// The version of the record's fields.
pub const RECORD_SCHEMA: &str = "outlast/record/v1";

/// One run: its command, and everything it fetched.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// [`RECORD_SCHEMA`].
    pub schema: String,
    /// The run's name.
    pub run_id: RunId,
    /// When the command was started.
    pub started_at: Timestamp,
    /// Whether anything could bypass Outlast.
    pub containment: Containment,
    /// Why the run was not sealed; empty if it was.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub containment_reasons: Vec<String>,
    /// Program and arguments, each by [`crate::escape()`].
    pub command: Vec<String>,
    /// The project's directory, by [`crate::escape()`].
    pub directory: String,
    /// The moment whose state was asked for, if not the newest: `--at`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_of: Option<Timestamp>,
    /// The team's server, if one was asked before the hosts: `--via`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub via: Option<String>,
    /// The command's exit code, 128+N after signal N.
    pub exit_code: i32,
    /// From the command's start to its end.
    pub duration_ms: u64,
    /// How much space the room's copies took at its end, of a run on copies: whether a replay fits into memory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub copies_bytes: Option<u64>,
    /// Every host the command talked to.
    pub hosts: Vec<HostUse>,
    /// Every connection and datagram that was refused.
    pub refused: Vec<Refused>,
    /// The outputs that were named, with the digest of each file.
    pub outputs: Vec<Output>,
    /// Every object the command fetched.
    pub objects: Vec<Object>,
    /// What passed and was not kept.
    pub not_kept: Vec<NotKept>,
    /// Copies that were served after the time until when their own clients believe them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub expired: Vec<Expired>,
    /// What is in none of these lists, because they have bounds.
    #[serde(default, skip_serializing_if = "Unlisted::is_none")]
    pub unlisted: Unlisted,
}

/// How much a run did beyond the bounds of its lists; what is repeated counts again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unlisted {
    /// Requests of which nothing is written down.
    pub n_requests: u64,
    /// Connections and datagrams that were refused.
    pub n_refused: u64,
    /// Names that got no address, and hosts that were passed through or whose clients trusted nobody.
    pub n_names: u64,
}

impl Unlisted {
    /// Returns whether the lists are whole.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

/// One host in a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostUse {
    /// Its name, or its address where no name was given.
    pub host: String,
    /// The port.
    pub port: u16,
    /// How many requests it got.
    pub n_requests: u64,
    /// Bytes of the bodies it answered with.
    pub size_bytes: u64,
    /// Whether every object the run took from it is in the store.
    pub kept: bool,
}

/// Something the room refused.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Refused {
    /// The name that had been looked up for the address, empty if none was.
    pub host: String,
    /// The address.
    pub address: String,
    /// The port, 0 where the protocol has none.
    pub port: u16,
    /// The protocol.
    pub protocol: Protocol,
}

/// One file among the named outputs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Output {
    /// Path relative to the project's directory, by [`crate::escape()`].
    pub path: String,
    /// Digest of the file's bytes; of the target's text for a symbolic link.
    pub sha256: Sha256,
}

/// One thing the command fetched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Object {
    /// `GET`, `HEAD` or `POST`.
    pub method: String,
    /// The address.
    pub url: ObjectUrl,
    /// What else chose among several answers; see `ObjectKey::variant`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub variant: String,
    /// The status the client saw.
    pub status: u16,
    /// The blob.
    pub sha256: Sha256,
    /// Its size.
    pub size_bytes: u64,
    /// The ecosystem that understood the request.
    pub ecosystem: String,
    /// Where the bytes came from.
    pub source: Source,
    /// Who answers for them.
    pub proof: Proof,
    /// How they relate to what the upstream says now.
    pub freshness: Freshness,
    /// When the upstream last confirmed these bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmed_at: Option<Timestamp>,
    /// The repository, `@`, and the commit from whose copy an archive was packed that no upstream gave.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub built_from: Option<String>,
}

/// Something that passed and is not in the store.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct NotKept {
    /// The address.
    pub url: ObjectUrl,
    /// Why, in words for a person.
    pub reason: String,
}

/// A copy whose time was over when it was served.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Expired {
    /// The address.
    pub url: ObjectUrl,
    /// Until when its own clients believe it.
    pub valid_until: Timestamp,
    /// How they are brought to take it, in words for a person.
    pub option: String,
}
