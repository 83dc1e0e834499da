//! A repository of which packs are damaged: fetched anew, beside what is whole.

use git::{Bare, GitError};
use model::{Event, ObjectId, Pack, Target};
use store::BlobWriter;

use crate::address::Address;
use crate::ask::Upstream;
use crate::copy::{Copy, CopyError, folder};
use crate::outcome::{Stop, SyncError};
use crate::state::State;
use crate::sync::{Mirror, blocking};

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mended {
    /// Everything that is served is here again.
    Whole {
        /// How many bytes came.
        size_bytes: u64,
    },
    /// It is as it was.
    Not {
        /// Why.
        reason: String,
    },
}

impl Mirror {
    /// Fetches everything that an upstream has of a repository whose packs are damaged, and has its copy made anew from that and from the
    /// packs that are whole. No ref moves.
    ///
    /// # Errors
    /// What is wrong here; also where something that is served is in no pack any more, which the upstream no longer has.
    pub async fn mend(&self, address: &Address) -> Result<Mended, SyncError> {
        let upstream = self.upstream(address, self.keyring());
        match self.fetch_anew(&upstream).await {
            Ok(size_bytes) => Ok(Mended::Whole { size_bytes }),
            Err(Stop::There(trouble)) => Ok(Mended::Not { reason: trouble.to_string() }),
            Err(Stop::Here(error)) => Err(error),
        }
    }

    async fn fetch_anew(&self, upstream: &Upstream<'_>) -> Result<u64, Stop> {
        let repo = upstream.address.repo();
        let heard = self.hear(upstream, false).await?;
        let mut tips: Vec<ObjectId> = heard.listed.refs.values().filter_map(Target::id).copied().collect();
        tips.sort_unstable();
        tips.dedup();
        let bare = blocking(|| Bare::lock(self.git(), &folder(self.store().home(), repo)))?;
        let object_format = heard.object_format.as_str();
        bare.lay_out(object_format).map_err(SyncError::Disk)?;
        let incoming = bare.incoming().map_err(GitError::from)?;
        let pack = self.receive(upstream, &heard, &bare, &tips, &[]).await?;
        let file = pack.reader().map_err(SyncError::Disk)?;
        blocking(|| {
            incoming.index_whole(&file, |path| pack.link(path), object_format).map_err(Stop::pack)?;
            // Not before there is something in its place; what came has to stand on its own.
            bare.clear().map_err(SyncError::Disk)?;
            incoming.check_connected(&tips).map_err(Stop::pack)
        })?;
        drop((incoming, bare));
        let size_bytes = pack.size_bytes();
        self.hold_anew(upstream.address, pack)?;
        // From all packs, this one last.
        blocking(|| Copy::open(self.git(), self.store(), repo, object_format))?;
        Ok(size_bytes)
    }

    /// Makes a pack durable, and tells the journal of it as one more of the repository's.
    fn hold_anew(&self, address: &Address, pack: BlobWriter) -> Result<(), SyncError> {
        let blob = pack.finish()?;
        self.store().flush()?;
        let repo = address.repo();
        let state = State::read(self.store(), repo, None).map_err(CopyError::from)?;
        let Some(listing) = state.listing else { return Ok(()) };
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
        Ok(())
    }
}
