//! Finishes in the home folder what a process that was killed has left half done.
//!
//! The store sweeps its own folders. Here are the files beside it: temporaries are removed, and a run that the journal
//! has gets its record, a private key its public half. Evidence that was not finished is removed: its drill was not
//! acknowledged; evidence that is whole gets its place in the chain.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use anyhow::Context as _;
use drill::SigningKey;
use model::{Event, RunId, Sha256};
use store::Store;

use crate::home::Home;
use crate::tasks::drill::chain;
use crate::tasks::record::RECORD_BYTES_MAX;

/// A killed process leaves one run half written, so that the newest few are enough to look at.
const N_RUNS_MAX: usize = 32;

/// Held while files beside the store are written, so that nobody takes a temporary for one of the dead.
#[derive(Debug)]
pub(crate) struct Writing {
    _lock: File,
}

/// What the names of folders begin with that go with the process that made them.
pub(crate) const SCRATCH: &str = "scratch-";

/// Waits while somebody mends, and keeps everybody else from mending.
pub(crate) fn writing(home: &Path) -> io::Result<Writing> {
    let lock = File::open(home)?;
    lock.lock_shared()?;
    Ok(Writing { _lock: lock })
}

/// Mends a home; does nothing while another process writes there.
pub(crate) fn mend(home: &Home, store: &Store) -> anyhow::Result<()> {
    let lock = File::open(&home.path)?;
    if lock.try_lock().is_err() {
        return Ok(());
    }
    for folder in [&home.path, &home.keys()] {
        sweep(folder)?;
    }
    mend_key(home)?;
    if home.evidence().is_dir() {
        drill::evidence::sweep(&home.evidence()).context("could not sweep the evidence")?;
        chain::adopt(home, store).context("could not adopt a drill that was not finished")?;
    }
    for entry in store.runs(N_RUNS_MAX)? {
        let Event::Ran { run_id, record, .. } = &entry.event else { continue };
        mend_run(home, store, run_id, record)
            .with_context(|| format!("could not write the record of run `{run_id}`"))?;
    }
    Ok(())
}

/// A key that cannot be used is told to whoever uses it.
fn mend_key(home: &Home) -> io::Result<()> {
    let public = home.keys().join(drill::key::PUBLIC_FILE);
    match SigningKey::open(&home.keys()) {
        Ok(key) if !public.exists() => {
            host::file::write_atomically(&public, key.public().to_pem().as_bytes())
        }
        _ => Ok(()),
    }
}

fn mend_run(home: &Home, store: &Store, run_id: &RunId, record: &Sha256) -> anyhow::Result<()> {
    let folder = home.run(run_id);
    let file = folder.join("record.json");
    sweep(&folder)?;
    if !file.exists() {
        let bytes = store.read_blob(record, RECORD_BYTES_MAX)?;
        host::file::create_folder(&folder)?;
        host::file::write_atomically(&file, &bytes)?;
    }
    Ok(())
}

/// Removes temporary files and scratch folders of a folder, which does not have to be there.
fn sweep(folder: &Path) -> io::Result<()> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        let is_temporary = Path::new(&entry.file_name()).extension().is_some_and(|kind| kind == "tmp");
        if is_temporary && entry.file_type()?.is_file() {
            fs::remove_file(entry.path())?;
        } else if entry.file_name().as_encoded_bytes().starts_with(SCRATCH.as_bytes()) {
            fs::remove_dir_all(entry.path())?;
        }
    }
    Ok(())
}
