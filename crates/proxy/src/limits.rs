//! Bounds, each with its reason.

use std::time::Duration;

/// A copy is served when the upstream has not begun to answer by then: the fifth promise allows one second.
pub(crate) const SOFT_DEADLINE: Duration = Duration::from_millis(900);
/// How long a client waits for a notice to be taken, whose answer it does not need; not at all where something of its host hangs.
pub(crate) const NOTICE_PATIENCE: Duration = Duration::from_millis(300);
/// How long an upstream may take to begin an answer that nothing here can stand in for; npm itself waits 300 s.
pub(crate) const FIRST_BYTE_TIMEOUT: Duration = Duration::from_secs(60);
/// After so long without the beginning of an answer a host hangs, for those who come next: a forge may pack an archive for some seconds.
pub(crate) const HANGS_AFTER: Duration = Duration::from_secs(15);
/// How long an answer that nothing here can stand in for is waited for where its host was found down.
pub(crate) const DOWN_PATIENCE: Duration = Duration::from_secs(5);
/// After so long a question hangs that nothing here can answer, for those who come next: the services that are asked
/// take seconds at times.
pub(crate) const ANSWER_PATIENCE: Duration = Duration::from_secs(5);
/// How long a body may pause; a build that waits longer is better told.
pub(crate) const BODY_PAUSE_MAX: Duration = Duration::from_secs(60);
/// A body that brings less than this in each window only drips: 1 KB a second, for ten of them.
pub(crate) const PACE_WINDOW: Duration = Duration::from_secs(10);
pub(crate) const PACE_BYTES_MIN: u64 = 10 << 10;
/// How often the rest of a body is asked for after its connection broke.
pub(crate) const N_RESUMES_MAX: u32 = 3;
/// How many redirects are followed inside; real chains have two.
pub(crate) const N_HOPS_MAX: usize = 5;
/// Indexes are read whole before they are believed; the largest real packument seen has 21 MB.
pub(crate) const INDEX_BYTES_MAX: u64 = 64 << 20;
/// Files up to this size are verified before their first byte leaves; larger ones by holding the last chunk back.
pub(crate) const VERIFY_FIRST_BYTES: u64 = 1 << 20;
/// How long a large file is served again without being hashed, if nothing touches it. What the disk itself gets wrong shows in no time
/// stamp, so it must not be long; a second client of a team's build comes within it.
pub(crate) const VERIFIED_FOR: Duration = Duration::from_secs(60);
/// No file of a registry is larger; an endless one must not fill the disk.
pub(crate) const FILE_BYTES_MAX: u64 = 16 << 30;
/// A server says how long what it keeps is; of what it only passes on, nothing a build needs is longer than this.
pub(crate) const SERVED_BYTES_MAX: u64 = 1 << 30;
/// Bodies of errors and redirects are passed on whole.
pub(crate) const ERROR_BYTES_MAX: u64 = 1 << 20;
/// Requests whose answer is remembered by their body.
pub(crate) const QUESTION_BYTES_MAX: u64 = 16 << 20;
/// Wrong bytes are kept for a person to look at up to this size.
pub(crate) const QUARANTINE_BYTES_MAX: u64 = 64 << 20;
/// Archives up to this size are unpacked once they are kept: more would cost a build's machine too much.
pub(crate) const UNPACKED_BYTES_MAX: u64 = 64 << 20;
/// Archives that are unpacked at once beside a build, whose cores these are; two keep up with 100 MB/s.
pub(crate) const N_UNPACKED_AT_ONCE: usize = 2;
/// Archives that wait for it; the largest build seen fetches 12,000 objects, nearly all of them vouched for.
pub(crate) const N_TO_UNPACK_MAX: usize = 4096;
/// What a transfer holds in memory for the clients that follow it.
pub(crate) const TAIL_BYTES_MAX: usize = 4 << 20;
/// One read from the store.
pub(crate) const CHUNK_BYTES: usize = 256 << 10;
/// Earlier states of an address that are compared with a lock, or searched for where a file lay.
pub(crate) const N_GENERATIONS_TRIED: usize = 16;
/// Generations of a list with something of their own that must be whole to stand in: clients of a server that want different things by
/// turns leave each one lacking something, and are not to get what is weeks old.
pub(crate) const N_WHOLE_TRIED: usize = 4;
/// How long after a list was confirmed its documents are what it says: `apt update` asks for the list first, and over a slow line takes minutes.
pub(crate) const LISTED_FOR: Duration = Duration::from_secs(15 * 60);
/// Copies of indexes that are served unread, and remembered for the files that they may name.
pub(crate) const N_UNREAD_MAX: usize = 4096;
/// Memory for parsed indexes, the newest first; those of a large update of Composer packages take about 60 MB.
pub(crate) const FACTS_BYTES_MAX: usize = 64 << 20;
/// Headers of one answer that are passed on and not kept; ordinary servers write about a dozen.
pub(crate) const N_BESIDE_MAX: usize = 64;
/// Saved headers of one answer, and as much again of those that are passed on and not kept.
pub(crate) const HEADER_BYTES_MAX: usize = 8 << 10;
/// What a server keeps in memory, ready to leave: with it the process stays under 64 MB.
pub(crate) const SHELF_BYTES_MAX: usize = 32 << 20;
/// Files that a server reads whole and keeps there; most of npm's, PyPI's and crates.io's are smaller.
pub(crate) const SHELVED_BYTES_MAX: u64 = 2 << 20;
/// Exchanges of one run that are written down; the largest build seen fetches 12,000 objects.
pub(crate) const N_EXCHANGES_MAX: usize = 1_000_000;
