//! The lock files of a project, and what they say.

use std::path::{Path, PathBuf};

use model::Sha256;
use registry::{Locked, Pin, RepoPin, Unpinned};

use super::is_built;

/// How deep lock files are looked for; a monorepo keeps them in `packages/<name>/`.
const LOCK_DEPTH_MAX: usize = 3;
/// How many lock files of one project are read.
const N_LOCKS_MAX: usize = 500;

/// What lock files say.
#[derive(Debug, Default)]
pub(crate) struct Locks {
    /// The locks that were read, each with the digest of its bytes.
    pub(crate) read: Vec<(String, Sha256)>,
    /// What they vouch for, each with the lock's name.
    pub(crate) pins: Vec<(String, Pin)>,
    /// The git repositories that they take packages from, each with the lock's name.
    pub(crate) repositories: Vec<(String, RepoPin)>,
    /// What they name and no pin can hold, each with the lock's name.
    pub(crate) unpinned: Vec<(String, Unpinned)>,
    /// The locks that could not be read, each with the reason.
    pub(crate) unread: Vec<String>,
}

impl Locks {
    /// Names the locks as whoever looks from outside the folder does in which they were found.
    pub(crate) fn below(self, folder: &str) -> Self {
        let shown = |inner: String| Path::new(folder).join(inner).display().to_string();
        let of = |(inner, pin): (String, Pin)| (shown(inner), pin);
        let repositories = self.repositories.into_iter().map(|(inner, pin)| (shown(inner), pin)).collect();
        Self {
            read: self.read.into_iter().map(|(inner, sha256)| (shown(inner), sha256)).collect(),
            pins: self.pins.into_iter().map(of).collect(),
            repositories,
            unpinned: self.unpinned.into_iter().map(|(inner, unpinned)| (shown(inner), unpinned)).collect(),
            unread: self.unread.into_iter().map(|reason| format!("{folder}: {reason}")).collect(),
        }
    }

    /// Adds the lock at `path`, which a person knows as `shown`.
    pub(crate) fn add(&mut self, path: &Path, shown: String) {
        self.take(read_lock(path, path), shown, path.parent());
    }

    /// Adds a lock of which the bytes are here; the last part of its path says which one it is.
    pub(crate) fn add_bytes(&mut self, path: &str, bytes: &[u8]) {
        self.take(parse_lock(path, bytes), path.to_owned(), None);
    }

    /// Returns the packages of which a lock has a digest that cannot be read, each with the lock.
    pub(crate) fn unread_digests(&self) -> Vec<String> {
        let is_unread = |(_, unpinned): &&(String, Unpinned)| unpinned.reason == Unpinned::DIGEST;
        let shown = |(lock, unpinned): &(String, Unpinned)| format!("`{}` in `{lock}`", unpinned.name);
        self.unpinned.iter().filter(is_unread).map(shown).collect()
    }

    /// Reads a lock that another one includes, as that one is read; what cannot be read is named.
    fn include(&mut self, included: &str, by: &str, folder: Option<&Path>) {
        let by = Path::new(by);
        let shown = by.parent().unwrap_or(Path::new("")).join(included).display().to_string();
        let is_known = |(name, _): &(String, Sha256)| project_path(name) == project_path(&shown);
        if self.read.iter().any(is_known) || self.read.len() >= N_LOCKS_MAX {
            return;
        }
        let path = folder.map(|folder| folder.join(included)).filter(|path| path.is_file());
        match path {
            Some(path) => self.take(read_lock(&path, by), shown, path.parent()),
            None => {
                let unpinned = Unpinned { name: included.to_owned(), reason: Unpinned::INCLUDED };
                self.unpinned.push((by.display().to_string(), unpinned));
            }
        }
    }

    /// Takes what was read, and reads what it includes, where it lies in a folder.
    fn take(&mut self, read: Result<(Locked, Sha256), String>, shown: String, folder: Option<&Path>) {
        match read {
            Ok((Locked { pins, repositories, unpinned, includes }, sha256)) => {
                self.pins.extend(pins.into_iter().map(|pin| (shown.clone(), pin)));
                self.repositories.extend(repositories.into_iter().map(|pin| (shown.clone(), pin)));
                self.unpinned.extend(unpinned.into_iter().map(|unpinned| (shown.clone(), unpinned)));
                self.read.push((shown.clone(), sha256));
                for included in includes {
                    self.include(&included, &shown, folder);
                }
            }
            Err(reason) => self.unread.push(format!("`{shown}`: {reason}")),
        }
    }
}

/// Returns a path without its dots.
fn project_path(path: &str) -> PathBuf {
    let mut parts = PathBuf::new();
    for part in Path::new(path).components() {
        match part {
            std::path::Component::CurDir => {}
            std::path::Component::ParentDir => _ = parts.pop(),
            part => parts.push(part),
        }
    }
    parts
}

/// Returns what the lock files in and below `directory` say.
pub(crate) fn locks(directory: &Path) -> Locks {
    let walk = ignore::WalkBuilder::new(directory)
        .max_depth(Some(LOCK_DEPTH_MAX))
        .standard_filters(false)
        .filter_entry(|entry| !is_built(entry.file_name()) && entry.file_name() != ".git")
        .build();
    let (mut locks, mut n_locks) = (Locks::default(), 0);
    for entry in walk.filter_map(Result::ok).filter(|entry| is_lock(entry.path())) {
        n_locks += 1;
        if n_locks > N_LOCKS_MAX {
            locks.unread.push(format!("more than {N_LOCKS_MAX} lock files"));
            break;
        }
        let shown = entry.path().strip_prefix(directory).unwrap_or(entry.path()).display().to_string();
        locks.add(entry.path(), shown);
    }
    locks
}

/// Returns whether a file is a lock by its name, and is there.
pub(crate) fn is_lock(path: &Path) -> bool {
    path.to_str().is_some_and(|path| registry::lock_of(path).is_some()) && path.is_file()
}

/// Reads a lock at a path as the kind that another path says.
fn read_lock(path: &Path, kind: &Path) -> Result<(Locked, Sha256), String> {
    let metadata = std::fs::metadata(path).map_err(|error| error.to_string())?;
    if metadata.len() > registry::LOCK_BYTES_MAX as u64 {
        return Err("too large".to_owned());
    }
    let bytes = std::fs::read(path).map_err(|error| error.to_string())?;
    parse_lock(&kind.to_string_lossy(), &bytes)
}

fn parse_lock(path: &str, bytes: &[u8]) -> Result<(Locked, Sha256), String> {
    let locked = registry::read_locks(path, bytes).transpose();
    let locked = locked.map_err(|error| error.to_string())?;
    let locked = locked.ok_or_else(|| "it is no lock file that Outlast knows".to_owned())?;
    Ok((locked, Sha256::of(bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_lock_includes_is_read_as_it_is_and_once() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        write("requirements.txt", "-r base.in\nsix==1.0\n-r gone.txt\n");
        write("base.in", "-r requirements.txt\nidna==3.7\n");
        let locks = locks(folder.path());
        let names = |list: &[(String, Pin)]| list.iter().map(|(lock, _)| lock.clone()).collect::<Vec<_>>();
        assert_eq!(names(&locks.pins), ["requirements.txt", "base.in"]);
        let [(by, Unpinned { name, .. })] = &*locks.unpinned else { panic!("{locks:?}") };
        assert_eq!((&**by, &**name), ("requirements.txt", "gone.txt"));
    }
}
