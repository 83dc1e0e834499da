//! Bringing one repository's copy up to date: ask, judge, hold the objects, tell the journal, and only then move refs.

use std::io::Write as _;
use std::path::Path;

use git::{Bare, FetchRequest, GitError, Incoming, LeftOut, Listed, Remote, Speech};
use host::failpoint;
use host::http::Keyring;
use model::{Decision, Event, MoveClass, ObjectId, Pack, RepoId, Sha256, Timestamp};
use store::{BlobWriter, Entry};

use crate::address::Address;
use crate::ask::{Trouble, Upstream};
use crate::copy::{Copy, CopyError, superseded};
use crate::history::{Looked, peel};
use crate::judge::{Judgement, judge};
use crate::listed::Heard;
use crate::mirror::Mirror;
use crate::outcome::{Outage, Stop, SyncError, Synced};
use crate::relay::Relay;
use crate::state::State;
use crate::tell::{destroyed, names_left_out};

/// More moves than these are told by a whole state.
const N_MOVES_MAX: usize = 256;
/// After so many entries a whole state is written, so that any moment is read from few.
const N_ENTRIES_MAX: usize = 256;
/// Objects that are named as held; one more only costs a few bytes that come twice.
pub(crate) const N_HAVES_MAX: usize = 4096;
/// How often it is begun anew where others are faster.
pub(crate) const N_TRIES: usize = 3;

/// What came.
pub(crate) struct Received {
    pub(crate) pack: BlobWriter,
    /// How many bytes, of packs that broke off as well.
    pub(crate) size_bytes: u64,
}

/// What became of refs.
struct Sealed {
    n_applied: usize,
    n_held: usize,
    reasons: Vec<String>,
}

/// Which list of refs it is, and since when the upstream has them.
struct Said {
    listing: Sha256,
    at: Timestamp,
}

/// What an upstream lists.
enum Answer {
    /// What it listed before.
    Same(LeftOut),
    /// Something else.
    Other(Heard),
}

impl Mirror {
    /// Brings a repository's copy up to date. Who has asked for all calls [`Mirror::finish`].
    ///
    /// # Errors
    /// What is wrong here. What is wrong upstream is no error: [`Synced`] says it, and the journal keeps it.
    pub async fn sync(&self, address: &Address) -> Result<Synced, SyncError> {
        // A command has credentials of its own: with Outlast's it sees what a person has taken on, and nothing else.
        let nobody = Keyring::default();
        let is_known = !self.is_for_command() || self.store().repo(address.repo())?.is_some();
        let keyring = if is_known { self.keyring() } else { &nobody };
        let upstream = self.upstream(address, keyring);
        for _ in 0..N_TRIES {
            match self.try_sync(&upstream).await {
                Ok(Some(synced)) => return Ok(synced),
                Ok(None) => {}
                Err(SyncError::Copy(error)) if error.is_busy() => {}
                Err(error) => return Err(error),
            }
        }
        let reason = "others are at work on its copy; ask again".to_owned();
        Ok(Synced::Unavailable { reason, outage: Outage::Failing })
    }

    /// Notes that a repository is not asked for, because its host gives none of those before it.
    pub fn pass_over(&self, address: &Address, reason: String) -> Result<Synced, SyncError> {
        self.tell(address.repo(), Trouble::Silent { reason })
    }

    /// Brings it up to date once; nothing where another process was faster, so that the listing may be older than the copy.
    async fn try_sync(&self, upstream: &Upstream<'_>) -> Result<Option<Synced>, SyncError> {
        let repo = upstream.address.repo();
        let before = self.store().newest_refs(repo)?;
        let seen = before.as_ref().map(|entry| entry.seq);
        let listed = match self.listed(upstream, before.as_ref()).await {
            Err(Stop::Here(error)) => return Err(error),
            Err(Stop::There(trouble)) => return self.tell(repo, trouble).map(Some),
            Ok(listed) => listed,
        };
        let heard = match listed {
            Answer::Same(left_out) => return self.observe(repo, seen, left_out).map(Some),
            Answer::Other(heard) => heard,
        };
        match self.follow(upstream, &heard, seen).await {
            Err(Stop::Here(error)) => Err(error),
            Err(Stop::There(trouble)) => self.tell(repo, trouble).map(Some),
            Ok(synced) => Ok(synced),
        }
    }

    /// Notes that nothing moved.
    fn observe(&self, repo: &RepoId, seen: Option<u64>, left_out: LeftOut) -> Result<Synced, SyncError> {
        let flaws = seen.map_or(Ok(Vec::new()), |seq| self.look_after(repo, seq))?;
        self.note_up(repo)?;
        self.note_unchanged(Event::Observed { repo: repo.clone(), at: self.clock().now() });
        Ok(match left_out.n {
            0 if flaws.is_empty() => Synced::Unchanged,
            0 => Synced::Flawed { flaws },
            _ => Synced::Moved { n_applied: 0, n_held: 0, reasons: Vec::new(), size_bytes: 0, left_out },
        })
    }

    /// Looks after the copy while nothing else is to be done; returns what git finds fault with, where that is news.
    fn look_after(&self, repo: &RepoId, seq: u64) -> Result<Vec<String>, SyncError> {
        // A process may have been killed in between, or the copy be gone; whoever else is at work on it does the same.
        let flaws = blocking(|| match Copy::catch_up(self.git(), self.store(), repo, "sha1", seq) {
            Err(error) if !error.is_busy() => Err(error),
            // A command waits for the answer.
            _ if self.is_for_command() => Ok(Vec::new()),
            _ => Copy::look_after(self.git(), self.store(), repo),
        })?;
        let told = self.store().flawed(repo)?.map(|entry| entry.event);
        // A copy that was made anew is looked at again.
        if flaws.is_empty() || matches!(&told, Some(Event::Flawed { flaws: told, .. }) if *told == flaws) {
            return Ok(Vec::new());
        }
        let event = Event::Flawed { repo: repo.clone(), flaws: flaws.clone(), at: self.clock().now() };
        self.store().append(None, vec![event])?;
        Ok(flaws)
    }

    /// Asks an upstream what it lists.
    async fn listed(&self, upstream: &Upstream<'_>, before: Option<&Entry>) -> Result<Answer, Stop> {
        let repo = upstream.address.repo();
        let known = match before.map(|entry| &entry.event) {
            Some(Event::Refs { listing, .. }) => Some(*listing),
            _ => None,
        };
        let heard = self.hear(upstream, before.is_some()).await?;
        let Listed { refs, left_out, digest } = &heard.listed;
        if known == Some(*digest) {
            return Ok(Answer::Same(left_out.clone()));
        }
        if refs.is_empty() && before.is_some() && self.had_refs(repo)? {
            let reason = "the upstream lists no refs at all any more".to_owned();
            return Err(Stop::There(Trouble::Absent { reason }));
        }
        Ok(Answer::Other(heard))
    }

    fn had_refs(&self, repo: &RepoId) -> Result<bool, CopyError> {
        Ok(!State::read(self.store(), repo, None)?.upstream.is_empty())
    }

    pub(crate) async fn follow(
        &self,
        upstream: &Upstream<'_>,
        heard: &Heard,
        seen: Option<u64>,
    ) -> Result<Option<Synced>, Stop> {
        let format = &heard.object_format;
        let mut copy = blocking(|| Copy::open(self.git(), self.store(), upstream.address.repo(), format))?;
        if self.store().newest_refs(copy.repo())?.map(|entry| entry.seq) != seen {
            return Ok(None);
        }
        // Another speaks for itself alone.
        let speech = heard.speech.filter(|_| upstream.server.is_none());
        speech.map_or(Ok(()), |speech| copy.bare.note_speech(speech)).map_err(SyncError::Disk)?;
        let tips = heard.listed.tips();
        let wants = blocking(|| copy.bare.missing(&tips))?;
        let incoming = copy.bare.incoming().map_err(GitError::from)?;
        let received = match wants.is_empty() {
            true => None,
            false => Some(self.fetch(upstream, heard, &copy, &incoming, &wants).await?),
        };
        let (pack, size_bytes) =
            received.map_or((None, 0), |Received { pack, size_bytes }| (Some(pack), size_bytes));
        let Sealed { n_applied, n_held, reasons } =
            blocking(|| self.take_in(upstream, heard, &mut copy, incoming, pack))?;
        let (repo, left_out) = (upstream.address.repo(), heard.listed.left_out.clone());
        if upstream.server.is_none() {
            self.note_up(repo)?;
        }
        if left_out.n > 0 {
            let reason = names_left_out(&left_out);
            let event = Event::Refused { repo: repo.clone(), reason, at: self.clock().now() };
            self.store().append(None, vec![event])?;
        }
        Ok(Some(Synced::Moved { n_applied, n_held, reasons, size_bytes, left_out }))
    }

    /// Judges what was listed with what came, and makes both the copy's.
    fn take_in(
        &self,
        upstream: &Upstream<'_>,
        heard: &Heard,
        copy: &mut Copy,
        incoming: Incoming,
        pack: Option<BlobWriter>,
    ) -> Result<Sealed, Stop> {
        let Listed { mut refs, digest, .. } = heard.listed.clone();
        incoming.check_connected(&heard.listed.tips()).map_err(|error| copy.blame(Stop::pack(error)))?;
        peel(&incoming, &copy.state, &mut refs)?;
        let n_destroyed = copy.state.n_destroyed_lately(self.clock().now());
        let tripwires = self.tripwires().of(copy.repo());
        let mut looked = Looked::new(&incoming, self.clock());
        let mut judgement = judge(&copy.state, &refs, &tripwires, n_destroyed, &mut looked)?;
        let mut listing = digest;
        if upstream.server.is_some() {
            keep_additions(&mut judgement, &copy.state);
            // The upstream's own list is another, whatever it has.
            listing = copy.state.listing.unwrap_or_else(|| Sha256::of(digest.to_string().as_bytes()));
        }
        let n_moves = judgement.moves.len();
        let n_held = judgement.moves.iter().filter(|moved| moved.decision == Decision::Hold).count();
        let reasons = judgement.reasons.clone();
        if upstream.server.is_none() || n_moves > 0 || pack.is_some() {
            let said = Said { listing, at: heard.as_of.unwrap_or_else(|| self.clock().now()) };
            self.seal(copy, incoming, pack, said, judgement)?;
        }
        copy.bare.unstage().map_err(SyncError::Disk)?;
        Ok(Sealed { n_applied: n_moves - n_held, n_held, reasons })
    }

    /// Gets what is missing, and indexes it beside the copy.
    async fn fetch(
        &self,
        upstream: &Upstream<'_>,
        heard: &Heard,
        copy: &Copy,
        incoming: &Incoming,
        wants: &[ObjectId],
    ) -> Result<Received, Stop> {
        let received = self.receive_somehow(upstream, heard, copy, wants).await?;
        pass("git.pack_received")?;
        let (object_format, pack) = (heard.object_format.as_str(), &received.pack);
        let file = pack.reader().map_err(SyncError::Disk)?;
        let is_empty = copy.bare.is_empty().map_err(SyncError::Disk)?;
        blocking(|| {
            let indexed = match is_empty {
                true => incoming.index_whole(&file, |path: &Path| pack.link(path), object_format),
                false => incoming.index_thin(file, object_format),
            };
            indexed.map_err(|error| copy.blame(Stop::pack(error)))
        })?;
        pass("git.pack_indexed")?;
        Ok(received)
    }

    /// Gets what is missing at once, or in steps where that breaks off.
    async fn receive_somehow(
        &self,
        upstream: &Upstream<'_>,
        heard: &Heard,
        copy: &Copy,
        wants: &[ObjectId],
    ) -> Result<Received, Stop> {
        let is_two = heard.speech == Some(Speech::Two);
        if is_two && copy.bare.is_staged() {
            return self.receive_in_steps(upstream, heard, copy, wants, None).await;
        }
        let haves: Vec<ObjectId> = copy.state.tips().into_iter().take(N_HAVES_MAX).collect();
        let request = FetchRequest { object_format: &heard.object_format, wants, haves: &haves };
        let mut pack = self.store().writer()?;
        match self.receive(upstream, heard.speech, &copy.bare, &request, &mut pack).await {
            Ok(()) => Ok(Received { size_bytes: pack.size_bytes(), pack }),
            Err(Stop::There(trouble @ Trouble::Unavailable { .. })) if is_two => {
                self.receive_in_steps(upstream, heard, copy, wants, Some((pack, trouble))).await
            }
            Err(stop) if heard.speech.is_some_and(|speech| speech != Speech::Files) => Err(stop),
            // Where git asks, what fails may be the copy on which it builds.
            Err(stop) => Err(blocking(|| copy.blame(stop))),
        }
    }

    /// Gets a pack of what `wants` reach and `haves` do not.
    pub(crate) async fn receive(
        &self,
        upstream: &Upstream<'_>,
        speech: Option<Speech>,
        bare: &Bare,
        request: &FetchRequest<'_>,
        pack: &mut BlobWriter,
    ) -> Result<(), Stop> {
        match speech {
            Some(Speech::Files) => {
                let relay = Relay::open(upstream).await.map_err(SyncError::Disk)?;
                let received = receive_by_git(bare, relay.remote(), request, pack).await;
                received.map_err(|stop| relay.blame(stop))
            }
            Some(speech) => Ok(upstream.fetch(request, speech, pack).await?),
            None => {
                let remote = Remote { url: upstream.address.as_str(), header: None };
                receive_by_git(bare, remote, request, pack).await
            }
        }
    }

    /// Makes what came durable, tells the journal, and moves the refs of the copy.
    fn seal(
        &self,
        copy: &mut Copy,
        incoming: Incoming,
        pack: Option<BlobWriter>,
        Said { listing, at }: Said,
        judgement: Judgement,
    ) -> Result<(), SyncError> {
        let (repo, now) = (copy.repo().clone(), self.clock().now());
        let blob = pack.map(BlobWriter::finish).transpose()?;
        let packs: Vec<Pack> =
            blob.iter().map(|blob| Pack { sha256: blob.sha256, size_bytes: blob.size_bytes }).collect();
        let Judgement { moves, reasons } = judgement;
        let pins = superseded(&moves);
        copy.state.follow(&moves, now);
        let is_whole = moves.len() > N_MOVES_MAX || copy.state.n_since_whole >= N_ENTRIES_MAX;
        let state = is_whole.then(|| self.store().put(copy.state.to_text(now).as_bytes())).transpose()?;
        self.store().flush()?;
        pass("git.pack_sealed")?;
        let mut events: Vec<Event> = destroyed(&repo, &moves, reasons, now).into_iter().collect();
        events.push(Event::Refs {
            repo,
            listing,
            n_moves: moves.len() as u64,
            moves: if is_whole { Vec::new() } else { moves },
            state: state.map(|blob| blob.sha256),
            packs,
            at,
        });
        // Whoever appends about these refs holds the copy's lock, as this does.
        let seq = self.store().append(None, events)?;
        pass("git.journal_appended")?;
        // Not before: what the copy has and no entry names would never be asked for again.
        incoming.take_in().map_err(SyncError::Disk)?;
        pass("git.taken_in")?;
        copy.write(pins, seq).map_err(SyncError::Disk)?;
        pass("git.refs_written")?;
        if let Err(error) = copy.maintain() {
            tracing::warn!("the packs of `{}` could not be merged: {error}", copy.repo());
        }
        Ok(())
    }
}

/// Leaves of what a server has, in place of the upstream, what a copy lacks, where both have agreed so far.
fn keep_additions(judgement: &mut Judgement, state: &State) {
    judgement.moves.retain(|moved| {
        let grows = matches!(moved.class, MoveClass::Create | MoveClass::FastForward);
        let is_agreed = state.upstream.get(&moved.name) == state.served.get(&moved.name);
        grows && is_agreed && moved.decision == Decision::Apply
    });
    judgement.reasons.clear();
}

/// Has git get a pack beside a copy.
async fn receive_by_git(
    bare: &Bare,
    remote: Remote<'_>,
    &FetchRequest { object_format, wants, haves }: &FetchRequest<'_>,
    pack: &mut BlobWriter,
) -> Result<(), Stop> {
    let fetched = blocking(|| bare.fetch_remote(remote, object_format, wants)).map_err(Stop::remote)?;
    let mut stream = fetched.pack(wants, haves).map_err(Stop::remote)?;
    while let Some(piece) = stream.next().await {
        pack.write_all(&piece.map_err(|error| Stop::remote(error.into()))?).map_err(SyncError::Disk)?;
    }
    Ok(())
}

/// Does what takes time on a thread of its own, so that others go on meanwhile.
pub(crate) fn blocking<T>(work: impl FnOnce() -> T) -> T {
    tokio::task::block_in_place(work)
}

fn pass(step: &str) -> Result<(), SyncError> {
    failpoint::pass(step).map_err(SyncError::Disk)
}
