//! Brings copies of repositories up to date, many at once, and tells what became of each.

use std::collections::HashMap;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::anyhow;
use mirror::{Address, Mirror, SyncError, Synced};
use model::RepoId;
use serde::Serialize;
use store::Store;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::command_line::Global;
use crate::failure::Failure;
use crate::home::Home;
use crate::speak::{self, count, in_line, say, size};
use crate::wiring;

/// How many repositories are asked for at once.
const N_AT_ONCE: usize = 16;
/// And how many of them at one host.
const N_AT_HOST: usize = 8;
const N_LETTERS_MAX: usize = 300;
/// How soon a server looks again whose configuration cannot be read.
const UNCONFIGURED: Duration = Duration::from_secs(10);

/// What became of one repository.
#[derive(Debug, Serialize)]
pub(crate) struct One {
    pub(crate) repo: RepoId,
    /// `unchanged`, `moved`, `held`, `unavailable`, `refused` or `failed`.
    state: &'static str,
    #[serde(skip_serializing_if = "is_zero")]
    n_applied: usize,
    #[serde(skip_serializing_if = "is_zero")]
    n_held: usize,
    size_bytes: u64,
    /// Why it is not up to date, or waits.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) reasons: Vec<String>,
    /// Whether the copy has all that the upstream has.
    pub(crate) is_whole: bool,
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
        };
        match done {
            Ok(Synced::Unchanged) => {}
            Ok(Synced::Moved { n_applied, n_held, reasons, size_bytes }) => {
                one.state = if n_held > 0 { "held" } else { "moved" };
                (one.n_applied, one.n_held, one.reasons, one.size_bytes) =
                    (n_applied, n_held, reasons, size_bytes);
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

    /// Returns it as a line; nothing where there is no news.
    fn line(&self) -> Option<String> {
        let why =
            self.reasons.iter().map(|reason| in_line(reason, N_LETTERS_MAX)).collect::<Vec<_>>().join("; ");
        let moved = format!("{} moved, {} came", count(self.n_applied as u64, "ref"), size(self.size_bytes));
        match self.state {
            "unchanged" => None,
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
    Ok(store.repos()?.iter().filter_map(|entry| Address::of(&entry.event)).collect())
}

/// Finds a repository that is followed by its address, its name, or the end of its name.
pub(crate) fn find(store: &Store, name: &str) -> Result<Address, Failure> {
    let all = followed(store)?;
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

/// Brings repositories up to date: one that is dead holds up none of the others.
pub(crate) async fn sync(global: &Global, mirror: &Arc<Mirror>, addresses: Vec<Address>) -> Vec<One> {
    let bar = speak::bar(global, "repositories {bar:30} {pos} of {len}, {eta} left");
    bar.set_length(addresses.len() as u64);
    let at_once = Arc::new(Semaphore::new(N_AT_ONCE));
    let mut hosts: HashMap<String, Arc<Semaphore>> = HashMap::new();
    let mut tasks = JoinSet::new();
    for (place, address) in addresses.into_iter().enumerate() {
        let host = address.repo().host().to_owned();
        let host = hosts.entry(host).or_insert_with(|| Arc::new(Semaphore::new(N_AT_HOST))).clone();
        let (mirror, at_once) = (mirror.clone(), at_once.clone());
        tasks.spawn(async move {
            let _host = host.acquire_owned().await;
            let _turn = at_once.acquire_owned().await;
            let done = mirror.sync(&address).await;
            (place, One::new(address.repo().clone(), done))
        });
    }
    let mut done = Vec::new();
    while let Some(one) = tasks.join_next().await {
        bar.inc(1);
        // One that panicked has said so, and is missing below.
        done.extend(one.ok());
    }
    bar.finish_and_clear();
    if let Err(error) = mirror.finish() {
        // What is kept is kept; only how new it is known to be is lost.
        tracing::error!("that nothing moved could not be written down: {error}");
    }
    done.sort_by_key(|(place, _)| *place);
    done.into_iter().map(|(_, one)| one).collect()
}

/// Brings what is followed up to date again and again: for as long as a server runs.
pub(crate) async fn again_and_again(global: Global, store: Store) {
    let quiet = Global { quiet: true, ..global.clone() };
    loop {
        // Read each time: the configuration may have changed, and more may be followed.
        let rest = match Home::find(&global) {
            Ok(home) => {
                if let Err(failure) = Box::pin(scheduled(&quiet, &home, &store)).await {
                    failure.context("the repositories were not brought up to date").report();
                }
                home.config.sync.every
            }
            // Whoever reads it for the server says what is wrong with it.
            Err(_) => UNCONFIGURED,
        };
        tokio::time::sleep(rest).await;
    }
}

async fn scheduled(global: &Global, home: &Home, store: &Store) -> Result<(), Failure> {
    let addresses = followed(store)?;
    if addresses.is_empty() {
        return Ok(());
    }
    let mirror = Arc::new(wiring::mirror(home, store)?);
    for one in sync(global, &mirror, addresses).await {
        if let Some(line) = one.line() {
            tracing::warn!("{line}");
        }
    }
    Ok(store.flush()?)
}

/// Says what became of repositories, and returns the exit code: 0 where every copy has all that its upstream has.
pub(crate) fn tell(global: &Global, n_asked: usize, all: &[One]) -> Result<ExitCode, Failure> {
    if global.json {
        speak::json(&all)?;
    } else {
        for line in all.iter().filter_map(One::line) {
            speak::data(&line)?;
        }
    }
    let n = |state: &str| all.iter().filter(|one| one.state == state).count();
    let n_held = n("held");
    let n_good = all.iter().filter(|one| one.is_whole).count();
    let unchanged = n("unchanged");
    say(
        global,
        &format_args!(
            "outlast: {}: {unchanged} unchanged, {} moved, {} not up to date",
            count(n_asked as u64, "repository"),
            n("moved") + n_held,
            n_asked - n_good
        ),
    );
    if n_held > 0 {
        say(global, &"hint: what is held waits for you; see `outlast holds`");
    }
    if n_good == n_asked {
        return Ok(ExitCode::SUCCESS);
    }
    Err(Failure::no(anyhow!("{} of {n_asked} could not be brought up to date", n_asked - n_good))
        .hint("nothing that is kept was changed; run it again when the upstream answers"))
}
