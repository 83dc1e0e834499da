//! `outlast store`: looks after the copies.

use std::process::ExitCode;

use anyhow::anyhow;
use clap::{Args, Subcommand};
use serde::Serialize;
use store::{BlobFault, Damaged, Look, VerifyReport};

use crate::command_line::Global;
use crate::copies::{self, Destination};
use crate::failure::{Failure, JOURNAL_HINT};
use crate::home::Home;
use crate::speak::{self, count, say, size};
use crate::tasks;
use crate::tasks::copy::Copied;
use crate::tasks::damage;
use crate::tasks::heal::{self, Healed, Refetched};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Read every copy back, and name what is damaged
    Verify {
        /// Make what is damaged whole again: from second copies, or else from upstream
        #[arg(long)]
        heal: bool,
    },
    /// Bring a second copy up to date: on another disk, or at another Outlast
    Copy {
        /// A folder, or the address of a server; all of outlast.toml if none is named
        #[arg(value_name = "DEST")]
        to: Option<String>,
        /// Read back everything the copy has, and mend what is damaged there
        #[arg(long)]
        verify: bool,
    },
    /// Say what is held
    Stat,
}

pub(crate) fn run(global: &Global, arguments: Arguments) -> Result<ExitCode, Failure> {
    match arguments.what {
        What::Verify { heal } => verify(global, heal),
        What::Copy { to, verify } => {
            let look = if verify { Look::Whole } else { Look::There };
            super::block_on(copy(global.clone(), to, look))
        }
        What::Stat => stat(global),
    }
}

/// What `store verify --json` prints.
#[derive(Debug, Serialize)]
struct Verified {
    #[serde(flatten)]
    report: VerifyReport,
    /// What was damaged, and is whole again.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    healed: Vec<Healed>,
    /// Repositories that were fetched anew because packs of theirs are damaged.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    refetched: Vec<Refetched>,
}

fn verify(global: &Global, is_to_heal: bool) -> Result<ExitCode, Failure> {
    let home = Home::find(global)?;
    let store = home.existing_store()?;
    let bar = speak::bar(global, "verifying {bar:30} {pos} of {len} blobs, {eta} left");
    let report = store.verify(&mut |progress| {
        bar.set_length(progress.n_blobs);
        bar.set_position(progress.checked);
    });
    bar.finish_and_clear();
    let mut report = report.map_err(|error| {
        Failure::no(error).hint("check the disk that holds Outlast's home folder, and its free space")
    })?;
    let (mut healed, mut refetched) = (Vec::new(), Vec::new());
    if is_to_heal && report.n_damaged > 0 {
        healed = super::block_on(heal::heal(&home, &store, &report.damaged))?;
        refetched = super::block_on(heal::refetch(&home, &store, &report.damaged, &healed))?;
        let is_healed = |damaged: &&Damaged| healed.iter().any(|healed| healed.sha256 == damaged.sha256);
        let were_missing = |damaged: &&Damaged| damaged.fault == BlobFault::Missing;
        // They were read back now; the others were before.
        report.checked += report.damaged.iter().filter(is_healed).filter(were_missing).count() as u64;
        // What was fetched anew may be the same bytes, or stand in their place.
        let is_needed = |damaged: &Damaged| store.belongs_to(&damaged.sha256).is_ok_and(|by| !by.is_empty());
        let n_before = report.damaged.len();
        report.damaged.retain(|damaged| is_needed(damaged) || damaged.belongs_to.is_empty());
        report.n_replaced += (n_before - report.damaged.len()) as u64;
        report.damaged.retain(|damaged| !heal::is_whole(&store, &damaged.sha256));
        report.n_damaged = report.damaged.len() as u64;
    }
    damage::note(&home, &report.damaged)?;
    let verified = Verified { report, healed, refetched };
    if global.json {
        speak::json(&verified)?;
    }
    for Healed { sha256, from } in &verified.healed {
        say(global, &format_args!("blob {sha256} is whole again, from `{from}`"));
    }
    for Refetched { repo, reason, is_all } in &verified.refetched {
        match reason {
            None if !is_all => say(
                global,
                &format_args!(
                    "`{repo}` was fetched anew; all that is served of it is here, some of what its refs once reached is not: \
                     a second copy may have it"
                ),
            ),
            None => say(global, &format_args!("`{repo}` was fetched anew; all that is served of it is here")),
            Some(reason) => say(global, &format_args!("`{repo}` could not be fetched anew: {reason}")),
        }
    }
    tell(global, &verified)
}

/// Brings one second copy up to date, or all that the configuration names; the worst outcome is the command's.
async fn copy(global: Global, to: Option<String>, look: Look) -> Result<ExitCode, Failure> {
    let home = Home::find(&global)?;
    let places = match &to {
        Some(to) => vec![copies::named(&home, to)?],
        None => home.config.copies.iter().map(Destination::configured).collect::<Result<_, _>>()?,
    };
    if places.is_empty() {
        return Err(Failure::usage(anyhow!("no second copy is named"))
            .hint("name a folder on another disk or a server, here or as [[copy]] in outlast.toml"));
    }
    // It waits for disks and networks.
    let copying = tokio::task::spawn_blocking(move || copy_to(&global, &home, &places, look));
    copying.await.map_err(Failure::no)?
}

fn copy_to(global: &Global, home: &Home, places: &[Destination], look: Look) -> Result<ExitCode, Failure> {
    let store = home.existing_store()?;
    let (mut reports, mut worst) = (Vec::new(), None);
    for place in places {
        match tasks::copy::once(global, home, &store, place, look, true) {
            Ok(copied) => {
                copied.say(global);
                reports.push(copied);
            }
            Err(failure) if places.len() == 1 => return Err(failure),
            Err(failure) => worst = Some((failure.report(), failure)),
        }
    }
    if global.json {
        speak::json(&reports)?;
    }
    if let Some((_, failure)) = worst {
        return Ok(ExitCode::from(failure.code()));
    }
    match reports.iter().all(Copied::is_whole) {
        true => Ok(ExitCode::SUCCESS),
        false => Err(Failure::no(anyhow!("what is damaged here could not be copied"))
            .hint("`outlast store verify --heal` makes it whole again; then copy once more")),
    }
}

fn tell(global: &Global, Verified { report, healed, .. }: &Verified) -> Result<ExitCode, Failure> {
    for damaged in &report.damaged {
        let belongs_to =
            if damaged.belongs_to.is_empty() { "nobody".to_owned() } else { damaged.belongs_to.join(", ") };
        let line = format!("{} {}: {belongs_to}", damaged.sha256, damaged.fault);
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
        let healed =
            if healed.is_empty() { String::new() } else { format!(", {} of them healed", healed.len()) };
        let replaced = match report.n_replaced {
            0 => String::new(),
            n => format!(" but {} in whose place another is held", count(n, "pack")),
        };
        let checked = count(report.checked, "blob");
        say(global, &format_args!("{checked} read back{healed}, none damaged{replaced}"));
        return Ok(ExitCode::SUCCESS);
    }
    if report.n_damaged == 0 {
        return Err(Failure::no(anyhow!("the journal is damaged, no blob is")).hint(JOURNAL_HINT));
    }
    let (n_damaged, n_read) = (count(report.n_damaged, "blob"), count(report.checked, "blob"));
    Err(Failure::no(anyhow!("{n_damaged} damaged or missing, {n_read} read back")).hint(
        "`outlast store verify --heal` takes them from a second copy or fetches them anew; `outlast exec --fresh` with what \
         fetched them does as well",
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
