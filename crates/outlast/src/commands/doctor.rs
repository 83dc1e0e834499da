//! `outlast doctor`: what would not survive, and the command that mends it.

use std::process::ExitCode;

use clap::Args;
use drill::State;
use serde::Serialize;

use crate::command_line::Global;
use crate::failure::{Failure, INCONCLUSIVE};
use crate::home::Home;
use crate::speak::{self, count, in_line, say};
use crate::tasks::doctor::{self, Finding};
use crate::via;

/// How long a line may be; `--json` has all of it.
const N_LETTERS_MAX: usize = 1_000;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Projects to look at: folders, locks, addresses [default: the project around this folder, and all that was adopted]
    #[arg(value_name = "THING")]
    things: Vec<String>,
    /// The team's server that must have everything
    #[arg(long, env = "OUTLAST_SERVER", value_name = "URL")]
    via: Option<String>,
}

#[derive(Debug, Serialize)]
struct Report {
    /// What was found, the worst first.
    findings: Vec<Finding>,
    /// What was looked at, in words for a person.
    looked_at: Vec<String>,
}

pub(crate) fn run(global: &Global, arguments: &Arguments) -> Result<ExitCode, Failure> {
    let home = Home::find(global)?;
    let store = home.existing_store()?;
    let server = via::server(arguments.via.as_deref())?;
    let (mut findings, looked_at) =
        super::block_on(doctor::examine(home, store, arguments.things.clone(), server))?;
    let rank =
        |state: State| [State::Lost, State::Claimed, State::Unknown].iter().position(|one| *one == state);
    findings.sort_by_key(|finding| rank(finding.state));
    let report = Report { findings, looked_at };
    if global.json {
        speak::json(&report)?;
    } else {
        for finding in &report.findings {
            let Finding { state, subject, detail, mend, .. } = finding;
            let (subject, detail) = (in_line(subject, N_LETTERS_MAX), in_line(detail, N_LETTERS_MAX));
            let state = state.to_string();
            speak::data(&format_args!("{state:<8} {subject}: {detail}\n         {mend}"))?;
        }
    }
    let n = |state: State| report.findings.iter().filter(|finding| finding.state == state).count() as u64;
    let (n_lost, n_claimed, n_unknown) = (n(State::Lost), n(State::Claimed), n(State::Unknown));
    say(
        global,
        &format_args!(
            "outlast: looked at {}: {} would not survive, {n_claimed} not proved, {n_unknown} not known",
            report.looked_at.join(", "),
            count(n_lost, "thing"),
        ),
    );
    Ok(match (n_lost + n_claimed, n_unknown) {
        (0, 0) => ExitCode::SUCCESS,
        // What could not be looked at is not clean.
        (0, _) => ExitCode::from(INCONCLUSIVE),
        _ => ExitCode::FAILURE,
    })
}
