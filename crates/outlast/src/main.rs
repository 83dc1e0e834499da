//! The `outlast` binary: reads the command line, wires the crates together, and speaks to people.

mod authority;
mod command_line;
mod commands;
mod complaint;
mod config;
mod copies;
mod failure;
mod home;
mod log;
mod mend;
mod peer;
mod project;
mod speak;
mod tasks;
mod tokens;
mod usage;
mod via;
mod wiring;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    // Before anything else, and before any thread: the same binary is also the helper that builds rooms.
    if sandbox::run_helper_if_asked() {
        return ExitCode::SUCCESS;
    }
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let command_line = match command_line::CommandLine::try_parse_from(&arguments) {
        Ok(command_line) => command_line,
        Err(error) => return usage::explain(&error, &arguments),
    };
    match commands::run(command_line) {
        Ok(code) => code,
        Err(failure) => failure.report(),
    }
}
