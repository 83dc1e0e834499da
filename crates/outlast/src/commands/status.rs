//! `outlast status`: the survival matrix, then what needs attention.

use std::process::ExitCode;

use clap::Args;
use drill::{Cell, State};
use serde::Serialize;

use crate::command_line::Global;
use crate::failure::Failure;
use crate::home::Home;
use crate::speak::{self, count, duration, in_line, minute};
use crate::tasks::attention::{self, Attention};
use crate::tasks::damage;
use crate::tasks::repositories::{self, Standing};

/// How many events are shown, and how many are listed of those that happened once; all of them are in the journal.
const N_EVENTS_MAX: usize = 50;
/// How long a name is in a line; `--json` has it whole.
const N_LETTERS_MAX: usize = 300;
/// How long it is in the table's first column.
const N_LETTERS_OF_WHAT_MAX: usize = 60;
/// How long what happened may be: two digests of 128 digits, and who vouches for them.
const N_LETTERS_OF_EVENT_MAX: usize = 1_000;
/// With more repositories than these, those that are well are counted.
const N_REPOSITORIES_MAX: usize = 20;
/// How many runs and drills the matrix is made from.
const N_RUNS_MAX: usize = 10_000;

#[derive(Debug, Args)]
pub(crate) struct Arguments {}

#[derive(Debug, Serialize)]
struct Status {
    cells: Vec<Cell>,
    repositories: Vec<Standing>,
    events: Vec<Attention>,
    /// How many more events happened, longer ago.
    n_more_events: u64,
}

pub(crate) fn run(global: &Global, _: &Arguments) -> Result<ExitCode, Failure> {
    let home = Home::find(global)?;
    let store = home.existing_store()?;
    let mut entries = store.runs(N_RUNS_MAX)?;
    entries.extend(store.drills()?);
    entries.extend(store.adopted()?);
    entries.sort_by_key(|entry| entry.seq);
    let seen: Vec<_> =
        entries.iter().map(|entry| drill::Entry { time: entry.time, event: &entry.event }).collect();
    let now = home.clock.now();
    let attention = store.attention(N_EVENTS_MAX)?;
    // Blobs are read back for it: once.
    let damage = damage::known(&home, &store)?;
    let mut cells = drill::matrix(&seen, now, home.config.limits.proved_for);
    let repositories = repositories::standings(&store, &damage)?;
    cells.extend(repositories.iter().map(Standing::cell));
    let holds = repositories.iter().filter_map(Attention::of_holds);
    let shrunk = repositories::shrunk(&repositories);
    let now_so =
        holds.chain(shrunk.iter().map(Attention::of_owner)).chain(damage.iter().map(Attention::of_damage));
    let now_so = now_so.collect();
    let status = Status {
        cells,
        repositories,
        events: attention::list(attention.entries, &store.outages()?, now_so, now),
        n_more_events: attention.n_more,
    };
    if global.json {
        speak::json(&status)?;
    } else {
        show(&status)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn show(status: &Status) -> Result<(), Failure> {
    if status.cells.is_empty() {
        speak::data(&"nothing is recorded or adopted yet; hint: `outlast exec --fresh -- CMD` in a project")?;
    }
    // Each repository has one, behind those of projects.
    show_cells(&status.cells[..status.cells.len() - status.repositories.len()])?;
    show_repositories(&status.repositories)?;
    let n_lost = status.cells.iter().filter(|cell| cell.state == State::Lost).count();
    let n_proved = status.cells.iter().filter(|cell| cell.state == State::Proved).count();
    if !status.cells.is_empty() {
        speak::data(&format_args!(
            "{n_proved} of {} cells are proved, {n_lost} are lost",
            status.cells.len()
        ))?;
    }
    show_events(status)
}

fn show_cells(cells: &[Cell]) -> Result<(), Failure> {
    let mut thing = "";
    for cell in cells {
        if cell.thing != thing {
            thing = &cell.thing;
            speak::data(&in_line(thing, N_LETTERS_MAX))?;
        }
        // What was proved once says nothing about a cell that is lost since.
        let is_proof = matches!(cell.state, State::Proved | State::Claimed);
        let proof = match (cell.proved_at.filter(|_| is_proof), cell.recovered_ms) {
            (Some(at), Some(ms)) => {
                format!("{}, recovered in {}", at.strftime("%Y-%m-%d"), duration(ms))
            }
            (Some(at), None) => at.strftime("%Y-%m-%d").to_string(),
            _ => String::new(),
        };
        let line = format!(
            "  {:<10} without {:<32} {:<8} {proof}",
            in_line(&cell.what, N_LETTERS_OF_WHAT_MAX),
            in_line(&cell.vanished, N_LETTERS_MAX),
            cell.state.to_string()
        );
        speak::data(&line.trim_end())?;
    }
    Ok(())
}

/// Shows every repository where there are few, and else those that a person should look at.
fn show_repositories(all: &[Standing]) -> Result<(), Failure> {
    let is_shown = |standing: &&Standing| all.len() <= N_REPOSITORIES_MAX || !standing.is_well();
    let shown: Vec<&Standing> = all.iter().filter(is_shown).collect();
    if !all.is_empty() {
        speak::data(&format_args!(
            "{}, each to be cloned without its host",
            count(all.len() as u64, "repository")
        ))?;
    }
    for Standing { repo, is_followed, state, as_of, n_refs, n_held, outage, damage, .. } in &shown {
        let mut said = vec![count(*n_refs as u64, "ref")];
        said.extend(as_of.map(|at| format!("as of {}", minute(at))));
        said.extend((!is_followed).then(|| "followed no longer".to_owned()));
        said.extend(damage.is_some().then(|| "damaged".to_owned()));
        said.extend(outage.as_ref().map(|(since, _)| format!("not up to date since {}", minute(*since))));
        said.extend((*n_held > 0).then(|| format!("{n_held} held")));
        let name = in_line(repo.as_str(), N_LETTERS_MAX);
        speak::data(&format_args!("  {name:<50} {:<8} {}", state.to_string(), said.join(", ")))?;
    }
    match all.len() - shown.len() {
        0 => Ok(()),
        n => speak::data(&format_args!("  and {n} more, all of them up to date; `--json` lists them")),
    }
}

fn show_events(status: &Status) -> Result<(), Failure> {
    if !status.events.is_empty() {
        speak::data(&"\nneeds attention, newest first:")?;
    }
    for event in status.events.iter().take(N_EVENTS_MAX) {
        speak::data(&format_args!(
            "  {}  {:<11} {}: {}",
            event.minute(),
            event.kind,
            in_line(&event.subject, N_LETTERS_OF_EVENT_MAX),
            in_line(&event.detail, N_LETTERS_OF_EVENT_MAX)
        ))?;
    }
    let n_unshown = status.events.len().saturating_sub(N_EVENTS_MAX) as u64;
    if n_unshown + status.n_more_events > 0 {
        speak::data(&format_args!(
            "  and {} more; `outlast status --json` lists all that hold now, the journal has every event",
            n_unshown + status.n_more_events
        ))?;
    }
    Ok(())
}
