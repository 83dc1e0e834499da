//! `outlast adopt`: keeps what a project's locks pin, before anybody asks for it.

use std::process::ExitCode;

use clap::Args;

use crate::command_line::Global;
use crate::failure::Failure;
use crate::home::Home;
use crate::tasks::adopt::{self, Thing};
use crate::via;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Lock files, folders (every lock in them), or addresses
    #[arg(required = true, value_name = "THING")]
    things: Vec<String>,
    /// Have a team's server keep it, rather than this home; OUTLAST_TOKEN has a token with the scope `adopt`
    #[arg(long, value_name = "URL")]
    via: Option<String>,
}

pub(crate) fn run(global: &Global, arguments: &Arguments) -> Result<ExitCode, Failure> {
    let things = Thing::find_all(&arguments.things)?;
    let home = Home::find(global)?;
    if let Some(server) = via::server(arguments.via.as_deref())? {
        return super::block_on(adopt::at_server(&home, &server, things))?.tell(global);
    }
    let store = home.store()?;
    super::block_on(adopt::once(global, &home, &store, things))?.tell(global)
}
