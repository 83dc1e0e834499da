//! What a drill hides: the caches of every known client, so that it proves the copies and not the laptop.

mod clients;
#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

pub use clients::{ALL, Client, Kind, Variable};

/// A folder that must be empty during a drill.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mask {
    /// The folder, which need not exist.
    pub path: PathBuf,
    /// Whose cache it is.
    pub client: &'static str,
}

/// Returns the caches below `home` and those that variables have moved elsewhere, sorted; none lies in another.
///
/// `lookup` reads one variable. Masking an ancestor of `home` (or `home`) would hide more than a cache, tool chains
/// included, so a variable that says so is passed over. A relative one points into the project, of which the drill has
/// a copy without untracked files anyway.
pub fn masks(home: &Path, lookup: &dyn Fn(&str) -> Option<OsString>) -> Vec<Mask> {
    let mut found = Vec::new();
    for client in &ALL {
        let mut add = |path: PathBuf| {
            let is_usable = path.is_absolute() && !home.starts_with(&path) && is_plain(&path);
            if is_usable {
                found.push(Mask { path, client: client.name });
            }
        };
        for folder in client.folders {
            add(home.join(folder));
        }
        for variable in client.variables {
            let Some(value) = lookup(variable.name).filter(|value| !value.is_empty()) else {
                continue;
            };
            match variable.kind {
                Kind::Folder => add(below(Path::new(&value), variable.below)),
                Kind::List => {
                    for one in std::env::split_paths(&value) {
                        add(below(&one, variable.below));
                    }
                }
            }
        }
    }
    found.sort();
    // Paths sort by their parts, so what lies in a folder follows it; hidden with it, it needs no mask of its own.
    found.dedup_by(|later, earlier| later.path.starts_with(&earlier.path));
    found
}

/// Returns the folders of the machine's own package manager, which only a drill as root can use or must hide.
pub fn machine_masks() -> Vec<Mask> {
    let folders =
        [("/var/cache/apt/archives", "apt"), ("/var/lib/apt/lists", "apt"), ("/var/cache/apk", "apk")];
    folders.into_iter().map(|(path, client)| Mask { path: path.into(), client }).collect()
}

/// Joins, but not an empty part: that would add a slash to the end of the path.
fn below(base: &Path, part: &str) -> PathBuf {
    if part.is_empty() { base.to_owned() } else { base.join(part) }
}

/// Whether a path can be compared with `home` as it is written.
fn is_plain(path: &Path) -> bool {
    path.components().all(|part| !matches!(part, std::path::Component::ParentDir))
}
