//! What is kept: whether it is whole, and whether it lies in two places.

use drill::State;
use model::Event;
use store::Store;

use super::Chart;
use crate::copies::Destination;
use crate::failure::{Failure, JOURNAL_HINT};
use crate::home::Home;
use crate::speak::count;

/// Looks at what is known to be damaged. Reading everything back is what `store verify` does.
pub(super) fn damage(chart: &mut Chart, store: &Store) -> Result<(), Failure> {
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
    for (subject, detail) in damaged {
        chart.find(State::Lost, "damaged", subject, detail, "outlast store verify --heal");
    }
    chart.look_at("what is known to be damaged");
    Ok(())
}

/// Opens each second copy.
pub(super) async fn copies(mut chart: Chart, home: Home, store: Store) -> Result<Chart, Failure> {
    let looking = tokio::task::spawn_blocking(move || {
        let copies = home.config.copies.clone();
        if copies.is_empty() && store.copies()?.is_empty() {
            let detail = "everything is kept once: what takes this disk or this machine takes it all";
            let mend = "outlast store copy /another/disk/outlast; then name it as [[copy]] in outlast.toml";
            chart.find(State::Lost, "no_second_copy", "this home", detail, mend);
        } else if copies.is_empty() {
            let detail = "a second copy was made once, and nothing keeps it up to date";
            let mend = "name it as [[copy]] in outlast.toml, and let `outlast serve` or a timer run `outlast store copy`";
            chart.find(State::Claimed, "copy_not_scheduled", "this home", detail, mend);
        }
        for copy in &copies {
            one(&mut chart, &home, &store, &copy.to, Destination::configured(copy));
        }
        chart.look_at(format!("second copies ({})", copies.len()));
        Ok(chart)
    });
    looking.await.map_err(Failure::no)?
}

fn one(chart: &mut Chart, home: &Home, store: &Store, to: &str, place: Result<Destination, Failure>) {
    let mend = format!("outlast store copy {to}");
    let opened = place.and_then(|place| {
        let copy = place.open(home, store, false)?;
        let n_behind = store.n_behind(&*copy).map_err(crate::copies::failed)?;
        Ok((place, n_behind))
    });
    let (place, n_behind) = match opened {
        Ok(opened) => opened,
        Err(failure) => {
            return chart.find(State::Unknown, "copy_not_reached", to, failure.to_string(), mend);
        }
    };
    if n_behind > 0 {
        let detail =
            format!("the second copy does not have the newest {} of the journal", count(n_behind, "line"));
        chart.find(State::Claimed, "copy_behind", to, detail, mend);
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
