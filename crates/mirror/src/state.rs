//! The refs of one repository at a moment: as its upstream has them, and as the copy serves them. A fold of the journal.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use model::{
    Decision, Event, MoveClass, ObjectId, RefMove, RefName, RepoId, Ruling, Sha256, Target, Timestamp,
};
use store::{BlobError, Entry, IndexError, Store};

/// The first line of a whole state; docs/FORMAT.md.
const HEADER: &str = "outlast refs 1\n";
/// Begins the lines that say when refs were destroyed; no ref is called so.
const DESTROYED: &str = "! ";
/// For how long a tripwire counts what was destroyed.
const COUNTED_FOR_S: i64 = 3600;
/// The largest state that is read: a million refs.
const STATE_BYTES_MAX: u64 = 512 << 20;

/// A ref that the upstream has elsewhere than the copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// What it would do to history to follow.
    pub class: MoveClass,
    /// Since when.
    pub since: Timestamp,
    /// Why; nothing in entries of before 2026-12.
    pub reason: Option<String>,
}

/// What a person does not want: a ref, and where it would go.
pub(crate) type Unwanted = (RefName, Option<String>);

/// What is known of what a person does not want.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unwilling {
    /// What it would do to history; nothing in entries of before 2026-12.
    pub(crate) class: Option<MoveClass>,
    /// When it was said.
    pub(crate) at: Timestamp,
}

/// All refs of a repository.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct State {
    /// As the upstream last listed them.
    pub upstream: BTreeMap<RefName, Target>,
    /// As the copy serves them.
    pub served: BTreeMap<RefName, Target>,
    /// Where the two differ, and nobody has decided.
    pub held: BTreeMap<RefName, Held>,
    /// What a person does not want.
    pub(crate) rejected: BTreeMap<Unwanted, Unwilling>,
    /// Refs whose moves are followed, whatever they are, each with since when.
    pub rules: BTreeMap<String, Timestamp>,
    /// The digest of the last listing.
    pub listing: Option<Sha256>,
    /// When refs were destroyed, in the entries that were folded and within an hour before them.
    pub(crate) destroyed_at: Vec<(Timestamp, u64)>,
    /// How many entries were folded since the last whole state.
    pub n_since_whole: usize,
    /// The last entry that was folded.
    pub seq: u64,
    /// Its number among those of the repository.
    pub subject_seq: u64,
}

/// Why a state could not be read.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The index.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// The blob of a whole state.
    #[error("the refs of `{repo}` cannot be read from {sha256}; run `outlast store verify`")]
    Blob {
        /// The repository.
        repo: RepoId,
        /// The blob.
        sha256: Sha256,
        /// Why.
        source: BlobError,
    },
    /// Its text.
    #[error("{sha256} is no state of refs of `{repo}`; update Outlast")]
    Text {
        /// The repository.
        repo: RepoId,
        /// The blob.
        sha256: Sha256,
    },
}

impl State {
    /// Reads the refs of a repository as they were at a moment, or are now.
    pub fn read(store: &Store, repo: &RepoId, at: Option<Timestamp>) -> Result<Self, StateError> {
        let mut state = Self::default();
        for entry in store.refs_of(repo, at)? {
            state.take(store, repo, &entry)?;
        }
        Ok(state)
    }

    /// Returns the objects that refs name, upstream and as they are served.
    pub fn tips(&self) -> BTreeSet<ObjectId> {
        self.upstream.values().chain(self.served.values()).filter_map(Target::id).copied().collect()
    }

    /// Returns `sha1` or `sha256`; nothing where no ref names an object.
    pub fn object_format(&self) -> Option<&'static str> {
        self.upstream.values().chain(self.served.values()).find_map(Target::id).map(ObjectId::format)
    }

    /// Takes the next entry in.
    pub(crate) fn take(&mut self, store: &Store, repo: &RepoId, entry: &Entry) -> Result<(), StateError> {
        match &entry.event {
            Event::Refs { listing, moves, state, .. } => {
                self.listing = Some(*listing);
                if let Some(sha256) = state {
                    let sha256 = *sha256;
                    let read = store.read_blob(&sha256, STATE_BYTES_MAX);
                    let text =
                        read.map_err(|source| StateError::Blob { repo: repo.clone(), sha256, source })?;
                    let text = String::from_utf8(text).ok();
                    let whole = text.and_then(|text| Whole::parse(&text));
                    self.replace(whole.ok_or(StateError::Text { repo: repo.clone(), sha256 })?);
                } else {
                    self.n_since_whole += 1;
                    self.follow(moves, entry.time);
                }
            }
            Event::Decided { name, class, new, ruling, pattern, at, .. } => {
                let (name, new, pattern) = (name.as_ref(), new.as_ref(), pattern.as_deref());
                self.decide(&Decided { name, class: *class, new, ruling: *ruling, pattern, at: *at });
            }
            _ => {}
        }
        (self.seq, self.subject_seq) = (entry.seq, entry.subject_seq);
        Ok(())
    }

    /// Takes in what an upstream moved.
    pub fn follow(&mut self, moves: &[RefMove], at: Timestamp) {
        let is_plain = |moved: &&RefMove| {
            moved.class.destroys() && moved.decision == Decision::Apply && !moved.name.is_proposal()
        };
        let destroyed = moves.iter().filter(is_plain).count() as u64;
        if destroyed > 0 {
            self.destroyed_at.push((at, destroyed));
        }
        for moved in moves {
            set(&mut self.upstream, &moved.name, moved.new.as_ref());
            match moved.decision {
                Decision::Apply => {
                    set(&mut self.served, &moved.name, moved.new.as_ref());
                    self.held.remove(&moved.name);
                }
                Decision::Hold if self.is_rejected(&moved.name, moved.new.as_ref()) => {
                    self.held.remove(&moved.name);
                }
                Decision::Hold => {
                    let reason = moved.reason.clone();
                    self.held.insert(moved.name.clone(), Held { class: moved.class, since: at, reason });
                }
            }
        }
        self.held.retain(|name, _| self.upstream.get(name) != self.served.get(name));
    }

    /// Takes in what a person decided.
    pub(crate) fn decide(&mut self, &Decided { name, class, new, ruling, pattern, at }: &Decided<'_>) {
        match (ruling, pattern) {
            (Ruling::Revoke, Some(pattern)) => drop(self.rules.remove(pattern)),
            (_, Some(pattern)) => drop(self.rules.insert(pattern.to_owned(), at)),
            _ => {}
        }
        let Some(name) = name else { return };
        let unwanted = (name.clone(), new.map(ToString::to_string));
        match ruling {
            Ruling::Apply | Ruling::Always => {
                self.rejected.remove(&unwanted);
                set(&mut self.served, name, new);
            }
            Ruling::Reject => drop(self.rejected.insert(unwanted, Unwilling { class, at })),
            Ruling::Revoke => {}
        }
        if self.upstream.get(name) == new {
            self.held.remove(name);
        }
    }

    /// Returns whether a person has said that the copy is not to follow there.
    pub fn is_rejected(&self, name: &RefName, new: Option<&Target>) -> bool {
        self.rejected.contains_key(&(name.clone(), new.map(ToString::to_string)))
    }

    fn replace(&mut self, whole: Whole) {
        Whole {
            upstream: self.upstream,
            served: self.served,
            held: self.held,
            destroyed_at: self.destroyed_at,
        } = whole;
        self.n_since_whole = 0;
    }

    /// Returns how many refs were destroyed within the last hour.
    pub(crate) fn n_destroyed_lately(&self, now: Timestamp) -> u64 {
        self.destroyed_lately(now).map(|(_, n)| n).sum()
    }

    fn destroyed_lately(&self, now: Timestamp) -> impl Iterator<Item = &(Timestamp, u64)> {
        self.destroyed_at.iter().filter(move |(at, _)| now.duration_since(*at).as_secs() < COUNTED_FOR_S)
    }

    /// Returns all refs as the text of a blob, with what was destroyed so lately that it still counts.
    pub fn to_text(&self, now: Timestamp) -> String {
        let mut text = HEADER.to_owned();
        for (at, n) in self.destroyed_lately(now) {
            let _ = writeln!(text, "{DESTROYED}{at} {n}");
        }
        let mut names: Vec<&RefName> = self.upstream.keys().chain(self.served.keys()).collect();
        names.sort_unstable();
        names.dedup();
        let word = |target: Option<&Target>| target.map_or_else(|| "-".to_owned(), ToString::to_string);
        for name in names {
            let (upstream, served) = (self.upstream.get(name), self.served.get(name));
            let _ = write!(text, "{name} {}", word(served));
            if upstream != served {
                let _ = write!(text, " {}", word(upstream));
            }
            if let Some(held) = self.held.get(name) {
                let reason = held.reason.as_ref().map(|reason| format!(" {reason}")).unwrap_or_default();
                let _ = write!(text, " {} {}{reason}", held.class, held.since);
            }
            text.push('\n');
        }
        text
    }
}

/// What a person decided, as the journal has it.
pub(crate) struct Decided<'a> {
    pub(crate) name: Option<&'a RefName>,
    pub(crate) class: Option<MoveClass>,
    pub(crate) new: Option<&'a Target>,
    pub(crate) ruling: Ruling,
    pub(crate) pattern: Option<&'a str>,
    pub(crate) at: Timestamp,
}

/// A whole state, as its text has it.
struct Whole {
    upstream: BTreeMap<RefName, Target>,
    served: BTreeMap<RefName, Target>,
    held: BTreeMap<RefName, Held>,
    destroyed_at: Vec<(Timestamp, u64)>,
}

impl Whole {
    fn parse(text: &str) -> Option<Self> {
        let mut whole = Self {
            upstream: BTreeMap::new(),
            served: BTreeMap::new(),
            held: BTreeMap::new(),
            destroyed_at: Vec::new(),
        };
        let target = |word: &str| match word {
            "-" => Some(None),
            word => word.parse::<Target>().ok().map(Some),
        };
        for line in text.strip_prefix(HEADER)?.lines() {
            if let Some(destroyed) = line.strip_prefix(DESTROYED) {
                let (at, n) = destroyed.split_once(' ')?;
                whole.destroyed_at.push((at.parse().ok()?, n.parse().ok()?));
                continue;
            }
            let mut words = line.splitn(6, ' ');
            let name: RefName = words.next()?.parse().ok()?;
            let served = target(words.next()?)?;
            let upstream = words.next().map_or(Some(served.clone()), target)?;
            if let Some(class) = words.next() {
                let class = MoveClass::of(class)?;
                let (since, reason) = (words.next()?.parse().ok()?, words.next().map(str::to_owned));
                whole.held.insert(name.clone(), Held { class, since, reason });
            }
            set(&mut whole.served, &name, served.as_ref());
            set(&mut whole.upstream, &name, upstream.as_ref());
        }
        Some(whole)
    }
}

fn set(refs: &mut BTreeMap<RefName, Target>, name: &RefName, target: Option<&Target>) {
    match target {
        Some(target) => refs.insert(name.clone(), target.clone()),
        None => refs.remove(name),
    };
}

/// Feeds text to the parser.
#[cfg(test)]
pub(crate) fn no_panic(text: &str) {
    let _ = Whole::parse(text).map(|whole| whole.held.len());
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn target(letter: &str) -> Option<Target> {
        Some(letter.repeat(40).parse().unwrap())
    }

    fn moved(name: &str, new: Option<Target>, class: MoveClass, decision: Decision) -> RefMove {
        let reason = (decision == Decision::Hold).then(|| "it was asked for".to_owned());
        RefMove { name: name.parse().unwrap(), old: None, new, class, decision, reason }
    }

    #[test]
    fn a_state_is_the_same_read_from_its_text() {
        let at: Timestamp = "2026-05-21T10:00:05Z".parse().unwrap();
        let mut state = State::default();
        state.follow(
            &[
                moved("refs/heads/main", target("a"), MoveClass::Create, Decision::Apply),
                moved("refs/heads/old", target("b"), MoveClass::Create, Decision::Apply),
                moved("refs/tags/v1", "b".repeat(40).parse().ok(), MoveClass::Create, Decision::Apply),
                moved("HEAD", "@refs/heads/main".parse().ok(), MoveClass::Create, Decision::Apply),
            ],
            at,
        );
        state.follow(
            &[
                moved("refs/heads/main", target("c"), MoveClass::Force, Decision::Hold),
                moved("refs/heads/old", None, MoveClass::Delete, Decision::Hold),
                moved("refs/heads/new", target("d"), MoveClass::Create, Decision::Hold),
            ],
            at,
        );
        assert_eq!(state.held.len(), 3);
        state.follow(&[moved("refs/heads/gone", None, MoveClass::Delete, Decision::Apply)], at);
        let text = state.to_text(at);
        let whole = Whole::parse(&text).unwrap();
        assert_eq!(
            (&whole.upstream, &whole.served, &whole.held, &whole.destroyed_at),
            (&state.upstream, &state.served, &state.held, &vec![(at, 1)]),
            "{text}"
        );
        let an_hour_later = Whole::parse(&state.to_text(at + Duration::from_secs(3600))).unwrap();
        assert!(an_hour_later.destroyed_at.is_empty(), "it counts no more");
        assert!(Whole::parse(&text.replace("outlast refs 1", "outlast refs 2")).is_none());
        assert!(Whole::parse(&text.replace("force", "farce")).is_none());
        assert!(Whole::parse(&text.replace("! ", "! x")).is_none());
        // The upstream comes back to what is served.
        state.follow(&[moved("refs/heads/main", target("a"), MoveClass::FastForward, Decision::Apply)], at);
        assert_eq!(state.held.len(), 2);
        let decide = |state: &mut State, name: &RefName, new: Option<&Target>, ruling| {
            state.decide(&Decided { name: Some(name), class: None, new, ruling, pattern: None, at });
        };
        decide(&mut state, &"refs/heads/old".parse().unwrap(), None, Ruling::Apply);
        assert!(!state.served.contains_key("refs/heads/old") && state.held.len() == 1);
        let name: RefName = "refs/heads/new".parse().unwrap();
        decide(&mut state, &name, target("d").as_ref(), Ruling::Reject);
        assert!(state.is_rejected(&name, target("d").as_ref()) && state.held.is_empty());
        assert!(!state.served.contains_key("refs/heads/new"));
        assert!(!state.is_rejected(&name, target("e").as_ref()), "another move is another matter");
        // Nobody is bound by what he once said.
        decide(&mut state, &name, target("d").as_ref(), Ruling::Apply);
        assert!(
            !state.is_rejected(&name, target("d").as_ref()) && state.served.contains_key("refs/heads/new")
        );
    }
}
