//! `outlast refs`: the refs of a repository, now or as they were.

use std::collections::BTreeMap;
use std::process::ExitCode;

use anyhow::anyhow;
use clap::Args;
use mirror::State;
use model::{RefName, RepoId, Target, Timestamp, parse_time};
use serde::Serialize;

use crate::command_line::Global;
use crate::failure::Failure;
use crate::home::Home;
use crate::speak;
use crate::tasks::repositories;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The repository, by address or name
    #[arg(value_name = "REPO")]
    repository: String,
    /// As they were then: RFC 3339, 20260521T1000Z or 20260521T100005Z
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    at: Option<Timestamp>,
}

#[derive(Debug, Serialize)]
struct Refs<'a> {
    repo: &'a RepoId,
    at: Option<Timestamp>,
    refs: &'a BTreeMap<RefName, Target>,
}

pub(crate) fn run(global: &Global, arguments: &Arguments) -> Result<ExitCode, Failure> {
    let home = Home::find(global)?;
    let store = home.existing_store()?;
    let address = repositories::find(&store, &arguments.repository)?;
    let state = State::read(&store, address.repo(), arguments.at).map_err(Failure::no)?;
    if global.json {
        speak::json(&Refs { repo: address.repo(), at: arguments.at, refs: &state.served })?;
    } else {
        for (name, target) in &state.served {
            match target {
                Target::Object { id, .. } => speak::data(&format_args!("{id}\t{name}"))?,
                Target::Ref(to) => speak::data(&format_args!("ref: {to}\t{name}"))?,
            }
        }
    }
    match (state.served.is_empty(), arguments.at) {
        (false, _) => Ok(ExitCode::SUCCESS),
        (true, None) => Err(Failure::no(anyhow!("nothing of `{}` is held yet", address.repo()))
            .hint("`outlast sync` asks its upstream")),
        (true, Some(at)) => Err(Failure::no(anyhow!("nothing of `{}` was held at {at}", address.repo()))
            .hint("name a later moment")),
    }
}
