//! Keeps the folders above a masked one in place: who can rename a parent puts a folder of his own where Outlast's home
//! was, and Outlast would take it for its own afterwards.
//!
//! The system renames no folder on which something is mounted, whichever path leads to it. So each such folder is shown a
//! second time, out of sight, and covered there: at its own path no mount begins, and renames and hard links cross it.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use nix::unistd::{AccessFlags, access};

use super::failure::{Failure, refused};
use super::mounts::{bind, mask};
use super::table::{self, Mount};
use crate::plan::{Plan, ROOM_FILES};

/// Pins what lies above the masked folders of the plan; those in an overlay are copies and need it not. `/run` must be the
/// room's own by then.
pub(super) fn set(plan: &Plan) -> Result<(), Failure> {
    let homes = plan.fresh.iter().flat_map(|fresh| &fresh.homes).filter_map(|home| home.canonicalize().ok());
    let homes: Vec<PathBuf> = homes.collect();
    let mut n_pins = 0;
    let masked = plan.masked.iter().filter_map(|path| path.canonicalize().ok());
    for path in masked.filter(|path| !homes.iter().any(|home| path.starts_with(home))) {
        for folder in above(&path, &table::read()).into_iter().filter(|folder| can_be_renamed(folder)) {
            let place = Path::new(ROOM_FILES).join(".pins").join(n_pins.to_string());
            DirBuilder::new()
                .recursive(true)
                .mode(0o755)
                .create(&place)
                .map_err(refused("pinning a folder"))?;
            bind(folder, &place)?;
            mask(&place)?;
            n_pins += 1;
        }
    }
    Ok(())
}

/// Returns the folders between `path` and the mount that it lies in.
fn above<'a>(path: &'a Path, table: &[Mount]) -> Vec<&'a Path> {
    let is_end = |folder: &Path| folder.parent().is_none() || table::has_point(table, folder);
    path.ancestors().skip(1).take_while(|folder| !is_end(folder)).collect()
}

/// Returns whether the caller may write where the folder's name stands.
fn can_be_renamed(folder: &Path) -> bool {
    folder.parent().is_some_and(|parent| access(parent, AccessFlags::W_OK).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_pinned_up_to_a_mount() {
        let point = |path: &str| Mount {
            id: 1,
            device: b"8:1".to_vec(),
            root: "/".into(),
            point: path.into(),
            kind: b"ext4".to_vec(),
        };
        let table = [point("/"), point("/data"), point("/home")];
        let check = |path: &str, expected: &[&str]| {
            let expected: Vec<&Path> = expected.iter().map(Path::new).collect();
            assert_eq!(above(Path::new(path), &table), expected, "{path}");
        };
        check("/home/u/.local/share/outlast", &["/home/u/.local/share", "/home/u/.local", "/home/u"]);
        check("/data/a/b/outlast", &["/data/a/b", "/data/a"]);
        check("/data/outlast", &[]);
        check("/srv/outlast", &["/srv"]);
        check("/", &[]);
    }
}
