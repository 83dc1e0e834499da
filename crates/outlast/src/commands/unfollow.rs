//! `outlast unfollow`: stops asking for repositories. Nothing that is kept goes.

use std::process::ExitCode;

use clap::Args;

use crate::command_line::Global;
use crate::failure::Failure;
use crate::home::Home;
use crate::speak::say;
use crate::tasks::repositories;
use crate::wiring;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Repositories, by address or name
    #[arg(required = true, value_name = "REPO")]
    repositories: Vec<String>,
}

pub(crate) fn run(global: &Global, arguments: &Arguments) -> Result<ExitCode, Failure> {
    let home = Home::find(global)?;
    let store = home.existing_store()?;
    let names = arguments.repositories.iter();
    let addresses = names.map(|name| repositories::find(&store, name)).collect::<Result<Vec<_>, _>>()?;
    let mirror = wiring::mirror(&home, &store)?;
    for address in addresses {
        mirror.leave(&address).map_err(Failure::no)?;
        say(
            global,
            &format_args!("outlast: `{}` is asked no more; what is kept of it stays", address.repo()),
        );
    }
    say(global, &"hint: `outlast adopt` follows it again");
    Ok(ExitCode::SUCCESS)
}
