//! Turns a value of a settings file into a folder.

use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};

/// No path may be longer on Linux.
const LENGTH_MAX: usize = 4096;

/// Returns the folder that `value` means, or none if it cannot be known: a variable that is not set, another user's home.
pub(in crate::mask) fn folder(
    value: &str,
    home: &Path,
    base: &Path,
    lookup: &dyn Fn(&str) -> Option<OsString>,
) -> Option<PathBuf> {
    let value = expand(&filled(value.trim(), home, lookup)?, home, lookup)?;
    if value.is_empty() || value.len() > LENGTH_MAX || value.contains('\0') {
        return None;
    }
    let path = match value.strip_prefix('~') {
        Some("") => home.to_owned(),
        Some(rest) => home.join(rest.strip_prefix('/')?.trim_start_matches('/')),
        None => base.join(value),
    };
    path.is_absolute().then(|| resolved(&path))
}

/// Replaces what Cargo fills in. Of a folder for each workspace, the one around them all is meant; none for one within the
/// workspace, which is part of the project.
pub(in crate::mask) fn filled(
    value: &str,
    home: &Path,
    lookup: &dyn Fn(&str) -> Option<OsString>,
) -> Option<String> {
    if value.contains("{workspace-root}") {
        return None;
    }
    let own = lookup("CARGO_HOME").map_or_else(|| home.join(".cargo"), PathBuf::from);
    let value = value.replace("{cargo-cache-home}", own.to_str()?);
    match value.split_once("{workspace-path-hash}") {
        Some((before, _)) => before.rsplit_once('/').map(|(around, _)| around.to_owned()),
        None => Some(value),
    }
}

/// Replaces `$NAME`, `${NAME}`, `${NAME:-default}` and Maven's `${env.NAME}` and `${user.home}`.
fn expand(value: &str, home: &Path, lookup: &dyn Fn(&str) -> Option<OsString>) -> Option<String> {
    let mut done = String::new();
    let mut rest = value;
    while let Some((before, after)) = rest.split_once('$') {
        done.push_str(before);
        let is_name = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
        let (written, tail) = match after.strip_prefix('{') {
            Some(inside) => inside.split_once('}')?,
            None => after.split_at(after.find(|letter| !is_name(letter)).unwrap_or(after.len())),
        };
        done.push_str(&variable(written, home, lookup)?);
        if done.len() > LENGTH_MAX {
            return None;
        }
        rest = tail;
    }
    done.push_str(rest);
    Some(done)
}

fn variable(written: &str, home: &Path, lookup: &dyn Fn(&str) -> Option<OsString>) -> Option<String> {
    let (name, default) = match written.split_once('-') {
        Some((name, default)) => (name.trim_end_matches(':'), Some(default.to_owned())),
        None => (written.trim_end_matches('?'), None),
    };
    let name = name.strip_prefix("env.").unwrap_or(name);
    if name == "user.home" {
        return home.to_str().map(str::to_owned);
    }
    let set = lookup(name).and_then(|value| value.into_string().ok()).filter(|value| !value.is_empty());
    set.or_else(|| (name == "HOME").then(|| home.to_str().map(str::to_owned)).flatten()).or(default)
}

/// Takes `.` and `..` out of an absolute path, as it is written; what links make of it is for the caller to see.
pub(in crate::mask) fn resolved(path: &Path) -> PathBuf {
    let mut done = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                done.pop();
            }
            Component::CurDir => {}
            other => done.push(other),
        }
    }
    done
}
