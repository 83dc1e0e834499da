//! The projects: whether what their locks pin is kept, and whether anybody has proved that it is enough.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use drill::State;
use model::{Event, Verdict};
use proxy::TeamServer;
use store::Store;

use super::{Chart, quoted};
use crate::failure::Failure;
use crate::home::Home;
use crate::project;
use crate::speak::count;
use crate::tasks::adopt::{self, Thing};

/// How many runs and drills are looked through; `status` looks at as many.
const N_RUNS_MAX: usize = 10_000;

const LOCK_WITH_CHECKSUMS: &str = "lock with checksums where the client can write them; a drill shows that these bytes build: outlast drill -- CMD";

/// Looks whether all that locks pin is kept, and vouched for.
pub(super) async fn locks(
    chart: &mut Chart,
    home: &Home,
    store: &Store,
    named: &[String],
) -> Result<(), Failure> {
    let mut names: BTreeSet<String> = named.iter().cloned().collect();
    if named.is_empty() {
        let here = project::root(&std::env::current_dir().map_err(Failure::nowhere)?);
        let (locks, shown) = (project::locks(&here), here.display().to_string());
        if !locks.read.is_empty() || !locks.unread.is_empty() {
            names.insert(shown);
        } else if here.join(".git").exists() {
            let detail = "no lock that Outlast knows is in it: only recorded runs say what its builds need";
            let mend = format!("cd {} && outlast exec --fresh -- CMD", quoted(&shown));
            chart.find(State::Unknown, "no_lock", shown, detail, mend);
        }
        names.extend(home.config.adopt.things.iter().cloned());
        let known = store.adopted()?.into_iter().filter_map(|entry| match entry.event {
            Event::Adopted { thing, sent_by: None, .. } => Some(thing),
            _ => None,
        });
        // A checkout that is gone is nobody's project any more; what was kept for it stays.
        names.extend(known.filter(|thing| thing.contains("://") || Path::new(thing).exists()));
    }
    let n_sent = if named.is_empty() { sent(chart, home, store)? } else { 0 };
    let mut seen = BTreeSet::new();
    for name in names {
        let thing = match Thing::find(&name) {
            Ok(thing) => thing,
            Err(failure) if !named.is_empty() => return Err(failure),
            Err(failure) => {
                let mend = "correct `[adopt] things` in outlast.toml";
                chart.find(State::Unknown, "not_found", name, failure.to_string(), mend);
                continue;
            }
        };
        if seen.insert(thing.name.clone()) {
            one(chart, home, store, &thing).await?;
        }
    }
    chart.look_at(count(seen.len() as u64 + n_sent, "project"));
    Ok(())
}

/// Looks at the projects that were sent from elsewhere: their locks are not here, but what became of them is. Returns how many
/// there are.
fn sent(chart: &mut Chart, home: &Home, store: &Store) -> Result<u64, Failure> {
    let url = home.config.serve.url.as_ref().map_or_else(|| "URL".to_owned(), ToString::to_string);
    let mut n_sent = 0;
    for entry in store.adopted()? {
        let Event::Adopted { thing, sent_by: Some(_), n_kept, n_first_seen, n_missing, missing, at, .. } =
            entry.event
        else {
            continue;
        };
        n_sent += 1;
        let day = at.strftime("%Y-%m-%d");
        if n_missing > 0 {
            let first = missing.first().map_or_else(String::new, |first| format!(", the first: {first}"));
            let n_all = count(n_kept + n_missing, "file");
            let detail = format!("{n_missing} of {n_all} that it needed on {day} are not kept{first}");
            let mend = format!("outlast adopt --via {url} . (where the project is)");
            chart.find(State::Lost, "not_adopted", &thing, detail, mend);
        }
        if n_first_seen > 0 {
            chart.find(State::Claimed, "first_seen", &thing, unvouched(n_first_seen), LOCK_WITH_CHECKSUMS);
        }
    }
    Ok(n_sent)
}

async fn one(chart: &mut Chart, home: &Home, store: &Store, thing: &Thing) -> Result<(), Failure> {
    let report = adopt::look(home, store, thing).await?;
    let mend = format!("outlast adopt {}", quoted(&thing.name));
    if let Some(first) = report.first_missing() {
        let n_all = report.n_kept + report.n_missing();
        let detail = format!(
            "{} of {} that it needs are not kept, the first: {first}",
            report.n_missing(),
            count(n_all, "file")
        );
        chart.find(State::Lost, "not_adopted", &thing.name, detail, mend);
    }
    if !report.first_seen.is_empty() {
        let detail = unvouched(report.first_seen.len() as u64);
        chart.find(State::Claimed, "first_seen", &thing.name, detail, LOCK_WITH_CHECKSUMS);
    }
    Ok(())
}

fn unvouched(n_files: u64) -> String {
    format!("nobody vouches for {}: neither a lock nor an index has a checksum", count(n_files, "file"))
}

/// Looks whether somebody has proved lately that each recorded command survives, and that a new machine does.
pub(super) fn drills(
    chart: &mut Chart,
    home: &Home,
    store: &Store,
    server: Option<&TeamServer>,
) -> Result<(), Failure> {
    let mut entries = store.runs(N_RUNS_MAX)?;
    entries.extend(store.drills()?);
    entries.sort_by_key(|entry| entry.seq);
    let seen: Vec<_> =
        entries.iter().map(|entry| drill::Entry { time: entry.time, event: &entry.event }).collect();
    let (now, proved_for) = (home.clock.now(), home.config.limits.proved_for);
    let cells = drill::matrix(&seen, now, proved_for);
    let mut n_looked_at = 0;
    for cell in cells.iter().filter(|cell| cell.vanished == "all" && Path::new(&cell.thing).is_dir()) {
        n_looked_at += 1;
        let command =
            entries.iter().rev().find_map(|entry| command_of(&entry.event, &cell.thing, &cell.what));
        let command = command.map_or_else(|| "CMD".to_owned(), drill::quoted);
        let mend = format!("cd {} && outlast drill -- {command}", quoted(&cell.thing));
        let subject = format!("{} in {}", cell.what, cell.thing);
        match (cell.state, cell.proved_at) {
            (State::Proved, _) => {}
            (State::Claimed, Some(at)) => {
                let detail =
                    format!("its last drill passed on {}, which is too long ago", at.strftime("%Y-%m-%d"));
                chart.find(State::Claimed, "drill_too_old", subject, detail, mend);
            }
            (State::Claimed, None) => {
                chart.find(
                    State::Claimed,
                    "never_drilled",
                    subject,
                    "kept, and never proved by a drill",
                    mend,
                );
            }
            (State::Lost, _) => {
                let detail = "it is known not to survive: `outlast status` has the hosts";
                let mend =
                    format!("cd {} && outlast exec --fresh -- {command}; then drill it", quoted(&cell.thing));
                chart.find(State::Lost, "lost", subject, detail, mend);
            }
            (State::Unknown, _) => {
                let mend =
                    format!("cd {} && outlast exec --fresh -- {command}; then drill it", quoted(&cell.thing));
                chart.find(
                    State::Unknown,
                    "never_recorded",
                    subject,
                    "no good recording of it is whole",
                    mend,
                );
            }
        }
    }
    chart.look_at(count(n_looked_at, "recorded command"));
    if let Some(server) = server {
        new_machine(chart, &entries, server.site.base(), now, proved_for);
    }
    Ok(())
}

/// Looks whether a drill has proved that a machine which has nothing gets everything from the server.
fn new_machine(
    chart: &mut Chart,
    entries: &[store::Entry],
    base: &str,
    now: model::Timestamp,
    proved_for: Duration,
) {
    let is_proof = |event: &Event| match event {
        Event::Drilled { via: Some(via), verdict: Verdict::Pass, at, .. } => {
            via.trim_end_matches('/') == base && now.duration_since(*at).unsigned_abs() <= proved_for
        }
        _ => false,
    };
    if !entries.iter().any(|entry| is_proof(&entry.event)) {
        let detail = "no drill has proved lately that a new machine gets everything from it";
        chart.find(
            State::Claimed,
            "server_not_proved",
            base,
            detail,
            format!("outlast drill --via {base} -- CMD"),
        );
    }
}

/// Returns the command of a run in a directory that is called so in the matrix.
fn command_of<'a>(event: &'a Event, thing: &str, what: &str) -> Option<&'a [String]> {
    match event {
        Event::Ran { command, directory, .. } | Event::Drilled { command, directory, .. } => {
            let label = drill::label(command);
            let is_it = directory == thing
                && (label == what || what == format!("{label} ({})", drill::quoted(command)));
            is_it.then_some(command)
        }
        _ => None,
    }
}
