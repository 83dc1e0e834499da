//! `outlast drill`: cuts the hosts off, runs a recorded command again, and leaves signed evidence.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use clap::Args;
use drill::Scenario;
use model::{Cut, RunId, Timestamp, Verdict, escape, parse_time};

use crate::command_line::Global;
use crate::commands::block_on;
use crate::config;
use crate::failure::{Failure, INCONCLUSIVE};
use crate::home::Home;
use crate::log;
use crate::project::parse_output;
use crate::tasks::drill::{Evidence, Request, run as run_drill};
use crate::via;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Scenario files; without one, the command after `--` is run with all hosts cut
    #[arg(value_name = "SCENARIO")]
    scenarios: Vec<PathBuf>,
    /// Make a host fail: refuse (default), reset, hang, 502, nxdomain or wrong; `all`, the default, for every host
    #[arg(long, value_name = "HOST[=FAULT]")]
    cut: Vec<Cut>,
    /// Compare with this run instead of the newest of the same command and directory
    #[arg(long, value_name = "ID")]
    run: Option<RunId>,
    /// Answer with what was held at this moment, as `20260521T1000Z`
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    at: Option<Timestamp>,
    /// Fail if a host took longer than this to be replaced
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    objective: Option<Duration>,
    /// Compare this file or folder with what the recorded run made
    #[arg(long, value_name = "PATH", value_parser = parse_output)]
    output: Vec<PathBuf>,
    /// Have nothing but what this Outlast server gives, as a new machine
    #[arg(long, value_name = "URL")]
    via: Option<String>,
    /// Write the evidence into this folder too
    #[arg(long, value_name = "DIR")]
    evidence: Option<PathBuf>,
    /// The command
    #[arg(last = true, value_name = "CMD")]
    command: Vec<OsString>,
}

fn parse_duration(text: &str) -> Result<Duration, drill::DurationError> {
    drill::parse_duration(text)
}

pub(crate) fn run(global: &Global, arguments: Arguments) -> Result<ExitCode, Failure> {
    let home = Home::find(global)?;
    if let Some(folder) = &arguments.evidence
        && std::fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some())
    {
        return Err(Failure::usage(anyhow!("`{}` is not empty", folder.display()))
            .hint("evidence with other files beside it does not verify; name a new folder"));
    }
    let requests = requests(arguments)?;
    // What keeps a drill from its verdict is neither a yes nor a no.
    let open = |failure: Failure| if failure.code() == 2 { failure } else { failure.exit_code(INCONCLUSIVE) };
    // A home that is not there yet has no recorded run: that is said with the way out, like any other absence of one.
    let store = home.store().map_err(open)?;
    let mut worst = Verdict::Pass;
    for request in requests {
        // Told after the verdict.
        let _silence = log::wait();
        let verdict = block_on(run_drill(global, &home, &store, request)).map_err(open)?;
        worst = match (worst, verdict) {
            (Verdict::Fail, _) | (_, Verdict::Fail) => Verdict::Fail,
            (Verdict::Inconclusive, _) | (_, Verdict::Inconclusive) => Verdict::Inconclusive,
            _ => Verdict::Pass,
        };
    }
    Ok(ExitCode::from(match worst {
        Verdict::Pass => 0,
        Verdict::Fail => 1,
        Verdict::Inconclusive => INCONCLUSIVE,
    }))
}

fn requests(arguments: Arguments) -> Result<Vec<Request>, Failure> {
    let via = via::server(arguments.via.as_deref())?;
    let evidence = |scenario: &Scenario, n: usize| match &arguments.evidence {
        None => Evidence::Home,
        Some(folder) if n == 1 => Evidence::Also(folder.clone()),
        Some(folder) => Evidence::Also(folder.join(&scenario.name)),
    };
    if arguments.scenarios.is_empty() {
        if arguments.command.is_empty() {
            return Err(Failure::usage(anyhow!("there is neither a scenario nor a command")).hint(
                "name a scenario file, or write the command after `--`, as in `outlast drill -- make`",
            ));
        }
        let words = arguments.command.iter().map(|word| escape(word.as_bytes())).collect();
        let scenario =
            Scenario::ad_hoc(words, arguments.cut.clone(), arguments.objective, arguments.output.clone());
        let evidence = evidence(&scenario, 1);
        return Ok(vec![Request {
            scenario,
            command: arguments.command,
            run: arguments.run,
            at: arguments.at,
            via,
            evidence,
        }]);
    }
    if !arguments.command.is_empty() {
        return Err(Failure::usage(anyhow!("a scenario has its own command"))
            .hint("name scenario files or write a command after `--`, not both"));
    }
    let mut requests = Vec::new();
    for file in &arguments.scenarios {
        let bytes = std::fs::read(file)
            .with_context(|| format!("could not read the scenario `{}`", file.display()))
            .map_err(|error| {
                Failure::usage(error).hint("a command goes after `--`, as in `outlast drill -- make`")
            })?;
        let text = config::text(file, &bytes)?;
        let mut scenario = Scenario::parse(text, &file.to_string_lossy()).map_err(Failure::usage)?;
        if !arguments.cut.is_empty() {
            scenario.cut.clone_from(&arguments.cut);
        }
        scenario.objective = arguments.objective.or(scenario.objective);
        scenario.output.extend(arguments.output.iter().cloned());
        let command = scenario.run.iter().map(OsString::from).collect();
        let evidence = evidence(&scenario, arguments.scenarios.len());
        let (run, at, via) = (arguments.run.clone(), arguments.at, via.clone());
        requests.push(Request { scenario, command, run, at, via, evidence });
    }
    Ok(requests)
}
