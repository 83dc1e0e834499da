//! Keeps what projects need before anybody asks for it.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::anyhow;
use model::{ObjectUrl, Proof, Source};
use proxy::{Adopted, Outcome, Purpose, Session, SessionPlan, Wanted};
use registry::Unpinned;
use serde::Serialize;
use store::Store;

use crate::command_line::Global;
use crate::failure::Failure;
use crate::home::Home;
use crate::project::{self, Locks};
use crate::speak::{self, count, say, size};
use crate::wiring;

/// Letters of a name that are shown, which a lock may make as long as it likes; addresses have under 1000.
const N_LETTERS_MAX: usize = 1000;
/// Things that a server warns of after each look.
const N_WARNED_MAX: usize = 20;
/// How soon a server notices that there is something to adopt.
const UNCONFIGURED: Duration = Duration::from_secs(10);

/// What a person names to have it kept.
#[derive(Debug, Default)]
pub(crate) struct Things {
    pub(crate) locks: Locks,
    urls: Vec<ObjectUrl>,
}

impl Things {
    /// Finds what is named: a lock, a folder with locks, or an address.
    pub(crate) fn find(names: &[String]) -> Result<Self, Failure> {
        let mut things = Self::default();
        for name in names {
            things.add(name)?;
        }
        Ok(things)
    }

    fn add(&mut self, name: &str) -> Result<(), Failure> {
        if name.starts_with("https://") || name.starts_with("http://") {
            let url = ObjectUrl::parse(name)
                .map_err(|error| Failure::usage(anyhow!(error).context(format!("`{name}` is no address"))))?;
            self.urls.push(url);
            return Ok(());
        }
        let path = Path::new(name);
        if path.is_dir() {
            let found = project::locks(path);
            if found.names.is_empty() && found.unread.is_empty() {
                let error = anyhow!("no lock file is in `{name}`");
                return Err(Failure::usage(error).hint(format!("known locks are {}", known_locks())));
            }
            let shown = |inner: &str| path.join(inner).display().to_string();
            self.locks.names.extend(found.names.iter().map(|inner| shown(inner)));
            self.locks.pins.extend(found.pins.into_iter().map(|(inner, pin)| (shown(&inner), pin)));
            let unpinned = found.unpinned.into_iter();
            self.locks.unpinned.extend(unpinned.map(|(inner, unpinned)| (shown(&inner), unpinned)));
            self.locks.unread.extend(found.unread.into_iter().map(|reason| format!("{name}: {reason}")));
        } else if project::is_lock(path) {
            self.locks.add(path, name.to_owned());
        } else if path.exists() {
            let error = anyhow!("`{name}` is no lock file that Outlast knows");
            return Err(Failure::usage(error).hint(format!("known locks are {}", known_locks())));
        } else {
            let error = anyhow!("there is no `{name}`");
            return Err(Failure::usage(error)
                .hint("name a lock file, a folder with locks, or an address with `https://`"));
        }
        Ok(())
    }

    fn wanted(&self) -> Vec<Wanted> {
        let pinned = self.locks.pins.iter().map(|(_, pin)| Wanted::Pinned(pin.clone()));
        pinned.chain(self.urls.iter().cloned().map(Wanted::At)).collect()
    }
}

fn known_locks() -> String {
    let locks = registry::ALL.iter().flat_map(|ecosystem| ecosystem.locks());
    locks.map(|lock| lock.file_name).collect::<Vec<_>>().join(", ")
}

/// Keeps what is named, and returns what became of it; when this returns, all that is kept is durable.
pub(crate) async fn once(
    global: &Global,
    home: &Home,
    store: &Store,
    things: Things,
) -> Result<Report, Failure> {
    let plan = SessionPlan { pins: things.locks.pins.clone(), ..SessionPlan::new(Purpose::Adopt) };
    let session = wiring::engine(home, store, &wiring::trust()?, None)?.session(plan);
    let adopted = fetch(global, &session, &things).await;
    session.finish().await;
    store.flush()?;
    Ok(Report::new(things, adopted))
}

/// Keeps what the configuration names, and looks at it again and again: for as long as a server runs.
pub(crate) async fn again_and_again(global: Global, store: Store) {
    let quiet = Global { quiet: true, ..global.clone() };
    loop {
        // Read each time: the configuration may have changed, and so may the locks.
        let rest = match Home::find(&global) {
            Ok(home) if home.config.adopt.things.is_empty() => UNCONFIGURED,
            Ok(home) => {
                match Things::find(&home.config.adopt.things) {
                    Ok(things) => match once(&quiet, &home, &store, things).await {
                        Ok(report) => {
                            report.say(&global);
                            report.warn();
                        }
                        Err(failure) => _ = failure.report(),
                    },
                    Err(failure) => _ = failure.report(),
                }
                home.config.adopt.every
            }
            // Whoever reads it for the server says what is wrong with it.
            Err(_) => UNCONFIGURED,
        };
        tokio::time::sleep(rest).await;
    }
}

/// Fetches what is wanted and not here yet, and shows how far it is.
async fn fetch(global: &Global, session: &Session, things: &Things) -> Vec<Adopted> {
    let bar = speak::bar(global, "adopting {bar:30} {pos} of {len}, {msg} fetched, {eta} left");
    let adopted = session
        .adopt(things.wanted(), |progress| {
            bar.set_length(progress.n_wanted as u64);
            bar.set_position(progress.n_done as u64);
            bar.set_message(size(progress.n_bytes));
        })
        .await;
    bar.finish_and_clear();
    adopted
}

/// What became of everything that was named. Its JSON is what `outlast adopt --json` prints.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    /// The locks that were read.
    locks: Vec<String>,
    /// Files that are kept.
    n_kept: u64,
    /// Bytes of them.
    size_bytes: u64,
    /// Those of them that were not here before.
    n_fetched: u64,
    /// Those of them for which nobody vouches: no lock and no index has a checksum.
    first_seen: Vec<Named>,
    /// What is not kept.
    missing: Vec<Missing>,
    /// Locks that could not be read, each with the reason.
    unread: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Named {
    name: String,
    url: Option<ObjectUrl>,
}

#[derive(Debug, Serialize)]
struct Missing {
    #[serde(flatten)]
    named: Named,
    reason: String,
}

impl Report {
    pub(crate) fn new(things: Things, adopted: Vec<Adopted>) -> Self {
        let mut report = Self {
            locks: things.locks.names,
            n_kept: 0,
            size_bytes: 0,
            n_fetched: 0,
            first_seen: Vec::new(),
            missing: Vec::new(),
            unread: things.locks.unread,
        };
        for (_, Unpinned { name, reason }) in things.locks.unpinned {
            report.missing.push(Missing { named: Named { name, url: None }, reason: reason.to_owned() });
        }
        for Adopted { name, url, outcome } in adopted {
            let named = Named { name, url };
            match outcome {
                Outcome::Missing { reason } => report.missing.push(Missing { named, reason }),
                Outcome::Kept { size_bytes, proof, source } => {
                    report.n_kept += 1;
                    report.size_bytes += size_bytes;
                    report.n_fetched += u64::from(source == Source::Upstream);
                    if proof == Proof::FirstSeen {
                        report.first_seen.push(named);
                    }
                }
            }
        }
        report
    }

    /// Says in one line what is kept and what is not.
    fn say(&self, global: &Global) {
        let n_first_seen = self.first_seen.len() as u64;
        say(
            global,
            &format_args!(
                "outlast: {} kept, {} ({} fetched now): {} verified, {n_first_seen} first seen; {} missing",
                count(self.n_kept, "file"),
                size(self.size_bytes),
                self.n_fetched,
                self.n_kept - n_first_seen,
                self.missing.len() + self.unread.len()
            ),
        );
    }

    /// Warns of what is not kept, where nobody reads standard output.
    fn warn(&self) {
        for Missing { named, reason } in self.missing.iter().take(N_WARNED_MAX) {
            tracing::warn!("not kept: {}: {reason}", speak::in_line(&named.name, N_LETTERS_MAX));
        }
        for reason in self.unread.iter().take(N_WARNED_MAX) {
            tracing::warn!("not read: {reason}");
        }
    }

    /// Says what is kept and what is not, and returns the exit code.
    pub(crate) fn tell(&self, global: &Global) -> Result<ExitCode, Failure> {
        if global.json {
            speak::json(self)?;
        } else {
            for Missing { named, reason } in &self.missing {
                let name = speak::in_line(&named.name, N_LETTERS_MAX);
                speak::data(&format_args!("missing {name}: {reason}"))?;
            }
            for reason in &self.unread {
                speak::data(&format_args!("unread {reason}"))?;
            }
        }
        self.say(global);
        if self.missing.is_empty() && self.unread.is_empty() {
            return Ok(ExitCode::SUCCESS);
        }
        let n = (self.missing.len() + self.unread.len()) as u64;
        Err(Failure::no(anyhow!("{} could not be kept", count(n, "thing")))
            .hint(
                "run it again when the upstream answers: what is kept is not fetched twice; what no upstream can mend, \
                 such as a repository or a lock that cannot be read, stays with its own host",
            ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_pin_can_hold_is_missing() {
        let reason = "no version is decided on";
        let unpinned = Unpinned { name: "six".to_owned(), reason };
        let locks = Locks { unpinned: vec![("requirements.txt".to_owned(), unpinned)], ..Locks::default() };
        let report = Report::new(Things { locks, ..Things::default() }, Vec::new());
        let [Missing { named: Named { name, url: None }, reason: shown }] = &*report.missing else {
            panic!("{report:?}");
        };
        assert_eq!((&**name, &**shown), ("six", reason));
        assert!(Report::new(Things::default(), Vec::new()).missing.is_empty());
    }
}
