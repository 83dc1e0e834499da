//! Git repositories whose copies would not stand in for their hosts.

use drill::State;
use mirror::{Hold, State as Refs};
use store::Store;

use super::Chart;
use crate::failure::Failure;
use crate::speak::count;
use crate::tasks::repositories::followed;

/// Finds those of which nothing is held, that could not be asked, and that wait for a person.
pub(super) fn repositories(chart: &mut Chart, store: &Store) -> Result<(), Failure> {
    let all = followed(store)?;
    if all.is_empty() {
        return Ok(());
    }
    chart.look_at(count(all.len() as u64, "repository"));
    let outages = store.outages()?;
    for address in all {
        let repo = address.repo();
        let refs = Refs::read(store, repo, None).map_err(Failure::no)?;
        let sync = format!("outlast sync {repo}");
        if refs.served.is_empty() {
            chart.find(State::Lost, "repository", repo.as_str(), "nothing of it is kept", sync.as_str());
        }
        if let Some((since, reason)) = mirror::outage(&outages, repo) {
            let detail = format!("not up to date since {since}: {reason}");
            chart.find(State::Unknown, "repository_stale", repo.as_str(), detail, sync);
        }
        let holds = Hold::of(repo, &refs);
        if !holds.is_empty() {
            let detail = format!(
                "{} wait for you: the upstream moved them away from what they reached",
                count(holds.len() as u64, "ref")
            );
            chart.find(State::Claimed, "repository_held", repo.as_str(), detail, "outlast holds");
        }
    }
    Ok(())
}
