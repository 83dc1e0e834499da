//! `outlast status`: the survival matrix, then what needs attention.

use std::process::ExitCode;

use clap::Args;
use drill::{Cell, State};
use model::{Event, Timestamp};
use serde::Serialize;

use crate::command_line::Global;
use crate::failure::Failure;
use crate::home::Home;
use crate::speak::{self, duration};

/// How many events are shown; all of them are in the journal.
const N_EVENTS_MAX: usize = 50;
/// How many runs and drills the matrix is made from.
const N_RUNS_MAX: usize = 10_000;

#[derive(Debug, Args)]
pub(crate) struct Arguments {}

#[derive(Debug, Serialize)]
struct Status {
    cells: Vec<Cell>,
    events: Vec<Attention>,
}

/// Something that needs attention.
#[derive(Debug, Serialize)]
struct Attention {
    time: Timestamp,
    kind: &'static str,
    subject: String,
    detail: String,
}

pub(crate) fn run(global: &Global, _: &Arguments) -> Result<ExitCode, Failure> {
    let home = Home::find(global)?;
    let store = home.existing_store()?;
    let mut entries = store.runs(N_RUNS_MAX)?;
    entries.extend(store.drills()?);
    entries.sort_by_key(|entry| entry.seq);
    let seen: Vec<_> =
        entries.iter().map(|entry| drill::Entry { time: entry.time, event: &entry.event }).collect();
    let status = Status {
        cells: drill::matrix(&seen, home.clock.now(), home.config.limits.proved_for),
        events: store
            .attention(N_EVENTS_MAX)?
            .into_iter()
            .filter_map(|entry| attention(entry.time, entry.subject, &entry.event))
            .collect(),
    };
    if global.json {
        speak::json(&status)?;
    } else {
        show(&status)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn attention(time: Timestamp, subject: String, event: &Event) -> Option<Attention> {
    let (kind, detail) = match event {
        Event::Quarantined { expected, got, vouched_by, .. } => {
            ("quarantined", format!("{vouched_by} vouches for {expected}, the upstream gave {got}"))
        }
        Event::Rejected { reason, .. } => ("rejected", reason.clone()),
        Event::Damaged { sha256, reason, .. } => {
            ("damaged", format!("its copy {sha256}: {reason}; run again what fetched it, which mends it"))
        }
        Event::Changed { before, after, .. } => {
            ("changed", format!("from {before} to {after}; both are kept"))
        }
        Event::Gone { status, since, .. } => {
            ("gone", format!("the upstream answers {status} since {since}; the copy is kept"))
        }
        Event::Vanished { versions, .. } => {
            ("vanished", format!("no longer lists {}; they stay listed here", some(versions)))
        }
        Event::Republished { versions, .. } => {
            ("republished", format!("lists other bytes for {}; the first ones stay", some(versions)))
        }
        Event::Down { since, until, reason, .. } => {
            ("down", format!("since {since}, nobody waits for it until {until}: {reason}"))
        }
        Event::Up { at, .. } => ("up", format!("answers again since {at}")),
        Event::Stale { since, reason, .. } => ("stale", format!("since {since}: {reason}")),
        _ => return None,
    };
    Some(Attention { time, kind, subject, detail })
}

/// Returns the first few of a list, and how many more there are.
fn some(versions: &[String]) -> String {
    const N_NAMED_MAX: usize = 5;
    let named = versions[..versions.len().min(N_NAMED_MAX)].join(", ");
    match versions.len().saturating_sub(N_NAMED_MAX) {
        0 => named,
        n_more => format!("{named} and {n_more} more"),
    }
}

fn show(status: &Status) -> Result<(), Failure> {
    if status.cells.is_empty() {
        speak::data(&"nothing is recorded yet; hint: `outlast exec --fresh -- CMD` in a project")?;
    }
    let mut thing = "";
    for cell in &status.cells {
        if cell.thing != thing {
            thing = &cell.thing;
            speak::data(&thing)?;
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
            cell.what,
            cell.vanished,
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
    for event in &status.events {
        speak::data(&format_args!(
            "  {}  {:<11} {}: {}",
            event.time.strftime("%Y-%m-%d %H:%M"),
            event.kind,
            event.subject,
            event.detail
        ))?;
    }
    Ok(())
}
