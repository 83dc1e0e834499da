//! What is kept: whether it is whole, and whether it lies in two places.

use std::collections::BTreeMap;
use std::path::Path;

use drill::State;
use model::Event;
use store::{CopyError, SecondCopy, Store};

use super::{Chart, quoted};
use crate::copies::{self, Destination, is_home};
use crate::failure::{Failure, JOURNAL_HINT};
use crate::home::Home;
use crate::speak::count;
use crate::tasks::damage::Damage;

/// Looks at what is known to be damaged. Reading everything back is what `store verify` does.
pub(super) fn damage(chart: &mut Chart, store: &Store, read_back: &[Damage]) -> Result<(), Failure> {
    if let Some(reason) = store.journal_damage()? {
        chart.find(State::Lost, "journal_damaged", "journal", reason, JOURNAL_HINT);
        return Ok(());
    }
    let damaged = store.attention(usize::MAX)?.entries.into_iter();
    let damaged = damaged.filter_map(|entry| match entry.event {
        Event::Damaged { key, sha256, reason } => {
            Some((key.to_string(), format!("its copy {sha256}: {reason}")))
        }
        _ => None,
    });
    // Repositories have a word of their own for it.
    let is_objects = |subject: &&String| !subject.starts_with("repo ");
    let read_back = read_back.iter().flat_map(|damage| {
        let detail = format!("its copy {}: {}", damage.sha256, damage.fault);
        damage.belongs_to.iter().filter(is_objects).map(move |subject| (subject.clone(), detail.clone()))
    });
    let all: BTreeMap<String, String> = read_back.chain(damaged).collect();
    for (subject, detail) in all {
        chart.find(State::Lost, "damaged", subject, detail, "outlast store verify --heal");
    }
    chart.look_at("what is known to be damaged");
    Ok(())
}

/// Opens each second copy.
pub(super) async fn second_copies(mut chart: Chart, home: Home, store: Store) -> Result<Chart, Failure> {
    let looking = tokio::task::spawn_blocking(move || {
        let configured = home.config.copies.clone();
        let is_elsewhere = |event: &Event| match event {
            Event::Copied { to, .. } if to.contains("://") => true,
            // This very home may have been the copy of another; and a folder that is gone is none.
            Event::Copied { to, .. } => !is_home(to, &home) && Path::new(to).is_dir(),
            _ => false,
        };
        let was_copied = store.copies()?.iter().any(|(entry, _)| is_elsewhere(&entry.event));
        if configured.is_empty() && !was_copied {
            let detail = "everything is kept once: what takes this disk or this machine takes it all";
            let mend = "outlast store copy /another/disk/outlast; then name it as [[copy]] in outlast.toml";
            chart.find(State::Lost, "no_second_copy", "this home", detail, mend);
        } else if configured.is_empty() {
            let detail = "a second copy was made once, and nothing keeps it up to date";
            let mend = "name it as [[copy]] in outlast.toml, and let `outlast serve` or a timer run `outlast store copy`";
            chart.find(State::Claimed, "copy_not_scheduled", "this home", detail, mend);
        }
        for copy in &configured {
            one(&mut chart, &home, &store, &copy.to, Destination::configured(copy));
        }
        chart.look_at(format!("second copies ({})", configured.len()));
        Ok(chart)
    });
    looking.await.map_err(Failure::no)?
}

fn one(chart: &mut Chart, home: &Home, store: &Store, to: &str, place: Result<Destination, Failure>) {
    let mend = format!("outlast store copy {}", quoted(to));
    let out_of_reach = format!("mount its disk, or start that server; then {mend}");
    let stand = |copy: &dyn SecondCopy| Ok((store.n_behind(copy)?, store.n_absent(copy)?));
    let opened = place.and_then(|place| Ok((place.open(home, store, false)?, place)));
    let (place, stands) = match opened {
        Ok((copy, place)) => (place, stand(&*copy)),
        Err(failure) => {
            return chart.find(State::Unknown, "copy_not_reached", to, failure.to_string(), out_of_reach);
        }
    };
    match stands {
        Err(CopyError::Diverged { .. }) => {
            let detail =
                "it has entries that this home does not have, so that nothing is added to it any more";
            let mend =
                "outlast store copy /another/empty/folder; and find out which of both was set back or used";
            chart.find(State::Lost, "copy_diverged", to, detail, mend);
        }
        Err(error) => {
            chart.find(
                State::Unknown,
                "copy_not_reached",
                to,
                copies::failed(error).to_string(),
                out_of_reach,
            );
        }
        Ok((n_behind, n_absent)) => {
            // What is new is not there yet, and is brought along.
            if n_absent > 0 && n_behind == 0 {
                let detail = format!("the second copy lacks {}", count(n_absent, "blob"));
                chart.find(State::Lost, "copy_incomplete", to, detail, mend.clone());
            }
            if n_behind > 0 {
                let lines = count(n_behind, "line");
                let detail = format!("the second copy does not have the newest {lines} of the journal");
                chart.find(State::Claimed, "copy_behind", to, detail, mend);
            }
        }
    }
    if place.shares_disk(home) {
        let detail = "the second copy lies on the home's own disk: what takes one takes both";
        chart.find(
            State::Claimed,
            "copy_on_same_disk",
            to,
            detail,
            "outlast store copy /another/disk/outlast",
        );
    }
}
