//! How each repository that is kept stands.

use std::collections::HashMap;

use drill::{Cell, State};
use mirror::State as Refs;
use model::{Event, RepoId, Timestamp};
use serde::Serialize;
use store::{Entry, Store};

use crate::failure::Failure;

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

/// Returns how every repository stands, in the order of their names; one that nobody asks for, and of which nothing is held, is none.
pub(crate) fn standings(store: &Store) -> Result<Vec<Standing>, Failure> {
    let (outages, damage) = (store.outages()?, damage(store)?);
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
    let damage = damage.get(&repo.subject()).cloned();
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
        outage: mirror::outage(outages, &repo).map(|(since, reason)| (since, reason.to_owned())),
        damage,
        repo,
    })
}

/// Returns what is known to be damaged, by what it belongs to.
pub(super) fn damage(store: &Store) -> Result<HashMap<String, String>, Failure> {
    let mut damage = HashMap::new();
    for entry in store.attention(0)?.entries {
        if let Event::Decayed { sha256, belongs_to, reason, .. } = entry.event {
            let told = format!("a pack of it is damaged: {sha256}, {reason}");
            damage.extend(belongs_to.into_iter().map(|subject| (subject, told.clone())));
        }
    }
    Ok(damage)
}
