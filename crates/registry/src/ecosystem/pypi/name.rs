//! Names of projects, versions and files, each in the one spelling that an index, an address and a lock share.

use super::version::canonical;

/// The longest name of a project; PyPI's own longest has 80 characters.
pub(super) const NAME_BYTES_MAX: usize = 200;
/// The longest name of a file; file systems allow 255.
const FILE_BYTES_MAX: usize = 255;

/// What source archives end in.
const SOURCES: [&str; 6] = [".tar.gz", ".zip", ".tar.bz2", ".tgz", ".tar.xz", ".tar.Z"];
/// What archives of one platform end in.
const BUILT: [&str; 4] = [".egg", ".exe", ".msi", ".rpm"];
/// What the metadata of a file is called: PEP 658.
pub(super) const METADATA: &str = ".metadata";

/// Returns a project's name as PEP 503 writes it, if it can be one.
pub(super) fn normalized(name: &str) -> Option<String> {
    let is_end = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = name.as_bytes();
    let is_name = bytes.len() <= NAME_BYTES_MAX
        && is_end(bytes.first())
        && is_end(bytes.last())
        && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(byte));
    is_name.then(|| folded(name))
}

/// Returns a name, or the beginning of one, as PEP 503 writes it.
pub(super) fn folded(name: &str) -> String {
    let mut result = String::with_capacity(name.len());
    for character in name.chars() {
        if !"-_.".contains(character) {
            result.push(character.to_ascii_lowercase());
        } else if !result.ends_with('-') {
            result.push('-');
        }
    }
    result
}

/// Returns project and version of a file that pip would install, both in their one spelling.
pub(super) fn of_file(file: &str) -> Option<(String, String)> {
    if file.len() > FILE_BYTES_MAX || file.contains(['/', '\\', '\0']) {
        return None;
    }
    if let Some(stem) = file.strip_suffix(".whl") {
        let parts: Vec<&str> = stem.split('-').collect();
        return match parts.as_slice() {
            [project, version, _, _, _] | [project, version, _, _, _, _] => named(project, version),
            _ => None,
        };
    }
    if let Some(stem) = BUILT.iter().find_map(|suffix| file.strip_suffix(suffix)) {
        let mut parts = stem.split('-');
        return named(parts.next()?, parts.next()?);
    }
    let stem = SOURCES.iter().find_map(|suffix| file.strip_suffix(suffix))?;
    let (project, version) = stem.rsplit_once('-')?;
    named(project, version)
}

fn named(project: &str, version: &str) -> Option<(String, String)> {
    let is_version = version.bytes().any(|byte| byte.is_ascii_digit());
    if is_version { Some((normalized(project)?, canonical(version))) } else { None }
}

/// Returns the version of a file of a project that is known: old names have more hyphens than one can tell apart.
pub(super) fn version_in(project: &str, file: &str) -> Option<String> {
    if file.len() > FILE_BYTES_MAX {
        return None;
    }
    if let Some((name, version)) = of_file(file)
        && name == project
    {
        return Some(version);
    }
    let stem = SOURCES.iter().chain(&BUILT).find_map(|suffix| file.strip_suffix(suffix))?;
    let hyphens = stem.bytes().enumerate().filter(|(_, byte)| *byte == b'-').map(|(at, _)| at);
    for at in hyphens {
        if normalized(&stem[..at]).as_deref() == Some(project) {
            return Some(canonical(&stem[at + 1..]));
        }
    }
    None
}
