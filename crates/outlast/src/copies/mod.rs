//! Second copies of this home: where they lie, and what mends damaged blobs from them.

mod moving;
mod remote;

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use anyhow::anyhow;
use http::HeaderValue;
use model::{Event, ObjectUrl, Secret, Sha256};
use proxy::Healer;
use store::{CopyError, CopyFolder, SecondCopy, Store};

use crate::config::Copy;
use crate::failure::Failure;
use crate::home::Home;
use crate::via;
use remote::Remote;

/// A place for a second copy.
#[derive(Debug, Clone)]
pub(crate) enum Destination {
    Folder(PathBuf),
    Server { url: ObjectUrl, authorization: Option<Secret<HeaderValue>> },
}

impl Destination {
    /// Reads a folder or an address, as a person writes it.
    fn parse(text: &str) -> Result<Self, Failure> {
        if text.is_empty() {
            return Err(Failure::usage(anyhow!("that is no place"))
                .hint("name a folder on another disk, or a server"));
        }
        if !text.contains("://") {
            return Ok(Self::Folder(std::path::absolute(text).map_err(Failure::nowhere)?));
        }
        Ok(Self::Server { url: via::server_address(text)?, authorization: None })
    }

    /// Returns it with what lets in there, where it is a server.
    fn let_in_by(
        self,
        token: impl FnOnce() -> Result<Option<Secret<HeaderValue>>, Failure>,
    ) -> Result<Self, Failure> {
        match self {
            Self::Folder(path) => Ok(Self::Folder(path)),
            Self::Server { url, .. } => Ok(Self::Server { url, authorization: token()? }),
        }
    }

    /// Returns what the configuration names.
    pub(crate) fn configured(copy: &Copy) -> Result<Self, Failure> {
        let place = Self::parse(&copy.to)?;
        let Some(file) = &copy.token_file else { return Ok(place) };
        let text = std::fs::read(file).map_err(|error| {
            let error = anyhow!(error).context(format!("could not read `{}`", file.display()));
            Failure::usage(error).hint("`token_file` of a [[copy]] names a file with nothing but the token")
        })?;
        let file = file.display().to_string();
        place.let_in_by(|| via::bearer(&text, &file)?.map(Some).ok_or_else(|| via::no_token(&file)))
    }

    /// Opens the place. A folder is made only where that is asked for: a disk that is not mounted today must not begin a new
    /// copy on the disk below.
    pub(crate) fn open(
        &self,
        home: &Home,
        store: &Store,
        begin: bool,
    ) -> Result<Box<dyn SecondCopy>, Failure> {
        let journal = store.journal_id().map_err(failed)?;
        match self {
            Self::Server { url, authorization } => {
                let remote = Remote::new(home, url, &journal, authorization.clone())?;
                Ok(Box::new(remote))
            }
            Self::Folder(path) => {
                check_apart(path, &home.path)?;
                let is_there = path.join("journal").is_dir();
                if begin && !path.exists() && was_copied_to(store, path)? {
                    let error =
                        anyhow!("a second copy was at `{}`, and is not there any more", path.display());
                    return Err(Failure::no(error).hint(
                        "mount its disk; or, to begin another one there, make the empty folder first",
                    ));
                }
                let copy = match begin && !is_there {
                    true => CopyFolder::create(path, &journal),
                    false => CopyFolder::open(path, &journal),
                };
                Ok(Box::new(copy.map_err(failed)?))
            }
        }
    }

    /// Returns whether it lies on the disk that holds the home: what takes one then takes both.
    pub(crate) fn shares_disk(&self, home: &Home) -> bool {
        let Self::Folder(path) = self else { return false };
        let device = |path: &Path| std::fs::metadata(path).map(|metadata| metadata.dev()).ok();
        device(path).is_some_and(|found| device(&home.path) == Some(found))
    }
}

fn was_copied_to(store: &Store, path: &Path) -> Result<bool, Failure> {
    let is_it = |event: &Event| matches!(event, Event::Copied { to, .. } if Path::new(to) == path);
    Ok(store.copies()?.iter().any(|(entry, _)| is_it(&entry.event)))
}

/// Refuses a copy inside its own home, or the other way around.
fn check_apart(path: &Path, home: &Path) -> Result<(), Failure> {
    let (path, home) = (real(path), real(home));
    if path.starts_with(&home) || home.starts_with(&path) {
        let error = anyhow!("`{}` and the home `{}` lie in each other", path.display(), home.display());
        return Err(Failure::usage(error).hint("name a folder on another disk"));
    }
    Ok(())
}

/// Returns where a path leads, also where its end is not there yet.
fn real(path: &Path) -> PathBuf {
    let there = path.ancestors().find_map(|folder| Some((folder, folder.canonicalize().ok()?)));
    there.map_or_else(
        || path.to_owned(),
        |(folder, real)| real.join(path.strip_prefix(folder).unwrap_or(path)),
    )
}

/// Returns whether a folder is this home: a home that was a copy finds itself in its journal.
pub(crate) fn is_home(path: &str, home: &Home) -> bool {
    real(Path::new(path)) == real(&home.path)
}

/// Says what a failed copy means, with the next step.
pub(crate) fn failed(error: CopyError) -> Failure {
    let hint = match &error {
        CopyError::Place { .. } => {
            "check that the disk is mounted and has space, or that the server answers; then run it again: \
             it goes on where it was"
        }
        CopyError::Foreign { .. } => {
            "name an empty folder or one with a copy of this home; `outlast store copy DEST` begins one"
        }
        CopyError::Link { .. } => "put the folder itself in place of the link: a copy is whole in one place",
        CopyError::Diverged { .. } => {
            "keep both as they are and find out why: either this home was set back (then the copy has \
             what it lost: `outlast --home COPY status`), or somebody used the copy as a home; then begin another copy in an \
             empty folder (at a server: have its `copies/<journal id>` moved away)"
        }
        CopyError::Moved { .. } => "let the other one end; what it brought there stays",
        CopyError::Missing { .. } | CopyError::Wrong { .. } => {
            "`outlast store copy --verify DEST` mends a copy that was damaged"
        }
        CopyError::Journal { .. } => crate::failure::JOURNAL_HINT,
        CopyError::Waiting { .. } | CopyError::Index { .. } | CopyError::Io { .. } => {
            "check the disk that holds Outlast's home folder, and its free space"
        }
    };
    Failure::no(error).hint(hint)
}

/// Mends blobs from the second copies that the configuration names.
#[derive(Debug)]
pub(crate) struct FromCopies(pub(crate) Home);

impl FromCopies {
    /// Mends what it can, and returns that with the place it came from. Each copy is opened once.
    pub(crate) fn heal_all(&self, store: &Store, mut damaged: Vec<Sha256>) -> Vec<(Sha256, String)> {
        let mut healed = Vec::new();
        for copy in &self.0.config.copies {
            if damaged.is_empty() {
                break;
            }
            let opened = Destination::configured(copy).and_then(|place| place.open(&self.0, store, false));
            let from = match opened {
                Ok(from) => from,
                Err(failure) => {
                    tracing::warn!("nothing could be healed from a second copy: {failure}");
                    continue;
                }
            };
            damaged.retain(|sha256| match store.heal(sha256, &*from) {
                Ok(()) => {
                    healed.push((*sha256, from.place()));
                    false
                }
                Err(error) => {
                    tracing::warn!("blob {sha256} could not be healed: {}", failed(error));
                    true
                }
            });
        }
        healed
    }
}

impl Healer for FromCopies {
    fn heal(&self, store: &Store, sha256: &Sha256) -> Option<String> {
        self.heal_all(store, vec![*sha256]).pop().map(|(_, place)| place)
    }
}

/// Returns the destination that a person named on the command line; the token is the environment's, unless the configuration
/// has one for that very place.
pub(crate) fn named(home: &Home, text: &str) -> Result<Destination, Failure> {
    let place = Destination::parse(text)?;
    let known = home.config.copies.iter().find(|copy| match &place {
        Destination::Folder(_) => false,
        Destination::Server { url, .. } => ObjectUrl::parse(&copy.to).is_ok_and(|other| other == *url),
    });
    match known.filter(|copy| copy.token_file.is_some()) {
        Some(copy) => Destination::configured(copy),
        None => place.let_in_by(via::token),
    }
}
