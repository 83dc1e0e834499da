//! Takes from root of the room what of the machine is no file system: devices, and the kernel's own settings.
//!
//! Root of a room in which every id is mapped is root also to the permissions of `/dev`, `/proc/sys` and `/sys`: it
//! could write the machine's disk, or name a program that the kernel runs outside. A caller who is not root has there
//! what he always has, and his rooms keep it: graphics, virtual machines, nested sandboxes.

use std::fmt::Display;
use std::fs::{self, File, Permissions};
use std::io;
use std::os::fd::{AsFd, AsRawFd, IntoRawFd, OwnedFd};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use nix::fcntl::{OFlag, open};
use nix::mount::{MsFlags, mount};
use nix::sys::stat::Mode;
use nix::unistd::isatty;

use super::failure::{Failure, refused};
use super::mounts::{bind, hold, make_read_only, mask, path_of};
use super::table;

/// What programs expect to find, and what leads nowhere.
const DEVICES: [&str; 6] = ["null", "zero", "full", "random", "urandom", "tty"];
const LINKS: [(&str, &str); 5] = [
    ("fd", "/proc/self/fd"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
    ("stderr", "/proc/self/fd/2"),
    ("ptmx", "pts/ptmx"),
];
/// Parts of `/proc` with which the kernel is told what to do; those that do not exist are passed over.
const SETTINGS: [&str; 8] = [
    "/proc/sys",
    "/proc/sysrq-trigger",
    "/proc/irq",
    "/proc/bus",
    "/proc/fs",
    "/proc/acpi",
    "/proc/scsi",
    "/proc/mtrr",
];
/// File systems in which the kernel shows itself.
const KERNELS_OWN: [&[u8]; 7] =
    [b"proc", b"sysfs", b"devtmpfs", b"debugfs", b"tracefs", b"securityfs", b"configfs"];
/// A session in which more terminals are open than this keeps its terminal without its name.
const MAX_TERMINALS: usize = 256;

/// Makes the kernel's settings read-only, and hides them where they show at unusual places.
pub(super) fn lock_settings() -> Result<(), Failure> {
    for path in SETTINGS.map(Path::new).into_iter().filter(|path| path.exists()) {
        bind(path, path)?;
    }
    let table = table::read();
    let points = || table.iter().map(|mount| mount.point.as_path());
    let is_settings =
        |point: &Path| SETTINGS.iter().any(|path| point.starts_with(path)) || point.starts_with("/sys");
    for point in points().filter(|point| is_settings(point)) {
        // No program lies where settings are.
        if make_read_only(point, MsFlags::MS_NOEXEC).is_err() {
            mask(point)?;
        }
    }
    let usual = ["/proc", "/sys", "/dev"];
    for mount in table.iter().filter(|mount| KERNELS_OWN.contains(&mount.kind.as_slice())) {
        if !usual.iter().any(|usual| mount.point.starts_with(usual)) {
            mask(&mount.point)?;
        }
    }
    Ok(())
}

/// Covers `/dev` with one that has no disk, no console and no terminal but the command's own.
pub(super) fn replace() -> Result<(), Failure> {
    let dev = Path::new("/dev");
    let devices = DEVICES.iter().filter_map(|name| Some((*name, hold(&dev.join(name))?)));
    let devices: Vec<(&str, OwnedFd)> = devices.collect();
    let own = own_terminals();
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC;
    mount(Some("tmpfs"), dev, Some("tmpfs"), flags, Some("mode=755,size=64k,nr_inodes=256")).map_err(why())?;
    for (name, held) in &devices {
        File::create(dev.join(name)).map_err(why())?;
        bind(&path_of(held), &dev.join(name))?;
    }
    for (name, target) in LINKS {
        symlink(target, dev.join(name)).map_err(why())?;
    }
    // The machine's shared memory and terminals belong to programs outside.
    let nodev = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    for (name, kind, flags, options) in
        [("shm", "tmpfs", nodev, "mode=1777"), ("pts", "devpts", flags, "newinstance,ptmxmode=666,mode=620")]
    {
        let folder = dev.join(name);
        fs::create_dir(&folder).map_err(why())?;
        mount(Some(kind), &folder, Some(kind), flags, Some(options)).map_err(why())?;
    }
    for (path, held) in &own {
        keep_terminal(path, held)?;
    }
    fs::set_permissions(dev, Permissions::from_mode(0o755)).map_err(why())
}

fn why<E: Display>() -> impl FnOnce(E) -> Failure {
    refused("replacing /dev")
}

/// Returns the terminals at the standard descriptors, which the caller has given to the command.
fn own_terminals() -> Vec<(PathBuf, OwnedFd)> {
    let (stdin, stdout, stderr) = (io::stdin(), io::stdout(), io::stderr());
    let mut own: Vec<(PathBuf, OwnedFd)> = Vec::new();
    for fd in [stdin.as_fd(), stdout.as_fd(), stderr.as_fd()] {
        let link = format!("/proc/self/fd/{}", fd.as_raw_fd());
        if isatty(fd) == Ok(true)
            && let Ok(path) = fs::read_link(link)
            && path.starts_with("/dev")
            && !own.iter().any(|(known, _)| *known == path)
            && let Some(held) = hold(&path)
        {
            own.push((path, held));
        }
    }
    own
}

/// Shows a terminal at the path it has outside, so that programs find its name.
fn keep_terminal(path: &Path, held: &OwnedFd) -> Result<(), Failure> {
    let name = path.strip_prefix("/dev/pts").ok().and_then(Path::to_str);
    let Some(number) = name.and_then(|name| name.parse::<usize>().ok()) else {
        if !path.exists() && path.parent() == Some(Path::new("/dev")) {
            File::create(path).map_err(refused("keeping the terminal"))?;
            bind(&path_of(held), path)?;
        }
        return Ok(());
    };
    // The file system of terminals has no file that was not opened: all up to this number are, and one is kept.
    let mut opened = Vec::new();
    while number < MAX_TERMINALS && !path.exists() && opened.len() <= number {
        let flags = OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
        // A limit on open files costs the name, not the room.
        let Ok(terminal) = open("/dev/pts/ptmx", flags, Mode::empty()) else { break };
        opened.push(terminal);
    }
    if path.exists() {
        // It stays open, and so its name in place, for as long as this process lives: that is, the room.
        let _ = opened.pop().map(OwnedFd::into_raw_fd);
        bind(&path_of(held), path)?;
    }
    Ok(())
}
