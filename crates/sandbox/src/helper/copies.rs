//! What a fresh room has in place of the user's folders: the project's copy, empty caches, and whatever the command
//! changes in its home. It belongs to the warden.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt, symlink};
use std::path::{Component, Path, PathBuf};

use nix::unistd::{Gid, Uid, chown, fchownat, geteuid};

use super::failure::Failure;
use crate::plan::Fresh;
use crate::scratch::Scratch;

/// A tree deeper than this is a loop or an attack.
const MAX_DEPTH: usize = 256;

/// The copies of one room; dropped, they are removed.
#[derive(Debug)]
pub(super) struct Copies {
    scratch: Scratch,
    project: PathBuf,
}

impl Copies {
    /// Says what is wrong with the plan before anything is made.
    pub(super) fn check(fresh: &Fresh) -> Result<(), Failure> {
        let bad = |why: String| Err(Failure::BadPlan(why));
        if fresh.homes.iter().any(|home| home.parent().is_none()) {
            return bad("the home folder is the root of the file system".to_owned());
        }
        for outer in fresh.homes.iter().chain([&fresh.project.at]) {
            if fresh.scratch.starts_with(outer) {
                return bad(format!("`{}` lies in `{}`", fresh.scratch.display(), outer.display()));
            }
        }
        match fresh.project.from.iter().find(|path| leaves(path)) {
            Some(path) => bad(format!("`{}` leaves the project", path.display())),
            None => Ok(()),
        }
    }

    /// Makes an empty scratch folder, after removing those that nobody holds any more.
    pub(super) fn begin(fresh: &Fresh) -> Result<Self, Failure> {
        let why = |error: io::Error| Failure::Copies(format!("{}: {error}", fresh.scratch.display()));
        let scratch = Scratch::begin(&fresh.scratch).map_err(why)?;
        let copies = Self { project: scratch.folder().join("project"), scratch };
        copies.lay_out(fresh).map_err(why)?;
        Ok(copies)
    }

    fn lay_out(&self, fresh: &Fresh) -> io::Result<()> {
        let private = |path: &Path| DirBuilder::new().mode(0o700).create(path);
        for name in ["layers", "empty", "project", "tmp"] {
            private(&self.scratch.folder().join(name))?;
        }
        fs::set_permissions(self.scratch.folder().join("tmp"), fs::Permissions::from_mode(0o1777))?;
        for (number, path) in fresh.empty.iter().enumerate() {
            let folder = self.scratch.folder().join("empty").join(number.to_string());
            private(&folder)?;
            match path.metadata() {
                Ok(attributes) => take_over(&folder, &attributes)?,
                Err(_) => fs::set_permissions(&folder, fs::Permissions::from_mode(0o755))?,
            }
        }
        Ok(())
    }

    /// Copies the project's files, and makes the folder in which the command starts: it may hold none of them.
    pub(super) fn fill(&self, fresh: &Fresh, start: &Path) -> Result<(), Failure> {
        let at = &fresh.project.at;
        let why = |path: &Path, error: io::Error| Failure::Copies(format!("{}: {error}", path.display()));
        let attributes = at.metadata().map_err(|error| why(at, error))?;
        for relative in &fresh.project.from {
            let folder = relative.parent().unwrap_or(Path::new(""));
            copy_folders(at, &self.project, folder).map_err(|error| why(relative, error))?;
            copy(&at.join(relative), &self.project.join(relative), 0)
                .map_err(|error| why(relative, error))?;
        }
        // One that does not exist is not made; that the command cannot start there is said when it starts.
        if let Ok(relative) = start.strip_prefix(at)
            && start.is_dir()
            && !leaves(relative)
        {
            copy_folders(at, &self.project, relative).map_err(|error| why(start, error))?;
        }
        take_over(&self.project, &attributes).map_err(|error| why(at, error))
    }

    pub(super) fn folder(&self) -> &Path {
        self.scratch.folder()
    }

    pub(super) fn project(&self) -> &Path {
        &self.project
    }
}

fn leaves(path: &Path) -> bool {
    path.components().any(|part| !matches!(part, Component::Normal(_) | Component::CurDir))
}

/// Makes a folder and those above it in the copy, empty.
fn copy_folders(at: &Path, project: &Path, relative: &Path) -> io::Result<()> {
    let mut done = PathBuf::new();
    for part in relative.components() {
        done.push(part);
        let folder = project.join(&done);
        if !folder.exists() {
            DirBuilder::new().mode(0o755).create(&folder)?;
            take_over(&folder, &at.join(&done).metadata()?)?;
        }
    }
    Ok(())
}

/// Copies a file, a link or a folder with its owner, permissions and times. What vanished meanwhile is not copied:
/// a file may be tracked and deleted.
pub(super) fn copy(from: &Path, to: &Path, depth: usize) -> io::Result<()> {
    let metadata = match from.symlink_metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other?,
    };
    let kind = metadata.file_type();
    if kind.is_symlink() {
        symlink(fs::read_link(from)?, to)?;
        return keep_owner(to, &metadata);
    }
    if kind.is_dir() {
        if depth == MAX_DEPTH {
            return Err(io::Error::other("too many folders within each other"));
        }
        if !to.exists() {
            DirBuilder::new().mode(0o700).create(to)?;
        }
        for entry in fs::read_dir(from)? {
            let name = entry?.file_name();
            copy(&from.join(&name), &to.join(&name), depth + 1)?;
        }
        take_over(to, &metadata)?;
    } else if kind.is_file() {
        fs::copy(from, to)?;
        keep_owner(to, &metadata)?;
    } else {
        return Ok(());
    }
    let times = fs::FileTimes::new().set_accessed(metadata.accessed()?).set_modified(metadata.modified()?);
    File::open(to).or_else(|_| OpenOptions::new().write(true).open(to))?.set_times(times)
}

/// Gives `folder` the owner and the permissions of another.
pub(super) fn take_over(folder: &Path, attributes: &fs::Metadata) -> std::io::Result<()> {
    // Somebody without rights owns what he makes, and cannot make it somebody else's.
    let _ = chown(folder, Some(Uid::from_raw(attributes.uid())), Some(Gid::from_raw(attributes.gid())));
    fs::set_permissions(folder, fs::Permissions::from_mode(attributes.mode() & 0o7777))
}

fn keep_owner(path: &Path, metadata: &fs::Metadata) -> io::Result<()> {
    if geteuid().is_root() {
        let (uid, gid) = (Uid::from_raw(metadata.uid()), Gid::from_raw(metadata.gid()));
        fchownat(nix::fcntl::AT_FDCWD, path, Some(uid), Some(gid), nix::fcntl::AtFlags::AT_SYMLINK_NOFOLLOW)?;
    }
    Ok(())
}
