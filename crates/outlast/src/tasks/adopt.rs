//! Keeps what projects need before anybody asks for it.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::anyhow;
use model::{Event, ObjectUrl, Proof, Sha256, Source};
use proxy::{Adopted, Engine, Outcome, Purpose, Session, SessionPlan, Wanted};
use registry::Unpinned;
use serde::{Serialize, Serializer};
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
/// Missing things that the journal names.
const N_NOTED_MAX: usize = 20;
/// How soon a server notices that there is something to adopt.
const UNCONFIGURED: Duration = Duration::from_secs(10);

/// What a person names to have it kept: a folder with locks, a lock, or an address.
#[derive(Debug, Default)]
pub(crate) struct Thing {
    /// As a person finds it again: an absolute path, or an address.
    pub(crate) name: String,
    pub(crate) locks: Locks,
    urls: Vec<ObjectUrl>,
}

impl Thing {
    /// Finds all that is named.
    pub(crate) fn find_all(names: &[String]) -> Result<Vec<Self>, Failure> {
        names.iter().map(|name| Self::find(name)).collect()
    }

    pub(crate) fn find(name: &str) -> Result<Self, Failure> {
        if name.starts_with("https://") || name.starts_with("http://") {
            let url = ObjectUrl::parse(name)
                .map_err(|error| Failure::usage(anyhow!(error).context(format!("`{name}` is no address"))))?;
            return Ok(Self { name: url.to_string(), urls: vec![url], ..Self::default() });
        }
        let path = Path::new(name);
        let real = path.canonicalize().unwrap_or_else(|_| path.to_owned()).display().to_string();
        if path.is_dir() {
            let locks = project::locks(path).below(name);
            if locks.read.is_empty() && locks.unread.is_empty() {
                let error = anyhow!("no lock file is in `{name}`");
                return Err(Failure::usage(error).hint(format!("known locks are {}", known_locks())));
            }
            return Ok(Self { name: real, locks, ..Self::default() });
        }
        if project::is_lock(path) {
            let mut locks = Locks::default();
            locks.add(path, name.to_owned());
            return Ok(Self { name: real, locks, ..Self::default() });
        }
        if path.exists() {
            let error = anyhow!("`{name}` is no lock file that Outlast knows");
            return Err(Failure::usage(error).hint(format!("known locks are {}", known_locks())));
        }
        Err(Failure::usage(anyhow!("there is no `{name}`"))
            .hint("name a lock file, a folder with locks, or an address with `https://`"))
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

/// Keeps what is named, and returns what became of it; when this returns, all that is kept is durable, and the journal says
/// what is kept for each thing.
pub(crate) async fn once(
    global: &Global,
    home: &Home,
    store: &Store,
    things: Vec<Thing>,
) -> Result<Report, Failure> {
    let (engine, mut whole) = (wiring::engine(home, store, &wiring::trust()?, None)?, Report::default());
    for thing in things {
        let report = each(global, &engine, Purpose::Adopt, &thing).await;
        // What is kept comes before the word that it is.
        store.flush()?;
        note(home, store, &thing, &report)?;
        whole.add(report);
    }
    store.flush()?;
    Ok(whole)
}

/// Says what of a thing is kept; nobody is asked for what is not.
pub(crate) async fn look(home: &Home, store: &Store, thing: &Thing) -> Result<Report, Failure> {
    let engine = wiring::engine(home, store, &wiring::trust()?, None)?;
    let global = Global { quiet: true, ..Global::default() };
    Ok(each(&global, &engine, Purpose::Inspect, thing).await)
}

async fn each(global: &Global, engine: &Engine, purpose: Purpose, thing: &Thing) -> Report {
    let session = engine.session(SessionPlan { pins: thing.locks.pins.clone(), ..SessionPlan::new(purpose) });
    let adopted = fetch(global, &session, thing).await;
    session.finish().await;
    Report::new(thing, adopted)
}

/// Notes in the journal what is kept for a thing, where that is news.
fn note(home: &Home, store: &Store, thing: &Thing, report: &Report) -> Result<(), Failure> {
    let missing = report.missing.iter().map(|it| format!("{}: {}", it.named.name, it.reason));
    let missing = missing.chain(report.unread.iter().cloned());
    let event = |at| Event::Adopted {
        thing: thing.name.clone(),
        locks: report.locks.clone(),
        n_kept: report.n_kept,
        n_first_seen: report.first_seen.len() as u64,
        n_missing: report.n_missing(),
        missing: missing.take(N_NOTED_MAX).map(|text| speak::in_line(&text, N_LETTERS_MAX)).collect(),
        at,
    };
    let event = event(home.clock.now());
    let is_known = store.adopted()?.into_iter().any(|entry| says_the_same(&entry.event, &event));
    if !is_known {
        store.record(vec![event])?;
    }
    Ok(())
}

fn says_the_same(one: &Event, other: &Event) -> bool {
    let timeless = |event: &Event| match event.clone() {
        Event::Adopted { thing, locks, n_kept, n_first_seen, n_missing, missing, .. } => {
            Some((thing, locks, n_kept, n_first_seen, n_missing, missing))
        }
        _ => None,
    };
    timeless(one) == timeless(other)
}

/// Keeps what the configuration names, and looks at it again and again: for as long as a server runs.
pub(crate) async fn again_and_again(global: Global, store: Store) {
    let quiet = Global { quiet: true, ..global.clone() };
    loop {
        // Read each time: the configuration may have changed, and so may the locks.
        let rest = match Home::find(&global) {
            Ok(home) if home.config.adopt.things.is_empty() => UNCONFIGURED,
            Ok(home) => {
                let mut whole = Report::default();
                for name in &home.config.adopt.things {
                    // One that is not there holds up none of the others.
                    let adopted = match Thing::find(name) {
                        Ok(thing) => once(&quiet, &home, &store, vec![thing]).await,
                        Err(failure) => Err(failure),
                    };
                    match adopted {
                        Ok(report) => whole.add(report),
                        Err(failure) => whole.unread.push(failure.to_string()),
                    }
                }
                whole.say(&global);
                whole.warn();
                home.config.adopt.every
            }
            // Whoever reads it for the server says what is wrong with it.
            Err(_) => UNCONFIGURED,
        };
        tokio::time::sleep(rest).await;
    }
}

/// Fetches what is wanted and not here yet, and shows how far it is.
async fn fetch(global: &Global, session: &Session, thing: &Thing) -> Vec<Adopted> {
    let bar = speak::bar(global, "adopting {bar:30} {pos} of {len}, {msg} fetched, {eta} left");
    let adopted = session
        .adopt(thing.wanted(), |progress| {
            bar.set_length(progress.n_wanted as u64);
            bar.set_position(progress.n_done as u64);
            bar.set_message(size(progress.n_bytes));
        })
        .await;
    bar.finish_and_clear();
    adopted
}

/// What became of everything that was named. Its JSON is what `outlast adopt --json` prints.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Report {
    /// The locks that were read.
    #[serde(serialize_with = "names_alone")]
    locks: Vec<(String, Sha256)>,
    /// Files that are kept.
    pub(crate) n_kept: u64,
    /// Bytes of them.
    size_bytes: u64,
    /// Those of them that were not here before.
    n_fetched: u64,
    /// Those of them for which nobody vouches: no lock and no index has a checksum.
    pub(crate) first_seen: Vec<Named>,
    /// What is not kept.
    missing: Vec<Missing>,
    /// Locks that could not be read, each with the reason.
    unread: Vec<String>,
}

fn names_alone<S: Serializer>(locks: &[(String, Sha256)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(locks.iter().map(|(name, _)| name))
}

#[derive(Debug, Serialize)]
pub(crate) struct Named {
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
    fn new(thing: &Thing, adopted: Vec<Adopted>) -> Self {
        let locks = &thing.locks;
        let (read, unread) = (locks.read.clone(), locks.unread.clone());
        let mut report = Self { locks: read, unread, ..Self::default() };
        for (_, Unpinned { name, reason }) in &locks.unpinned {
            let named = Named { name: name.clone(), url: None };
            report.missing.push(Missing { named, reason: (*reason).to_owned() });
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

    /// Adds what became of another thing.
    fn add(&mut self, other: Self) {
        self.locks.extend(other.locks);
        self.n_kept += other.n_kept;
        self.size_bytes += other.size_bytes;
        self.n_fetched += other.n_fetched;
        self.first_seen.extend(other.first_seen);
        self.missing.extend(other.missing);
        self.unread.extend(other.unread);
    }

    /// Returns how much is not kept.
    pub(crate) fn n_missing(&self) -> u64 {
        (self.missing.len() + self.unread.len()) as u64
    }

    /// Returns the first thing that is not kept, with its reason.
    pub(crate) fn first_missing(&self) -> Option<String> {
        let missing = self.missing.first().map(|it| format!("{}: {}", it.named.name, it.reason));
        missing.or_else(|| self.unread.first().cloned())
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
                self.n_missing()
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
        let n = self.n_missing();
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
        let report = Report::new(&Thing { locks, ..Thing::default() }, Vec::new());
        let [Missing { named: Named { name, url: None }, reason: shown }] = &*report.missing else {
            panic!("{report:?}");
        };
        assert_eq!((&**name, &**shown), ("six", reason));
        assert!(Report::new(&Thing::default(), Vec::new()).missing.is_empty());
    }
}
