//! Looks where clients leave things on this machine: their caches, and what they unpacked into the project.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use model::{Algorithm, Digest, DigestSet, ObjectUrl, Sha256, Timestamp};
use proxy::{Found, LastResort};
use registry::{Cached, Coordinate, Installed, Pin, Unpacked, archive};

/// The largest file that is taken from a cache; the largest package seen in public registries has 400 MB.
const FILE_BYTES_MAX: u64 = 1 << 30;
/// Files of a package that are packed again.
const N_FILES_MAX: usize = 50_000;

/// What clients have left on this machine.
#[derive(Debug)]
pub(crate) struct Left {
    /// The home folder of whoever runs this.
    home: Option<PathBuf>,
    /// The project, where there is one.
    project: Option<PathBuf>,
    /// Files of caches that say nothing by their names, by their digests; each cache is read once.
    read: Mutex<HashMap<PathBuf, HashMap<Sha256, PathBuf>>>,
}

impl Left {
    /// Looks in this user's caches and in a project.
    pub(crate) fn here(project: &Path) -> Self {
        let folder = if project.is_file() { project.parent() } else { Some(project) };
        let project = folder.filter(|folder| folder.is_dir()).map(Path::to_owned);
        Self { home: variable("HOME").map(PathBuf::from), project, read: Mutex::default() }
    }

    /// Returns what clients have left of packages like these, and nothing can be taken from.
    pub(crate) fn of_no_use<'a>(&self, pins: impl Iterator<Item = &'a Pin>) -> Vec<String> {
        let ecosystems: BTreeSet<&str> =
            pins.filter_map(|pin| Some(pin.coordinate.as_ref()?.ecosystem)).collect();
        let places = ecosystems.into_iter().filter_map(registry::ecosystem).flat_map(|it| it.unpacked());
        let found = places.filter_map(|place| match place {
            Unpacked::OfProject(folder) => Some(self.project.as_ref()?.join(folder)),
            Unpacked::OfUser(folder) => Some(self.home.as_ref()?.join(folder)),
        });
        found.filter(|folder| folder.is_dir()).map(|folder| folder.display().to_string()).collect()
    }

    fn root(&self, place: &Cached) -> Option<PathBuf> {
        let moved = variable(place.variable).map(PathBuf::from).filter(|folder| folder.is_absolute());
        moved.or_else(|| Some(self.home.as_ref()?.join(place.folder)))
    }

    /// Returns a file of a cache that is what was pinned, or that has the name of its address where nothing was.
    fn cached(&self, place: &Cached, digests: &DigestSet) -> Option<PathBuf> {
        let root = self.root(place)?;
        let is_named = !place.path.ends_with('*') && !place.path.rsplit('/').next()?.contains('*');
        if is_named {
            let is_it =
                |path: &PathBuf| digests.is_empty() && !place.path.contains('*') || has_one_of(path, digests);
            return expanded(&root, &place.path).into_iter().find(is_it);
        }
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        let known = read.entry(root.join(&place.path)).or_insert_with(|| {
            let hashed = expanded(&root, &place.path).into_iter().filter_map(|path| {
                let bytes = read_bounded(&path)?;
                Some((Sha256::of(&bytes), path))
            });
            hashed.collect()
        });
        let by_name = |digest: &Digest| {
            let bytes = <[u8; 32]>::try_from(digest.as_bytes()).ok()?;
            known.get(&Sha256::from_bytes(bytes)).cloned().filter(|_| digest.algorithm() == Algorithm::Sha256)
        };
        digests.iter().find_map(by_name)
    }

    /// Makes the archive of a package again from what a client unpacked of it.
    fn unpacked(&self, coordinate: &Coordinate) -> Option<Found> {
        let ecosystem = registry::ecosystem(coordinate.ecosystem)?;
        let Installed { folder, manifest } = ecosystem.installed(coordinate)?;
        let project = self.project.as_ref()?;
        let manifest = project.join(manifest);
        let folder = project.join(folder);
        if !ecosystem.says_installed(&read_bounded(&manifest)?, coordinate) {
            return None;
        }
        let bytes = archive::pack(&coordinate.name.replace('/', "-"), &files(&folder)?).ok()?;
        let place = format!("{}, packed again", folder.display());
        Some(Found { bytes, place, got_at: modified(&manifest)? })
    }
}

impl LastResort for Left {
    fn find(
        &self,
        coordinate: Option<&Coordinate>,
        digests: &DigestSet,
        urls: &[ObjectUrl],
    ) -> Option<Found> {
        let coordinate = coordinate?;
        let ecosystem = registry::ecosystem(coordinate.ecosystem)?;
        let places = ecosystem.cached(coordinate, digests, urls);
        let cached = places.iter().find_map(|place| self.cached(place, digests));
        let cached = cached.and_then(|path| {
            Some(Found {
                bytes: read_bounded(&path)?,
                place: path.display().to_string(),
                got_at: modified(&path)?,
            })
        });
        // What is packed again has the same content, and no digest of it.
        cached.or_else(|| self.unpacked(coordinate).filter(|_| digests.is_empty()))
    }
}

#[expect(clippy::disallowed_methods, reason = "the rim reads the environment")]
fn variable(name: &str) -> Option<std::ffi::OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

fn modified(path: &Path) -> Option<Timestamp> {
    Timestamp::try_from(fs::metadata(path).ok()?.modified().ok()?).ok()
}

fn read_bounded(path: &Path) -> Option<Vec<u8>> {
    let metadata = fs::symlink_metadata(path).ok()?;
    (metadata.is_file() && metadata.len() <= FILE_BYTES_MAX).then(|| fs::read(path).ok())?
}

fn has_one_of(path: &Path, digests: &DigestSet) -> bool {
    read_bounded(path).is_some_and(|bytes| digests.accepts(&bytes))
}

/// Returns the files that a path with stars stands for, in the order of their names.
fn expanded(root: &Path, pattern: &str) -> Vec<PathBuf> {
    let mut found = vec![root.to_owned()];
    for part in pattern.split('/') {
        found = match part.split_once('*') {
            None => found.into_iter().map(|folder| folder.join(part)).collect(),
            Some((before, after)) => {
                let fits = |name: &str| {
                    name.len() >= before.len() + after.len()
                        && name.starts_with(before)
                        && name.ends_with(after)
                };
                let entries =
                    found.iter().flat_map(|folder| fs::read_dir(folder).into_iter().flatten().flatten());
                let mut fitting: Vec<PathBuf> = entries
                    .filter(|entry| entry.file_name().to_str().is_some_and(fits))
                    .map(|entry| entry.path())
                    .collect();
                fitting.sort();
                fitting
            }
        };
    }
    found.retain(|path| path.is_file());
    found
}

/// Returns the files of a folder with their names, in order; nothing where there is something else than files in it.
fn files(folder: &Path) -> Option<Vec<(String, Vec<u8>, bool)>> {
    let walk = ignore::WalkBuilder::new(folder).standard_filters(false).sort_by_file_path(Path::cmp).build();
    let mut files = Vec::new();
    for entry in walk {
        let entry = entry.ok()?;
        if entry.file_type()?.is_dir() {
            continue;
        }
        let name = entry.path().strip_prefix(folder).ok()?.to_str()?.to_owned();
        files.push((
            name,
            read_bounded(entry.path())?,
            entry.metadata().ok()?.permissions().mode() & 0o111 != 0,
        ));
        if files.len() > N_FILES_MAX {
            return None;
        }
    }
    (!files.is_empty()).then_some(files)
}
