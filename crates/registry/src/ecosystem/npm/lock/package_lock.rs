//! `package-lock.json` and `npm-shrinkwrap.json`, versions 1 to 3.
//!
//! <https://docs.npmjs.com/cli/configuring-npm/package-lock-json> (read 2026-11). Version 2 says everything twice;
//! then `packages` is read and `dependencies` is not.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};

use super::{Locked, pin};
use crate::lock::{LockError, Pin};

#[derive(Deserialize)]
struct PackageLock {
    packages: Option<Map<Package>>,
    dependencies: Option<Map<Dependency>>,
}

/// An entry of `packages`; the key is where it lies.
#[derive(Deserialize)]
struct Package {
    /// Only where it differs from the folder.
    #[serde(default)]
    name: Text,
    #[serde(default)]
    version: Text,
    #[serde(default)]
    resolved: Text,
    #[serde(default)]
    integrity: Text,
}

/// An entry of `dependencies`; the key is its name.
#[derive(Deserialize)]
struct Dependency {
    /// A version, `npm:name@version` for an alias, or an address.
    #[serde(default)]
    version: Text,
    #[serde(default)]
    resolved: Text,
    #[serde(default)]
    integrity: Text,
    dependencies: Option<Map<Self>>,
}

/// Reads the pins of a lock.
pub(super) fn read(bytes: &[u8]) -> Result<Vec<Pin>, LockError> {
    let lock: PackageLock = serde_json::from_slice(bytes).map_err(|source| LockError::Json { source })?;
    let mut pins = Vec::new();
    match (lock.packages, lock.dependencies) {
        (Some(packages), _) => {
            for (place, package) in packages.0 {
                pins.extend(package_pin(&place, &package)?);
            }
        }
        (None, Some(dependencies)) => collect(&dependencies, &mut pins)?,
        (None, None) => {}
    }
    Ok(pins)
}

fn package_pin(place: &str, package: &Package) -> Result<Option<Pin>, LockError> {
    let folder = place.rsplit_once("node_modules/").map_or(place, |(_, name)| name);
    pin(&Locked {
        name: package.name.0.as_deref().unwrap_or(folder),
        version: package.version.0.as_deref().unwrap_or(""),
        resolved: package.resolved.0.as_deref(),
        integrity: package.integrity.0.as_deref(),
    })
}

/// As deep as the lock is nested, which the parser has bounded.
fn collect(dependencies: &Map<Dependency>, pins: &mut Vec<Pin>) -> Result<(), LockError> {
    for (name, dependency) in &dependencies.0 {
        let version = dependency.version.0.as_deref().unwrap_or("");
        let (name, version) = match version.strip_prefix("npm:").and_then(|alias| alias.rsplit_once('@')) {
            Some(real) => real,
            None => (name.as_str(), version),
        };
        let is_address = version.starts_with("http://") || version.starts_with("https://");
        let resolved = dependency.resolved.0.as_deref().or(is_address.then_some(version));
        pins.extend(pin(&Locked { name, version, resolved, integrity: dependency.integrity.0.as_deref() })?);
        if let Some(nested) = &dependency.dependencies {
            collect(nested, pins)?;
        }
    }
    Ok(())
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

/// A text, or nothing where npm wrote something else: `"resolved": false` stands in locks of npm 5 and 6.
#[derive(Default)]
struct Text(Option<String>);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Any {
            Text(String),
            Other(IgnoredAny),
        }

        Ok(match Any::deserialize(deserializer)? {
            Any::Text(text) => Self(Some(text)),
            Any::Other(IgnoredAny) => Self(None),
        })
    }
}
