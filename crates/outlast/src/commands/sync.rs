//! `outlast sync`: brings the copies of repositories up to date.

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::anyhow;
use clap::Args;

use crate::command_line::Global;
use crate::failure::Failure;
use crate::home::Home;
use crate::tasks::repositories;
use crate::wiring;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Repositories, by address or name [default: all that are kept]
    #[arg(value_name = "REPO")]
    repositories: Vec<String>,
}

pub(crate) fn run(global: &Global, arguments: &Arguments) -> Result<ExitCode, Failure> {
    let home = Home::find(global)?;
    let store = home.existing_store()?;
    let addresses = match &arguments.repositories[..] {
        [] => repositories::followed(&store)?,
        names => names.iter().map(|name| repositories::find(&store, name)).collect::<Result<_, _>>()?,
    };
    if addresses.is_empty() {
        return Err(Failure::no(anyhow!("no repository is kept yet"))
            .hint("`outlast adopt https://HOST/PATH.git` keeps one"));
    }
    let n_asked = addresses.len();
    let mirror = Arc::new(wiring::mirror(&home, &store)?);
    let all = super::block_on(async { Ok(repositories::sync(global, &mirror, addresses).await) })?;
    store.flush()?;
    repositories::tell(global, (&home, &store), n_asked, all)
}
