//! Git repositories whose copies would not stand in for their hosts.

use drill::State;
use store::Store;

use super::Chart;
use crate::failure::Failure;
use crate::speak::count;
use crate::tasks::damage::Damage;
use crate::tasks::repositories::{Standing, shrunk, standings};

/// Finds those of which nothing is held, or something is damaged, that could not be asked, and that wait for a person.
pub(super) fn repositories(chart: &mut Chart, store: &Store, damage: &[Damage]) -> Result<(), Failure> {
    let all = standings(store, damage)?;
    if !all.is_empty() {
        chart.look_at(count(all.len() as u64, "repository"));
    }
    for shrunk in shrunk(&all) {
        let mend = "look at the account from another machine; `outlast restore` gives each repository back";
        chart.find(State::Unknown, "owner_shrunk", shrunk.owner.clone(), shrunk.to_string(), mend);
    }
    for Standing { repo, state, n_held, outage, damage, .. } in all {
        let (subject, sync) = (repo.as_str(), format!("outlast sync {repo}"));
        match damage {
            Some(damage) => {
                chart.find(State::Lost, "repository_damaged", subject, damage, "outlast store verify --heal");
            }
            None if state == State::Lost => {
                let mend = format!("{sync}; or, if nobody wants it, outlast unfollow {repo}");
                chart.find(State::Lost, "repository", subject, "nothing of it is kept", mend);
            }
            None => {}
        }
        if let Some((since, reason)) = outage {
            let detail = format!("not up to date since {since}: {reason}");
            let mend = format!(
                "{sync}; or, if it is gone for good, outlast unfollow {repo}, which keeps what is here"
            );
            chart.find(State::Unknown, "repository_stale", subject, detail, mend);
        }
        if n_held > 0 {
            let detail = format!(
                "{} wait for you: the upstream moved them away from what they reached",
                count(n_held as u64, "ref")
            );
            chart.find(State::Claimed, "repository_held", subject, detail, "outlast holds");
        }
    }
    Ok(())
}
