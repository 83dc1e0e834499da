//! `outlast exec`: runs a command in a room and keeps what it fetches.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::anyhow;
use clap::Args;
use model::{Containment, Cut, Timestamp, parse_time};
use proxy::Purpose;

use crate::command_line::Global;
use crate::commands::block_on;
use crate::failure::Failure;
use crate::home::Home;
use crate::log;
use crate::project::parse_output;
use crate::tasks::adopt;
use crate::tasks::room::Order;
use crate::tasks::run::{self, Copies, Done, Fallback, OUTLAST_ITSELF, Task, no_command};
use crate::tasks::space::Space;
use crate::tasks::summary;
use crate::via;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Use a copy of the project and empty caches, with a live network
    #[arg(long)]
    fresh: bool,
    /// Ask this Outlast server before the hosts themselves
    #[arg(long, value_name = "URL", env = "OUTLAST_SERVER")]
    via: Option<String>,
    /// Fail rather than run the command with its environment alone
    #[arg(long)]
    require_sealed: bool,
    /// Make a host fail: refuse (default), reset, hang, 502, nxdomain or wrong; `all` for every host
    #[arg(long, value_name = "HOST[=FAULT]")]
    cut: Vec<Cut>,
    /// Answer with what was held at this moment, as `20260521T1000Z`; what cannot change is fetched as ever
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    at: Option<Timestamp>,
    /// Write the record into this file too
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
    /// Note the digests of this file or folder, for a drill to compare
    #[arg(long, value_name = "PATH", value_parser = parse_output)]
    output: Vec<PathBuf>,
    /// The command
    #[arg(last = true, required = true, value_name = "CMD")]
    command: Vec<OsString>,
}

pub(crate) fn run(global: &Global, arguments: Arguments) -> Result<ExitCode, Failure> {
    if arguments.command.is_empty() {
        return Err(no_command());
    }
    let via = via::server(arguments.via.as_deref())?;
    let home = Home::find(global)?;
    let own = |failure: Failure| failure.exit_code(OUTLAST_ITSELF);
    if let Some(file) = &arguments.record {
        host::file::check_writable(file).map_err(|error| {
            let error = anyhow!(error).context(format!("could not write the record to `{}`", file.display()));
            own(Failure::no(error).hint("name a file in a folder that is there and that you can write to"))
        })?;
    }
    let order = Order::here(arguments.command).map_err(own)?;
    let store = home.store().map_err(own)?;
    store.check_writable().map_err(|error| own(error.into()))?;
    let copies = if arguments.fresh { Copies::Fresh(Space::Disk) } else { Copies::Own };
    let named: Vec<String> =
        arguments.output.iter().map(|path| format!("--output={}", path.display())).collect();
    let task = Task {
        order,
        cuts: arguments.cut,
        purpose: Purpose::Record,
        at: arguments.at,
        via,
        outputs: arguments.output,
        copies,
        fallback: if arguments.require_sealed { Fallback::Never } else { Fallback::Observe },
    };
    // Told at the end of this function, after the summary.
    let _silence = log::wait();
    let (server, directory) = (task.via.clone(), task.order.directory.clone());
    let done = block_on(async {
        let done = run::run(&home, &store, task).await?;
        let is_well = done.findings.server.as_ref().is_some_and(|used| used.trouble.is_none());
        if let Some(server) = server.filter(|_| done.record.exit_code == 0 && is_well) {
            adopt::tell(&home, &server, &directory).await;
        }
        Ok(done)
    })?;
    let written = arguments.record.as_ref().map_or(Ok(()), |file| {
        let text = serde_json::to_string_pretty(&done.record).map_err(std::io::Error::from);
        text.and_then(|text| std::fs::write(file, text)).map_err(|error| {
            let ended = run::ended(done.record.exit_code);
            let what = format!("{ended}; could not write the record to `{}`", file.display());
            own(Failure::no(anyhow!(error).context(what))
                .hint("the record is in the home folder too, under runs/"))
        })
    });
    summary::say_run(global, &done, &next(&done, copies, &named));
    written?;
    if arguments.require_sealed && done.record.containment == Containment::Observed {
        let ended = run::ended(done.record.exit_code);
        return Err(own(Failure::no(anyhow!("{ended}; the run was not sealed"))
            .hint("its record stays; do away with the reasons above and run again")));
    }
    Ok(ExitCode::from(u8::try_from(done.record.exit_code).unwrap_or(OUTLAST_ITSELF)))
}

/// Says what to do next; `named` are the outputs, as a drill takes them.
fn next(done: &Done, copies: Copies, named: &[String]) -> String {
    let command = drill::quoted(&done.record.command);
    if done.record.exit_code != 0 {
        return format!(
            "the command failed; a drill needs a run that succeeds: `outlast exec --fresh -- {command}`"
        );
    }
    if done.record.objects.is_empty() && done.record.not_kept.is_empty() && copies == Copies::Own {
        return format!(
            "nothing was fetched, perhaps because caches were warm: `outlast exec --fresh -- {command}` starts without"
        );
    }
    if done.record.objects.is_empty() {
        return "nothing was fetched that is kept, so a drill of this command has nothing to prove"
            .to_owned();
    }
    let named = if named.is_empty() { String::new() } else { format!("{} ", drill::quoted(named)) };
    format!("prove that it survives: `outlast drill {named}-- {command}`")
}
