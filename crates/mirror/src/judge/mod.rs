//! What to do about each move of a ref: tripwires. Pure; facts about history come in.
//!
//! Destruction fails closed: what is not understood waits for a person, and nothing that waits holds up the rest.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use model::{Decision, MoveClass, RefMove, RefName, Target};

use crate::state::State;
use crate::tripwires::{Tripwires, is_named};

/// With fewer files, most may go at once and nothing be wrong.
const N_FILES_MIN: u64 = 20;
/// Who reads so many reasons knows enough; some name the ref, and there may be a hundred thousand.
const N_REASONS_MAX: usize = 20;

/// What history says about a ref that both have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Relation {
    /// What was reached still is.
    pub is_ancestor: bool,
    /// Something of it still is.
    pub has_common: bool,
    /// It was there before: nothing came that was not reached.
    pub is_earlier: bool,
}

/// What is known of a repository's history.
pub trait History {
    /// Why nothing can be said.
    type Error;

    /// Returns what history says about objects of a branch, old and new.
    fn relation(&mut self, old: &Target, new: &Target) -> Result<Relation, Self::Error>;

    /// Returns how many files a commit has, where that can be said.
    fn n_files(&mut self, commit: &Target) -> Result<Option<u64>, Self::Error>;
}

/// A move that waits, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// Every ref that the upstream moved.
    pub moves: Vec<RefMove>,
    /// Why some wait, each reason once, and not more than a person reads.
    pub reasons: Vec<String>,
}

/// Judges what an upstream lists now; `n_destroyed` is how many refs were destroyed in the last hour.
pub fn judge<H: History>(
    state: &State,
    listed: &BTreeMap<RefName, Target>,
    tripwires: &Tripwires,
    n_destroyed: u64,
    history: &mut H,
) -> Result<Judgement, H::Error> {
    let mut moves = Vec::new();
    let (orphans, earlier) = (BTreeSet::new(), BTreeSet::new());
    let (shrunk, renamed) = (BTreeMap::new(), renamed(state, listed, history)?);
    let mut judging = Judging {
        state,
        listed,
        tripwires,
        n_destroyed,
        orphans,
        earlier,
        shrunk,
        renamed,
        reasons: Vec::new(),
        is_default_lost: false,
    };
    for name in moved(state, listed) {
        let (old, new) = (state.served.get(name), listed.get(name));
        let class = match (old, new) {
            (old, new) if old == new => MoveClass::FastForward,
            (None, _) => MoveClass::Create,
            (Some(Target::Ref(_)), _) | (_, Some(Target::Ref(_))) => {
                judging.retarget(old, new, history)?;
                MoveClass::Retarget
            }
            (Some(_), None) => MoveClass::Delete,
            (Some(_), Some(_)) if name.is_tag() => MoveClass::TagMove,
            (Some(old), Some(new)) => {
                let relation = history.relation(old, new)?;
                if !relation.has_common {
                    judging.orphans.insert(name.clone());
                }
                if relation.is_earlier && !relation.is_ancestor {
                    judging.earlier.insert(name.clone());
                }
                if relation.is_ancestor && judging.is_protected(name) {
                    judging.measure(name, history.n_files(old)?, history.n_files(new)?);
                }
                if relation.is_ancestor { MoveClass::FastForward } else { MoveClass::Force }
            }
        };
        let (old, new) = (old.cloned(), new.cloned());
        moves.push(RefMove { name: name.clone(), old, new, class, decision: Decision::Apply, reason: None });
    }
    Ok(judging.hold(moves))
}

/// Returns the refs that the upstream moved since it was last asked, in order.
fn moved<'a>(state: &'a State, listed: &'a BTreeMap<RefName, Target>) -> Vec<&'a RefName> {
    let mut names: Vec<&RefName> = listed.keys().chain(state.upstream.keys()).collect();
    names.sort_unstable();
    names.dedup();
    names.retain(|name| listed.get(*name) != state.upstream.get(*name));
    names
}

/// Returns the branch that was the default and has become another one with everything in it: a new name, and nothing lost.
fn renamed<H: History>(
    state: &State,
    listed: &BTreeMap<RefName, Target>,
    history: &mut H,
) -> Result<Option<RefName>, H::Error> {
    let (Some(Target::Ref(before)), Some(Target::Ref(after))) =
        (state.served.get("HEAD"), listed.get("HEAD"))
    else {
        return Ok(None);
    };
    let (Some(old), Some(new)) = (state.served.get(before), listed.get(after)) else { return Ok(None) };
    if before == after || listed.contains_key(before) {
        return Ok(None);
    }
    let is_same = old == new || history.relation(old, new)?.is_ancestor;
    Ok(is_same.then(|| before.clone()))
}

struct Judging<'a> {
    state: &'a State,
    listed: &'a BTreeMap<RefName, Target>,
    tripwires: &'a Tripwires,
    n_destroyed: u64,
    orphans: BTreeSet<RefName>,
    /// Branches that are where they were once.
    earlier: BTreeSet<RefName>,
    /// Branches that lost most of their files in one move, and why that is said.
    shrunk: BTreeMap<RefName, String>,
    renamed: Option<RefName>,
    reasons: Vec<String>,
    /// Whether the default branch becomes one that lacks something of it.
    is_default_lost: bool,
}

impl Judging<'_> {
    fn hold(mut self, mut moves: Vec<RefMove>) -> Judgement {
        let is_plain = |moved: &&RefMove| moved.class.destroys() && !moved.name.is_proposal();
        let n_destroyed = self.n_destroyed + moves.iter().filter(is_plain).count() as u64;
        let n_refs =
            self.state.served.keys().filter(|name| !name.is_head() && !name.is_proposal()).count() as u64;
        let Tripwires { n_destroyed_max, percent_destroyed_max, .. } = *self.tripwires;
        let is_mass = n_destroyed > n_destroyed_max
            || n_destroyed > 1 && n_destroyed * 100 > n_refs * percent_destroyed_max;
        for moved in &mut moves {
            if is_followed(self.state.rules.keys(), &moved.name) {
                continue;
            }
            let reason = match moved.class {
                _ if self.state.is_rejected(&moved.name, moved.new.as_ref()) => {
                    Some("a person has rejected it".to_owned())
                }
                MoveClass::FastForward => self.shrinks(&moved.name),
                MoveClass::Force | MoveClass::Delete | MoveClass::TagMove => {
                    let is_mass = is_mass && !moved.name.is_proposal();
                    self.destroys(moved).or_else(|| is_mass.then(|| mass(n_destroyed)))
                }
                MoveClass::Retarget if self.is_default_lost => {
                    Some("the new default branch does not have everything of the one before".to_owned())
                }
                MoveClass::Create | MoveClass::Retarget => None,
            };
            self.note(moved, reason);
        }
        self.stand_aside(&mut moves);
        Judgement { moves, reasons: self.reasons }
    }

    fn note(&mut self, moved: &mut RefMove, reason: Option<String>) {
        let Some(reason) = reason else { return };
        moved.decision = Decision::Hold;
        moved.reason = Some(reason.clone());
        if self.reasons.len() < N_REASONS_MAX && !self.reasons.contains(&reason) {
            self.reasons.push(reason);
        }
    }

    /// Notes a branch that lost more of its files than it may.
    fn measure(&mut self, name: &RefName, before: Option<u64>, after: Option<u64>) {
        let (Some(before), Some(after)) = (before, after) else { return };
        let n_lost = before.saturating_sub(after);
        if before >= N_FILES_MIN && n_lost * 100 > before * self.tripwires.percent_shrunk_max {
            let reason = format!("`{}` lost {n_lost} of its {before} files", short(name));
            self.shrunk.insert(name.clone(), reason);
        }
    }

    /// Notes a default branch that is another one now, which lacks something of what it was.
    fn retarget<H: History>(
        &mut self,
        old: Option<&Target>,
        new: Option<&Target>,
        history: &mut H,
    ) -> Result<(), H::Error> {
        let (Some(Target::Ref(before)), Some(after)) = (old, new) else { return Ok(()) };
        let is_more = match (self.state.served.get(before), after) {
            (Some(old), Target::Ref(after)) => match self.listed.get(after) {
                Some(new) if old == new => true,
                Some(new) => {
                    self.measure(after, history.n_files(old)?, history.n_files(new)?);
                    history.relation(old, new)?.is_ancestor && !self.shrunk.contains_key(after)
                }
                None => true,
            },
            _ => false,
        };
        self.is_default_lost = !is_more;
        Ok(())
    }

    fn shrinks(&self, name: &RefName) -> Option<String> {
        self.shrunk.get(name).cloned()
    }

    /// Returns why a move that destroys something waits by itself.
    fn destroys(&self, moved: &RefMove) -> Option<String> {
        let name = &moved.name;
        if name.is_proposal() || self.renamed.as_ref() == Some(name) {
            return None;
        }
        if name.is_tag() {
            return Some("a tag was moved or deleted, and a tag is a release".to_owned());
        }
        if self.is_protected(name) {
            let what = if moved.new.is_none() { "deleted" } else { "rewound or replaced" };
            return Some(format!(
                "`{}` is the default branch or a protected one, and was {what}",
                short(name)
            ));
        }
        if self.orphans.contains(name) {
            return Some(format!("`{}` has nothing in common with what it was", short(name)));
        }
        if self.earlier.contains(name) {
            let name = short(name);
            return Some(format!(
                "`{name}` is an earlier state of itself, which a server that lags gives as well"
            ));
        }
        None
    }

    fn is_protected(&self, name: &RefName) -> bool {
        let is_default = |refs: &BTreeMap<RefName, Target>| matches!(refs.get("HEAD"), Some(Target::Ref(default)) if default == name);
        is_default(&self.state.served) || is_default(self.listed) || self.tripwires.protect(name)
    }

    /// Holds what cannot stand beside a ref that stays, and a default branch that is not there.
    fn stand_aside(&mut self, moves: &mut [RefMove]) {
        let mut after = self.state.served.clone();
        for moved in moves.iter().filter(|moved| moved.decision == Decision::Apply) {
            match &moved.new {
                Some(target) => after.insert(moved.name.clone(), target.clone()),
                None => after.remove(&moved.name),
            };
        }
        for moved in moves.iter_mut().filter(|moved| moved.decision == Decision::Apply) {
            let reason = match (&moved.class, &moved.new) {
                (MoveClass::Create, _) => conflict(&after, &moved.name),
                (MoveClass::Retarget, Some(Target::Ref(to))) if !after.contains_key(to) => {
                    Some("the new default branch is not served".to_owned())
                }
                (MoveClass::Retarget, None) => Some("the default branch is no longer named".to_owned()),
                _ => None,
            };
            if reason.is_some() {
                after.remove(&moved.name);
            }
            self.note(moved, reason);
        }
        self.keep_default(&after, moves);
    }

    /// Holds a new name of the default branch as long as the branch itself is held.
    fn keep_default(&mut self, after: &BTreeMap<RefName, Target>, moves: &mut [RefMove]) {
        let Some(Target::Ref(to)) = self.listed.get("HEAD") else { return };
        if after.get(to) == self.listed.get(to) {
            return;
        }
        let renamed = self.renamed.clone();
        let concerns = |moved: &&mut RefMove| {
            let is_apply = moved.decision == Decision::Apply;
            is_apply && (moved.name.is_head() || renamed.as_ref() == Some(&moved.name))
        };
        for moved in moves.iter_mut().filter(concerns) {
            self.note(moved, Some("the new default branch is held".to_owned()));
        }
    }
}

/// Returns why a ref cannot be beside those that are served: git keeps them as files and folders.
pub(crate) fn conflict(served: &BTreeMap<RefName, Target>, name: &RefName) -> Option<String> {
    let below = format!("{name}/");
    // Names that begin so come one after another, behind what is less: there may be a hundred thousand others.
    let next = served.range::<str, _>((Bound::Included(below.as_str()), Bound::Unbounded)).next();
    let in_the_way = name
        .folders()
        .find(|folder| served.contains_key(*folder))
        .map(str::to_owned)
        .or_else(|| next.map(|(other, _)| other.to_string()).filter(|other| other.starts_with(&below)))?;
    Some(format!("`{}` is in the way, and is kept", in_the_way.trim_start_matches("refs/heads/")))
}

fn mass(n_destroyed: u64) -> String {
    format!("{n_destroyed} refs were destroyed within an hour")
}

fn short(name: &RefName) -> &str {
    name.branch().unwrap_or(name.as_str())
}

/// Returns whether one of the rules is about a ref: a name, or the beginning of names followed by `*`.
pub(crate) fn is_followed<'a>(rules: impl IntoIterator<Item = &'a String>, name: &RefName) -> bool {
    rules.into_iter().any(|rule| is_named(rule, name.as_str()))
}

#[cfg(test)]
mod tests;
