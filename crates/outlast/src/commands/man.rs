//! `outlast man`: writes the manual pages.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, CommandFactory as _};

use crate::command_line::CommandLine;
use crate::failure::Failure;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The folder, such as /usr/local/share/man/man1
    directory: PathBuf,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    std::fs::create_dir_all(&arguments.directory)?;
    clap_mangen::generate_to(CommandLine::command(), &arguments.directory)?;
    Ok(ExitCode::SUCCESS)
}
