//! `pnpm-lock.yaml`, lock versions 5 to 9.
//!
//! pnpm writes one shape of YAML: under `packages:` a key of two spaces, `/name/1.0.0:` (5), `/name@1.0.0:` (6) or
//! `name@1.0.0:` (9), and four spaces further in one `resolution: {…}`; before 5.3 its fields stand below it, each in a line of
//! its own. Lines of any other shape are passed over.

use super::{Entry, add, digests};
use crate::coordinate::is_version;
use crate::lock::{LockError, Locked, Unpinned, check_version};

/// The newest version that pnpm writes.
const VERSION: u64 = 9;

/// Reads a lock.
pub(super) fn read(bytes: &[u8]) -> Result<Locked, LockError> {
    let text = std::str::from_utf8(bytes).map_err(|source| LockError::NotText { source })?;
    let version = text.lines().find_map(|line| line.strip_prefix("lockfileVersion:"));
    let major = version.and_then(|version| unquote(version).split('.').next()?.parse().ok());
    check_version(major.ok_or(LockError::Format)?, VERSION)?;
    let mut locked = Locked::default();
    let mut is_inside = false;
    let mut package: Option<Package<'_>> = None;
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let is_section = !line.starts_with(' ');
        let is_key = is_inside && !is_section && !line.starts_with("   ");
        if (is_section || is_key)
            && let Some(package) = package.take()
        {
            package.add_to(&mut locked)?;
        }
        if is_section {
            is_inside = line.trim_end() == "packages:";
        } else if is_key {
            package = line.trim().strip_suffix(':').map(Package::of);
        } else if let Some(package) = &mut package {
            package.read(line);
        }
    }
    if let Some(package) = package {
        package.add_to(&mut locked)?;
    }
    Ok(locked)
}

/// One package, from its key to the next.
#[derive(Default)]
struct Package<'a> {
    key: &'a str,
    /// Where the key is an address that does not say it.
    name: Option<&'a str>,
    /// Whether it says how it is resolved, and whether the line before is a part of that.
    has_resolution: bool,
    is_in_resolution: bool,
    integrity: Option<&'a str>,
    tarball: Option<&'a str>,
    /// Of a package that is no archive.
    kind: Option<&'a str>,
    repository: Option<&'a str>,
    commit: Option<&'a str>,
}

impl<'a> Package<'a> {
    fn of(key: &'a str) -> Self {
        Self { key: unquote(key), ..Self::default() }
    }

    fn read(&mut self, line: &'a str) {
        let is_field =
            |depth: usize| line.len() > depth && line.bytes().take_while(|it| *it == b' ').count() == depth;
        if is_field(6) && self.is_in_resolution {
            self.read_field(line.trim());
        }
        if !is_field(4) {
            return;
        }
        let (name, value) = line.trim().split_once(':').unwrap_or_default();
        self.is_in_resolution = name == "resolution";
        if name == "name" {
            self.name = Some(unquote(value));
        } else if name == "resolution" {
            self.has_resolution = true;
            let fields = value.trim().strip_prefix('{').and_then(|value| value.strip_suffix('}'));
            fields.into_iter().flat_map(|fields| fields.split(", ")).for_each(|field| self.read_field(field));
        }
    }

    fn read_field(&mut self, field: &'a str) {
        let Some((name, value)) = field.split_once(": ") else { return };
        let place = match name.trim() {
            "integrity" => &mut self.integrity,
            "tarball" => &mut self.tarball,
            "type" => &mut self.kind,
            "repo" => &mut self.repository,
            "commit" => &mut self.commit,
            _ => return,
        };
        *place = Some(unquote(value));
    }

    fn add_to(&self, locked: &mut Locked) -> Result<(), LockError> {
        let (named, version) = name_and_version(self.key).unwrap_or((self.key, ""));
        let name = self.name.unwrap_or(named);
        let is_local = |repository: &str| repository.starts_with("file:") || repository.starts_with('/');
        match (self.kind, self.repository) {
            _ if !self.has_resolution => Ok(()),
            (Some("directory"), _) => Ok(()),
            (_, Some(repository)) if is_local(repository) => Ok(()),
            (_, Some(repository)) => locked.pin_repository(name, repository, self.commit),
            (Some("git"), None) => locked.leave(name, Unpinned::GIT),
            // Such as a runtime, of which each platform has another file.
            (Some(_), None) => locked.leave(name, Unpinned::NOWHERE),
            (None, None) => {
                let digests = digests(self.integrity);
                add(locked, Entry { name, version, resolved: self.tarball, digests })
            }
        }
    }
}

/// Reads a key; what follows the version, such as `(react@18.0.0)`, tells peers apart. Of a registry that is not the
/// project's own, lock version 5 has the host before the name.
fn name_and_version(key: &str) -> Option<(&str, &str)> {
    let key = key.split('(').next().unwrap_or(key);
    let found = split(key.strip_prefix('/').unwrap_or(key))?;
    let with_host = || split(key.split_once('/')?.1).filter(|(_, version)| is_version(version));
    if is_version(found.1) { Some(found) } else { with_host().or(Some(found)) }
}

fn split(key: &str) -> Option<(&str, &str)> {
    let scope = if key.starts_with('@') { key.find('/')? + 1 } else { 0 };
    let split = scope + key[scope..].find(['@', '/'])?;
    let version = &key[split + 1..];
    Some((&key[..split], version.split('_').next().unwrap_or(version)))
}

fn unquote(text: &str) -> &str {
    let text = text.trim();
    ['\'', '"'].into_iter().find_map(|quote| text.strip_prefix(quote)?.strip_suffix(quote)).unwrap_or(text)
}
