//! A repository of which packs are damaged: fetched anew, beside what is whole.

use std::io::Write as _;

use git::{Bare, FetchRequest, GitError};
use model::{Event, Pack, Sha256};
use store::BlobWriter;

use crate::address::Address;
use crate::ask::Upstream;
use crate::copy::{Copy, CopyError, folder};
use crate::mirror::Mirror;
use crate::outcome::{Stop, SyncError};
use crate::state::State;
use crate::sync::blocking;

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mended {
    /// Everything that is served is here again.
    Whole {
        /// How many bytes came.
        size_bytes: u64,
        /// Whether everything that refs once named, and name no more, is here as well.
        is_all: bool,
    },
    /// It is as it was.
    Not {
        /// Why.
        reason: String,
    },
}

impl Mirror {
    /// Packs everything that the copy of a repository has whose packs are damaged, where the copy is whole, or fetches everything that its
    /// upstream has; and has the copy made anew from that and from the packs that are whole. No ref moves. `damaged` are the packs
    /// that are needed no more where all of history is here then.
    ///
    /// # Errors
    /// What is wrong here; also where something that is served is in no pack any more, which the upstream no longer has.
    pub async fn mend(&self, address: &Address, damaged: Vec<Sha256>) -> Result<Mended, SyncError> {
        let upstream = self.upstream(address, self.keyring());
        match self.fetch_anew(&upstream, damaged).await {
            Ok((size_bytes, is_all)) => Ok(Mended::Whole { size_bytes, is_all }),
            Err(Stop::There(trouble)) => Ok(Mended::Not { reason: trouble.to_string() }),
            Err(Stop::Here(error)) => Err(error),
        }
    }

    async fn fetch_anew(&self, upstream: &Upstream<'_>, damaged: Vec<Sha256>) -> Result<(u64, bool), Stop> {
        let repo = upstream.address.repo();
        let folder = folder(self.store().home(), repo);
        let bare = blocking(|| Bare::lock(self.git(), &folder))?;
        let known = git::object_format(&folder).unwrap_or("sha1");
        bare.lay_out(known).map_err(SyncError::Disk)?;
        // The copy may have merged what came into packs of its own, which are whole.
        let is_whole = !bare.is_empty().map_err(SyncError::Disk)? && blocking(|| bare.check()).is_ok();
        let (object_format, pack) = match is_whole {
            true => (known.to_owned(), self.pack_copy(&bare).await?),
            false => self.fetch_whole(upstream, &bare).await?,
        };
        drop(bare);
        let size_bytes = pack.size_bytes();
        let held = self.hold_anew(upstream.address, pack)?;
        blocking(|| Copy::discard(self.git(), self.store(), repo))?;
        // From all packs, this one last.
        let copy = blocking(|| Copy::open(self.git(), self.store(), repo, &object_format))?;
        let is_all = blocking(|| copy.has_history(self.store()))?;
        // The same bytes may have come again.
        let packs: Vec<Sha256> = damaged.into_iter().filter(|sha256| Some(*sha256) != held).collect();
        // As long as something of them is nowhere else, a second copy may still have it.
        if !packs.is_empty() && is_all {
            let at = self.clock().now();
            self.store().append(None, vec![Event::Replaced { repo: repo.clone(), packs, at }])?;
        }
        Ok((size_bytes, is_all))
    }

    /// Packs everything that a copy has.
    async fn pack_copy(&self, bare: &Bare) -> Result<BlobWriter, Stop> {
        let (mut pack, mut stream) = (self.store().writer()?, blocking(|| bare.pack_all())?);
        while let Some(piece) = stream.next().await {
            pack.write_all(&piece.map_err(GitError::from)?).map_err(SyncError::Disk)?;
        }
        Ok(pack)
    }

    /// Fetches everything that an upstream has; nothing of the copy is built on.
    async fn fetch_whole(&self, upstream: &Upstream<'_>, bare: &Bare) -> Result<(String, BlobWriter), Stop> {
        let heard = self.hear(upstream, false).await?;
        let tips = heard.listed.tips();
        // Git compares what comes with what is there, and what is there is damaged.
        bare.clear().map_err(SyncError::Disk)?;
        let incoming = bare.incoming().map_err(GitError::from)?;
        let request = FetchRequest { object_format: &heard.object_format, wants: &tips, haves: &[] };
        let mut pack = self.store().writer()?;
        self.receive(upstream, heard.speech, bare, &request, &mut pack).await?;
        let file = pack.reader().map_err(SyncError::Disk)?;
        blocking(|| {
            incoming.index_whole(&file, |path| pack.link(path), &heard.object_format).map_err(Stop::pack)?;
            incoming.check_connected(&tips).map_err(Stop::pack)
        })?;
        Ok((heard.object_format, pack))
    }

    /// Makes a pack durable, and tells the journal of it as one more of the repository's.
    fn hold_anew(&self, address: &Address, pack: BlobWriter) -> Result<Option<Sha256>, SyncError> {
        let blob = pack.finish()?;
        self.store().flush()?;
        let repo = address.repo();
        let state = State::read(self.store(), repo, None).map_err(CopyError::from)?;
        let Some(listing) = state.listing else { return Ok(None) };
        let event = Event::Refs {
            repo: repo.clone(),
            // What it lists now is judged by the next look.
            listing,
            n_moves: 0,
            moves: Vec::new(),
            state: None,
            packs: vec![Pack { sha256: blob.sha256, size_bytes: blob.size_bytes }],
            at: self.clock().now(),
        };
        self.store().append(None, vec![event])?;
        Ok(Some(blob.sha256))
    }
}
