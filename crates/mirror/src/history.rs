//! What the history of a repository says about a move of a ref, with what came.

use std::collections::BTreeMap;

use git::{GitError, Incoming};
use host::process::ProcessError;
use model::{ObjectId, RefName, Target};

use crate::judge::{History, Relation};
use crate::state::State;

/// Says of each ref that moved what it leads to in the end, as it is and not as the upstream has it.
pub(crate) fn peel(
    incoming: &Incoming,
    state: &State,
    listed: &mut BTreeMap<RefName, Target>,
) -> Result<(), GitError> {
    let is_new = |(name, target): &(&RefName, &mut Target)| state.upstream.get(*name) != Some(&**target);
    let mut new: Vec<(ObjectId, &mut Option<ObjectId>)> = Vec::new();
    for (_, target) in listed.iter_mut().filter(is_new) {
        if let Target::Object { id, peeled } = target {
            new.push((*id, peeled));
        }
    }
    let ids: Vec<ObjectId> = new.iter().map(|(id, _)| *id).collect();
    for ((_, peeled), found) in new.into_iter().zip(incoming.peeled(&ids)?) {
        *peeled = found;
    }
    Ok(())
}

impl History for Incoming {
    type Error = GitError;

    fn relation(&mut self, old: &Target, new: &Target) -> Result<Relation, GitError> {
        let nothing = Relation { is_ancestor: false, has_common: false };
        let (Some(old), Some(new)) = (old.id(), new.id()) else { return Ok(nothing) };
        match self.is_ancestor(old, new) {
            Ok(true) => Ok(Relation { is_ancestor: true, has_common: true }),
            Ok(false) => Ok(Relation { has_common: self.have_common(old, new)?, ..nothing }),
            // A branch that names no commit: it is as if everything were lost.
            Err(GitError::Failed { .. }) => Ok(nothing),
            Err(error) => Err(error),
        }
    }

    fn n_files(&mut self, commit: &Target) -> Result<Option<u64>, GitError> {
        let Some(id) = commit.id() else { return Ok(None) };
        match Self::n_files(self, id) {
            Ok(n_files) => Ok(Some(n_files)),
            // It has no tree, or one too large to be listed.
            Err(GitError::Failed { .. } | GitError::Process(ProcessError::Long { .. })) => Ok(None),
            Err(error) => Err(error),
        }
    }
}
