//! Memory as a place for the copies of a room: written, read and removed without a disk, and gone with the machine.
//!
//! It is bounded: by the file system's own size, by the machine, and by the control groups that this process is in.

use std::fs::{self, File, OpenOptions};
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use nix::sys::statfs::{TMPFS_MAGIC, fstatfs};
use nix::sys::statvfs::{FsFlags, statvfs};

/// The folder of every machine that lies in memory.
pub const FOLDER: &str = "/dev/shm";

/// Returns whether copies can lie there: programs may be run, and an overlay can keep its marks (Linux 6.6 and later).
pub fn can_carry() -> bool {
    // A file without a name: nothing is left behind, whenever this process ends.
    let file = OpenOptions::new().write(true).mode(0o600).custom_flags(libc::O_TMPFILE).open(FOLDER);
    let Ok(file) = file else { return false };
    let is_memory = fstatfs(&file).is_ok_and(|facts| facts.filesystem_type() == TMPFS_MAGIC);
    let may_run = statvfs(FOLDER).is_ok_and(|facts| !facts.flags().contains(FsFlags::ST_NOEXEC));
    is_memory && may_run && takes_marks(&file)
}

fn takes_marks(file: &File) -> bool {
    let (name, value) = (c"user.outlast", b"1");
    // SAFETY: the descriptor is open, the name ends with a zero byte, and the value is read as far as it reaches.
    let done =
        unsafe { libc::fsetxattr(file.as_raw_fd(), name.as_ptr(), value.as_ptr().cast(), value.len(), 0) };
    done == 0
}

/// Returns how many bytes can be written there now before something runs out.
pub fn free_bytes() -> u64 {
    let own = statvfs(FOLDER).map_or(0, |facts| facts.blocks_available() * facts.fragment_size());
    let machine = fs::read_to_string("/proc/meminfo").ok().and_then(|text| available(&text)).unwrap_or(0);
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let bounds = group_folders(&groups).into_iter().filter_map(|folder| left_in(&folder));
    bounds.chain([own, machine]).min().unwrap_or(0)
}

/// Reads what programs can be given without swapping.
fn available(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// Returns the folders of the control groups that bound this process's memory, its own and those above; of both versions.
fn group_folders(groups: &str) -> Vec<PathBuf> {
    let mut folders = Vec::new();
    for line in groups.lines() {
        let mut fields = line.splitn(3, ':');
        let (Some(_), Some(controllers), Some(path)) = (fields.next(), fields.next(), fields.next()) else {
            continue;
        };
        let root = match controllers {
            "" => Path::new("/sys/fs/cgroup"),
            names if names.split(',').any(|name| name == "memory") => Path::new("/sys/fs/cgroup/memory"),
            _ => continue,
        };
        let own = root.join(path.trim_start_matches('/'));
        folders.extend(own.ancestors().take_while(|folder| folder.starts_with(root)).map(Path::to_owned));
    }
    folders
}

/// Returns what a control group may still take; none where it sets no bound. The page cache counts as taken.
fn left_in(folder: &Path) -> Option<u64> {
    let number = |name: &str| fs::read_to_string(folder.join(name)).ok()?.trim().parse::<u64>().ok();
    let pairs = [("memory.max", "memory.current"), ("memory.limit_in_bytes", "memory.usage_in_bytes")];
    pairs.iter().find_map(|(bound, used)| Some(number(bound)?.saturating_sub(number(used)?)))
}

/// Feeds text to every parser here.
#[cfg(test)]
pub(crate) fn no_panic(text: &str) {
    let _ = (available(text), group_folders(text));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_machine_has_is_read_in_bytes() {
        assert_eq!(available("MemTotal: 9 kB\nMemAvailable:   24 kB\n"), Some(24 * 1024));
        assert_eq!(available("MemTotal: 9 kB\n"), None);
        assert_eq!(available("MemAvailable: many kB\n"), None);
    }

    #[test]
    fn groups_of_both_versions_are_found_with_those_above() {
        let check = |text: &str, expected: &[&str]| {
            assert_eq!(group_folders(text), expected.iter().map(PathBuf::from).collect::<Vec<_>>(), "{text}");
        };
        check("0::/a/b\n", &["/sys/fs/cgroup/a/b", "/sys/fs/cgroup/a", "/sys/fs/cgroup"]);
        check("3:cpu:/x\n5:blkio,memory:/x\n", &["/sys/fs/cgroup/memory/x", "/sys/fs/cgroup/memory"]);
        check("nonsense", &[]);
    }

    #[test]
    fn a_group_that_is_bounded_has_what_its_bound_leaves() {
        let folder =
            std::env::temp_dir().join(format!("memory-{:x}", u64::from_be_bytes(host::random::bytes())));
        fs::create_dir(&folder).unwrap();
        let check = |bound: &str, expected: Option<u64>| {
            fs::write(folder.join("memory.max"), bound).unwrap();
            assert_eq!(left_in(&folder), expected, "{bound}");
        };
        fs::write(folder.join("memory.current"), "40\n").unwrap();
        check("100\n", Some(60));
        check("30\n", Some(0));
        check("max\n", None);
        fs::remove_dir_all(folder).unwrap();
    }
}
