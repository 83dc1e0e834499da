//! `outlast man`: writes the manual pages.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Args, CommandFactory as _};

use crate::command_line::CommandLine;
use crate::failure::Failure;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The folder, such as /usr/local/share/man/man1
    directory: PathBuf,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let folder = &arguments.directory;
    std::fs::create_dir_all(folder)
        .and_then(|()| clap_mangen::generate_to(CommandLine::command(), folder))
        .with_context(|| format!("could not write the manual pages into `{}`", folder.display()))
        .map_err(|error| Failure::no(error).hint("name a folder that you can write to"))?;
    Ok(ExitCode::SUCCESS)
}
