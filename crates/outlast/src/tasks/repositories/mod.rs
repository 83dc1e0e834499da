//! What becomes of repositories that are brought up to date: which ones, and how it is told.

mod round;
mod schedule;
mod standing;

use std::collections::HashMap;
use std::process::ExitCode;

use anyhow::anyhow;
use mirror::{Address, Outage, SyncError, Synced};
use model::{Event, RepoId};
pub(crate) use round::sync;
pub(crate) use schedule::again_and_again;
use serde::Serialize;
pub(crate) use standing::{Shrunk, Standing, shrunk, standings};
use store::{Entry, Store};

use crate::command_line::Global;
use crate::failure::Failure;
use crate::home::Home;
use crate::speak::{self, count, in_line, say, size};
use crate::tasks::damage;

const N_LETTERS_MAX: usize = 300;

/// What became of one repository.
#[derive(Debug, Serialize)]
pub(crate) struct One {
    pub(crate) repo: RepoId,
    /// `unchanged`, `moved`, `held`, `incomplete`, `unavailable`, `refused`, `failed` or `damaged`.
    state: &'static str,
    #[serde(skip_serializing_if = "is_zero")]
    n_applied: usize,
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) n_held: usize,
    size_bytes: u64,
    /// Why it is not up to date, or waits, or what else is to be said of it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) reasons: Vec<String>,
    /// Whether the copy has all that the upstream has.
    pub(crate) is_whole: bool,
    /// Whether the upstream says that it is not there, or not for us.
    #[serde(skip)]
    pub(crate) is_absent: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
const fn is_zero(n: &usize) -> bool {
    *n == 0
}

impl One {
    fn new(repo: RepoId, done: Result<Synced, SyncError>) -> Self {
        let is_whole = done.as_ref().is_ok_and(Synced::is_whole);
        let mut one = Self {
            repo,
            state: "unchanged",
            n_applied: 0,
            n_held: 0,
            size_bytes: 0,
            reasons: Vec::new(),
            is_whole,
            is_absent: matches!(done, Ok(Synced::Unavailable { outage: Outage::Absent, .. })),
        };
        match done {
            Ok(Synced::Unchanged) => {}
            Ok(Synced::Flawed { flaws }) => {
                let n_more = flaws.len().saturating_sub(1);
                let more = if n_more > 0 { format!(" and {n_more} more") } else { String::new() };
                let first = flaws.first().map(String::as_str).unwrap_or_default();
                let told = "`git fsck` finds fault with its history, which is kept as it is";
                one.reasons.push(format!("{told}: {first}{more}"));
            }
            Ok(Synced::Moved { n_applied, n_held, reasons, size_bytes, left_out }) => {
                one.state = if n_held > 0 { "held" } else { "moved" };
                (one.n_applied, one.n_held, one.reasons, one.size_bytes) =
                    (n_applied, n_held, reasons, size_bytes);
                if left_out.n > 0 {
                    one.state = "incomplete";
                    one.reasons.push(mirror::names_left_out(&left_out));
                }
            }
            Ok(Synced::Unavailable { reason, .. }) => {
                (one.state, one.reasons) = ("unavailable", vec![reason]);
            }
            Ok(Synced::Refused { reason }) => {
                (one.state, one.reasons) = ("refused", vec![reason]);
            }
            Err(error) => {
                (one.state, one.reasons) = ("failed", vec![format!("{:#}", anyhow!(error))]);
            }
        }
        one
    }

    /// Says that something of it is damaged here, whatever its upstream gives.
    fn note_damage(&mut self, damage: &HashMap<String, String>) {
        if let Some(damage) = damage.get(&self.repo.subject()) {
            (self.state, self.is_whole) = ("damaged", false);
            self.reasons.push(damage.clone());
        }
    }

    /// Returns whether its upstream was asked, and everything that a copy can have is held.
    pub(crate) fn is_followed(&self) -> bool {
        !matches!(self.state, "unavailable" | "refused" | "failed")
    }

    /// Returns it as a line; nothing where there is no news.
    fn line(&self) -> Option<String> {
        let why =
            self.reasons.iter().map(|reason| in_line(reason, N_LETTERS_MAX)).collect::<Vec<_>>().join("; ");
        let moved = format!("{} moved, {} came", count(self.n_applied as u64, "ref"), size(self.size_bytes));
        match self.state {
            "unchanged" => (!why.is_empty()).then(|| format!("unchanged {}: {why}", self.repo)),
            "moved" => Some(format!("moved {}: {moved}", self.repo)),
            "held" => {
                Some(format!("held {}: {} ({why}); {moved}", self.repo, count(self.n_held as u64, "ref")))
            }
            state => Some(format!("{state} {}: {why}", self.repo)),
        }
    }
}

/// Returns the addresses of what is followed.
pub(crate) fn followed(store: &Store) -> Result<Vec<Address>, Failure> {
    let is_followed = |entry: &&Entry| matches!(entry.event, Event::Mirrored { is_left: false, .. });
    Ok(store.repos()?.iter().filter(is_followed).filter_map(|entry| Address::of(&entry.event)).collect())
}

/// Returns the addresses of what is kept, whether it is followed or no longer.
fn known(store: &Store) -> Result<Vec<Address>, Failure> {
    Ok(store.repos()?.iter().filter_map(|entry| Address::of(&entry.event)).collect())
}

/// Finds a repository that is kept by its address, its name, or the end of its name.
pub(crate) fn find(store: &Store, name: &str) -> Result<Address, Failure> {
    let all = known(store)?;
    let id = RepoId::parse(name).or_else(|_| RepoId::from_name(name)).ok();
    if let Some(address) = id.and_then(|id| all.iter().find(|address| *address.repo() == id)) {
        return Ok(address.clone());
    }
    let end = format!("/{}", name.trim_matches('/').trim_end_matches(".git"));
    let mut alike = all.iter().filter(|address| address.repo().as_str().ends_with(&end));
    match (alike.next(), alike.next()) {
        (Some(address), None) => Ok(address.clone()),
        (Some(one), Some(other)) => {
            Err(Failure::usage(anyhow!("`{name}` may be `{}` or `{}`", one.repo(), other.repo()))
                .hint("name the host, too"))
        }
        _ => Err(Failure::usage(anyhow!("no repository `{name}` is kept"))
            .hint("`outlast adopt https://HOST/PATH.git` keeps one; `outlast sync` names all")),
    }
}

/// Says what became of repositories, and returns the exit code: 0 where every copy has all that its upstream has.
pub(crate) fn tell(
    global: &Global,
    (home, store): (&Home, &Store),
    n_asked: usize,
    mut all: Vec<One>,
) -> Result<ExitCode, Failure> {
    let damage = damage::known(home, store)?;
    let by_subject = standing::by_subject(&damage);
    all.iter_mut().for_each(|one| one.note_damage(&by_subject));
    if global.json {
        speak::json(&all)?;
    } else {
        for line in all.iter().filter_map(One::line) {
            speak::data(&line)?;
        }
    }
    let n = |state: &str| all.iter().filter(|one| one.state == state).count();
    let n_held = all.iter().filter(|one| one.n_held > 0).count();
    let n_good = all.iter().filter(|one| one.is_whole).count();
    let unchanged = n("unchanged");
    say(
        global,
        &format_args!(
            "outlast: {}: {unchanged} unchanged, {} moved, {} not up to date",
            count(n_asked as u64, "repository"),
            n("moved") + n("held"),
            n_asked - n_good
        ),
    );
    for shrunk in shrunk(&standings(store, &damage)?) {
        say(global, &format_args!("warning: {shrunk}"));
    }
    if n_held > 0 {
        say(global, &"hint: what is held waits for you; see `outlast holds`");
    }
    if n_good == n_asked {
        return Ok(ExitCode::SUCCESS);
    }
    let n_bad = n_asked - n_good;
    let hint = match (n("incomplete"), n("damaged")) {
        (n, _) if n == n_bad => "rename these refs upstream: what only they reach is not kept",
        (_, n) if n > 0 => "`outlast store verify --heal` mends what is damaged",
        _ => {
            "nothing that is kept was changed; run it again when the upstream answers, or `outlast unfollow` what is gone for good"
        }
    };
    Err(Failure::no(anyhow!("{n_bad} of {n_asked} could not be brought up to date")).hint(hint))
}
