//! A repository that does not come at once. Git's protocol resumes nothing; but what broke off has told which commits there are, so that it
//! is asked for old ones first, with everything that they need: each step that came is here, and the next builds on it. All of it is
//! put together beside the copy, and taken in as one pack, as if it had come at once.

use std::collections::BTreeSet;
use std::io::Write as _;

use git::{Bare, Commit, FetchRequest, GitError, Speech};
use model::ObjectId;
use store::BlobWriter;

use crate::ask::{Trouble, Upstream};
use crate::copy::Copy;
use crate::listed::Heard;
use crate::mirror::Mirror;
use crate::outcome::{Stop, SyncError};
use crate::sync::{N_HAVES_MAX, Received, blocking};

/// So many steps in a row may break off, each an eighth as large as the one before.
const N_BREAKS_MAX: usize = 4;
const SMALLER: usize = 8;
/// A step is at most so many times as large as the one before.
const LARGER: u64 = 8;
/// So many commits are looked up at once: what git prints of them is read whole.
const N_LOOKED_UP_MAX: usize = 500_000;
/// The most commits that are asked for at once, with all that they need.
const N_WANTS_MAX: usize = 4096;

impl Mirror {
    /// Gets what is missing in steps; `broken` is what came of all of it, and why no more did, where it was tried.
    pub(crate) async fn receive_in_steps(
        &self,
        upstream: &Upstream<'_>,
        heard: &Heard,
        copy: &Copy,
        wants: &[ObjectId],
        mut broken: Option<(BlobWriter, Trouble)>,
    ) -> Result<Received, Stop> {
        let object_format = heard.object_format.as_str();
        let held: Vec<ObjectId> = copy.state.tips().into_iter().take(N_HAVES_MAX).collect();
        let stage = blocking(|| copy.bare.stage(object_format))?;
        let (mut ahead, mut n_breaks, mut size_bytes) = (Ahead::default(), 0, 0);
        loop {
            if let Some((pack, trouble)) = broken.take() {
                n_breaks += 1;
                size_bytes += pack.size_bytes();
                let is_news = blocking(|| ahead.learn(&stage, &pack, object_format))?;
                if n_breaks > N_BREAKS_MAX || !is_news {
                    return Err(given_up(copy, &stage, trouble)?.into());
                }
            }
            let (asked, is_all) = match ahead.next() {
                asked if asked.is_empty() => (wants.to_vec(), true),
                asked => (asked, false),
            };
            let pins = stage.pins().map_err(SyncError::Disk)?;
            let haves: Vec<ObjectId> = held.iter().copied().chain(pins).take(N_HAVES_MAX).collect();
            let request = FetchRequest { object_format, wants: &asked, haves: &haves };
            let mut pack = self.store().writer()?;
            match upstream.fetch(&request, Speech::Two, &mut pack).await {
                Err(trouble @ Trouble::Unavailable { .. }) => broken = Some((pack, trouble)),
                Err(trouble) => return Err(trouble.into()),
                Ok(()) => {
                    size_bytes += pack.size_bytes();
                    let file = pack.reader().map_err(SyncError::Disk)?;
                    let added = blocking(|| stage.add_step(file, &asked, object_format));
                    added.map_err(|error| blame(copy, &stage, Stop::pack(error)))?;
                    if is_all {
                        let together = self.put_together(&stage, wants, &held).await;
                        let pack = together.map_err(|stop| blame(copy, &stage, stop))?;
                        return Ok(Received { pack, size_bytes });
                    }
                    ahead.came(pack.size_bytes());
                    n_breaks = 0;
                }
            }
        }
    }

    /// Packs what was put together as it would have come at once.
    async fn put_together(
        &self,
        stage: &Bare,
        wants: &[ObjectId],
        held: &[ObjectId],
    ) -> Result<BlobWriter, Stop> {
        let (mut pack, mut stream) = (self.store().writer()?, blocking(|| stage.pack(wants, held))?);
        while let Some(piece) = stream.next().await {
            pack.write_all(&piece.map_err(GitError::from)?).map_err(SyncError::Disk)?;
        }
        Ok(pack)
    }
}

/// Says that what came is not lost, where anything did.
fn given_up(copy: &Copy, stage: &Bare, trouble: Trouble) -> Result<Trouble, SyncError> {
    if stage.is_empty().map_err(SyncError::Disk)? {
        copy.bare.unstage().map_err(SyncError::Disk)?;
        return Ok(trouble);
    }
    let reason = format!("{trouble}; a part of it is here, and the next look goes on from there");
    Ok(Trouble::Unavailable { reason })
}

/// Says whose fault it is that something is missing or does not fit: what is damaged here is begun anew.
fn blame(copy: &Copy, stage: &Bare, stop: Stop) -> Stop {
    let is_whole = || {
        let pins: Vec<ObjectId> = stage.pins().ok()?.into_iter().collect();
        blocking(|| stage.check_connected(&pins)).ok()
    };
    if is_whole().is_none()
        && let Err(error) = copy.bare.unstage()
    {
        return Stop::Here(SyncError::Disk(error));
    }
    blocking(|| copy.blame(stop))
}

/// The commits that are known and not here.
#[derive(Debug, Default)]
struct Ahead {
    /// The oldest first.
    commits: Vec<Commit>,
    /// How many of them are asked for next.
    n_next: usize,
    /// After how many bytes an answer broke off, the shortest.
    broke_at_bytes: Option<u64>,
}

impl Ahead {
    /// Takes in what is known from a pack that broke off; returns whether there is anything to ask for.
    fn learn(&mut self, stage: &Bare, pack: &BlobWriter, object_format: &str) -> Result<bool, Stop> {
        let file = pack.reader().map_err(SyncError::Disk)?;
        let mut commits = git::commits(file, object_format);
        let ids: Vec<ObjectId> = commits.iter().map(|commit| commit.id).collect();
        let mut missing = BTreeSet::new();
        for some in ids.chunks(N_LOOKED_UP_MAX) {
            missing.extend(stage.missing(some)?);
        }
        commits.retain(|commit| missing.contains(&commit.id));
        commits.reverse();
        self.broke(commits, pack.size_bytes());
        Ok(!self.commits.is_empty())
    }

    /// Puts what was learnt before what was known, and takes a smaller step.
    fn broke(&mut self, older: Vec<Commit>, size_bytes: u64) {
        self.broke_at_bytes = Some(self.broke_at_bytes.map_or(size_bytes, |least| least.min(size_bytes)));
        let known: BTreeSet<ObjectId> = older.iter().map(|commit| commit.id).collect();
        let is_first = self.commits.is_empty();
        let rest = std::mem::take(&mut self.commits).into_iter().filter(|commit| !known.contains(&commit.id));
        self.commits = older.into_iter().chain(rest).collect();
        let n_before = if is_first { self.commits.len() } else { self.n_next };
        self.n_next = (n_before / SMALLER).max(1);
    }

    /// Returns the newest commits of the next step: they need all others. None where nothing is known that is not here.
    fn next(&self) -> Vec<ObjectId> {
        let step = &self.commits[..self.n_next.min(self.commits.len())];
        let parents: BTreeSet<&ObjectId> = step.iter().flat_map(|commit| &commit.parents).collect();
        let newest = step.iter().rev().map(|commit| commit.id).filter(|id| !parents.contains(id));
        newest.take(N_WANTS_MAX).collect()
    }

    /// Goes on behind a step that came, with one of which as much may come as did before anything broke off, less a quarter.
    fn came(&mut self, size_bytes: u64) {
        self.commits.drain(..self.n_next.min(self.commits.len()));
        let n_next = self.n_next as u64;
        let fits = n_next.saturating_mul(self.broke_at_bytes.unwrap_or(u64::MAX) / 4 * 3) / size_bytes.max(1);
        self.n_next = fits.clamp(1, n_next.saturating_mul(LARGER)) as usize;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: usize) -> ObjectId {
        format!("{n:040x}").parse().unwrap()
    }

    /// Returns commits in a row, the oldest first.
    fn row(numbers: std::ops::Range<usize>) -> Vec<Commit> {
        numbers.map(|n| Commit { id: id(n), parents: vec![id(n - 1)] }).collect()
    }

    #[test]
    fn old_commits_come_first_in_steps_that_grow_and_shrink() {
        let mut ahead = Ahead::default();
        assert!(ahead.next().is_empty());
        ahead.broke(row(101..901), 4000);
        assert_eq!(ahead.next(), [id(200)]);
        // The step was too large, and what broke off tells of commits before it.
        ahead.broke(row(51..161), 5000);
        assert_eq!((ahead.commits.len(), ahead.next()), (850, vec![id(62)]));
        ahead.came(1500);
        assert_eq!(ahead.next(), [id(62 + 24)], "twice as many bytes may come");
        ahead.came(1);
        assert_eq!(ahead.next(), [id(62 + 24 + 24 * 8)]);
        for n in 0.. {
            assert!(n < 10, "it comes to an end");
            if ahead.next().is_empty() {
                break;
            }
            ahead.came(3000);
        }
        // Even one commit may be too much.
        let mut ahead = Ahead::default();
        ahead.broke(row(1..3), 0);
        ahead.broke(Vec::new(), 0);
        assert_eq!(ahead.next(), [id(1)]);
        ahead.came(0);
        assert_eq!(ahead.next(), [id(2)]);
    }

    #[test]
    fn every_line_of_work_is_asked_for() {
        let mut ahead = Ahead::default();
        let side = (1..5).map(|n| Commit { id: id(1000 + n), parents: vec![id(999 + n)] });
        ahead.broke(row(1..5).into_iter().zip(side).flat_map(|(one, other)| [one, other]).collect(), 0);
        ahead.n_next = 6;
        assert_eq!(ahead.next(), [id(1003), id(3)]);
    }
}
