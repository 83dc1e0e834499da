//! What became of what was to be kept, for people and for scripts.

use std::process::ExitCode;

use anyhow::anyhow;
use model::{ObjectUrl, Proof, RepoId, Source};
use proxy::{Adopted, Outcome};
use registry::{RepoPin, Unpinned};
use serde::{Deserialize, Serialize};

use super::pinned::Pinned;
use super::{N_LETTERS_MAX, Thing};
use crate::command_line::Global;
use crate::failure::Failure;
use crate::speak::{self, count, say, size};
use crate::tasks::repositories::One;

/// Things that a server warns of after each look.
const N_WARNED_MAX: usize = 20;
/// More repositories are told by their number.
const N_REPOSITORIES_NAMED_MAX: usize = 5;

/// What became of everything that was named. Its JSON is what `outlast adopt --json` prints.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Report {
    /// The locks that were read.
    pub(super) locks: Vec<String>,
    /// Files that are kept.
    pub(crate) n_kept: u64,
    /// Bytes of them.
    pub(super) size_bytes: u64,
    /// Those of them that were not here before.
    pub(super) n_fetched: u64,
    /// Those of them for which nobody vouches: no lock and no index has a checksum.
    pub(crate) first_seen: Vec<Named>,
    /// Those that no upstream gave, and a client had left on this machine.
    #[serde(default)]
    pub(super) rescued: Vec<Rescued>,
    /// Git repositories that are kept and up to date.
    #[serde(default)]
    pub(super) repositories: Vec<RepoId>,
    /// Packages that are kept as files, and whose repositories, from which a client may take the source instead, are not.
    #[serde(default)]
    pub(super) without_source: Vec<Missing>,
    /// What is not kept.
    pub(super) missing: Vec<Missing>,
    /// Locks that could not be read, each with the reason.
    pub(super) unread: Vec<String>,
    /// Where something is missing: folders in which clients have left packages, and not as they were downloaded.
    #[serde(default)]
    pub(super) of_no_use: Vec<String>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Named {
    pub(super) name: String,
    url: Option<ObjectUrl>,
}

/// Something that a client had left.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Rescued {
    name: String,
    from: String,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Missing {
    #[serde(flatten)]
    pub(super) named: Named,
    pub(super) reason: String,
}

impl Report {
    pub(super) fn new(thing: &Thing, adopted: Vec<Adopted>, pinned: Pinned) -> Self {
        let locks = &thing.locks;
        let mut report = Self { locks: thing.lock_names(), unread: locks.unread.clone(), ..Self::default() };
        report.repositories.extend(pinned.whole);
        let missing = |(pin, reason): (RepoPin, String)| {
            let reason = format!("it is in {}: {reason}", pin.place());
            Missing { named: Named { name: pin.name, url: None }, reason }
        };
        report.missing.extend(pinned.missing.into_iter().map(missing));
        report.without_source.extend(pinned.without_source.into_iter().map(missing));
        for (_, Unpinned { name, reason }) in &locks.unpinned {
            let named = Named { name: name.clone(), url: None };
            report.missing.push(Missing { named, reason: (*reason).to_owned() });
        }
        for Adopted { name, url, outcome } in adopted {
            let named = Named { name, url };
            match outcome {
                Outcome::Missing { reason } => report.missing.push(Missing { named, reason }),
                Outcome::Kept { size_bytes, proof, source, rescued_from } => {
                    report
                        .rescued
                        .extend(rescued_from.map(|from| Rescued { name: named.name.clone(), from }));
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

    /// Says what became of a repository.
    pub(super) fn of_repository(one: One) -> Self {
        if one.is_whole {
            return Self { repositories: vec![one.repo], ..Self::default() };
        }
        let missing = Missing {
            named: Named { name: one.repo.to_string(), url: None },
            reason: one.reasons.join("; "),
        };
        Self { missing: vec![missing], ..Self::default() }
    }

    /// Adds what became of another thing.
    pub(super) fn add(&mut self, other: Self) {
        self.locks.extend(other.locks);
        self.n_kept += other.n_kept;
        self.size_bytes += other.size_bytes;
        self.n_fetched += other.n_fetched;
        self.first_seen.extend(other.first_seen);
        self.rescued.extend(other.rescued);
        self.repositories.extend(other.repositories);
        self.without_source.extend(other.without_source);
        self.missing.extend(other.missing);
        self.unread.extend(other.unread);
        self.of_no_use.extend(other.of_no_use);
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
    pub(crate) fn say(&self, global: &Global) {
        match &self.repositories[..] {
            few if few.len() <= N_REPOSITORIES_NAMED_MAX => few.iter().for_each(|repo| {
                say(global, &format_args!("outlast: {repo} is kept, every ref of it"));
            }),
            many => {
                let n = many.len();
                say(global, &format_args!("outlast: {n} repositories are kept, every ref of them"));
            }
        }
        if !self.repositories.is_empty() && self.n_kept == 0 && self.locks.is_empty() {
            return;
        }
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
        if let Some(Missing { named, reason }) = self.without_source.first() {
            let n = count(self.without_source.len() as u64, "package");
            let [name, reason] = [&named.name, reason].map(|text| speak::in_line(text, N_LETTERS_MAX));
            say(
                global,
                &format_args!(
                    "outlast: {n} can be installed from the file alone, not from source: {name}: {reason}"
                ),
            );
        }
    }

    /// Warns of what is not kept, where nobody reads standard output.
    pub(super) fn warn(&self) {
        for Missing { named, reason } in self.missing.iter().take(N_WARNED_MAX) {
            let [name, reason] = [&named.name, reason].map(|text| speak::in_line(text, N_LETTERS_MAX));
            tracing::warn!("not kept: {name}: {reason}");
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
                let [name, reason] = [&named.name, reason].map(|text| speak::in_line(text, N_LETTERS_MAX));
                speak::data(&format_args!("missing {name}: {reason}"))?;
            }
            for reason in &self.unread {
                speak::data(&format_args!("unread {reason}"))?;
            }
        }
        for Rescued { name, from } in &self.rescued {
            let name = speak::in_line(name, N_LETTERS_MAX);
            say(
                global,
                &format_args!(
                    "outlast: no upstream gives {name}: it is kept from {}",
                    speak::in_line(from, N_LETTERS_MAX)
                ),
            );
        }
        if !self.of_no_use.is_empty() {
            let folders =
                self.of_no_use.iter().map(|it| speak::in_line(it, N_LETTERS_MAX)).collect::<Vec<_>>();
            say(
                global,
                &format_args!(
                    "outlast: nothing can be taken from {}: what is unpacked there is no archive as it was downloaded",
                    folders.join(", ")
                ),
            );
        }
        self.say(global);
        if self.missing.is_empty() && self.unread.is_empty() {
            return Ok(ExitCode::SUCCESS);
        }
        let is_forbidden = |missing: &Missing| missing.reason.contains("which nobody allowed");
        let hint = match self.missing.iter().any(is_forbidden) {
            true => {
                "if that is where your company looks into what is fetched, allow it as the reason says, and run it again"
            }
            false => {
                "run it again when the upstream answers: what is kept is not fetched twice; what no upstream can mend, \
                 such as a repository or a lock that cannot be read, stays with its own host"
            }
        };
        let n = self.n_missing();
        Err(Failure::no(anyhow!("{} could not be kept", count(n, "thing"))).hint(hint))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::project::Locks;

    #[test]
    fn what_no_pin_can_hold_is_missing() {
        let reason = "no version is decided on";
        let unpinned = Unpinned { name: "six".to_owned(), reason };
        let locks = Locks { unpinned: vec![("requirements.txt".to_owned(), unpinned)], ..Locks::default() };
        let report = Report::new(&Thing { locks, ..Thing::default() }, Vec::new(), Pinned::default());
        let [Missing { named: Named { name, url: None }, reason: shown }] = &*report.missing else {
            panic!("{report:?}");
        };
        assert_eq!((&**name, &**shown), ("six", reason));
        assert!(Report::new(&Thing::default(), Vec::new(), Pinned::default()).missing.is_empty());
    }

    #[test]
    fn a_repository_is_missing_with_its_address_and_commit() {
        let commit = "54bc698b25edd6e1b76ca975ebaced5ce0467d51";
        let lock = format!("six @ git+https://me:secret@forge.example/s/a.git@{commit}\n");
        let mut locks = Locks::default();
        locks.add_bytes("requirements.txt", lock.as_bytes());
        let [(_, pin)] = &*locks.repositories else { panic!("{locks:?}") };
        let pinned = Pinned { missing: vec![(pin.clone(), "it is gone".to_owned())], ..Pinned::default() };
        let report = Report::new(&Thing { locks, ..Thing::default() }, Vec::new(), pinned);
        let [Missing { named: Named { name, url: None }, reason }] = &*report.missing else {
            panic!("{report:?}");
        };
        let said = format!("it is in the git repository forge.example/s/a at {commit}: it is gone");
        assert_eq!((&**name, reason), ("six", &said));
    }
}
