//! Covers homes, so that the command sees what lies in them and whatever it changes is gone with the room.
//!
//! A home is covered by one overlay. An overlay does not see through to file systems that are mounted below its folder,
//! and the kernel refuses one there in a room: it would show what those hide. Such a folder is made anew, a *shell*, with
//! an overlay for each folder in it and a copy of each file.

use std::fs::{self, DirBuilder, Metadata};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use nix::mount::{MsFlags, mount};
use nix::sys::statvfs::{FsFlags, statvfs};

use super::copies::{copy, take_over};
use super::failure::{Failure, refused};
use super::mounts::{PLAIN, bind, hold, make_read_only, path_of};
use super::table;

/// A larger file of a shell is shown instead of copied, and cannot be written to.
const COPIED_BYTES_MAX: u64 = 16 << 20;

/// What is to be mounted, in this order; all of it is held, because each shell hides what lies below.
#[derive(Default)]
struct Cover {
    /// Every mount point of the machine.
    points: Vec<PathBuf>,
    shells: Vec<(PathBuf, PathBuf)>,
    files: Vec<(PathBuf, OwnedFd)>,
    overlays: Vec<(PathBuf, OwnedFd)>,
}

/// Covers homes; what the command changes lies below `scratch`.
pub(super) fn cover(homes: &[&Path], scratch: &Path) -> Result<(), Failure> {
    let why = || refused("making the home folder anew");
    let mut cover =
        Cover { points: table::read().into_iter().map(|mount| mount.point).collect(), ..Cover::default() };
    for home in homes {
        let is_within_another = homes.iter().any(|other| other != home && home.starts_with(other));
        let Some(held) = hold(home).filter(|_| !is_within_another) else { continue };
        if cover.has_points_below(home) {
            let shell = scratch.join("shells").join(cover.shells.len().to_string());
            DirBuilder::new().recursive(true).mode(0o700).create(&shell).map_err(why())?;
            cover.fill(home, &held, &shell).map_err(why())?;
            cover.shells.push(((*home).to_owned(), shell));
        } else {
            cover.overlays.push(((*home).to_owned(), held));
        }
    }
    for (target, shell) in &cover.shells {
        bind(shell, target)?;
    }
    for (target, held) in &cover.files {
        show(held, target)?;
    }
    for (number, (target, held)) in cover.overlays.iter().enumerate() {
        overlay(target, held, &scratch.join("layers").join(number.to_string()))?;
    }
    Ok(())
}

impl Cover {
    fn has_points_below(&self, folder: &Path) -> bool {
        self.points.iter().any(|point| point != folder && point.starts_with(folder))
    }

    /// Fills the shell that will show at `target`, or a folder of one.
    fn fill(&mut self, target: &Path, held: &OwnedFd, shell: &Path) -> io::Result<()> {
        let folder = path_of(held);
        for entry in fs::read_dir(&folder)? {
            let name = entry?.file_name();
            let (from, to, at) = (folder.join(&name), shell.join(&name), target.join(&name));
            // What vanished meanwhile is not there.
            let Ok(metadata) = from.symlink_metadata() else { continue };
            if metadata.is_dir() {
                self.add_folder(at, &from, &to, &metadata)?;
            } else if metadata.len() > COPIED_BYTES_MAX || copy(&from, &to, 0).is_err() {
                fs::write(&to, "")?;
                self.files.extend(hold(&from).map(|held| (at, held)));
            }
        }
        take_over(shell, &folder.metadata()?)
    }

    fn add_folder(&mut self, at: PathBuf, from: &Path, to: &Path, metadata: &Metadata) -> io::Result<()> {
        DirBuilder::new().mode(0o700).create(to)?;
        let Some(held) = hold(from) else { return take_over(to, metadata) };
        if self.has_points_below(&at) {
            return self.fill(&at, &held, to);
        }
        self.overlays.push((at, held));
        take_over(to, metadata)
    }
}

/// Shows a file that cannot be written to.
fn show(held: &OwnedFd, target: &Path) -> Result<(), Failure> {
    bind(&path_of(held), target)?;
    let forbids_programs = statvfs(target).is_ok_and(|found| found.flags().contains(FsFlags::ST_NOEXEC));
    let and = if forbids_programs { MsFlags::MS_NOEXEC } else { MsFlags::empty() };
    make_read_only(target, and).map_err(refused("showing a file of the home folder"))
}

/// Mounts an overlay over a folder that is held; changes go to `layers`.
fn overlay(target: &Path, held: &OwnedFd, layers: &Path) -> Result<(), Failure> {
    let (upper, work, lower) = (layers.join("upper"), layers.join("work"), path_of(held));
    let attributes = lower.metadata().map_err(refused("reading the home folder"))?;
    for folder in [&upper, &work] {
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(refused("making an overlay"))?;
    }
    // The root of an overlay looks like its upper folder.
    take_over(&upper, &attributes).map_err(refused("making an overlay"))?;
    let options =
        format!("lowerdir={},upperdir={},workdir={}", lower.display(), upper.display(), work.display());
    if mount_overlay(target, &options).is_ok() {
        return Ok(());
    }
    // The file system of the scratch folder, an overlay itself perhaps, cannot carry one; memory can.
    mount(Some("tmpfs"), layers, Some("tmpfs"), PLAIN, Some("mode=700"))
        .map_err(refused("making an overlay in memory"))?;
    for folder in [&upper, &work] {
        DirBuilder::new().mode(0o700).create(folder).map_err(refused("making an overlay in memory"))?;
    }
    take_over(&upper, &attributes).map_err(refused("making an overlay in memory"))?;
    mount_overlay(target, &options).map_err(refused("overlaying the home folder"))
}

/// Without the option overlays keep their marks in attributes that only real root may write; old kernels have no option.
fn mount_overlay(target: &Path, options: &str) -> nix::Result<()> {
    let mount = |options: &str| mount(Some("overlay"), target, Some("overlay"), PLAIN, Some(options));
    mount(&format!("{options},userxattr")).or_else(|_| mount(options))
}
