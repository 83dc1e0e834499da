//! `package-lock.json` and `npm-shrinkwrap.json`, versions 1 to 3.
//!
//! <https://docs.npmjs.com/cli/configuring-npm/package-lock-json> (read 2026-11). Version 2 says everything twice;
//! then `packages` is read and `dependencies` is not.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};

use super::{Entry, add, digests};
use crate::lock::{LockError, Locked, check_version};

/// The newest version that npm writes.
const VERSION: u64 = 3;

#[derive(Deserialize)]
struct PackageLock {
    /// Old ones have none.
    #[serde(default, rename = "lockfileVersion")]
    version: Lenient<u64>,
    packages: Option<Map<Package>>,
    dependencies: Option<Map<Dependency>>,
}

/// An entry of `packages`; the key is where it lies.
#[derive(Deserialize)]
struct Package {
    /// Only where it differs from the folder.
    #[serde(default)]
    name: Lenient<String>,
    #[serde(default)]
    version: Lenient<String>,
    #[serde(default)]
    resolved: Lenient<String>,
    #[serde(default)]
    integrity: Lenient<String>,
    /// It is inside the archive of another package.
    #[serde(default, rename = "inBundle")]
    is_bundled: Lenient<bool>,
    /// It is a link to a folder of the project.
    #[serde(default, rename = "link")]
    is_link: Lenient<bool>,
}

/// An entry of `dependencies`; the key is its name.
#[derive(Deserialize)]
struct Dependency {
    /// A version, `npm:name@version` for an alias, or an address.
    #[serde(default)]
    version: Lenient<String>,
    #[serde(default)]
    resolved: Lenient<String>,
    #[serde(default)]
    integrity: Lenient<String>,
    /// It is inside the archive of another package.
    #[serde(default, rename = "bundled")]
    is_bundled: Lenient<bool>,
    dependencies: Option<Map<Self>>,
}

/// Reads a lock.
pub(super) fn read(bytes: &[u8]) -> Result<Locked, LockError> {
    let lock: PackageLock = serde_json::from_slice(bytes).map_err(|source| LockError::Json { source })?;
    check_version(lock.version.0.unwrap_or_default(), VERSION)?;
    let mut locked = Locked::default();
    match (lock.packages, lock.dependencies) {
        (Some(packages), _) => {
            for (place, package) in &packages.0 {
                add_package(&mut locked, place, package)?;
            }
        }
        (None, Some(dependencies)) => add_dependencies(&mut locked, &dependencies)?,
        // A project without dependencies has an entry of its own.
        (None, None) => return Err(LockError::Format),
    }
    Ok(locked)
}

fn add_package(locked: &mut Locked, place: &str, package: &Package) -> Result<(), LockError> {
    let integrity = package.integrity.0.as_deref();
    let folder = place.rsplit_once("node_modules/").map(|(_, name)| name);
    // Elsewhere are the project itself and its workspaces.
    let is_there = folder.is_none() || is_true(&package.is_link) || is_true(&package.is_bundled);
    if is_there && integrity.is_none() {
        return Ok(());
    }
    let name = package.name.0.as_deref().or(folder).unwrap_or(place);
    let version = package.version.0.as_deref().unwrap_or("");
    let resolved = package.resolved.0.as_deref();
    add(locked, Entry { name, version, resolved, digests: digests(integrity) })
}

/// As deep as the lock is nested, which the parser has bounded.
fn add_dependencies(locked: &mut Locked, dependencies: &Map<Dependency>) -> Result<(), LockError> {
    for (name, dependency) in &dependencies.0 {
        add_dependency(locked, name, dependency)?;
        if let Some(nested) = &dependency.dependencies {
            add_dependencies(locked, nested)?;
        }
    }
    Ok(())
}

fn add_dependency(locked: &mut Locked, name: &str, dependency: &Dependency) -> Result<(), LockError> {
    let integrity = dependency.integrity.0.as_deref();
    if is_true(&dependency.is_bundled) && integrity.is_none() {
        return Ok(());
    }
    let version = dependency.version.0.as_deref().unwrap_or("");
    let alias = version.strip_prefix("npm:").and_then(|alias| alias.rsplit_once('@'));
    let (name, version) = alias.unwrap_or((name, version));
    // No version has a colon, and every address has one.
    let resolved = dependency.resolved.0.as_deref().or(version.contains(':').then_some(version));
    add(locked, Entry { name, version, resolved, digests: digests(integrity) })
}

fn is_true(value: &Lenient<bool>) -> bool {
    value.0 == Some(true)
}

/// A JSON object as a list.
struct Map<T>(Vec<(String, T)>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Map<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect<T>(std::marker::PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Collect<T> {
            type Value = Map<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map of packages")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Map(entries))
            }
        }

        deserializer.deserialize_map(Collect(std::marker::PhantomData))
    }
}

/// A value, or nothing where npm wrote something else: `"resolved": false` stands in locks of npm 5 and 6.
struct Lenient<T>(Option<T>);

impl<T> Default for Lenient<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Lenient<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Any<T> {
            Value(T),
            Other(IgnoredAny),
        }

        Ok(match Any::deserialize(deserializer)? {
            Any::Value(value) => Self(Some(value)),
            Any::Other(IgnoredAny) => Self(None),
        })
    }
}
