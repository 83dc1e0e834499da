//! Lock files: which bytes a project has decided on.

use std::collections::HashSet;
use std::fmt;

use model::{CommitId, DigestSet, ObjectUrl, RepoId};

use crate::coordinate::Coordinate;
use crate::ecosystem::{ALL, FORGES};

/// The largest lock that is read; the largest seen in public repositories is under 10 MB.
pub const LOCK_BYTES_MAX: usize = 64 * 1024 * 1024;

/// The most things that one lock names: as many as fit into the largest lock with a digest each. A requirement without one
/// may be as short as two bytes.
const N_NAMED_MAX: usize = LOCK_BYTES_MAX / 64;

/// One kind of lock file.
#[derive(Clone, Copy)]
pub struct Lock {
    /// The name of the file, with the folder it must lie in if that tells it from others; one `*` in the name stands
    /// for anything.
    pub file_name: &'static str,
    /// Reads its bytes; called through [`read_locks`], which bounds them.
    pub read: fn(&[u8]) -> Result<Locked, LockError>,
}

impl Lock {
    /// Returns whether a file of this name, with or without folders before it, is such a lock.
    pub fn fits(&self, path: &str) -> bool {
        let n_folders = self.file_name.matches('/').count();
        let start = path.rmatch_indices('/').nth(n_folders).map_or(0, |(slash, _)| slash + 1);
        let name = &path[start..];
        match self.file_name.split_once('*') {
            None => self.file_name == name,
            Some((start, end)) => {
                name.len() >= start.len() + end.len() && name.starts_with(start) && name.ends_with(end)
            }
        }
    }
}

/// Returns the lock that a file of this name is, with or without folders before it.
pub fn lock_of(path: &str) -> Option<&'static Lock> {
    ALL.iter().flat_map(|ecosystem| ecosystem.locks()).find(|lock| lock.fits(path))
}

impl fmt::Debug for Lock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.file_name)
    }
}

/// One file that a lock has decided on. At least one of `coordinate` and `url` is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pin {
    /// Which version of which package; its registry is `*` where the lock does not say.
    pub coordinate: Option<Coordinate>,
    /// Where the lock says that the file lies.
    pub url: Option<ObjectUrl>,
    /// What its bytes must be; empty where the lock only names the file.
    pub digests: DigestSet,
}

/// A package that a lock takes from a git repository, in place of a file, or that it could take from there.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RepoPin {
    /// The package, as the lock names it.
    pub name: String,
    /// The repository.
    pub repo: RepoId,
    /// Where it can be asked for over HTTP; nothing where only ssh leads there.
    pub url: Option<String>,
    /// The commit, where the lock has decided on one.
    pub commit: Option<CommitId>,
    /// What the lock says in place of a whole commit: a tag, a branch, or the beginning of a commit.
    pub revision: Option<String>,
    /// Whether the lock names a file of it as well, so that it is for those alone who want the source.
    pub has_file: bool,
}

impl RepoPin {
    /// Returns where it lies, in words for a person.
    pub fn place(&self) -> String {
        let Self { repo, commit, revision, .. } = self;
        let at = commit.as_ref().map(ToString::to_string).or_else(|| revision.clone());
        let at = at.map(|at| format!(" at {at}")).unwrap_or_default();
        format!("the git repository {repo}{at}")
    }
}

/// What a lock says.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct Locked {
    /// The files that it has decided on.
    pub pins: Vec<Pin>,
    /// The repositories that it takes packages from, each once.
    pub repositories: Vec<RepoPin>,
    /// What it names besides, each name once. Who needs everything that a lock names does not have it with the pins alone.
    pub unpinned: Vec<Unpinned>,
    /// Other locks of the same kind that it includes, relative to itself.
    pub includes: Vec<String>,
}

/// Something that a lock names and that no pin can hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unpinned {
    /// The package, as the lock names it.
    pub name: String,
    /// Why, in words for a person.
    pub reason: &'static str,
}

impl Unpinned {
    /// A git repository whose address is none that could be asked.
    pub(crate) const GIT: &'static str = "it is in a git repository whose address is not understood";
    /// The same of Mercurial, Subversion, Bazaar and whatever else.
    pub(crate) const OTHER_REPOSITORY: &'static str =
        "it is in a repository that is not of git, and those are not kept";
    /// Only a range of versions, or nothing.
    pub(crate) const UNDECIDED: &'static str = "no version is decided on";
    /// An address that is not of HTTP, or none at all.
    pub(crate) const NOWHERE: &'static str = "where it lies cannot be read from the lock";
    /// A requirement of which several indexes may be asked, and no digest says whose it is.
    pub(crate) const WHOSE: &'static str =
        "the lock names an index besides the public one, and no digest says whose it is";
    /// Another file that the lock includes.
    pub const INCLUDED: &'static str = "it is another file, which is not there";
    /// A digest that is none. Its client would take no bytes for it either, and nobody here vouches by it.
    pub const DIGEST: &'static str = "the lock's digest of it cannot be read";
    /// A line that no client would understand either.
    pub(crate) const NOT_UNDERSTOOD: &'static str = "it is not understood";
}

impl Locked {
    /// Adds a file that the lock has decided on.
    pub(crate) fn pin(&mut self, pin: Pin) -> Result<(), LockError> {
        self.check_room()?;
        self.pins.push(pin);
        Ok(())
    }

    /// Adds a package that is in a git repository: its address, whatever a client put before or behind it, and what the lock
    /// says of the commit.
    pub(crate) fn pin_repository(
        &mut self,
        name: &str,
        address: &str,
        commit: Option<&str>,
    ) -> Result<(), LockError> {
        let Some(pin) = repo_pin(name, address, commit) else { return self.leave(name, Unpinned::GIT) };
        self.check_room()?;
        self.repositories.push(pin);
        Ok(())
    }

    /// Adds the repository of a package whose file is pinned, where anybody may ask for it: over HTTPS, or at a forge that everybody knows.
    pub(crate) fn pin_source(
        &mut self,
        name: &str,
        address: &str,
        commit: Option<&str>,
    ) -> Result<(), LockError> {
        let Some(pin) = repo_pin(name, address, commit) else { return Ok(()) };
        let is_anybodys = address.starts_with("https://") || FORGES.contains(&pin.repo.host());
        if pin.url.is_some() && is_anybodys {
            self.check_room()?;
            self.repositories.push(RepoPin { has_file: true, ..pin });
        }
        Ok(())
    }

    /// Adds something that no pin can hold.
    pub(crate) fn leave(&mut self, name: &str, reason: &'static str) -> Result<(), LockError> {
        self.check_room()?;
        self.unpinned.push(Unpinned { name: name.to_owned(), reason });
        Ok(())
    }

    /// Notes another lock of the same kind that this one includes, relative to itself.
    pub(crate) fn include(&mut self, path: &str) -> Result<(), LockError> {
        self.check_room()?;
        self.includes.push(path.to_owned());
        Ok(())
    }

    fn check_room(&self) -> Result<(), LockError> {
        let n_named = self.pins.len() + self.repositories.len() + self.unpinned.len() + self.includes.len();
        if n_named >= N_NAMED_MAX { Err(LockError::ManyNamed) } else { Ok(()) }
    }

    fn named_once(mut self) -> Self {
        let mut names = HashSet::new();
        self.unpinned.retain(|unpinned| names.insert(unpinned.name.clone()));
        let mut repositories = HashSet::new();
        self.repositories.retain(|pin| repositories.insert(pin.clone()));
        self
    }
}

/// Reads where a repository is and what of it is meant; nothing where its address is none.
fn repo_pin(name: &str, address: &str, commit: Option<&str>) -> Option<RepoPin> {
    let address = address.split(['?', '#']).next().unwrap_or(address);
    let repo = RepoId::parse(address).ok()?;
    let said = commit.filter(|said| !said.is_empty());
    let commit = said.and_then(CommitId::parse);
    let revision = said.filter(|_| commit.is_none()).map(str::to_owned);
    let (name, url) = (name.to_owned(), url(address, &repo));
    Some(RepoPin { name, url, repo, commit, revision, has_file: false })
}

/// Returns where a repository can be asked for over HTTP: without the user, and as TLS, unless the lock says otherwise and names a port.
/// What a lock says without one must not have everybody's copy follow what whoever sits on the line gives.
fn url(address: &str, repo: &RepoId) -> Option<String> {
    let address = address.trim().trim_end_matches('/');
    let address = address.strip_prefix("git+").unwrap_or(address);
    // A port of ssh's is none of HTTP's.
    let is_at_port = repo.as_str()[repo.host().len()..].starts_with(':');
    let protocol = if is_at_port && address.starts_with("http://") { "http" } else { "https" };
    if is_at_port && !address.starts_with("http") {
        return None;
    }
    // With it each of them answers, without it some only lead there.
    let end = if address.ends_with(".git") || FORGES.contains(&repo.host()) { ".git" } else { "" };
    Some(format!("{protocol}://{repo}{end}"))
}

/// Refuses a lock of a version that is newer than those which are known.
pub(crate) fn check_version(version: u64, known: u64) -> Result<(), LockError> {
    if version > known { Err(LockError::Version { version, known }) } else { Ok(()) }
}

/// Returns whether an address in a lock is a path on this machine: nobody fetches it.
pub(crate) fn is_local(address: &str) -> bool {
    let scheme = address.split_once("://").map(|(scheme, _)| scheme);
    address.starts_with("file:") || scheme.is_none_or(|scheme| scheme.ends_with("+file"))
}

/// Why a lock could not be read.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Larger than [`LOCK_BYTES_MAX`].
    #[error("lock of {size_bytes} bytes is larger than {LOCK_BYTES_MAX}")]
    TooLarge {
        /// Its size.
        size_bytes: usize,
    },
    /// More packages and files than any lock has.
    #[error("lock names more than {N_NAMED_MAX} things")]
    ManyNamed,
    /// Not text.
    #[error("lock is not UTF-8")]
    NotText {
        /// Where it stops being text.
        source: std::str::Utf8Error,
    },
    /// Not proper JSON, or not the fields of a lock.
    #[error("lock is not the JSON that was expected")]
    Json {
        /// The parser's reason.
        source: serde_json::Error,
    },
    /// Not proper TOML, or not the fields of a lock.
    #[error("lock is not the TOML that was expected")]
    Toml {
        /// The parser's reason.
        source: Box<toml::de::Error>,
    },
    /// A format that nobody here knows.
    #[error("lock has none of the known formats")]
    Format,
    /// Of a version that nobody here knows: what such a lock says may be anything.
    #[error("lock has version {version}, and known are those up to {known}")]
    Version {
        /// Its version.
        version: u64,
        /// The newest that is known.
        known: u64,
    },
}

/// Reads the lock file at `path`, with or without folders in it; `None` if no ecosystem knows that name.
pub fn read_locks(path: &str, bytes: &[u8]) -> Option<Result<Locked, LockError>> {
    let lock = lock_of(path)?;
    if bytes.len() > LOCK_BYTES_MAX {
        return Some(Err(LockError::TooLarge { size_bytes: bytes.len() }));
    }
    Some((lock.read)(bytes).map(Locked::named_once))
}
