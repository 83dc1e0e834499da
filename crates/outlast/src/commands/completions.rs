//! `outlast completions`: prints the completions of a shell.

use std::process::ExitCode;

use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

use crate::command_line::CommandLine;
use crate::failure::Failure;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The shell
    shell: Shell,
}

#[expect(clippy::unnecessary_wraps, reason = "every command has one form")]
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let mut command = CommandLine::command();
    clap_complete::generate(arguments.shell, &mut command, "outlast", &mut std::io::stdout());
    Ok(ExitCode::SUCCESS)
}
