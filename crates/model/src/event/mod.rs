//! What the journal says: the facts that everything else is derived from.
//!
//! A new kind of event is a variant here, a line in `facts.rs` (what it is about; the blobs it needs) and a row of the table in
//! `kind.rs` (its name, whom it concerns). Whether a person reads it, and in which words, is told by `attention.rs` of the binary.

mod facts;
mod held;
mod kind;

use serde::{Deserialize, Serialize};

pub use facts::Need;
pub use held::{BUILT_FROM, Held, SavedHeader};
pub use kind::{Concern, Kind};

use crate::digest::Sha256;
use crate::git::{MoveClass, Pack, RefMove, RefName, RepoId, Ruling, Target};
use crate::key::ObjectKey;
use crate::run::RunId;
use crate::time::Timestamp;
use crate::url::ObjectUrl;
use crate::word::{Containment, Verdict};

/// A fact of the journal.
///
/// The name of the variant is the entry's `kind`; the fields are its `payload`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "payload", rename_all = "snake_case")]
pub enum Event {
    /// An upstream's answer is held. A second one under the same key is a newer generation; both stay.
    Kept {
        /// The name.
        key: ObjectKey,
        /// The answer.
        held: Held,
    },
    /// The upstream gave the bytes that are held once more.
    Confirmed {
        /// The name.
        key: ObjectKey,
        /// The blob.
        sha256: Sha256,
        /// When.
        at: Timestamp,
    },
    /// The upstream says that an object we hold does not exist. It stays held.
    Gone {
        /// The name.
        key: ObjectKey,
        /// The status it answered.
        status: u16,
        /// When it was first seen.
        since: Timestamp,
    },
    /// Bytes that contradict what vouches for them. Never served.
    Quarantined {
        /// The name.
        key: ObjectKey,
        /// The blob with the wrong bytes, kept for a person to look at, if it was small enough to keep.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sha256: Option<Sha256>,
        /// Their size.
        size_bytes: u64,
        /// The digests that were vouched for.
        expected: String,
        /// The digest of what came.
        got: String,
        /// Who vouches: an index's address, a lock file, the first bytes seen.
        vouched_by: String,
        /// The host that gave them, where it is not that of the name: a team's server, or where a redirect led.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from: Option<String>,
    },
    /// An answer that cannot be what was asked for: unparsable, another package's, a web page. Not served while better is held.
    Rejected {
        /// The name.
        key: ObjectKey,
        /// Why.
        reason: String,
    },
    /// A copy was found damaged when it was to be served. It is not served; its own bytes mend it when they come again.
    Damaged {
        /// The name.
        key: ObjectKey,
        /// The blob.
        sha256: Sha256,
        /// What is wrong with it, in words for a person.
        reason: String,
    },
    /// A damaged blob is whole again.
    Healed {
        /// The blob.
        sha256: Sha256,
        /// What needs it: keys of objects, and `run <id>`.
        belongs_to: Vec<String>,
        /// Where its bytes came from: a second copy, or a host.
        from: String,
    },
    /// A second copy has everything up to an entry.
    Copied {
        /// Where it lies.
        to: String,
        /// The entry.
        seq: u64,
        /// How many blobs it was given this time.
        n_blobs: u64,
        /// Their bytes.
        size_bytes: u64,
        /// When it had everything.
        at: Timestamp,
    },
    /// What a project needs was looked for and fetched. Told again only where it changed.
    Adopted {
        /// A folder, a lock or an address; of a project that was sent what it is called where it lies, and who sent it.
        thing: String,
        /// Who sent it, where it is not on this machine.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sent_by: Option<String>,
        /// The locks that were read, each with the digest of its bytes.
        locks: Vec<(String, Sha256)>,
        /// How many files are kept.
        n_kept: u64,
        /// Those of them for which nobody vouches.
        n_first_seen: u64,
        /// How much is not kept.
        n_missing: u64,
        /// The first few of that, each with its reason.
        missing: Vec<String>,
        /// When.
        at: Timestamp,
    },
    /// A mutable address gave other bytes than before; both are held.
    Changed {
        /// The name.
        key: ObjectKey,
        /// The blob before.
        before: Sha256,
        /// The blob now.
        after: Sha256,
    },
    /// An index no longer lists versions that are needed here. They stay listed.
    Vanished {
        /// The name.
        key: ObjectKey,
        /// The versions.
        versions: Vec<String>,
    },
    /// An index lists other bytes for versions that were seen before. The first ones stay.
    Republished {
        /// The name.
        key: ObjectKey,
        /// The versions.
        versions: Vec<String>,
    },
    /// What an archive holds, unpacked: tells other bytes with the same content from other content.
    Unpacked {
        /// The name.
        key: ObjectKey,
        /// The archive.
        sha256: Sha256,
        /// The digest of its tree, whatever the compression and the order of entries.
        tree: Sha256,
        /// The release that it is, by what a lock or an index says of its address: `composer acme/lib at <commit>`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        release: Option<String>,
    },
    /// An archive holds something else than the one that was seen first of the same release, at another address. Each stays
    /// what its address gives: what one project says of a release binds no other.
    Differs {
        /// The name.
        key: ObjectKey,
        /// The archive.
        sha256: Sha256,
        /// The release.
        release: String,
        /// Where the release was seen first.
        first_url: ObjectUrl,
        /// The archive that was seen there.
        first: Sha256,
    },
    /// Other bytes under an immutable name that unpack to the same content: a note, and no reason to worry.
    Repacked {
        /// The name.
        key: ObjectKey,
        /// The blob before.
        before: Sha256,
        /// The blob now.
        after: Sha256,
    },
    /// An upstream failed so often, or hung, that nobody waits for it any more.
    Down {
        /// The host.
        host: String,
        /// What of it is meant: files, indexes, documents or questions.
        what: String,
        /// When it was found down.
        since: Timestamp,
        /// Until when nobody asks; then one request at a time tries again.
        until: Timestamp,
        /// Why, in words for a person.
        reason: String,
        /// Whether it answers, and says that what is meant is not there, or not for us.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        is_absent: bool,
    },
    /// An upstream that was down, or whose copies were served in its place, answers again.
    Up {
        /// The host.
        host: String,
        /// What of it is meant.
        what: String,
        /// When it answered.
        at: Timestamp,
    },
    /// The upstream could not be asked, and the copy was served.
    Stale {
        /// The host.
        host: String,
        /// What of it is meant; empty in entries of before 2026-11-24.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        what: String,
        /// The first failure, by this run or an earlier one.
        since: Timestamp,
        /// Why, in words for a person.
        reason: String,
    },
    /// A copy was served after the time until when its own clients believe it.
    Expired {
        /// The name.
        key: ObjectKey,
        /// Until when.
        valid_until: Timestamp,
        /// How its clients are brought to take it, in words for a person.
        option: String,
    },
    /// A git repository is to be kept, or is followed no longer.
    Mirrored {
        /// The repository.
        repo: RepoId,
        /// Where it is, as git takes it, without a password.
        address: String,
        /// Whether its upstream is asked no more; what is held stays.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        is_left: bool,
        /// When that was decided.
        at: Timestamp,
    },
    /// An upstream moved refs of a repository; what they need is held.
    ///
    /// The refs as they were at any moment are the newest `state` before it with the moves since.
    Refs {
        /// The repository.
        repo: RepoId,
        /// The digest of the upstream's listing, to find out next time that nothing moved.
        listing: Sha256,
        /// What moved; empty where it is so much that only `state` says it.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        moves: Vec<RefMove>,
        /// How many refs moved.
        n_moves: u64,
        /// The blob with all refs after these moves (docs/FORMAT.md), where it was written.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        state: Option<Sha256>,
        /// The objects that came.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        packs: Vec<Pack>,
        /// When the upstream said so.
        at: Timestamp,
    },
    /// An upstream listed the same refs of a repository as before.
    Observed {
        /// The repository.
        repo: RepoId,
        /// When.
        at: Timestamp,
    },
    /// An upstream moved refs of a repository away from what they reached. All of that stays held.
    Destroyed {
        /// The repository.
        repo: RepoId,
        /// How many of these moves the served copy follows.
        n_applied: u64,
        /// How many wait for a person.
        n_held: u64,
        /// The first few refs, each with what became of it.
        refs: Vec<String>,
        /// Why they wait.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        reasons: Vec<String>,
        /// When it was seen.
        at: Timestamp,
    },
    /// What an upstream gave for a repository cannot be it: damaged, incomplete, or not what was listed. Nothing of it is held.
    Refused {
        /// The repository.
        repo: RepoId,
        /// Why.
        reason: String,
        /// When.
        at: Timestamp,
    },
    /// `git fsck` finds fault with objects of a repository, which are held as they came: old history has such.
    Flawed {
        /// The repository.
        repo: RepoId,
        /// The first of what it finds, in its words.
        flaws: Vec<String>,
        /// When.
        at: Timestamp,
    },
    /// Damaged packs of a repository are needed no more: all that its refs ever reached was fetched or packed anew, and is held.
    Replaced {
        /// The repository.
        repo: RepoId,
        /// The packs.
        packs: Vec<Sha256>,
        /// When.
        at: Timestamp,
    },
    /// A person decided about a ref that was held, or took back what was decided about many.
    Decided {
        /// The repository.
        repo: RepoId,
        /// The hold.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        hold: Option<String>,
        /// The ref.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<RefName>,
        /// What it would have done to history to follow; none in entries of before 2026-12.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        class: Option<MoveClass>,
        /// What the upstream had it point at.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        new: Option<Target>,
        /// What was decided.
        ruling: Ruling,
        /// The refs that are followed from now on, for `always`, or no longer.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pattern: Option<String>,
        /// When.
        at: Timestamp,
    },
    /// A run ended; its record is a blob.
    Ran {
        /// Its name.
        run_id: RunId,
        /// The blob of `record.json`.
        record: Sha256,
        /// Its length; none in entries of before 2026-11-24.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        record_bytes: Option<u64>,
        /// Program and arguments.
        command: Vec<String>,
        /// The project's directory.
        directory: String,
        /// The command's exit code.
        exit_code: i32,
        /// Whether it was sealed.
        containment: Containment,
        /// The hosts it talked to, each with whether it was kept.
        hosts: Vec<(String, bool)>,
        /// Whether it was a drill's replay rather than a recording.
        #[serde(default)]
        is_drill: bool,
    },
    /// A drill ended, whatever its verdict.
    Drilled {
        /// The folder's name under `evidence/`.
        drill: String,
        /// The scenario's name.
        scenario: String,
        /// The verdict.
        verdict: Verdict,
        /// Digest of attestation.dsse.json.
        attestation: Sha256,
        /// Program and arguments.
        command: Vec<String>,
        /// The project's directory.
        directory: String,
        /// The hosts that were cut and asked; `all` where everything was cut.
        cut: Vec<String>,
        /// Hosts of which something was asked for that is not held.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        missing_hosts: Vec<String>,
        /// From the first request to a cut host to the first verified answer in its place.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        recovered_ms: Option<u64>,
        /// The team's server from which it got everything, if it was to prove a new machine rather than this home.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        via: Option<String>,
        /// When it ended.
        at: Timestamp,
    },
}
