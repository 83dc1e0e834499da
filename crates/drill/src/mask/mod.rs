//! What a drill hides: the caches of every known client, so that it proves the copies and not the laptop.

mod clients;
mod settings;
#[cfg(test)]
mod tests;
mod words;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

pub use clients::{ALL, Client, Kind, Variable};
use clients::{MADE, NODE};
use settings::value;
pub use words::unhidden;

/// A folder that must be empty during a drill.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mask {
    /// The folder, which need not exist.
    pub path: PathBuf,
    /// Whose cache it is.
    pub client: &'static str,
}

impl Mask {
    /// Whether the folder is hidden only where it exists: npm takes any folder with a `node_modules` for a project, so an
    /// empty one would move what it installs.
    pub fn is_left_out_when_absent(&self) -> bool {
        self.client == NODE
    }

    /// Whether the build itself makes the folder. One within the project cannot be hidden, as what a drill compares may be
    /// made in it; a copy of the project has to do without what is in it and not tracked.
    pub fn is_made(&self) -> bool {
        MADE.contains(&self.client)
    }
}

/// Where a drill runs.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// The home folders of whoever runs it.
    pub homes: &'a [PathBuf],
    /// The folder of which a copy is made.
    pub project: &'a Path,
    /// The files of the copy, relative to the project.
    pub files: &'a [PathBuf],
    /// The folder in which the command runs.
    pub directory: &'a Path,
    /// The command.
    pub command: &'a [String],
}

impl Place<'_> {
    /// Whether hiding a folder hides a cache at most, and not a home, the project or the machine's programs.
    pub fn may_hide(&self, folder: &Path) -> bool {
        folder.is_absolute()
            && is_plain(folder)
            && !self.homes.iter().any(|home| home.starts_with(folder))
            && !self.project.starts_with(folder)
            && !self.directory.starts_with(folder)
            && !SYSTEM.iter().any(|system| Path::new(system).starts_with(folder))
    }
}

/// Folders without which nothing runs.
const SYSTEM: [&str; 13] = [
    "/bin",
    "/dev",
    "/etc",
    "/lib",
    "/lib64",
    "/proc",
    "/sbin",
    "/sys",
    "/usr/bin",
    "/usr/lib",
    "/usr/local/bin",
    "/usr/local/lib",
    "/var/lib",
];

/// Folders beside or above a project in which Node and pnpm look for what is not in it.
const AROUND: [(&str, &str); 2] = [("node_modules", NODE), (".pnpm-store", "pnpm")];

/// Returns the caches below the homes, those that variables, settings files and the command itself have moved elsewhere,
/// and what Node finds in the folders around the project, sorted; none lies in another.
///
/// `lookup` reads one variable, `read` one file, up to a size of its choice. Masking a home, the project or what holds
/// them would hide more than a cache, tool chains included, so a setting that says so is passed over. A relative
/// variable may point out of the project; a cache within it is not in the drill's copy unless it is tracked.
pub fn masks(
    place: &Place<'_>,
    lookup: &dyn Fn(&str) -> Option<OsString>,
    read: &dyn Fn(&Path) -> Option<String>,
) -> Vec<Mask> {
    let mut found = Vec::new();
    // A project may have a hundred thousand files; they are gone through once.
    let settings_files = settings::among(place.files);
    let narrowed = Place { files: &settings_files, ..*place };
    for home in place.homes {
        found.extend(defaults(home));
        found.extend(settings::named(&narrowed, home, lookup, read));
    }
    found.extend(moved(place, lookup));
    found.extend(words::masks(place, lookup));
    found.extend(around(place.project));
    found.retain(|mask| place.may_hide(&mask.path));
    found.sort();
    // Paths sort by their parts, so what lies in a folder follows it; hidden with it, it needs no mask of its own.
    found.dedup_by(|later, earlier| later.path.starts_with(&earlier.path));
    found
}

fn defaults(home: &Path) -> Vec<Mask> {
    let folders = ALL.iter().flat_map(|client| client.folders.iter().map(|folder| (client.name, folder)));
    folders.map(|(client, folder)| Mask { path: home.join(folder), client }).collect()
}

fn moved(place: &Place<'_>, lookup: &dyn Fn(&str) -> Option<OsString>) -> Vec<Mask> {
    let mut found = Vec::new();
    for client in &ALL {
        for variable in client.variables {
            let mut add = |value: PathBuf| {
                let Some(value) = filled(value, place, lookup) else { return };
                let is_relative = value.is_relative();
                let path = value::resolved(&place.directory.join(value));
                let mask = Mask { path, client: client.name };
                if !is_relative || mask.is_made() || !mask.path.starts_with(place.project) {
                    found.push(mask);
                }
            };
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
    found
}

fn filled(path: PathBuf, place: &Place<'_>, lookup: &dyn Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    match (path.to_str(), place.homes.first()) {
        (Some(text), Some(home)) if text.contains('{') => {
            value::filled(text, home, lookup).map(PathBuf::from)
        }
        _ => Some(path),
    }
}

fn around(project: &Path) -> Vec<Mask> {
    let folders = project.ancestors().skip(1);
    folders.flat_map(|folder| AROUND.map(|(name, client)| Mask { path: folder.join(name), client })).collect()
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
