//! `outlast store`: looks after the copies.

use std::process::ExitCode;

use anyhow::anyhow;
use clap::{Args, Subcommand};
use store::{BlobFault, VerifyReport};

use crate::command_line::Global;
use crate::failure::{Failure, JOURNAL_HINT};
use crate::home::Home;
use crate::speak::{self, count, say, size};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Read every copy back, and name what is damaged
    Verify,
    /// Say what is held
    Stat,
}

pub(crate) fn run(global: &Global, arguments: Arguments) -> Result<ExitCode, Failure> {
    match arguments.what {
        What::Verify => verify(global),
        What::Stat => stat(global),
    }
}

fn verify(global: &Global) -> Result<ExitCode, Failure> {
    let store = Home::find(global)?.existing_store()?;
    let bar = speak::bar(global, "verifying {bar:30} {pos} of {len} blobs, {eta} left");
    let report = store.verify(&mut |progress| {
        bar.set_length(progress.n_blobs);
        bar.set_position(progress.checked);
    });
    bar.finish_and_clear();
    let report = report.map_err(|error| {
        Failure::no(error).hint("check the disk that holds Outlast's home folder, and its free space")
    })?;
    if global.json {
        speak::json(&report)?;
    }
    tell(global, &report)
}

fn tell(global: &Global, report: &VerifyReport) -> Result<ExitCode, Failure> {
    for damaged in &report.damaged {
        let fault = match damaged.fault {
            BlobFault::Flipped => "flipped",
            BlobFault::Truncated => "truncated",
            BlobFault::Missing => "missing",
        };
        let belongs_to =
            if damaged.belongs_to.is_empty() { "nobody".to_owned() } else { damaged.belongs_to.join(", ") };
        let line = format!("{} {fault}: {belongs_to}", damaged.sha256);
        if !global.json {
            speak::data(&line)?;
        }
    }
    for path in report.damaged.iter().filter_map(|damaged| damaged.obstructed.as_ref()) {
        say(
            global,
            &format_args!(
                "`{}` is a folder where a blob belongs; hint: move it out of `blobs/`",
                path.display()
            ),
        );
    }
    for problem in &report.journal {
        say(global, &format_args!("journal: {problem}"));
    }
    if report.is_good() {
        say(global, &format_args!("{} read back, none damaged", count(report.checked, "blob")));
        return Ok(ExitCode::SUCCESS);
    }
    if report.n_damaged == 0 {
        return Err(Failure::no(anyhow!("the journal is damaged, no blob is")).hint(JOURNAL_HINT));
    }
    let (n_damaged, n_read) = (count(report.n_damaged, "blob"), count(report.checked, "blob"));
    Err(Failure::no(anyhow!("{n_damaged} damaged or missing, {n_read} read back")).hint(
        "run what fetched them again with `outlast exec --fresh`: they are fetched anew from the upstream",
    ))
}

fn stat(global: &Global) -> Result<ExitCode, Failure> {
    let stat = Home::find(global)?.existing_store()?.stat().map_err(Failure::no)?;
    if global.json {
        speak::json(&stat)?;
        return Ok(ExitCode::SUCCESS);
    }
    speak::data(&format_args!(
        "{}, {}\n{} in {} of the journal, {}\n{}, {}",
        count(stat.n_blobs, "blob"),
        size(stat.size_bytes),
        count(stat.n_objects, "object"),
        count(stat.n_entries, "line"),
        size(stat.journal_bytes),
        count(stat.n_runs, "run"),
        count(stat.n_drills, "drill"),
    ))?;
    Ok(ExitCode::SUCCESS)
}
