//! Looks, from outside and while the command runs, for Unix sockets that the room does not cover.
//!
//! Those that existed when the room was built are covered one by one, and no filter can tell a path from another when a
//! program connects. What is bound later in a folder that the command sees is a way past Outlast, of which at least the
//! record must tell. A room has a network namespace of its own, so that its own sockets are not in the machine's list.
//!
//! Why a late socket is not covered as well: only the room's first process may mount, and the command has a copy of its
//! mounts, in which what was added later could be taken away again.

use std::collections::HashSet;
use std::fs;
use std::io::ErrorKind;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::{OFlag, openat};
use nix::sys::stat::{FileStat, Mode, SFlag, fstat, major, minor};
use tokio::task::JoinHandle;

use super::elsewhere::Elsewhere;
use crate::{helper, unix};

/// How often the list is looked at. A service that is reached by somebody lives longer as a rule.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// Looking takes at most one part in so many of a processor: a list of thousands is looked at less often.
const PART_OF_PROCESSOR: u32 = 200;
/// More than a person reads, and than a record should hold.
const N_TOLD_MAX: usize = 16;

/// A way past Outlast that may have opened while the command ran.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Opening {
    /// A Unix socket, by the path under which it was bound.
    #[error("`{}` appeared while the command ran; end what made it and run again", shown(.0))]
    Socket(PathBuf),
    /// A Unix socket that was bound relative to a folder, which the kernel does not tell.
    #[error("`{}` appeared while the command ran, in a folder that cannot be told; end what made it and run again", shown(.0))]
    SomewhereElse(PathBuf),
    /// So many more sockets than are named.
    #[error("{0} more sockets appeared while the command ran")]
    More(usize),
    /// Nobody could look.
    #[error("the machine's list of Unix sockets could not be read: {0}")]
    Unknown(String),
}

fn shown(path: &Path) -> String {
    model::escape(std::os::unix::ffi::OsStrExt::as_bytes(path.as_os_str()))
}

/// The sockets of the machine before the room is built. Whatever is not among them is new.
#[derive(Debug)]
pub(super) struct Before {
    text: Vec<u8>,
    known: Known,
    unread: Option<String>,
    elsewhere: Elsewhere,
}

/// Sockets by number and name.
type Known = HashSet<(u64, PathBuf)>;

impl Before {
    /// Looks at the list of this process's own network namespace.
    pub(super) fn look() -> Self {
        let mut text = Vec::new();
        let unread = unix::read(&mut text).err().map(|error| error.to_string());
        let known = reachable(&text).collect();
        Self { text, known, unread, elsewhere: Elsewhere::default() }
    }

    /// Looks at those of others; returns where their sockets are.
    pub(super) fn look_elsewhere(&mut self) -> Vec<PathBuf> {
        self.elsewhere.look()
    }
}

fn reachable(text: &[u8]) -> impl Iterator<Item = (u64, PathBuf)> {
    let sockets = unix::parse(text).filter(|socket| socket.can_be_reached);
    sockets.map(|socket| (socket.inode, socket.path.to_path_buf()))
}

/// What the room's processes see, as its first process has handed it out.
#[derive(Debug, Default)]
pub(super) struct View {
    /// The root of its file system.
    pub(super) root: Option<OwnedFd>,
    /// Its mounts, which stay as they are for as long as this is open.
    pub(super) mounts: Option<OwnedFd>,
}

/// The watch over the machine's sockets. Dropped, it ends.
#[derive(Debug)]
pub(super) struct Openings {
    stop: mpsc::Sender<()>,
    task: JoinHandle<Vec<Opening>>,
}

impl Openings {
    /// Begins to look; the list is read on a thread of its own.
    pub(super) fn begin(before: Before, view: View) -> Self {
        let (stop, stopped) = mpsc::channel();
        let task = tokio::task::spawn_blocking(move || {
            let mut looking = Looking { before, view, found: Vec::new(), n_more: 0 };
            let clock = host::Clock::real();
            let (mut wait, mut elsewhere_at) = (LOOK_EVERY, LOOK_EVERY);
            loop {
                let is_last = stopped.recv_timeout(wait) != Err(RecvTimeoutError::Timeout);
                let start = clock.elapsed();
                looking.look();
                let end = clock.elapsed();
                wait = LOOK_EVERY.max((end - start) * PART_OF_PROCESSOR);
                // Other namespaces are found through every process, which takes longer.
                if is_last || end >= elsewhere_at {
                    looking.look_elsewhere();
                    elsewhere_at = clock.elapsed() + (clock.elapsed() - end) * PART_OF_PROCESSOR;
                }
                if is_last {
                    return looking.found();
                }
            }
        });
        Self { stop, task }
    }

    /// Looks once more, and returns what was found.
    pub(super) async fn finish(self) -> Vec<Opening> {
        drop(self.stop);
        self.task.await.unwrap_or_else(|error| vec![Opening::Unknown(error.to_string())])
    }
}

struct Looking {
    before: Before,
    view: View,
    found: Vec<Opening>,
    n_more: usize,
}

impl Looking {
    fn look(&mut self) {
        let mut text = Vec::with_capacity(self.before.text.len() + 4096);
        if let Err(error) = unix::read(&mut text) {
            self.before.unread.get_or_insert_with(|| error.to_string());
            return;
        }
        if text == self.before.text {
            return;
        }
        let known = std::mem::replace(&mut self.before.known, reachable(&text).collect());
        let new: Vec<PathBuf> = self.before.known.difference(&known).map(|(_, path)| path.clone()).collect();
        new.iter().for_each(|path| self.judge(path));
        self.before.text = text;
    }

    fn look_elsewhere(&mut self) {
        let new = self.before.look_elsewhere();
        new.iter().for_each(|path| self.judge(path));
    }

    fn judge(&mut self, path: &Path) {
        let opening = if path.is_relative() {
            Opening::SomewhereElse(path.to_path_buf())
        } else if self.view.shows(path) {
            Opening::Socket(path.to_path_buf())
        } else {
            return;
        };
        if self.found.contains(&opening) {
            return;
        }
        if self.found.len() < N_TOLD_MAX {
            self.found.push(opening);
        } else {
            self.n_more += 1;
        }
    }

    fn found(mut self) -> Vec<Opening> {
        if self.n_more > 0 {
            self.found.push(Opening::More(self.n_more));
        }
        self.found.extend(self.before.unread.map(Opening::Unknown));
        self.found
    }
}

impl View {
    /// Returns whether the room shows the folder in which a socket lies, or lay; where that cannot be told, it does.
    ///
    /// The folder and not the socket, which may be gone, or renamed as soon as it is bound. A copy and a mask are other
    /// folders; so is an overlay, through which the kernel connects to no socket of the folder below (since Linux 4.13).
    fn shows(&self, path: &Path) -> bool {
        // Who may not look into a folder may not connect there, and the command has no more rights than this process.
        if path.symlink_metadata().is_err_and(|error| error.kind() == ErrorKind::PermissionDenied) {
            return false;
        }
        // Without its own folder, which may be gone too, the nearest that is there.
        let nearest = path.ancestors().skip(1).find_map(|folder| Some((folder, folder.canonicalize().ok()?)));
        let Some((folder, real)) = nearest else { return true };
        let Ok(outside) = fs::metadata(&real) else { return true };
        let is_same = |inside: FileStat| (inside.st_dev, inside.st_ino) == (outside.dev(), outside.ino());
        let others = helper::other_paths(&real);
        let mut shown = [real].into_iter().chain(others).filter(|place| match self.stat(place) {
            Ok(inside) => is_same(inside),
            Err(error) => !matches!(error, Errno::ENOENT | Errno::ENOTDIR | Errno::EACCES | Errno::ELOOP),
        });
        let name = path.file_name().filter(|_| path.parent() == Some(folder));
        shown.any(|place| !name.is_some_and(|name| self.covers(&place.join(name))))
    }

    /// Returns whether a socket was there when the room was built, and is covered as all of them.
    fn covers(&self, socket: &Path) -> bool {
        self.stat(socket).is_ok_and(|inside| {
            let is_device = SFlag::from_bits_truncate(inside.st_mode) & SFlag::S_IFMT == SFlag::S_IFCHR;
            is_device && (major(inside.st_rdev), minor(inside.st_rdev)) == (1, 3)
        })
    }

    /// Returns what the room has at a path in which no link is to be followed outside.
    fn stat(&self, path: &Path) -> Result<FileStat, Errno> {
        let root = self.root.as_ref().ok_or(Errno::EBADF)?;
        let below = path.strip_prefix("/").unwrap_or(path);
        let below = if below.as_os_str().is_empty() { Path::new(".") } else { below };
        let flags = OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        fstat(openat(root, below, flags, Mode::empty())?)
    }
}
