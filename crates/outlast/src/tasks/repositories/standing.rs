//! How each repository that is kept stands.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use drill::{Cell, State};
use mirror::State as Refs;
use model::{Event, RepoId, Timestamp};
use serde::Serialize;
use store::{Entry, Store};

use crate::failure::Failure;
use crate::speak::minute;
use crate::tasks::damage::Damage;

/// What is done with a repository, as the survival matrix has it.
const CLONE: &str = "clone";

/// One repository, as the journal knows it.
#[derive(Debug, Serialize)]
pub(crate) struct Standing {
    pub(crate) repo: RepoId,
    /// Whether its upstream is asked.
    pub(crate) is_followed: bool,
    /// `claimed`: a clone would survive its host, which nobody has proved; `lost`: it would not.
    pub(crate) state: State,
    /// When its upstream last said what it has.
    pub(crate) as_of: Option<Timestamp>,
    /// How many refs are served.
    pub(crate) n_refs: usize,
    /// How many wait for a person.
    pub(crate) n_held: usize,
    /// Since when the first of them waits.
    #[serde(skip)]
    pub(crate) held_since: Option<Timestamp>,
    /// Since when it could not be brought up to date, and why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) outage: Option<(Timestamp, String)>,
    /// Whether its upstream says that it is not there, or not for us.
    pub(crate) is_absent: bool,
    /// What is damaged of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) damage: Option<String>,
}

impl Standing {
    /// Returns it as a cell of the survival matrix.
    pub(crate) fn cell(&self) -> Cell {
        Cell {
            thing: self.repo.to_string(),
            what: CLONE.to_owned(),
            vanished: self.repo.host().to_owned(),
            state: self.state,
            proved_at: None,
            recovered_ms: None,
        }
    }

    /// Returns whether there is nothing that a person should look at.
    pub(crate) fn is_well(&self) -> bool {
        self.state != State::Lost && self.outage.is_none() && self.n_held == 0
    }
}

/// Returns how every repository stands with what is known to be damaged, in the order of their names; one that nobody asks for, and of which nothing is held, is none.
pub(crate) fn standings(store: &Store, damage: &[Damage]) -> Result<Vec<Standing>, Failure> {
    let (outages, damage) = (store.outages()?, by_subject(damage));
    let mut standings = Vec::new();
    for entry in store.repos()? {
        let Event::Mirrored { repo, is_left, .. } = entry.event else { continue };
        let refs = Refs::read(store, &repo, None).map_err(Failure::no)?;
        if is_left && refs.seq == 0 {
            continue;
        }
        let standing = one(store, repo, &refs, &outages, &damage)?;
        standings.push(Standing { is_followed: !is_left, ..standing });
    }
    standings.sort_by(|one, other| one.repo.cmp(&other.repo));
    Ok(standings)
}

fn one(
    store: &Store,
    repo: RepoId,
    refs: &Refs,
    outages: &[Entry],
    damage: &HashMap<String, String>,
) -> Result<Standing, Failure> {
    let (damage, outage) = (damage.get(&repo.subject()).cloned(), mirror::outage(outages, &repo));
    let observed = [store.newest_refs(&repo)?, store.observed(&repo)?];
    let as_of = observed.iter().flatten().filter_map(|entry| match entry.event {
        Event::Refs { at, .. } | Event::Observed { at, .. } => Some(at),
        _ => None,
    });
    Ok(Standing {
        is_followed: true,
        // One without refs is kept as well, once its upstream has said so.
        state: if refs.seq == 0 || damage.is_some() { State::Lost } else { State::Claimed },
        as_of: as_of.max(),
        n_refs: refs.served.len(),
        n_held: refs.held.len(),
        held_since: refs.held.values().map(|held| held.since).min(),
        outage: outage.map(|outage| (outage.since, outage.reason.to_owned())),
        is_absent: outage.is_some_and(|outage| outage.is_absent),
        damage,
        repo,
    })
}

/// An account of a forge of which many repositories are not there any more.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Shrunk {
    /// Its host and name.
    pub(crate) owner: String,
    /// How many of its repositories are gone.
    pub(crate) n_absent: usize,
    /// And of how many that are followed.
    pub(crate) n_all: usize,
    /// Since when the first of them is.
    pub(crate) since: Timestamp,
}

impl fmt::Display for Shrunk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { owner, n_absent, n_all, since } = self;
        let since = minute(*since);
        write!(
            f,
            "{n_absent} of the {n_all} repositories of `{owner}` are not there any more, the first since {since}: \
             everything of them is kept; find out what became of the account"
        )
    }
}

/// Returns the owners of which more than one repository is gone, and more than a twentieth of all: an account that was closed, taken
/// over or renamed looks like this, and a project that was given up does not. The share is grokmirror's `purgeprotect`.
pub(crate) fn shrunk(standings: &[Standing]) -> Vec<Shrunk> {
    let mut owners: BTreeMap<String, Shrunk> = BTreeMap::new();
    for standing in standings.iter().filter(|standing| standing.is_followed) {
        let name = standing.repo.as_str();
        let owner = name.rsplit_once('/').map_or(name, |(owner, _)| owner).to_owned();
        let new = || Shrunk { owner: owner.clone(), n_absent: 0, n_all: 0, since: Timestamp::MAX };
        let shrunk = owners.entry(owner.clone()).or_insert_with(new);
        shrunk.n_all += 1;
        if let Some((since, _)) = standing.outage.as_ref().filter(|_| standing.is_absent) {
            shrunk.n_absent += 1;
            shrunk.since = shrunk.since.min(*since);
        }
    }
    let is_much = |shrunk: &Shrunk| shrunk.n_absent > 1 && shrunk.n_absent * 20 > shrunk.n_all;
    owners.into_values().filter(is_much).collect()
}

/// Returns what is known to be damaged, by what it belongs to.
pub(super) fn by_subject(known: &[Damage]) -> HashMap<String, String> {
    let mut damage = HashMap::new();
    for Damage { sha256, belongs_to, fault, .. } in known {
        let told = format!("a pack of it is damaged: {sha256}, {fault}");
        damage.extend(belongs_to.iter().map(|subject| (subject.clone(), told.clone())));
    }
    damage
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standings(gone: usize, all: usize) -> Vec<Standing> {
        let one = |n: usize| Standing {
            repo: RepoId::from_name(&format!("forge.example/acme/app-{n}")).unwrap(),
            is_followed: true,
            state: State::Claimed,
            as_of: None,
            n_refs: 1,
            n_held: 0,
            held_since: None,
            outage: (n < gone).then(|| (Timestamp::from_second(n as i64).unwrap(), "gone".to_owned())),
            is_absent: n < gone,
            damage: None,
        };
        (0..all).map(one).collect()
    }

    #[test]
    fn an_owner_that_loses_more_than_a_twentieth_is_told_of() {
        let told = |gone, all| shrunk(&standings(gone, all)).len();
        assert_eq!([told(0, 3), told(1, 3), told(2, 3)], [0, 0, 1]);
        assert_eq!([told(2, 40), told(3, 40)], [0, 1]);
        let [shrunk] = &shrunk(&standings(3, 40))[..] else { panic!() };
        assert_eq!((shrunk.owner.as_str(), shrunk.n_absent, shrunk.n_all), ("forge.example/acme", 3, 40));
        assert_eq!(shrunk.since.as_second(), 0);
        // Those that nobody follows, or whose host is silent, do not count.
        let mut quiet = standings(2, 3);
        quiet.iter_mut().for_each(|standing| standing.is_absent = false);
        assert!(super::shrunk(&quiet).is_empty());
    }
}
