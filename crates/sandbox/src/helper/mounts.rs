//! The file system of the room: copies over the user's folders, then masks, then placed files.
//!
//! What a later mount would hide is held open first, and shown again at its own path afterwards.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::Write;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use nix::fcntl::{OFlag, open};
use nix::mount::{MsFlags, mount};
use nix::sys::stat::Mode;
use nix::unistd::{chown, geteuid};

use super::copies::Copies;
use super::failure::{Failure, refused};
use super::machine::{Machine, is_in_run, runtime_folder};
use super::namespaces::Kind;
use super::{aliases, capabilities, devices, homes, pins, table};
use crate::plan::{Fresh, Plan, ROOM_FILES};
use crate::wire::Socket;

/// What a build may write under `/run`; it lies in memory.
const RUN_OPTIONS: &str = "mode=755,size=256m";
pub(super) const PLAIN: MsFlags = MsFlags::MS_NOSUID.union(MsFlags::MS_NODEV);
/// Parts of `/run` in which programs or disks live, not services: NixOS, removable media, toolbox.
const KEPT_IN_RUN: [&str; 7] =
    ["current-system", "booted-system", "opengl-driver", "opengl-driver-32", "wrappers", "media", "host"];

/// Mounts everything; returns the paths that are hidden.
pub(super) fn build(
    plan: &Plan,
    machine: &Machine,
    copies: Option<&Copies>,
    kind: Kind,
) -> Result<Vec<PathBuf>, Failure> {
    mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&str>)
        .map_err(refused("separating the mounts"))?;
    let proc = mount(Some("proc"), "/proc", Some("proc"), PLAIN | MsFlags::MS_NOEXEC, None::<&str>);
    // A container that masks parts of /proc forbids a new one. The old one names processes outside, but a process of
    // another user namespace may not look into them; real root might.
    if kind == Kind::DroppedRights {
        proc.map_err(refused("mounting /proc"))?;
    }
    let masks = masks(plan, machine);
    // Before `/dev` is replaced, in which memory is a folder.
    let scratch = copies.map(|copies| {
        let folder = copies.folder();
        hold(folder).ok_or_else(|| Failure::Copies(format!("{} vanished", folder.display())))
    });
    let scratch = scratch.transpose()?;
    if geteuid().is_root() {
        devices::lock_settings()?;
        devices::replace()?;
    }
    let mut hidden = Vec::new();
    if let (Some(fresh), Some(scratch)) = (&plan.fresh, &scratch) {
        hidden.extend(cover_with_copies(fresh, &path_of(scratch))?);
    }
    let targets: Vec<Option<PathBuf>> = plan.files.iter().map(|file| place_of(&file.path)).collect();
    let project = plan.fresh.as_ref().map_or(&plan.directory, |fresh| &fresh.project.at);
    let held = hold(project);
    replace_run(plan)?;
    hidden.push(PathBuf::from("/run"));
    pins::set(plan)?;
    for path in masks {
        if mask(&path)? {
            hidden.push(path);
        }
    }
    if let Some(copies) = copies {
        mask(copies.folder())?;
    }
    if let Some(held) = held
        && hidden.iter().any(|mask| project.starts_with(mask) && project != mask)
    {
        make_folders(project).map_err(refused("making the project's folder"))?;
        bind(&path_of(&held), project)?;
    }
    for (file, target) in plan.files.iter().zip(targets) {
        if let Some(target) = target {
            place(&file.bytes, file.mode, &target)?;
        }
    }
    // Masks hold only while they cannot be written to, also by a command that owns the folder behind.
    Ok(hidden)
}

/// Returns what Outlast needs to look at the room's file system as its processes do.
pub(super) fn view() -> Result<[(Socket, OwnedFd); 2], Failure> {
    let flags = OFlag::O_PATH | OFlag::O_CLOEXEC;
    let root = open("/", flags, Mode::empty()).map_err(refused("holding the room's root"))?;
    let mounts = open("/proc/self/ns/mnt", OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty())
        .map_err(refused("holding the room's mounts"))?;
    Ok([(Socket::Root, root), (Socket::Mounts, mounts)])
}

/// Returns every path to hide, those included under which the same shows through another mount.
///
/// Must be asked before anything is mounted over the originals, whose file systems those are.
fn masks(plan: &Plan, machine: &Machine) -> Vec<PathBuf> {
    let table = table::read();
    let own = plan.masked.iter().filter_map(|path| path.canonicalize().ok());
    let mut masks: Vec<PathBuf> =
        own.chain(machine.folders.iter().cloned()).chain(machine.sockets.iter().cloned()).collect();
    let others: Vec<PathBuf> = masks.iter().flat_map(|path| aliases::of(path, &table)).collect();
    masks.extend(others);
    // `/run` itself is replaced. A single file of it that a container shows elsewhere, such as `/etc/hosts`, may stay.
    let is_service = |path: &PathBuf| {
        path.metadata().is_ok_and(|metadata| metadata.is_dir() || metadata.file_type().is_socket())
    };
    masks.extend(aliases::of(Path::new("/run"), &table).into_iter().filter(is_service));
    if let Some(fresh) = &plan.fresh {
        let empty: Vec<PathBuf> = fresh.empty.iter().filter_map(|path| path.canonicalize().ok()).collect();
        let others = empty.iter().flat_map(|path| aliases::of(path, &table));
        masks.extend(others.filter(|path| !empty.contains(path)));
    }
    masks
}

/// Covers home, project, temporary folder and caches with what the warden has prepared.
fn cover_with_copies(fresh: &Fresh, source: &Path) -> Result<Vec<PathBuf>, Failure> {
    let temporary = Path::new("/tmp");
    let mut own = vec![temporary.to_owned(), fresh.project.at.clone()];
    let mut mounts =
        vec![(temporary.to_owned(), source.join("tmp")), (fresh.project.at.clone(), source.join("project"))];
    let homes: Vec<&Path> = fresh.homes.iter().map(PathBuf::as_path).filter(|home| home.is_dir()).collect();
    homes::cover(&homes, source)?;
    own.extend(homes.iter().map(|home| home.to_path_buf()));
    // Held, because the empty `/tmp` hides a home that lies in it.
    let within: Vec<(&PathBuf, OwnedFd)> = fresh
        .homes
        .iter()
        .filter(|home| home.starts_with(temporary) && *home != temporary)
        .filter_map(|home| Some((home, hold(home)?)))
        .collect();
    for (number, path) in fresh.empty.iter().enumerate() {
        mounts.push((path.clone(), source.join("empty").join(number.to_string())));
    }
    mounts.sort_by_key(|(target, _)| target.components().count());
    let mut hidden = Vec::new();
    for (target, source) in mounts {
        let is_own = own.iter().any(|own| target.starts_with(own));
        if is_own {
            make_folders(&target).map_err(refused("making a folder in the room"))?;
        } else if !target.is_dir() {
            continue;
        }
        let target = target.canonicalize().map_err(refused("finding a folder in the room"))?;
        bind(&source, &target)?;
        for (home, held) in within.iter().filter(|_| target == temporary) {
            make_folders(home).map_err(refused("making the home folder in the room"))?;
            bind(&path_of(held), home)?;
        }
        hidden.push(target);
    }
    hidden.retain(|path| *path != fresh.project.at);
    Ok(hidden)
}

/// Puts an empty file system over `/run`, with the folders that programs expect there.
fn replace_run(plan: &Plan) -> Result<(), Failure> {
    let run = Path::new("/run");
    if !run.is_dir() {
        return Ok(());
    }
    let kept: Vec<(&str, OwnedFd)> = KEPT_IN_RUN
        .iter()
        .filter(|name| run.join(name).is_dir())
        .filter_map(|name| Some((*name, hold(&run.join(name))?)))
        .collect();
    let links: Vec<(&str, PathBuf)> =
        KEPT_IN_RUN.iter().filter_map(|name| Some((*name, fs::read_link(run.join(name)).ok()?))).collect();
    mount(Some("tmpfs"), run, Some("tmpfs"), PLAIN, Some(RUN_OPTIONS)).map_err(refused("replacing /run"))?;
    for (name, target) in &links {
        let _ = std::os::unix::fs::symlink(target, run.join(name));
    }
    for (name, held) in kept.iter().filter(|(name, _)| !links.iter().any(|(link, _)| link == name)) {
        make_folders(&run.join(name)).map_err(refused("replacing /run"))?;
        bind(&path_of(held), &run.join(name))?;
    }
    let runtime = runtime_folder(plan);
    for (folder, mode) in
        [(Path::new("/run/lock"), 0o1777), (runtime.as_path(), 0o700), (Path::new(ROOM_FILES), 0o755)]
    {
        make_folders(folder).map_err(refused("replacing /run"))?;
        fs::set_permissions(folder, fs::Permissions::from_mode(mode)).map_err(refused("replacing /run"))?;
    }
    if let Some(person) = capabilities::caller_of_sudo(&plan.environment) {
        // In a user namespace of one id there is nobody else to give it to.
        let _ = chown(&runtime, Some(person.uid), Some(person.gid));
    }
    Ok(())
}

/// Between the look and the mount a service may end, and take its socket with it, and start anew.
const N_TRIES: usize = 16;

/// Hides a folder behind an empty one that nobody can write to, anything else behind `/dev/null`. Returns whether there
/// was anything to hide.
pub(super) fn mask(path: &Path) -> Result<bool, Failure> {
    for n_tries in 1.. {
        let Ok(metadata) = path.symlink_metadata() else { return Ok(false) };
        let hiding = if metadata.is_dir() {
            let flags = PLAIN | MsFlags::MS_NOEXEC;
            mount(Some("tmpfs"), path, Some("tmpfs"), flags, Some("mode=555,size=64k,nr_inodes=64"))
                .map_err(refused("hiding a folder"))
        } else {
            bind(Path::new("/dev/null"), path)
        };
        match hiding {
            Err(failure) if n_tries == N_TRIES => return Err(failure),
            Err(_) => {}
            Ok(()) => break,
        }
    }
    Ok(true)
}

/// Returns where a placed file goes: the file that a link leads to, or a path in `/run`, which is empty by then.
fn place_of(path: &Path) -> Option<PathBuf> {
    if let Ok(target) = path.canonicalize() {
        return Some(target);
    }
    // `/etc/resolv.conf` may be a link to a file that a service has not written yet.
    let target = match fs::read_link(path) {
        Ok(link) => path.parent()?.join(link),
        Err(_) => path.to_path_buf(),
    };
    let target = normal(&target);
    is_in_run(&target).then_some(target)
}

/// Resolves `..` in a path that does not exist; links in it are resolved by the system later.
fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for part in path.components() {
        match part {
            std::path::Component::ParentDir => {
                normal.pop();
            }
            std::path::Component::CurDir => {}
            other => normal.push(other),
        }
    }
    normal
}

fn place(bytes: &[u8], mode: u32, target: &Path) -> Result<(), Failure> {
    let why = || refused("placing a file");
    if is_in_run(target) {
        let folder = target.parent().unwrap_or(Path::new("/run"));
        make_folders(folder).map_err(why())?;
        return write_file(target, bytes, mode).map_err(refused("placing a file"));
    }
    if !target.is_file() {
        return Ok(());
    }
    let store = Path::new(ROOM_FILES).join(".placed");
    make_folders(&store).map_err(why())?;
    let n_placed = fs::read_dir(&store).map_err(why())?.count();
    let source = store.join(n_placed.to_string());
    write_file(&source, bytes, mode).map_err(refused("placing a file"))?;
    bind(&source, target)
}

fn write_file(path: &Path, bytes: &[u8], mode: u32) -> std::io::Result<()> {
    let mut file: File = OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(path)?;
    file.write_all(bytes)?;
    file.set_permissions(fs::Permissions::from_mode(mode))
}

/// Shows a folder or file, with what is mounted below it, at another path.
pub(super) fn bind(source: &Path, target: &Path) -> Result<(), Failure> {
    mount(Some(source), target, None::<&str>, MsFlags::MS_BIND | MsFlags::MS_REC, None::<&str>).map_err(
        |error| Failure::NotPossible(format!("mounting over `{}`: {}", target.display(), error.desc())),
    )
}

/// Forbids to write to what is mounted at `point`. Flags that the machine has set must be set again, as `and`.
pub(super) fn make_read_only(point: &Path, and: MsFlags) -> nix::Result<()> {
    let flags = MsFlags::MS_BIND | MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY | PLAIN | and;
    mount(None::<&str>, point, None::<&str>, flags, None::<&str>)
}

fn make_folders(path: &Path) -> std::io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o755).create(path)
}

/// Holds a folder or file so that it can be mounted elsewhere after its path is hidden.
pub(super) fn hold(path: &Path) -> Option<OwnedFd> {
    open(path, OFlag::O_PATH | OFlag::O_CLOEXEC, Mode::empty()).ok()
}

/// Returns a path that leads to what is held, wherever that is.
pub(super) fn path_of(held: &OwnedFd) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", held.as_raw_fd()))
}
