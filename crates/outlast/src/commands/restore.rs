//! `outlast restore`: a repository given back, as it is kept now or as it was.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use model::{Timestamp, parse_time};

use crate::command_line::Global;
use crate::failure::Failure;
use crate::home::Home;
use crate::speak::say;
use crate::tasks::repositories;
use crate::wiring;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The repository, by address or name
    #[arg(value_name = "REPO")]
    repository: String,
    /// As it was then: RFC 3339, 20260521T1000Z or 20260521T100005Z
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    at: Option<Timestamp>,
    /// Bare, with every ref rather than branches and tags alone: to push it to a new host
    #[arg(long)]
    mirror: bool,
    /// A folder that is not there yet
    #[arg(value_name = "DIR")]
    into: PathBuf,
}

pub(crate) fn run(global: &Global, arguments: &Arguments) -> Result<ExitCode, Failure> {
    let home = Home::find(global)?;
    let store = home.existing_store()?;
    let address = repositories::find(&store, &arguments.repository)?;
    let into = std::path::absolute(&arguments.into).map_err(Failure::nowhere)?;
    mirror::restore(&wiring::git(), &store, address.repo(), arguments.at, &into, arguments.mirror)
        .map_err(|error| Failure::no(error).hint("`outlast refs REPO --at TIME` shows what was held when"))?;
    say(global, &format_args!("outlast: `{}` is in `{}`", address.repo(), arguments.into.display()));
    Ok(ExitCode::SUCCESS)
}
