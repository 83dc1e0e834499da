//! `outlast adopt`: keeps what a project's locks pin, before anybody asks for it.

use std::process::ExitCode;

use clap::Args;
use proxy::{Purpose, SessionPlan};

use crate::command_line::Global;
use crate::failure::Failure;
use crate::home::Home;
use crate::tasks::adopt::{self, Report, Things};
use crate::wiring;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Lock files, folders (every lock in them), or addresses
    #[arg(required = true, value_name = "THING")]
    things: Vec<String>,
}

pub(crate) fn run(global: &Global, arguments: &Arguments) -> Result<ExitCode, Failure> {
    let things = Things::find(&arguments.things)?;
    let home = Home::find(global)?;
    let store = home.store()?;
    let report = super::block_on(async {
        let plan = SessionPlan { pins: things.locks.pins.clone(), ..SessionPlan::new(Purpose::Adopt) };
        let session = wiring::engine(&home, &store, &wiring::trust()?, None)?.session(plan);
        let adopted = adopt::fetch(global, &session, &things).await;
        session.finish().await;
        Ok(Report::new(things, adopted))
    })?;
    store.flush()?;
    report.tell(global)
}
