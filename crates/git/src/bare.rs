//! The bare repository that is served: derived from packs and journal, and disposable.
//!
//! Its refs are written as one file, from what the journal says, and never by git: names that are in each other's way, or differ
//! only in case, cannot block anything. Tips that no ref reaches any more stay reachable by hidden refs, `refs/outlast/pin/<id>`,
//! so that no maintenance loses them. What git itself is asked never deletes an object (docs/GIT.md).

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use host::failpoint;
use host::file::write_atomically;
use host::process::{Limits, ProcessError, Stream};
use model::{ObjectId, RefName, Target};

use crate::capabilities::Speech;
use crate::command::{Git, GitError, STDERR_BYTES_MAX};
use crate::harmless::harmless;
use crate::serve::PACK_BYTES_MAX;

/// The folders of which git makes out a repository.
pub(crate) const PARTS: [&str; 3] = ["objects/pack", "objects/info", "refs"];
/// The file that says up to where the journal was followed.
const NOTE: &str = "outlast.seq";
/// The file that is there where the upstream does not speak version 2 of the protocol, so that it is not asked in it.
const EARLIER: &str = "outlast.earlier";
/// The file that is there once its objects were checked as a whole.
const CHECKED: &str = "outlast.checked";
/// A repository with no larger pack is given as fast as it can be.
const SMALL_BYTES_MAX: u64 = 1 << 20;
/// How long a whole repository may be looked at.
const CHECK: Duration = Duration::from_secs(3600);
/// How often it is looked whether another process is done.
const N_LOOKS: usize = 100;
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// A bare repository in a folder, for one writer at a time.
#[derive(Debug)]
pub struct Bare {
    pub(crate) folder: PathBuf,
    pub(crate) git: Git,
    /// Held as long as this one may write.
    _lock: File,
}

/// Why a repository could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum BareError {
    /// Another process writes to it.
    #[error("another process is at work on the copy at `{folder}`; wait for it")]
    Busy {
        /// Where it lies.
        folder: String,
    },
    /// The disk.
    #[error("the copy at `{folder}` cannot be written; look at disk and permissions")]
    Io {
        /// Where it lies.
        folder: String,
        /// The system's reason.
        source: io::Error,
    },
}

impl Bare {
    /// Locks the folder of a repository, which is made where it is not there; [`Bare::lay_out`] comes next.
    pub fn lock(git: &Git, folder: &Path) -> Result<Self, BareError> {
        let failed = |source| BareError::Io { folder: folder.display().to_string(), source };
        host::file::create_folder(folder).map_err(failed)?;
        let lock = File::options().write(true).create(true).truncate(false).open(folder.join("outlast.lock"));
        let lock = lock.map_err(failed)?;
        if !wait_for(&lock).map_err(failed)? {
            return Err(BareError::Busy { folder: folder.display().to_string() });
        }
        Ok(Self { folder: folder.to_owned(), git: git.of(folder), _lock: lock })
    }

    /// Returns the folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Makes what of an empty repository is not there, and sweeps what a process left that was killed.
    pub fn lay_out(&self, object_format: &str) -> io::Result<()> {
        for part in PARTS {
            fs::create_dir_all(self.folder.join(part))?;
        }
        write_if_other(&self.folder.join("config"), config(object_format).as_bytes())?;
        if !self.folder.join("HEAD").exists() {
            write_atomically(&self.folder.join("HEAD"), head(&BTreeMap::new()).as_bytes())?;
        }
        self.sweep()
    }

    /// Removes what a killed process left: objects that were never taken in, and files of git that nobody finishes.
    fn sweep(&self) -> io::Result<()> {
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if name.starts_with(crate::incoming::PREFIX) {
                fs::remove_dir_all(entry.path())?;
            } else if name.ends_with(".tmp") || name.ends_with(".lock") && name != "outlast.lock" {
                fs::remove_file(entry.path())?;
            }
        }
        for entry in fs::read_dir(self.folder.join("objects/pack"))? {
            let entry = entry?;
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if name.starts_with("tmp_") || name.starts_with(".tmp-") || name.ends_with(".lock") {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }

    /// Returns whether any pack is here.
    pub fn is_empty(&self) -> io::Result<bool> {
        Ok(self.n_packed("idx")? == 0)
    }

    /// Returns how many packs there are.
    pub fn n_packs(&self) -> io::Result<usize> {
        self.n_packed("pack")
    }

    /// Returns how many files of a kind lie beside the packs.
    fn n_packed(&self, extension: &str) -> io::Result<usize> {
        let mut n = 0;
        for entry in fs::read_dir(self.folder.join("objects/pack"))? {
            n += usize::from(entry?.path().extension().is_some_and(|it| it == extension));
        }
        Ok(n)
    }

    /// Returns the pins that are written.
    pub fn pins(&self) -> io::Result<BTreeSet<ObjectId>> {
        let text = match fs::read_to_string(self.folder.join("packed-refs")) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeSet::new()),
            text => text?,
        };
        Ok(text.lines().filter_map(|line| line.split_once(" refs/outlast/pin/")?.0.parse().ok()).collect())
    }

    /// Returns what was noted last with [`Bare::note`].
    pub fn noted(&self) -> Option<u64> {
        noted(&self.folder)
    }

    /// Notes up to where the journal was followed.
    pub fn note(&self, seq: u64) -> io::Result<()> {
        write_atomically(&self.folder.join(NOTE), format!("{seq}\n").as_bytes())
    }

    /// Notes which version of the protocol the upstream speaks.
    pub fn note_speech(&self, speaks: Speech) -> io::Result<()> {
        let path = self.folder.join(EARLIER);
        match (speaks, path.exists()) {
            (Speech::Two, true) => fs::remove_file(path),
            (Speech::Earlier | Speech::Files, false) => write_atomically(&path, b""),
            _ => Ok(()),
        }
    }

    /// Forgets it, so that everything is followed anew.
    pub fn forget(&self) -> io::Result<()> {
        match fs::remove_file(self.folder.join(NOTE)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Removes what is derived, so that all of it comes back from the packs that are held; who reads it now reads on.
    pub fn clear(&self) -> io::Result<()> {
        self.forget()?;
        let packs = fs::read_dir(self.folder.join("objects/pack"))?.collect::<io::Result<Vec<_>>>()?;
        let info = fs::read_dir(self.folder.join("objects/info"))?.collect::<io::Result<Vec<_>>>()?;
        // First what says where something lies.
        let mut paths: Vec<PathBuf> = info.into_iter().chain(packs).map(|entry| entry.path()).collect();
        paths.sort_by_key(|path| path.extension().is_some_and(|extension| extension == "pack"));
        for path in paths.iter().filter(|path| path.is_file()) {
            fs::remove_file(path)?;
        }
        write_atomically(&self.folder.join("packed-refs"), b"")
    }

    /// Writes the refs: those that are served, and pins that keep every other tip reachable.
    pub fn write_refs(
        &self,
        served: &BTreeMap<RefName, Target>,
        pins: &BTreeSet<ObjectId>,
    ) -> io::Result<()> {
        write_atomically(&self.folder.join("packed-refs"), packed(served, pins).as_bytes())?;
        write_if_other(&self.folder.join("HEAD"), head(served).as_bytes())
    }

    /// Has git look at every object, and returns the first of what it finds fault with; nothing where it took too long to say.
    ///
    /// What is damaged is no flaw: that is [`GitError::Failed`].
    pub fn check(&self) -> Result<Vec<String>, GitError> {
        let arguments = ["fsck", "--full", "--no-dangling", "--no-reflogs", "--no-progress"];
        let output = match self.git.run_within(CHECK, &arguments) {
            Err(GitError::Process(ProcessError::Slow { .. })) => return Ok(Vec::new()),
            output => output?,
        };
        let said = String::from_utf8_lossy(&output.stderr);
        let is_flaw = |line: &&str| line.starts_with("error in ") || line.starts_with("warning in ");
        let flaws: Vec<String> =
            said.lines().filter(is_flaw).map(|line| harmless(line.as_bytes(), 200)).collect();
        // Git has a bit for each kind of error: 2 for what is missing, 4 for a damaged pack. Of refs, graph and index it says more in
        // each version.
        match output.status.code() {
            Some(code) if code & 6 == 0 => Ok(flaws),
            // What is wrong in the text of an object counts as wrong with its pack, too.
            Some(code) if code & 2 == 0 && !flaws.is_empty() => self.check_packs().map(|()| flaws),
            _ => self.git.good(&arguments, output).map(|_| flaws),
        }
    }

    /// Checks that all packs are what they were, whatever their objects say.
    fn check_packs(&self) -> Result<(), GitError> {
        let mut arguments = vec!["verify-pack".to_owned(), "--".to_owned()];
        for entry in fs::read_dir(self.folder.join("objects/pack"))? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "idx") {
                arguments.push(path.to_string_lossy().into_owned());
            }
        }
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        match self.git.run_within(CHECK, &arguments) {
            Err(GitError::Process(ProcessError::Slow { .. })) => Ok(()),
            output => self.git.good(&arguments, output?).map(drop),
        }
    }

    /// Returns a pack of everything that refs and pins reach.
    pub fn pack_all(&self) -> Result<Stream, GitError> {
        let arguments = ["pack-objects", "--quiet", "--revs", "--all", "--stdout", "--delta-base-offset"];
        let limits = Limits { time: CHECK, stdout_bytes: PACK_BYTES_MAX, stderr_bytes: STDERR_BYTES_MAX };
        let program = self.git.bare_program(limits).args(arguments).folder(&self.folder);
        Ok(program.environment([("GIT_DIR", &self.folder)]).stream(CHECK, ())?)
    }

    /// Notes that it was checked.
    pub fn note_checked(&self) -> io::Result<()> {
        write_atomically(&self.folder.join(CHECKED), b"")
    }

    /// Merges small packs into larger ones and writes what makes serving fast: one index of all packs, bitmaps, a graph of commits.
    ///
    /// Whatever git is asked here keeps every object, reachable or not.
    pub fn maintain(&self) -> Result<(), GitError> {
        let repack = ["repack", "-q", "-d", "--geometric=2", "--write-midx", "--write-bitmap-index"];
        self.git.ask(&repack, "")?;
        failpoint::pass("git.packs_merged")?;
        self.git.ask(&["commit-graph", "write", "--reachable", "--no-progress"], "")?;
        failpoint::pass("git.graph_written")?;
        Ok(())
    }
}

/// Returns whether the objects of a repository were checked as a whole.
pub fn is_checked(folder: &Path) -> bool {
    folder.join(CHECKED).exists()
}

/// Returns whether a repository is large enough that clones of it are counted for long, and not all was done about that.
pub fn is_slow_to_give(folder: &Path) -> io::Result<bool> {
    let has_graph = folder.join("objects/info/commit-graph").exists();
    let mut is_large = false;
    let entries = match fs::read_dir(folder.join("objects/pack")) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        if has_graph && entry.file_name() == "multi-pack-index" {
            return Ok(false);
        }
        is_large |= entry.metadata()?.len() > SMALL_BYTES_MAX;
    }
    Ok(is_large)
}

/// Returns `sha1` or `sha256`, as a repository says that is laid out; nothing where none is.
pub fn object_format(folder: &Path) -> Option<&'static str> {
    let config = fs::read_to_string(folder.join("config")).ok()?;
    Some(if config.contains("objectFormat = sha256") { "sha256" } else { "sha1" })
}

/// Returns which version of the protocol the upstream was seen to speak: version 2, or not that.
pub fn speech(folder: &Path) -> Speech {
    if folder.join(EARLIER).exists() { Speech::Earlier } else { Speech::Two }
}

/// Returns up to where the journal was followed in a folder that another may be writing to.
pub fn noted(folder: &Path) -> Option<u64> {
    fs::read_to_string(folder.join(NOTE)).ok()?.trim().parse().ok()
}

/// Returns the settings of a repository.
pub(crate) fn config(object_format: &str) -> String {
    let format = match object_format {
        "sha256" => "repositoryformatversion = 1\n\tbare = true\n[extensions]\n\tobjectFormat = sha256\n",
        _ => "repositoryformatversion = 0\n\tbare = true\n",
    };
    format!(
        "[core]\n\t{format}[transfer]\n\thideRefs = refs/outlast\n[uploadpack]\n\tallowFilter = true\n\tallowAnySHA1InWant = true\n\
         [repack]\n\twriteBitmaps = true\n[pack]\n\twriteReverseIndex = true\n\tthreads = 1\n[gc]\n\tauto = 0\n"
    )
}

/// Returns refs, and pins besides what they reach, as git packs them.
pub(crate) fn packed(refs: &BTreeMap<RefName, Target>, pins: &BTreeSet<ObjectId>) -> String {
    let mut lines: BTreeMap<String, String> = BTreeMap::new();
    for (name, target) in refs {
        let Target::Object { id, peeled } = target else { continue };
        if name.is_head() {
            continue;
        }
        // Git reads nothing at all of a file with another one.
        let peeled = peeled.filter(|peeled| peeled.format() == id.format());
        let peeled = peeled.map(|id| format!("^{id}\n")).unwrap_or_default();
        lines.insert(name.to_string(), format!("{id} {name}\n{peeled}"));
    }
    let reached: BTreeSet<&ObjectId> = refs.values().filter_map(Target::id).collect();
    for id in pins.iter().filter(|id| !reached.contains(id)) {
        let name = format!("refs/outlast/pin/{id}");
        let line = format!("{id} {name}\n");
        lines.insert(name, line);
    }
    // Without `fully-peeled`: of a pin it is not known what it peels to.
    let mut text = "# pack-refs with: peeled sorted \n".to_owned();
    lines.into_values().for_each(|line| text.push_str(&line));
    text
}

/// Returns the text of the file `HEAD`.
pub(crate) fn head(refs: &BTreeMap<RefName, Target>) -> String {
    match refs.get("HEAD") {
        Some(Target::Ref(name)) => format!("ref: {name}\n"),
        Some(Target::Object { id, .. }) => format!("{id}\n"),
        None => "ref: refs/heads/main\n".to_owned(),
    }
}

/// Takes a lock; returns whether it was free within a while. A process that was just started holds whatever its parent held until it
/// becomes another program.
fn wait_for(lock: &File) -> io::Result<bool> {
    for _ in 0..N_LOOKS {
        match lock.try_lock() {
            Ok(()) => return Ok(true),
            Err(fs::TryLockError::WouldBlock) => std::thread::sleep(LOOK_EVERY),
            Err(fs::TryLockError::Error(error)) => return Err(error),
        }
    }
    Ok(false)
}

fn write_if_other(path: &Path, bytes: &[u8]) -> io::Result<()> {
    match fs::read(path) {
        Ok(there) if there == bytes => Ok(()),
        _ => write_atomically(path, bytes),
    }
}
