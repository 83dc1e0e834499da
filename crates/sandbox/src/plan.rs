//! What a room shall be: pure data, decided by the caller.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;

/// The folder of the room in which files may be placed that exist nowhere else.
pub const ROOM_FILES: &str = "/run/outlast";

/// One command and the room around it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    /// Program and arguments. A program without a slash is searched in the `PATH` of `environment`.
    pub command: Vec<OsString>,
    /// Where the command starts, absolute.
    pub directory: PathBuf,
    /// The complete environment of the command.
    pub environment: Vec<(OsString, OsString)>,
    /// TCP ports that end at Outlast, at every address.
    pub ports: Vec<u16>,
    /// Ports of the machine's own loopback that the command may reach at 127.0.0.1 and `::1`.
    pub local_ports: Vec<u16>,
    /// Files that the command sees in place of those of the machine.
    pub files: Vec<PlacedFile>,
    /// Folders and sockets that the command must not see: Outlast's home above all. Those not existing are ignored.
    pub masked: Vec<PathBuf>,
    /// Copies in place of the user's own folders; none for a run on the real project.
    pub fresh: Option<Fresh>,
    /// Where the command's standard output goes.
    pub stdout: Stdout,
}

/// Where a command's standard output goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Stdout {
    /// Where this process's own goes.
    #[default]
    Own,
    /// To standard error, because this process has data of its own to write to standard output.
    ToStderr,
}

/// A small file that the command finds at `path`.
///
/// A path under [`ROOM_FILES`] is created. Elsewhere the file must exist, links are followed, and it is covered; a
/// path that leads nowhere is left alone, so that a caller may name every place where a file of that kind is usual.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlacedFile {
    /// Absolute path inside the room.
    pub path: PathBuf,
    /// The content. What several files share is sent to the room once.
    pub bytes: Arc<[u8]>,
    /// Permission bits, such as 0o644.
    pub mode: u32,
}

/// Copies of the user's folders, which the command may change while the originals stay as they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fresh {
    /// The home folders: the variable's, and the password file's where that is another. Overlays cover them; one that
    /// does not exist is ignored.
    pub homes: Vec<PathBuf>,
    /// The project.
    pub project: ProjectCopy,
    /// Folders, such as caches, that are empty in the room. Those that do not exist are created where that changes
    /// nothing of the machine, and ignored elsewhere.
    pub empty: Vec<PathBuf>,
    /// A folder on disk, outside home and project, in which the copies lie while the room exists.
    pub scratch: PathBuf,
}

/// Which files of the project the room has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProjectCopy {
    /// Paths relative to `at`; of a folder everything in it is copied.
    pub from: Vec<PathBuf>,
    /// The project's own path, where the copy is seen too.
    pub at: PathBuf,
}
