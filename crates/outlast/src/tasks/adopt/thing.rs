//! What a person names to have it kept.

use std::path::Path;

use anyhow::anyhow;
use mirror::Address;
use model::ObjectUrl;
use proxy::Wanted;
use server::{AdoptRequest, SentLock};

use super::Report;
use crate::failure::Failure;
use crate::project::{self, Locks};

const REPOSITORY_HINT: &str = "name the repository as `https://HOST/PATH.git` or `ssh://git@HOST/PATH.git`";

/// What a person names to have it kept: a folder with locks, a lock, a git repository, or an address.
#[derive(Debug, Default)]
pub(crate) struct Thing {
    /// As a person finds it again: an absolute path, or an address.
    pub(crate) name: String,
    pub(crate) locks: Locks,
    pub(super) urls: Vec<ObjectUrl>,
    /// A git repository.
    pub(super) repository: Option<Address>,
    /// Who sent it, where it is not on this machine.
    pub(super) sent_by: Option<String>,
}

impl Thing {
    /// Finds all that is named.
    pub(crate) fn find_all(names: &[String]) -> Result<Vec<Self>, Failure> {
        names.iter().map(|name| Self::find(name)).collect()
    }

    pub(crate) fn find(name: &str) -> Result<Self, Failure> {
        if is_repository(name) {
            let address =
                Address::parse(name).map_err(|error| Failure::usage(error).hint(REPOSITORY_HINT))?;
            let name = address.as_str().to_owned();
            if name.strip_prefix("file://").is_some_and(|path| !Path::new(path).is_dir()) {
                return Err(Failure::usage(anyhow!("there is no repository at `{name}`")));
            }
            return Ok(Self { name, repository: Some(address), ..Self::default() });
        }
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

    /// Takes what somebody sent from elsewhere.
    pub(super) fn sent(name: String, who: String, locks: Locks, urls: &[String]) -> Result<Self, Failure> {
        let urls =
            urls.iter().map(|url| ObjectUrl::parse(url)).collect::<Result<_, _>>().map_err(Failure::usage)?;
        Ok(Self { name, locks, urls, repository: None, sent_by: Some(who) })
    }

    /// Returns what a server needs to know, with or without the locks' texts.
    pub(super) fn to_send(&self, with_texts: bool) -> Result<AdoptRequest, Failure> {
        let root = Path::new(&self.name);
        let mut locks = Vec::new();
        for (shown, sha256) in &self.locks.read {
            let text = match with_texts {
                true => {
                    let bytes = std::fs::read(shown)?;
                    let text = String::from_utf8(bytes).map_err(|_| {
                        Failure::no(anyhow!("`{shown}` is not UTF-8")).hint("lock the project again")
                    })?;
                    Some(text)
                }
                false => None,
            };
            let real = Path::new(shown).canonicalize()?;
            let path = real.strip_prefix(root).ok().filter(|path| !path.as_os_str().is_empty());
            let path = path.unwrap_or_else(|| real.file_name().map_or(&*real, Path::new));
            locks.push(SentLock { path: path.display().to_string(), sha256: *sha256, text });
        }
        let folder = if root.is_dir() { Some(root) } else { root.parent() };
        let project = match folder.filter(|folder| folder.is_dir()) {
            Some(folder) => project::name(folder)?,
            None => self.name.clone(),
        };
        let urls = self.urls.iter().map(ToString::to_string).collect();
        Ok(AdoptRequest { project, locks, urls })
    }

    /// Returns the report on a thing that a server has already, which says no more.
    pub(super) fn known(&self) -> Report {
        Report { locks: self.lock_names(), ..Report::default() }
    }

    /// Returns the locks that were read.
    pub(super) fn lock_names(&self) -> Vec<String> {
        self.locks.read.iter().map(|(name, _)| name.clone()).collect()
    }

    pub(super) fn wanted(&self) -> Vec<Wanted> {
        let pinned = self.locks.pins.iter().map(|(_, pin)| Wanted::Pinned(pin.clone()));
        pinned.chain(self.urls.iter().cloned().map(Wanted::At)).collect()
    }
}

/// Returns whether a name is a repository's address: it ends as such addresses do, or no other client takes its protocol.
fn is_repository(name: &str) -> bool {
    let is_scp = name
        .split_once(':')
        .is_some_and(|(authority, _)| authority.contains('@') && !authority.contains('/'));
    let others = ["git://", "git+", "ssh://", "file://"];
    let is_other = is_scp || others.iter().any(|beginning| name.starts_with(beginning));
    let is_address = name.starts_with("https://") || name.starts_with("http://");
    is_other || is_address && name.trim_end_matches('/').ends_with(".git")
}

fn known_locks() -> String {
    let locks = registry::ALL.iter().flat_map(|ecosystem| ecosystem.locks());
    locks.map(|lock| lock.file_name).collect::<Vec<_>>().join(", ")
}
