//! `outlast status`: the survival matrix, then what needs attention.

use std::process::ExitCode;

use clap::Args;
use drill::{Cell, State};
use serde::Serialize;

use crate::command_line::Global;
use crate::failure::Failure;
use crate::home::Home;
use crate::speak::{self, duration, in_line};
use crate::tasks::attention::{self, Attention};

/// How many events are shown, and how many are listed of those that happened once; all of them are in the journal.
const N_EVENTS_MAX: usize = 50;
/// How long a name is in a line; `--json` has it whole.
const N_LETTERS_MAX: usize = 300;
/// How long it is in the table's first column.
const N_LETTERS_OF_WHAT_MAX: usize = 60;
/// How long what happened may be: two digests of 128 digits, and who vouches for them.
const N_LETTERS_OF_EVENT_MAX: usize = 1_000;
/// How many runs and drills the matrix is made from.
const N_RUNS_MAX: usize = 10_000;

#[derive(Debug, Args)]
pub(crate) struct Arguments {}

#[derive(Debug, Serialize)]
struct Status {
    cells: Vec<Cell>,
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
    let status = Status {
        cells: drill::matrix(&seen, now, home.config.limits.proved_for),
        events: attention::list(attention.entries, &store.outages()?, now),
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
    let mut thing = "";
    for cell in &status.cells {
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
    let n_lost = status.cells.iter().filter(|cell| cell.state == State::Lost).count();
    let n_proved = status.cells.iter().filter(|cell| cell.state == State::Proved).count();
    if !status.cells.is_empty() {
        speak::data(&format_args!(
            "{n_proved} of {} cells are proved, {n_lost} are lost",
            status.cells.len()
        ))?;
    }
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
