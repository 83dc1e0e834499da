//! Keeps the folders above a masked one in place: who can rename a parent puts a folder of his own where Outlast's home
//! was, and Outlast would take it for its own afterwards.
//!
//! The system renames no mount point, whichever path leads to it, so each such folder is mounted onto itself. The price
//! is that no hard link and no rename crosses its border, as between two disks: few folders, and never HOME itself, in
//! which caches and projects link to each other.

use std::path::{Path, PathBuf};

use nix::unistd::{AccessFlags, access};

use super::failure::Failure;
use super::mounts::bind;
use super::table::{self, Mount};
use crate::plan::Plan;

/// Pins what lies above the masked folders of the plan; those in an overlay are copies and need it not.
pub(super) fn set(plan: &Plan) -> Result<(), Failure> {
    let homes = plan.fresh.iter().flat_map(|fresh| &fresh.homes).filter_map(|home| home.canonicalize().ok());
    let homes: Vec<PathBuf> = homes.collect();
    let home = plan.environment.iter().find(|(name, _)| name == "HOME");
    let home = home.and_then(|(_, path)| Path::new(path).canonicalize().ok());
    let masked = plan.masked.iter().filter_map(|path| path.canonicalize().ok());
    for path in masked.filter(|path| !homes.iter().any(|home| path.starts_with(home))) {
        let above = above(&path, home.as_deref(), &table::read());
        for folder in above.iter().filter(|folder| can_be_renamed(folder)) {
            bind(folder, folder)?;
        }
    }
    Ok(())
}

/// Returns the folders between `path` and the home folder, or the mount that it lies in; the outermost first.
fn above(path: &Path, home: Option<&Path>, table: &[Mount]) -> Vec<PathBuf> {
    let is_end =
        |folder: &Path| folder.parent().is_none() || home == Some(folder) || table::has_point(table, folder);
    let mut above: Vec<PathBuf> =
        path.ancestors().skip(1).take_while(|folder| !is_end(folder)).map(Path::to_path_buf).collect();
    above.reverse();
    above
}

/// Returns whether the caller may write where the folder's name stands.
fn can_be_renamed(folder: &Path) -> bool {
    folder.parent().is_some_and(|parent| access(parent, AccessFlags::W_OK).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_pinned_up_to_home_or_to_a_mount() {
        let point = |path: &str| Mount {
            id: 1,
            device: b"8:1".to_vec(),
            root: "/".into(),
            point: path.into(),
            kind: b"ext4".to_vec(),
        };
        let table = [point("/"), point("/data"), point("/home")];
        let check = |path: &str, home: Option<&str>, expected: &[&str]| {
            let expected: Vec<PathBuf> = expected.iter().map(PathBuf::from).collect();
            assert_eq!(above(Path::new(path), home.map(Path::new), &table), expected, "{path}");
        };
        let home = Some("/home/u");
        check("/home/u/.local/share/outlast", home, &["/home/u/.local", "/home/u/.local/share"]);
        check("/home/u/outlast", home, &[]);
        check("/data/a/b/outlast", home, &["/data/a", "/data/a/b"]);
        check("/data/outlast", None, &[]);
        check("/srv/a/outlast", Some("/srv/a/outlast/home"), &["/srv", "/srv/a"]);
        check("/", home, &[]);
    }
}
