//! What the history of a repository says about a move of a ref, with what came.

use std::collections::BTreeMap;
use std::time::Duration;

use git::{GitError, Incoming};
use host::Clock;
use host::process::ProcessError;
use model::{ObjectId, RefName, Target};

use crate::judge::{History, Relation};
use crate::state::State;

/// How long branches that moved are looked at, one after the other; some milliseconds each. Those that are left count as forced.
const LOOK_FOR: Duration = Duration::from_secs(120);

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

/// What git says of a repository's history, for as long as nobody has to wait too long for the copy.
pub(crate) struct Looked<'a> {
    incoming: &'a Incoming,
    clock: &'a Clock,
    began: Duration,
}

impl<'a> Looked<'a> {
    pub(crate) fn new(incoming: &'a Incoming, clock: &'a Clock) -> Self {
        Self { incoming, clock, began: clock.elapsed() }
    }
}

impl History for Looked<'_> {
    type Error = GitError;

    fn relation(&mut self, old: &Target, new: &Target) -> Result<Relation, GitError> {
        let nothing = Relation { is_ancestor: false, has_common: false, is_earlier: false };
        if self.clock.elapsed() - self.began > LOOK_FOR {
            // Not that everything is lost, but that a person has to say.
            return Ok(Relation { has_common: true, ..nothing });
        }
        let (Some(old), Some(new)) = (old.id(), new.id()) else { return Ok(nothing) };
        match self.incoming.is_ancestor(old, new) {
            Ok(true) => Ok(Relation { is_ancestor: true, has_common: true, ..nothing }),
            Ok(false) => Ok(Relation {
                has_common: self.incoming.have_common(old, new)?,
                is_earlier: self.incoming.is_ancestor(new, old)?,
                ..nothing
            }),
            // A branch that names no commit: it is as if everything were lost.
            Err(GitError::Failed { .. }) => Ok(nothing),
            Err(error) => Err(error),
        }
    }

    fn n_files(&mut self, commit: &Target) -> Result<Option<u64>, GitError> {
        let Some(id) = commit.id() else { return Ok(None) };
        match self.incoming.n_files(id) {
            Ok(n_files) => Ok(Some(n_files)),
            // It has no tree, or one too large to be listed.
            Err(GitError::Failed { .. } | GitError::Process(ProcessError::Long { .. })) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use fakes::git::Repository;
    use git::{Bare, Git};
    use model::Timestamp;

    use super::*;

    #[test]
    fn what_takes_too_long_to_look_at_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let repository = Repository::create(folder.path());
        let [old, new] = ["one", "two"].map(|text| {
            let commit = repository.commit("main", text, &[("a.txt", text)]);
            Target::Object { id: commit.parse().unwrap(), peeled: None }
        });
        let bare = Bare::lock(&Git::new("/usr/local/bin:/usr/bin:/bin"), folder.path()).unwrap();
        bare.lay_out("sha1").unwrap();
        let (incoming, clock) = (bare.incoming().unwrap(), Clock::manual(Timestamp::UNIX_EPOCH));
        let mut looked = Looked::new(&incoming, &clock);
        let follows = Relation { is_ancestor: true, has_common: true, is_earlier: false };
        assert_eq!(looked.relation(&old, &new).unwrap(), follows, "the control");
        let goes_back = Relation { is_ancestor: false, has_common: true, is_earlier: true };
        assert_eq!(looked.relation(&new, &old).unwrap(), goes_back);
        clock.advance(LOOK_FOR + Duration::from_secs(1));
        assert!(!looked.relation(&old, &new).unwrap().is_ancestor);
    }
}
