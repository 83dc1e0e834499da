//! What an event says about itself: its kind, what it is about, and the blobs that it cannot do without.

use std::fmt;

use super::{Event, Kind};
use crate::digest::Sha256;
use crate::git::RepoId;
use crate::key::ObjectKey;

/// A blob that something cannot do without.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Need {
    /// The blob.
    pub sha256: Sha256,
    /// What needs it: the key of an object, or `run <id>`.
    pub subject: String,
    /// Its size, if the event says it.
    pub size_bytes: Option<u64>,
}

impl Event {
    /// Returns its kind and what it is about: one line for each kind, and the only place that has them all.
    fn facts(&self) -> (Kind, Subject<'_>) {
        match self {
            Self::Kept { key, .. } => (Kind::Kept, Subject::Object(key)),
            Self::Confirmed { key, .. } => (Kind::Confirmed, Subject::Object(key)),
            Self::Gone { key, .. } => (Kind::Gone, Subject::Object(key)),
            Self::Quarantined { key, .. } => (Kind::Quarantined, Subject::Object(key)),
            Self::Rejected { key, .. } => (Kind::Rejected, Subject::Object(key)),
            Self::Damaged { key, .. } => (Kind::Damaged, Subject::Object(key)),
            Self::Healed { sha256, .. } => (Kind::Healed, Subject::Blob(sha256)),
            Self::Copied { to, .. } => (Kind::Copied, Subject::Copy(to)),
            Self::Adopted { thing, .. } => (Kind::Adopted, Subject::Adopted(thing)),
            Self::Changed { key, .. } => (Kind::Changed, Subject::Object(key)),
            Self::Vanished { key, .. } => (Kind::Vanished, Subject::Object(key)),
            Self::Republished { key, .. } => (Kind::Republished, Subject::Object(key)),
            Self::Unpacked { key, .. } => (Kind::Unpacked, Subject::Object(key)),
            Self::Differs { key, .. } => (Kind::Differs, Subject::Object(key)),
            Self::Repacked { key, .. } => (Kind::Repacked, Subject::Object(key)),
            Self::Down { host, what, .. } => (Kind::Down, Subject::Host { host, what }),
            Self::Up { host, what, .. } => (Kind::Up, Subject::Host { host, what }),
            Self::Stale { host, what, .. } => (Kind::Stale, Subject::Host { host, what }),
            Self::Expired { key, .. } => (Kind::Expired, Subject::Object(key)),
            Self::Mirrored { repo, .. } => (Kind::Mirrored, Subject::Repo(repo)),
            Self::Refs { repo, .. } => (Kind::Refs, Subject::Repo(repo)),
            Self::Observed { repo, .. } => (Kind::Observed, Subject::Repo(repo)),
            Self::Destroyed { repo, .. } => (Kind::Destroyed, Subject::Repo(repo)),
            Self::Refused { repo, .. } => (Kind::Refused, Subject::Repo(repo)),
            Self::Flawed { repo, .. } => (Kind::Flawed, Subject::Repo(repo)),
            Self::Replaced { repo, .. } => (Kind::Replaced, Subject::Repo(repo)),
            Self::Decided { repo, .. } => (Kind::Decided, Subject::Repo(repo)),
            Self::Ran { .. } => (Kind::Ran, Subject::Runs),
            Self::Drilled { .. } => (Kind::Drilled, Subject::Drills),
        }
    }

    /// Returns its kind.
    pub fn kind(&self) -> Kind {
        self.facts().0
    }

    /// Returns the name of the object that it is about, if it is about one.
    pub fn key(&self) -> Option<&ObjectKey> {
        match self.facts().1 {
            Subject::Object(key) => Some(key),
            _ => None,
        }
    }

    /// Returns the subject under which the journal numbers it: an object, a blob, a host, a second copy, an adopted
    /// project, a repository, the runs, the drills.
    pub fn subject(&self) -> String {
        self.facts().1.to_string()
    }

    /// Returns the blobs that it says are held. They must be there before it is.
    ///
    /// A drill's attestation lies in its own folder; what `Confirmed` and `Changed` name was `Kept` before.
    pub fn needs(&self) -> Vec<Need> {
        let need = |sha256: &Sha256, subject, size_bytes| Need { sha256: *sha256, subject, size_bytes };
        match self {
            Self::Kept { held, .. } => vec![need(&held.sha256, self.subject(), Some(held.size_bytes))],
            Self::Quarantined { sha256: Some(sha256), size_bytes, .. } => {
                vec![need(sha256, self.subject(), Some(*size_bytes))]
            }
            Self::Refs { state, packs, .. } => {
                let packs =
                    packs.iter().map(|pack| need(&pack.sha256, self.subject(), Some(pack.size_bytes)));
                packs.chain(state.as_ref().map(|state| need(state, self.subject(), None))).collect()
            }
            Self::Ran { run_id, record, record_bytes, .. } => {
                vec![need(record, format!("run {run_id}"), *record_bytes)]
            }
            _ => Vec::new(),
        }
    }
}

/// What an event is about. As text it is the journal's subject, whose numbers go on for ever: it never changes.
#[derive(Debug)]
enum Subject<'a> {
    Object(&'a ObjectKey),
    Blob(&'a Sha256),
    /// What of a host is meant; empty in entries of before 2026-11-24.
    Host {
        host: &'a str,
        what: &'a str,
    },
    Copy(&'a str),
    Adopted(&'a str),
    Repo(&'a RepoId),
    Runs,
    Drills,
}

impl fmt::Display for Subject<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Object(key) => write!(f, "{key}"),
            Self::Blob(sha256) => write!(f, "blob {sha256}"),
            Self::Host { host, what: "" } => write!(f, "host {host}"),
            Self::Host { host, what } => write!(f, "host {host} {what}"),
            Self::Copy(to) => write!(f, "copy {to}"),
            Self::Adopted(thing) => write!(f, "adopted {thing}"),
            Self::Repo(repo) => f.write_str(&repo.subject()),
            Self::Runs => f.write_str("runs"),
            Self::Drills => f.write_str("drills"),
        }
    }
}
