//! requirements.txt, with `--hash` in pip's hash-checking mode, or with versions alone.
//!
//! The format: <https://pip.pypa.io/en/stable/reference/requirements-file-format/> (read 2026-11).

use model::DigestSet;

use super::name::normalized;
use super::{add_address, add_version, hashes, repository, text};
use crate::lock::{LockError, Locked, Unpinned};

/// What pip takes for a file that lies beside the requirements.
const ARCHIVES: [&str; 10] =
    [".whl", ".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz", ".tar.xz", ".txz", ".tar.lzma"];

/// Reads the requirements; all files of a version share its hashes.
pub(super) fn read(bytes: &[u8]) -> Result<Locked, LockError> {
    let text = text(bytes)?.replace("\\\r\n", " ").replace("\\\n", " ").replace('\t', " ");
    let mut locked = Locked::default();
    let lines = || text.lines().map(|line| line.split(" #").next().unwrap_or(line).trim());
    let has_other_index = lines().any(names_other_index);
    for line in lines() {
        if let Some(included) = option(line, &["-r", "--requirement"]) {
            locked.include(included)?;
        } else if let Some(editable) = editable(line) {
            // All else that can be edited is a folder of the project.
            if let Requirement::At(name, address) = Requirement::read(editable) {
                add_address(&mut locked, name, address, Ok(DigestSet::default()))?;
            }
        } else if !line.starts_with(['#', '-']) {
            add(&mut locked, line, has_other_index)?;
        }
    }
    Ok(locked)
}

fn add(locked: &mut Locked, line: &str, has_other_index: bool) -> Result<(), LockError> {
    let (requirement, options) = line.find(" --").map_or((line, ""), |at| line.split_at(at));
    match Requirement::read(requirement) {
        Requirement::At(name, address) => {
            let digests = hashes(locked, name, hash_options(options))?;
            add_address(locked, name, address, digests)
        }
        Requirement::Version(name, version) => {
            let digests = hashes(locked, name, hash_options(options))?;
            match has_other_index && digests.as_ref().is_ok_and(DigestSet::is_empty) {
                // A namesake in the public index is another package.
                true => locked.leave(name, Unpinned::WHOSE),
                false => add_version(locked, name, version, digests),
            }
        }
        Requirement::Open(name) => locked.leave(name, Unpinned::UNDECIDED),
        Requirement::Local if is_path(requirement) => Ok(()),
        Requirement::Local => {
            let shown: String = requirement.trim().chars().take(N_LETTERS_SHOWN).collect();
            locked.leave(&shown, Unpinned::NOT_UNDERSTOOD)
        }
    }
}

/// How much is shown of a line that is not understood.
const N_LETTERS_SHOWN: usize = 60;

/// Returns whether a line is a path, an archive beside the requirements, or nothing.
fn is_path(text: &str) -> bool {
    let path = text.split([';', '[']).next().unwrap_or(text).trim();
    let is_relative = path.starts_with('.') || path.starts_with('/') || path.starts_with('~');
    path.is_empty()
        || is_relative
        || (path.contains(['/', '\\']) && !path.contains([' ', '<', '=']))
        || ARCHIVES.iter().any(|end| path.ends_with(end))
}

/// Returns the value of an option of pip's, in one of its spellings.
fn option<'a>(line: &'a str, names: &[&str]) -> Option<&'a str> {
    let rest = names.iter().find_map(|name| line.strip_prefix(name))?;
    let value = rest.trim_matches([' ', '=', '"', '\'']);
    (rest.starts_with([' ', '=']) && !value.is_empty()).then_some(value)
}

/// Returns whether a line tells pip of another index than the public one.
fn names_other_index(line: &str) -> bool {
    const PUBLIC: &str = "https://pypi.org/simple";
    let other = ["-i", "--index-url", "--extra-index-url", "-f", "--find-links"];
    option(line, &other).is_some_and(|url| url.trim_end_matches('/') != PUBLIC)
}

/// Returns what a line tells pip to build where it lies.
fn editable(line: &str) -> Option<&str> {
    let rest = line.strip_prefix("-e").or_else(|| line.strip_prefix("--editable"))?;
    Some(rest.trim_matches([' ', '=', '"', '\'']))
}

/// Returns the values of `--hash=…` and `--hash …`.
fn hash_options(options: &str) -> Vec<&str> {
    let mut words = options.split_whitespace();
    let mut values = Vec::new();
    while let Some(word) = words.next() {
        let value = if word == "--hash" { words.next() } else { word.strip_prefix("--hash=") };
        values.extend(value.map(|value| value.trim_matches(['"', '\''])));
    }
    values
}

/// What one requirement asks for, with the name of the project.
enum Requirement<'a> {
    /// `name[extra] @ https://… ; marker`, or an address alone.
    At(&'a str, &'a str),
    /// `name[extra]==1.0 ; marker`.
    Version(&'a str, &'a str),
    /// Any of several versions.
    Open(&'a str),
    /// A path, or nothing that pip would take.
    Local,
}

impl<'a> Requirement<'a> {
    fn read(text: &'a str) -> Self {
        // An address may have a semicolon.
        let text = text.split(" ;").next().unwrap_or(text).trim();
        if let Some((named, address)) = text.split_once('@')
            && let Some(name) = project(named)
        {
            return Self::At(name, address.trim());
        }
        if text.contains("://") || repository(text).is_some() {
            return Self::At(name_in_address(text), text);
        }
        let text = text.split(';').next().unwrap_or(text).trim();
        if let Some((named, version)) = text.split_once("==")
            && let Some(name) = project(named)
        {
            return Self::Version(name, version.trim_start_matches('=').trim());
        }
        let is_of_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.".contains(byte);
        let (name, rest) = text.split_at(text.bytes().take_while(|byte| is_of_name(byte)).count());
        let is_range = rest.trim_start().starts_with(['[', '(', '<', '>', '=', '!', '~']);
        let is_name = rest.is_empty() && !ARCHIVES.iter().any(|end| name.ends_with(end));
        if normalized(name).is_some() && (is_range || is_name) { Self::Open(name) } else { Self::Local }
    }
}

/// Returns the project in `name[extra]`.
fn project(named: &str) -> Option<&str> {
    let name = named.split('[').next().unwrap_or(named).trim();
    normalized(name).map(|_| name)
}

/// Returns what an address says that it is: `#egg=name`, or else its last part. Never its beginning, where a password may be.
fn name_in_address(address: &str) -> &str {
    let (place, fragment) = address.split_once('#').unwrap_or((address, ""));
    if let Some(egg) = fragment.split('&').find_map(|part| part.strip_prefix("egg=")).and_then(project) {
        return egg;
    }
    let (scheme, rest) = place.split_once(':').unwrap_or(("", place));
    let path = rest.trim_start_matches('/').split_once('/').map_or("", |(_, path)| path);
    let path = path.split('?').next().unwrap_or(path).trim_end_matches('/');
    let last = path.rsplit('/').next().unwrap_or(path);
    let last = last.split('@').next().unwrap_or(last);
    let last = last.strip_suffix(".git").unwrap_or(last);
    if last.is_empty() { scheme.split('+').next().unwrap_or(scheme) } else { last }
}
