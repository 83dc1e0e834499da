//! Other paths under which a hidden folder or file shows: one file system may be mounted at many places.

use std::fs::{self, Metadata};
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;

use super::table::Mount;

/// A path that may lead to what is to be hidden.
#[derive(Debug, PartialEq, Eq)]
enum Candidate {
    /// The same folder or file, if no other mount lies over it.
    Same(PathBuf),
    /// A mount of something in the folder, with the mount's number.
    Part(PathBuf, u64),
}

/// Returns the other paths that lead to `path` or to a part of it, as the mounts are now.
pub(super) fn of(path: &Path, table: &[Mount]) -> Vec<PathBuf> {
    let (Some(id), Ok(original)) = (mount_of(path), path.symlink_metadata()) else { return Vec::new() };
    let Some(mount) = table.iter().find(|mount| mount.id == id) else { return Vec::new() };
    let is_same = |other: Metadata| (other.dev(), other.ino()) == (original.dev(), original.ino());
    let shown = candidates(path, mount, table).into_iter().filter_map(|candidate| match candidate {
        Candidate::Same(alias) => alias.symlink_metadata().is_ok_and(is_same).then_some(alias),
        Candidate::Part(alias, id) => (mount_of(&alias) == Some(id)).then_some(alias),
    });
    shown.collect()
}

/// Returns where a path of another process, whose mounts these are, may show among those of this one.
pub(super) fn of_another(path: &Path, theirs: &[Mount], table: &[Mount]) -> Vec<PathBuf> {
    let around = theirs.iter().filter(|mount| path.starts_with(&mount.point));
    // Of several at one point the last lies on top.
    let Some(mount) = around.max_by_key(|mount| mount.point.components().count()) else { return Vec::new() };
    let shown = candidates(path, mount, table).into_iter().filter_map(|candidate| match candidate {
        Candidate::Same(alias) => Some(alias),
        Candidate::Part(..) => None,
    });
    shown.collect()
}

/// Looks through the table for mounts of the same file system that show `path`, which `mount` shows.
fn candidates(path: &Path, mount: &Mount, table: &[Mount]) -> Vec<Candidate> {
    let Ok(below) = path.strip_prefix(&mount.point) else { return Vec::new() };
    let inner = joined(&mount.root, below);
    let others = table.iter().filter(|other| other.id != mount.id && other.device == mount.device);
    let found = others.filter_map(|other| match inner.strip_prefix(&other.root) {
        Ok(below) => Some(Candidate::Same(joined(&other.point, below))),
        Err(_) if other.root.starts_with(&inner) => Some(Candidate::Part(other.point.clone(), other.id)),
        Err(_) => None,
    });
    found.filter(|found| !matches!(found, Candidate::Same(alias) if alias == path)).collect()
}

/// Joins without the closing slash that joining nothing would leave.
fn joined(folder: &Path, below: &Path) -> PathBuf {
    if below.as_os_str().is_empty() { folder.to_path_buf() } else { folder.join(below) }
}

/// Returns the number of the mount in which a path lies.
fn mount_of(path: &Path) -> Option<u64> {
    let held = open(path, OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC, Mode::empty()).ok()?;
    let facts = fs::read_to_string(format!("/proc/self/fdinfo/{}", held.as_raw_fd())).ok()?;
    facts.lines().find_map(|line| line.strip_prefix("mnt_id:")?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mount(id: u64, device: &str, root: &str, point: &str) -> Mount {
        Mount { id, device: device.into(), root: root.into(), point: point.into(), kind: b"ext4".to_vec() }
    }

    #[test]
    fn a_folder_shows_through_every_mount_of_its_file_system_that_reaches_it() {
        let check = |path: &str, others: &[(&str, &str, &str)], expected: &[Candidate]| {
            let mut table = vec![mount(1, "8:1", "/", "/"), mount(2, "8:2", "/@home", "/home")];
            for (number, (device, root, point)) in others.iter().enumerate() {
                table.push(mount(10 + number as u64, device, root, point));
            }
            let own = table
                .iter()
                .rev()
                .find(|mount| mount.id < 10 && path.starts_with(mount.point.to_str().unwrap()));
            assert_eq!(candidates(Path::new(path), own.unwrap(), &table), expected, "{path}");
        };
        let same = |path: &str| Candidate::Same(path.into());
        let part = |path: &str, id: u64| Candidate::Part(path.into(), id);
        check("/home/u/key", &[("8:2", "/@home/u", "/alt")], &[same("/alt/key")]);
        check("/home/u/key", &[("8:2", "/", "/mnt/disk")], &[same("/mnt/disk/@home/u/key")]);
        check("/home/u/key", &[("8:2", "/@home/u/key", "/alt")], &[same("/alt")]);
        check("/home/u/key", &[("8:2", "/@home/u/key/in", "/alt")], &[part("/alt", 10)]);
        check("/srv/key", &[("8:1", "/", "/mnt/root")], &[same("/mnt/root/srv/key")]);
        check("/home/u/key", &[("8:2", "/@home/u/keys", "/alt"), ("8:3", "/@home/u", "/b")], &[]);
        check("/home/u/key", &[("8:2", "/@home", "/home")], &[]);
    }

    #[test]
    fn a_path_of_a_container_is_found_where_its_folder_is_shared() {
        let here = [mount(1, "8:1", "/", "/"), mount(2, "8:2", "/@home", "/home")];
        let theirs = [
            mount(20, "0:55", "/", "/"),
            mount(21, "8:2", "/@home/u/run", "/run/app"),
            mount(22, "8:1", "/srv", "/run/app/deep"),
        ];
        let check = |path: &str, expected: &[&str]| {
            let expected: Vec<PathBuf> = expected.iter().map(PathBuf::from).collect();
            assert_eq!(of_another(Path::new(path), &theirs, &here), expected, "{path}");
        };
        check("/run/app/x.sock", &["/home/u/run/x.sock"]);
        check("/run/app/deep/x.sock", &["/srv/x.sock"]);
        check("/run/other.sock", &[]);
    }
}
