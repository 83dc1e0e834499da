//! `outlast rebuild-index`: makes the index anew from journal and blobs alone.

use std::process::ExitCode;

use anyhow::anyhow;
use clap::Args;
use store::Store;

use crate::command_line::Global;
use crate::failure::Failure;
use crate::home::Home;
use crate::speak::{self, count, say};

#[derive(Debug, Args)]
pub(crate) struct Arguments {}

pub(crate) fn run(global: &Global, _: &Arguments) -> Result<ExitCode, Failure> {
    let home = Home::find(global)?;
    if !home.path.join("journal").is_dir() {
        home.existing_store()?;
    }
    let report = Store::rebuild_index(&home.path, home.clock.clone())?;
    if global.json {
        speak::json(&report)?;
    }
    if report.journal.is_empty() {
        say(global, &format_args!("index made anew from {} of the journal", count(report.n_entries, "line")));
        return Ok(ExitCode::SUCCESS);
    }
    for problem in &report.journal {
        say(global, &format_args!("journal: {problem}"));
    }
    Err(Failure::no(anyhow!("the journal is damaged, so the index may lack what it said"))
        .hint("`outlast store verify` says where; put that segment back from a copy"))
}
