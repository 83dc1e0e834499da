//! The chain of drills: evidence is written whole, and then named by the journal as the last of its chain.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use drill::{Action, Report, SigningKey};
use model::{Event, Sha256};
use store::{AppendError, Expect, IndexError, Store};

use crate::failure::Failure;
use crate::home::Home;
use crate::mend;

/// The journal's subject of all drills; see `Event::subject`.
const DRILLS: &str = "drills";
/// How often the end of the chain is looked for; each failure means that another drill ended.
const N_ATTEMPTS_MAX: usize = 100;

/// Puts a drill at the end of the chain; `judge` makes its report and journal for a given predecessor.
///
/// Whoever loses the race for the end looks again, so that every drill names the one before it, however many end at once.
pub(super) fn append(
    home: &Home,
    store: &Store,
    key: &SigningKey,
    judge: impl Fn(Option<Sha256>) -> (Report, Vec<Action>),
) -> Result<(Report, PathBuf), Failure> {
    // Until the journal names it: a folder that is whole and not named looks like one of the dead.
    let _writing = mend::writing(&home.path)?;
    for _ in 0..N_ATTEMPTS_MAX {
        // Before the predecessor is read: whoever comes in between makes the append fail.
        let subject_seq = store.head(DRILLS)?.unwrap_or_default();
        let expect = Expect { subject: DRILLS.to_owned(), subject_seq };
        let (report, journal) = judge(previous(store)?);
        let (event, folder) = write(home, &report, &journal, key)?;
        match store.append(Some(expect), vec![event]) {
            Ok(_) => return Ok((report, folder)),
            // Nobody was told of this folder, and it names a predecessor that is not the last one any more.
            Err(AppendError::Moved { .. }) => std::fs::remove_dir_all(&folder)?,
            Err(AppendError::Write { source }) => return Err(source.into()),
        }
    }
    Err(Failure::no(anyhow!("too many drills end at once")).hint("run it again"))
}

fn previous(store: &Store) -> Result<Option<Sha256>, IndexError> {
    let last = store.drills()?.pop();
    Ok(last.and_then(|entry| match entry.event {
        Event::Drilled { attestation, .. } => Some(attestation),
        _ => None,
    }))
}

/// Writes the evidence, and returns what the journal shall say about it.
fn write(
    home: &Home,
    report: &Report,
    journal: &[Action],
    key: &SigningKey,
) -> Result<(Event, PathBuf), Failure> {
    let name = drill::evidence::folder_name(report.finished_at, &report.scenario, host::random::bytes());
    let folder = home.evidence().join(&name);
    let written = drill::evidence::write(&folder, report, journal, key).map_err(|error| {
        Failure::no(error).hint("check the free space of the disk that holds Outlast's home folder")
    })?;
    Ok((event(report, name, written.attestation_sha256), folder))
}

/// Adopts drills whose process was killed after their evidence was whole and before the journal named it: without that,
/// whoever kills a drill that fails could leave it out of the chain.
///
/// For the holder of the home's lock only.
pub(crate) fn adopt(home: &Home, store: &Store) -> anyhow::Result<()> {
    let named: BTreeSet<String> = store
        .drills()?
        .into_iter()
        .filter_map(|entry| match entry.event {
            Event::Drilled { drill, .. } => Some(drill),
            _ => None,
        })
        .collect();
    for entry in std::fs::read_dir(home.evidence())? {
        let (name, folder) = entry.map(|entry| (entry.file_name(), entry.path()))?;
        let Some(name) = name.to_str().filter(|name| !named.contains(*name)) else { continue };
        let key = SigningKey::open(&home.keys())?;
        let last = previous(store)?;
        // What is not genuine or has another predecessor was never this chain's next drill.
        let Ok(checked) = drill::evidence::verify(&folder, key.public(), None) else { continue };
        if checked.previous_sha256 != last {
            continue;
        }
        let report: Report = serde_json::from_slice(&std::fs::read(folder.join("report.json"))?)?;
        let subject_seq = store.head(DRILLS)?.unwrap_or_default();
        let expect = Expect { subject: DRILLS.to_owned(), subject_seq };
        store.append(Some(expect), vec![event(&report, name.to_owned(), checked.attestation_sha256)])?;
    }
    Ok(())
}

/// Returns what the journal says about a drill.
fn event(report: &Report, name: String, attestation: Sha256) -> Event {
    let asked =
        report.timelines.iter().filter(|host| host.fault.is_some() && host.first_request_ms.is_some());
    let cut = if report.cut.iter().any(|cut| cut.host == "all") {
        vec!["all".to_owned()]
    } else {
        asked.map(|host| host.host.clone()).collect()
    };
    let missing_hosts: BTreeSet<String> =
        report.missing.iter().map(|missing| missing.url.host().to_owned()).collect();
    Event::Drilled {
        drill: name,
        scenario: report.scenario.clone(),
        verdict: report.verdict,
        attestation,
        command: report.record.command.clone(),
        directory: report.record.directory.clone(),
        cut,
        missing_hosts: missing_hosts.into_iter().collect(),
        recovered_ms: report.recovered_ms,
        via: report.record.via.clone(),
        at: report.finished_at,
    }
}

/// Copies evidence into a folder of the caller's choice.
pub(super) fn copy(from: &Path, to: &Path) -> Result<(), Failure> {
    let copied = || -> std::io::Result<()> {
        std::fs::create_dir_all(to)?;
        for entry in std::fs::read_dir(from)? {
            let entry = entry?;
            std::fs::copy(entry.path(), to.join(entry.file_name()))?;
        }
        Ok(())
    };
    copied()
        .with_context(|| format!("could not copy the evidence to `{}`", to.display()))
        .map_err(|error| Failure::no(error).hint(format!("it lies in `{}`", from.display())))
}
