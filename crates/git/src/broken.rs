//! Packs that broke off: which commits came, so that it can be asked for less.

use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};

use gix_object::{CommitRefIter, Kind, compute_hash};
use gix_pack::data::entry::Header;
use gix_pack::data::input::{Entry, EntryDataMode};
use model::ObjectId;

use crate::pack::{entries, kind};

/// A commit has its place before everything that is none: after so many others, no more is expected.
const N_OTHERS_MAX: usize = 10_000;
/// The most that are remembered; the largest repositories that are known have two million.
const N_COMMITS_MAX: usize = 4_000_000;
/// A longer one, which nobody writes, is passed over.
const COMMIT_BYTES_MAX: u64 = 1 << 20;

/// A commit, and what it builds on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// Which one.
    pub id: ObjectId,
    /// Its parents.
    pub parents: Vec<ObjectId>,
}

/// Returns the commits in a pack, up to where it breaks off, in its order: a server packs the newest first, and commits before all else.
/// Those that are packed as a difference to another are left out.
pub fn commits(pack: File, object_format: &str) -> Vec<Commit> {
    // What a stranger sends may find a mistake in who reads it: then nothing is known.
    catch_unwind(AssertUnwindSafe(|| read(pack, kind(object_format)))).unwrap_or_default()
}

fn read(pack: File, hash: gix_hash::Kind) -> Vec<Commit> {
    let Ok(entries) = entries(pack, EntryDataMode::Keep, hash) else { return Vec::new() };
    let (mut commits, mut n_others) = (Vec::new(), 0);
    let mut inflate = gix_zlib::Inflate::default();
    for entry in entries.map_while(Result::ok) {
        match commit(&entry, &mut inflate, hash) {
            Some(commit) => {
                n_others = 0;
                commits.push(commit);
            }
            None => n_others += 1,
        }
        if n_others > N_OTHERS_MAX || commits.len() >= N_COMMITS_MAX {
            break;
        }
    }
    commits
}

fn commit(entry: &Entry, inflate: &mut gix_zlib::Inflate, hash: gix_hash::Kind) -> Option<Commit> {
    let is_one = entry.header == Header::Commit && entry.decompressed_size <= COMMIT_BYTES_MAX;
    let packed = entry.compressed.as_ref().filter(|_| is_one)?;
    let mut text = vec![0; entry.decompressed_size as usize];
    inflate.reset();
    inflate.once(packed, &mut text).ok()?;
    let id = compute_hash(hash, Kind::Commit, &text).ok()?;
    let parents = CommitRefIter::from_bytes(&text, hash).parent_ids();
    Some(Commit { id: model_id(id)?, parents: parents.filter_map(model_id).collect() })
}

fn model_id(id: gix_hash::ObjectId) -> Option<ObjectId> {
    id.to_string().parse().ok()
}
