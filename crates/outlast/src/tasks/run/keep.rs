//! What makes a run a recorded one: its record, durable; and what is said where that could not be.

use std::io;

use anyhow::anyhow;
use model::{Event, Record};
use proxy::Purpose;
use store::Store;

use crate::failure::Failure;
use crate::home::Home;
use crate::mend;
use crate::speak::{count, size};

/// Writes the record down: when this returns, it and everything it names are durable.
///
/// Returns why the record has no file of its own, where there was no space for one: the next command writes it.
pub(super) fn keep(
    home: &Home,
    store: &Store,
    record: &Record,
    purpose: Purpose,
) -> Result<Option<String>, Failure> {
    let bytes = serde_json::to_vec_pretty(record).map_err(Failure::no)?;
    let blob = store.put(&bytes)?;
    store.record(vec![Event::Ran {
        run_id: record.run_id.clone(),
        record: blob.sha256,
        record_bytes: Some(blob.size_bytes),
        command: record.command.clone(),
        directory: record.directory.clone(),
        exit_code: record.exit_code,
        containment: record.containment,
        hosts: record.hosts.iter().map(|host| (host.host.clone(), host.kept)).collect(),
        is_drill: purpose == Purpose::Drill,
    }])?;
    store.flush()?;
    Ok(write(home, record, &bytes).err().map(|error| error.to_string()))
}

fn write(home: &Home, record: &Record, bytes: &[u8]) -> io::Result<()> {
    let folder = home.run(&record.run_id);
    let _writing = mend::writing(&home.path)?;
    host::file::create_folder(&folder)?;
    host::file::write_atomically(&folder.join("record.json"), bytes)
}

/// Says how a command ended whose record could not be stored, and what else may be lacking.
pub(super) fn unrecorded(failure: Failure, record: &Record) -> Failure {
    let n_bytes = record.objects.iter().map(|object| object.size_bytes).sum();
    let what = match record.objects.len() as u64 {
        0 => String::new(),
        n => format!(", nor perhaps all of the {} ({}) that it fetched", count(n, "object"), size(n_bytes)),
    };
    failure
        .context(format!("{}; its record could not be stored{what}", ended(record.exit_code)))
        .then("record the command again: no drill can be compared with this run")
}

/// As [`unrecorded`], where what the command made could not be read.
pub(super) fn unread_outputs(error: io::Error, exit_code: i32) -> Failure {
    Failure::no(anyhow!(error).context("the outputs could not be read"))
        .context(format!("{}; its run is not recorded", ended(exit_code)))
        .hint("make the outputs readable, or name others with --output")
}

/// Says how a command ended, where something else went wrong.
pub(crate) fn ended(exit_code: i32) -> String {
    format!("the command itself ended with exit code {exit_code}")
}
