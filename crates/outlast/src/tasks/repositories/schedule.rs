//! Brings what is followed up to date again and again, for as long as a server runs.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mirror::Address;
use model::RepoId;
use store::Store;
use tokio::task::JoinSet;

use super::followed;
use super::round::{Round, Turns};
use crate::command_line::Global;
use crate::failure::Failure;
use crate::home::Home;
use crate::wiring;

/// How soon a server looks again whose configuration cannot be read.
const UNCONFIGURED: Duration = Duration::from_secs(10);

/// What is asked for at this moment.
type UnderWay = Arc<Mutex<HashSet<RepoId>>>;

/// Begins a round as often as the configuration says. A repository that takes longer holds up none of the others: the next round
/// leaves it out.
pub(crate) async fn again_and_again(global: Global, store: Store) {
    let quiet = Global { quiet: true, ..global.clone() };
    let (under_way, turns) = (UnderWay::default(), Turns::default());
    // They end with this.
    let mut rounds = JoinSet::new();
    loop {
        while rounds.try_join_next().is_some() {}
        // Read each time: the configuration may have changed, and more may be followed.
        let rest = match Home::find(&global) {
            Ok(home) => {
                let every = home.config.sync.every;
                let (quiet, store) = (quiet.clone(), store.clone());
                let (under_way, turns) = (under_way.clone(), turns.clone());
                rounds.spawn(async move {
                    if let Err(failure) = round(&quiet, &home, &store, &under_way, &turns).await {
                        failure.context("the repositories were not brought up to date").report();
                    }
                });
                every
            }
            // Whoever reads it for the server says what is wrong with it.
            Err(_) => UNCONFIGURED,
        };
        tokio::time::sleep(rest).await;
    }
}

async fn round(
    global: &Global,
    home: &Home,
    store: &Store,
    under_way: &UnderWay,
    turns: &Turns,
) -> Result<(), Failure> {
    let (mut these, addresses) = These::begin(under_way, followed(store)?);
    if addresses.is_empty() {
        return Ok(());
    }
    let mut round = Round::begin(global, &Arc::new(wiring::mirror(home, store)?), turns, addresses);
    while let Some((_, one)) = round.next().await {
        these.end(&one.repo);
        if let Some(line) = one.line() {
            tracing::warn!("{line}");
        }
    }
    Ok(store.flush()?)
}

/// The repositories of one round that are not done.
struct These {
    under_way: UnderWay,
    repos: Vec<RepoId>,
}

impl These {
    /// Takes those for begun that no other round asks for, and returns them.
    fn begin(under_way: &UnderWay, mut addresses: Vec<Address>) -> (Self, Vec<Address>) {
        let mut begun = lock(under_way);
        addresses.retain(|address| begun.insert(address.repo().clone()));
        let repos = addresses.iter().map(|address| address.repo().clone()).collect();
        (Self { under_way: under_way.clone(), repos }, addresses)
    }

    /// The next round may ask for it again.
    fn end(&mut self, repo: &RepoId) {
        self.repos.retain(|other| other != repo);
        lock(&self.under_way).remove(repo);
    }
}

impl Drop for These {
    fn drop(&mut self) {
        let mut under_way = lock(&self.under_way);
        self.repos.iter().for_each(|repo| {
            under_way.remove(repo);
        });
    }
}

fn lock(under_way: &UnderWay) -> MutexGuard<'_, HashSet<RepoId>> {
    under_way.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_takes_long_is_left_out_and_holds_up_nobody() {
        let all = ["slow", "quick", "dead"].map(|name| format!("https://forge.example/{name}.git"));
        let all: Vec<Address> = all.iter().map(|url| Address::parse(url).unwrap()).collect();
        let names = |addresses: &[Address]| -> Vec<String> {
            addresses.iter().map(|address| address.repo().to_string()).collect()
        };
        let under_way = UnderWay::default();
        let (mut first, begun) = These::begin(&under_way, all.clone());
        assert_eq!(begun, all);
        first.end(all[1].repo());
        let (second, begun) = These::begin(&under_way, all.clone());
        assert_eq!(names(&begun), ["forge.example/quick"]);
        // A round that ends leaves alone what another has begun.
        drop(first);
        let (_third, begun) = These::begin(&under_way, all.clone());
        assert_eq!(names(&begun), ["forge.example/slow", "forge.example/dead"]);
        drop(second);
        assert_eq!(names(&These::begin(&under_way, all).1), ["forge.example/quick"]);
    }
}
