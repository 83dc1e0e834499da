//! What the person's own shell looks like: variables, project, and the files they name.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The largest file that is read: four times the largest CA bundle seen (1 MB with every certificate annotated).
const FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// How many entries of a directory are looked at; a hashed certificate directory has some 300.
const DIRECTORY_ENTRIES_MAX: usize = 4096;

/// Reads files of the caller.
pub trait Files: Send + Sync {
    /// Returns a file's bytes; too large is an error.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;
    /// Returns the paths in a directory, sorted; empty where there is none.
    fn list(&self, path: &Path) -> Vec<PathBuf>;
    /// Returns where a path leads when every symbolic link is followed, `None` if nothing is there.
    fn resolve(&self, path: &Path) -> Option<PathBuf>;
    /// Returns what tells the file at a path from every other, whatever links lead there; `None` if nothing is there.
    fn identity(&self, path: &Path) -> Option<Identity>;
}

/// A file's device and number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Identity(u64, u64);

/// The machine's own files.
#[derive(Debug, Clone, Copy)]
pub struct Disk;

impl Files for Disk {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let metadata = path.metadata()?;
        // Opening a named pipe would wait for somebody to write to it.
        if !metadata.is_file() {
            return Err(io::Error::from(io::ErrorKind::InvalidInput));
        }
        // Read in one go: a room looks into hundreds of files before it starts.
        let mut bytes = Vec::with_capacity(metadata.len().min(FILE_BYTES_MAX) as usize + 1);
        if File::open(path)?.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes)? as u64 > FILE_BYTES_MAX {
            return Err(io::Error::from(io::ErrorKind::FileTooLarge));
        }
        Ok(bytes)
    }

    fn list(&self, path: &Path) -> Vec<PathBuf> {
        let Ok(entries) = std::fs::read_dir(path) else { return Vec::new() };
        let mut paths: Vec<PathBuf> =
            entries.take(DIRECTORY_ENTRIES_MAX).filter_map(|entry| Some(entry.ok()?.path())).collect();
        paths.sort();
        paths
    }

    fn resolve(&self, path: &Path) -> Option<PathBuf> {
        path.canonicalize().ok()
    }

    fn identity(&self, path: &Path) -> Option<Identity> {
        use std::os::unix::fs::MetadataExt as _;
        path.metadata().ok().map(|metadata| Identity(metadata.dev(), metadata.ino()))
    }
}

/// Files that exist in memory only; a directory is there as soon as a file is in it.
#[derive(Debug, Clone, Default)]
pub struct Memory(BTreeMap<PathBuf, Vec<u8>>);

impl Memory {
    /// Adds a file.
    #[must_use]
    pub fn with(mut self, path: impl Into<PathBuf>, bytes: impl Into<Vec<u8>>) -> Self {
        self.0.insert(path.into(), bytes.into());
        self
    }
}

impl Files for Memory {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.0.get(path).cloned().ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
    }

    fn list(&self, path: &Path) -> Vec<PathBuf> {
        self.0.keys().filter(|file| file.parent() == Some(path)).cloned().collect()
    }

    fn resolve(&self, path: &Path) -> Option<PathBuf> {
        self.0.keys().any(|file| file.starts_with(path)).then(|| path.to_owned())
    }

    fn identity(&self, path: &Path) -> Option<Identity> {
        let number = self.0.keys().position(|file| file.starts_with(path))?;
        Some(Identity(u64::try_from(path.as_os_str().len()).ok()?, u64::try_from(number).ok()?))
    }
}

/// The environment a command would have had without Outlast.
#[derive(Clone)]
pub struct Caller {
    variables: Vec<(OsString, OsString)>,
    directory: PathBuf,
    files: Arc<dyn Files>,
}

impl Caller {
    /// Takes the caller's variables and the directory the command starts in, which must be absolute.
    pub fn new(
        variables: Vec<(OsString, OsString)>,
        directory: impl Into<PathBuf>,
        files: impl Files + 'static,
    ) -> Self {
        Self { variables, directory: directory.into(), files: Arc::new(files) }
    }

    /// Returns a variable that is set and not empty.
    pub fn get(&self, name: &str) -> Option<&OsStr> {
        // Of two entries with one name, `getenv` finds the first.
        let (_, value) = self.variables.iter().find(|(key, _)| key == name)?;
        (!value.is_empty()).then_some(value)
    }

    /// Returns the names of all variables.
    pub fn names(&self) -> impl Iterator<Item = &OsStr> {
        self.variables.iter().map(|(name, _)| name.as_os_str())
    }

    /// Returns the directory the command starts in.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Returns the home directory.
    pub fn home(&self) -> Option<PathBuf> {
        self.get("HOME").map(PathBuf::from)
    }

    /// Returns the path a variable holds, made absolute.
    pub fn path(&self, name: &str) -> Option<PathBuf> {
        self.get(name).map(|value| self.directory.join(value))
    }

    /// Returns the caller's files.
    pub fn files(&self) -> &dyn Files {
        self.files.as_ref()
    }

    /// Returns a file as text, `None` if it cannot be read.
    pub(crate) fn text(&self, path: &Path) -> Option<String> {
        Some(String::from_utf8_lossy(&self.files.read(path).ok()?).into_owned())
    }
}

impl fmt::Debug for Caller {
    /// Shows no variable: their values are secrets as often as not.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Caller")
            .field("n_variables", &self.variables.len())
            .field("directory", &self.directory)
            .finish_non_exhaustive()
    }
}
