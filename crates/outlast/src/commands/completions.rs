//! `outlast completions`: prints the completions of a shell.

use std::io::Write as _;
use std::process::ExitCode;

use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

use crate::command_line::CommandLine;
use crate::failure::Failure;
use crate::speak;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The shell
    shell: Shell,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let mut command = CommandLine::command();
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut command, "outlast", &mut script);
    speak::to_stdout(|| std::io::stdout().write_all(&script))?;
    Ok(ExitCode::SUCCESS)
}
