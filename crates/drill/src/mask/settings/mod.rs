//! Caches that a settings file has moved: `cache=` in an `.npmrc`, `localRepository` in Maven's settings, and the like.

mod format;
mod list;
#[cfg(test)]
mod tests;
pub(super) mod value;

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use list::{ALL, Relative, Settings, Spot};
pub(super) use list::{Key, below, key, rescued};

use super::{Kind, Mask, Place};

/// So many files of one kind are read; a project may bring any number.
const N_FILES_MAX: usize = 200;

/// A settings file that may exist.
struct File {
    path: PathBuf,
    /// What its relative values are relative to.
    base: PathBuf,
    /// Whether the project brings it.
    origin: Origin,
}

#[derive(PartialEq, Eq)]
enum Origin {
    Project,
    Elsewhere,
}

/// Returns those of a project's files that may be settings.
pub(super) fn among(files: &[PathBuf]) -> Vec<PathBuf> {
    let spots = ALL.iter().flat_map(|settings| settings.spots);
    let names: BTreeSet<&OsStr> = spots
        .filter_map(|spot| match spot {
            Spot::Project(path) => Path::new(path).file_name(),
            _ => None,
        })
        .collect();
    let is_settings = |file: &&PathBuf| file.file_name().is_some_and(|name| names.contains(name));
    files.iter().filter(is_settings).cloned().collect()
}

/// Returns the folders that settings files name, for one home, the too large ones replaced by what is known below them.
pub(super) fn named(
    place: &Place<'_>,
    home: &Path,
    lookup: &dyn Fn(&str) -> Option<OsString>,
    read: &dyn Fn(&Path) -> Option<String>,
) -> Vec<Mask> {
    let mut found = Vec::new();
    for settings in &ALL {
        for file in files(settings, place, home, lookup) {
            let Some(text) = read(&file.path) else { continue };
            for key in settings.keys {
                let written = format::values(&text, settings.format, key.name);
                let folders = written.iter().flat_map(|value| separated(key, value));
                let folders = folders.filter_map(|one| value::folder(one, home, &file.base, lookup));
                for folder in folders.filter(|folder| !is_part_of_project(settings, &file, folder, place)) {
                    let hidden = hidden(key, folder, place).into_iter();
                    found.extend(hidden.map(|path| Mask { path, client: settings.client }));
                }
            }
        }
    }
    found
}

pub(super) fn separated<'a>(key: &Key, value: &'a str) -> Vec<&'a str> {
    match key.kind {
        Kind::Folder => vec![value],
        Kind::List => value.split(':').collect(),
    }
}

fn files(
    settings: &Settings,
    place: &Place<'_>,
    home: &Path,
    lookup: &dyn Fn(&str) -> Option<OsString>,
) -> Vec<File> {
    let variable = |name: &str| lookup(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let mut found = Vec::new();
    for spot in settings.spots {
        let paths: Vec<PathBuf> = match *spot {
            Spot::Home(below) => vec![home.join(below)],
            Spot::Config(below) => {
                let moved = variable("XDG_CONFIG_HOME").map(|folder| folder.join(below));
                [home.join(".config").join(below)].into_iter().chain(moved).collect()
            }
            Spot::Machine(path) => vec![PathBuf::from(path)],
            Spot::Variable(name) => variable(name).into_iter().collect(),
            Spot::Under(name, below) => variable(name).map(|folder| folder.join(below)).into_iter().collect(),
            Spot::Prefix(below) => prefixes(lookup).into_iter().map(|folder| folder.join(below)).collect(),
            Spot::Project(name) => {
                found.extend(of_project(place, name));
                continue;
            }
        };
        found.extend(paths.into_iter().take(N_FILES_MAX).map(|path| {
            // A variable may name a file relative to where the command runs.
            let path = place.directory.join(path);
            let base = match settings.relative {
                Relative::Command => place.directory,
                Relative::File => path.parent().unwrap_or(&path),
                Relative::Around => path.ancestors().nth(2).unwrap_or(&path),
            };
            File { base: base.to_owned(), path, origin: Origin::Elsewhere }
        }));
    }
    found
}

/// Returns the files of a name that the project brings or that lie around it.
fn of_project(place: &Place<'_>, name: &str) -> Vec<File> {
    let depth = Path::new(name).components().count();
    let file = |path: PathBuf, origin: Origin| {
        let base = path.ancestors().nth(depth).unwrap_or(&path).to_owned();
        File { path, base, origin }
    };
    let within = place.files.iter().filter(|path| path.ends_with(name)).take(N_FILES_MAX);
    let within = within.map(|path| file(place.project.join(path), Origin::Project));
    let around = place.project.ancestors().skip(1).take(N_FILES_MAX);
    within.chain(around.map(|folder| file(folder.join(name), Origin::Elsewhere))).collect()
}

fn prefixes(lookup: &dyn Fn(&str) -> Option<OsString>) -> Vec<PathBuf> {
    let path = lookup("PATH").unwrap_or_default();
    let folders =
        std::env::split_paths(&path).filter(|folder| folder.is_absolute() && folder.ends_with("bin"));
    folders.filter_map(|folder| folder.parent().map(Path::to_owned)).take(N_FILES_MAX).collect()
}

fn is_part_of_project(settings: &Settings, file: &File, folder: &Path, place: &Place<'_>) -> bool {
    settings.relative == Relative::File && file.origin == Origin::Project && folder.starts_with(place.project)
}

/// Returns what is hidden of a folder: all of it, or what is known below it.
pub(super) fn hidden(key: &Key, folder: PathBuf, place: &Place<'_>) -> Vec<PathBuf> {
    let parts = match key.below {
        [] if place.may_hide(&folder) => return vec![folder],
        [] => key.rescue,
        below => below,
    };
    parts.iter().map(|part| folder.join(part)).collect()
}
