//! `outlast evidence`: verifies and lists what drills left.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Args, Subcommand};
use drill::PublicKey;
use model::Event;
use serde::Serialize;

use crate::command_line::Global;
use crate::failure::Failure;
use crate::home::Home;
use crate::speak::{self, minute, say};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Say whether an evidence folder is genuine and whole; works offline
    Verify {
        /// The folder
        directory: PathBuf,
        /// Trust this public key instead of this home's own
        #[arg(long, value_name = "FILE")]
        key: Option<PathBuf>,
    },
    /// List the drills with their verdicts
    List,
    /// Print the public key
    Key,
}

/// One drill in the list.
#[derive(Debug, Serialize)]
struct Row {
    drill: String,
    scenario: String,
    verdict: model::Verdict,
    finished_at: model::Timestamp,
    command: Vec<String>,
    directory: String,
    recovered_ms: Option<u64>,
    attestation_sha256: model::Sha256,
}

pub(crate) fn run(global: &Global, arguments: Arguments) -> Result<ExitCode, Failure> {
    match arguments.what {
        What::Verify { directory, key } => verify(global, &directory, key.as_deref()),
        What::List => list(global),
        What::Key if global.json => {
            speak::json(&serde_json::json!({ "public_key": own_key(global)?.to_pem() }))?;
            Ok(ExitCode::SUCCESS)
        }
        What::Key => {
            speak::data(&own_key(global)?.to_pem().trim_end())?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn verify(
    global: &Global,
    directory: &std::path::Path,
    key: Option<&std::path::Path>,
) -> Result<ExitCode, Failure> {
    let key = match key {
        Some(file) => PublicKey::read(file).map_err(|error| {
            Failure::usage(error)
                .hint("name the file that `outlast evidence key` printed on the machine that drilled")
        })?,
        None => own_key(global)?,
    };
    if !directory.is_dir() {
        return Err(Failure::no(anyhow::anyhow!("there is no folder `{}`", directory.display()))
            .hint("`outlast evidence list` names this home's drills; their folders are in evidence/"));
    }
    let checked = drill::evidence::verify(directory, &key, None);
    match checked {
        Ok(checked) => {
            if global.json {
                speak::json(&serde_json::json!({
                    "genuine": true,
                    "scenario": checked.scenario,
                    "verdict": checked.verdict,
                    "run_id": checked.run_id,
                    "finished_at": checked.finished_at,
                    "attestation_sha256": checked.attestation_sha256,
                    "previous_sha256": checked.previous_sha256,
                }))?;
            }
            say(
                global,
                &format_args!(
                    "genuine and whole: {}, verdict {}, run {}, finished {}",
                    checked.scenario, checked.verdict, checked.run_id, checked.finished_at
                ),
            );
            Ok(ExitCode::SUCCESS)
        }
        Err(error) => {
            if global.json {
                speak::json(&serde_json::json!({ "genuine": false, "reason": error.to_string() }))?;
            }
            Err(Failure::no(
                anyhow::Error::new(error).context(format!("`{}` is not genuine", directory.display())),
            )
            .hint("do not rely on it; ask whoever gave it to you for the original folder and the public key"))
        }
    }
}

fn own_key(global: &Global) -> Result<PublicKey, Failure> {
    let file = Home::find(global)?.keys().join(drill::key::PUBLIC_FILE);
    PublicKey::read(&file)
        .with_context(|| "this home has no key of its own")
        .map_err(|error| Failure::no(error).hint("`outlast init` makes one; --key FILE names another"))
}

/// How long a command is in a line; `--json` has it whole.
const N_LETTERS_MAX: usize = 100;

fn list(global: &Global) -> Result<ExitCode, Failure> {
    let store = Home::find(global)?.existing_store()?;
    let rows: Vec<Row> = store.drills()?.into_iter().filter_map(|entry| row(entry.event)).collect();
    if global.json {
        speak::json(&rows)?;
        return Ok(ExitCode::SUCCESS);
    }
    if rows.is_empty() {
        say(global, &"no drill yet; hint: `outlast drill -- CMD` after a recorded run");
    }
    for row in rows {
        let recovered = row.recovered_ms.map_or_else(|| "-".to_owned(), speak::duration);
        speak::data(&format_args!(
            "{:<13} {}  recovered {:>8}  {}  ({})",
            row.verdict.to_string(),
            minute(row.finished_at),
            recovered,
            speak::in_line(&drill::quoted(&row.command), N_LETTERS_MAX),
            row.drill
        ))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn row(event: Event) -> Option<Row> {
    match event {
        Event::Drilled {
            drill,
            scenario,
            verdict,
            attestation,
            command,
            directory,
            recovered_ms,
            at,
            ..
        } => Some(Row {
            drill,
            scenario,
            verdict,
            finished_at: at,
            command,
            directory,
            recovered_ms,
            attestation_sha256: attestation,
        }),
        _ => None,
    }
}
