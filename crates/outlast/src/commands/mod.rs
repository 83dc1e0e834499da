//! The commands, one file each.

pub(crate) mod adopt;
pub(crate) mod completions;
pub(crate) mod doctor;
pub(crate) mod drill;
pub(crate) mod evidence;
pub(crate) mod exec;
pub(crate) mod holds;
pub(crate) mod init;
pub(crate) mod man;
pub(crate) mod rebuild_index;
pub(crate) mod refs;
pub(crate) mod restore;
pub(crate) mod serve;
pub(crate) mod status;
pub(crate) mod store;
pub(crate) mod sync;
pub(crate) mod token;
pub(crate) mod unfollow;

use std::process::ExitCode;

use crate::command_line::{CommandLine, Verb};
use crate::failure::Failure;
use crate::log;

/// Does what the command line says.
pub(crate) fn run(command_line: CommandLine) -> Result<ExitCode, Failure> {
    arm_failpoints()?;
    let global = command_line.global;
    log::begin(global.verbose);
    match command_line.verb {
        Verb::Init(arguments) => init::run(&global, &arguments),
        Verb::Exec(arguments) => exec::run(&global, arguments),
        Verb::Drill(arguments) => drill::run(&global, arguments),
        Verb::Evidence(arguments) => evidence::run(&global, arguments),
        Verb::Status(arguments) => status::run(&global, &arguments),
        Verb::Adopt(arguments) => adopt::run(&global, &arguments),
        Verb::Sync(arguments) => sync::run(&global, &arguments),
        Verb::Unfollow(arguments) => unfollow::run(&global, &arguments),
        Verb::Refs(arguments) => refs::run(&global, &arguments),
        Verb::Restore(arguments) => restore::run(&global, &arguments),
        Verb::Holds(arguments) => holds::run(&global, arguments),
        Verb::Serve(arguments) => serve::run(&global, &arguments),
        Verb::Token(arguments) => token::run(&global, arguments),
        Verb::Doctor(arguments) => doctor::run(&global, &arguments),
        Verb::Store(arguments) => store::run(&global, arguments),
        Verb::RebuildIndex(arguments) => rebuild_index::run(&global, &arguments),
        Verb::Completions(arguments) => completions::run(&arguments),
        Verb::Man(arguments) => man::run(&arguments),
    }
}

/// Runs a future to its end on a runtime of its own.
fn block_on<T>(future: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let result = runtime.block_on(future);
    // Transfers that nobody waits for any more must not hold up the end.
    runtime.shutdown_background();
    result
}

#[expect(clippy::disallowed_methods, reason = "the rim reads the environment")]
fn arm_failpoints() -> Result<(), Failure> {
    let Ok(spec) = std::env::var("OUTLAST_FAILPOINTS") else { return Ok(()) };
    host::failpoint::arm(&spec)
        .map_err(|error| Failure::usage(error).hint("OUTLAST_FAILPOINTS is for tests; unset it"))
}
