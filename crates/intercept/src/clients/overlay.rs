//! Files the room covers with its own, so that clients which read no variable trust it as well.

use std::path::{Path, PathBuf};

use crate::caller::Caller;
use crate::trust::{SYSTEM_BUNDLES, named_by_settings};

/// Java stores of the system (Debian, Fedora).
const JAVA_STORES: [&str; 2] = ["/etc/ssl/certs/java/cacerts", "/etc/pki/java/cacerts"];
/// Where a Java home keeps its store; `jre` up to Java 8, and the first name beats the second where it exists.
const IN_JAVA_HOME: [&str; 4] = [
    "lib/security/jssecacerts",
    "lib/security/cacerts",
    "jre/lib/security/jssecacerts",
    "jre/lib/security/cacerts",
];
/// Where Java homes lie side by side, absolute or in the home directory.
const JAVA_HOMES: [&str; 6] =
    ["/usr/lib/jvm", "/usr/java", "/opt/java", ".sdkman/candidates/java", ".jdks", ".asdf/installs/java"];

/// Returns the PEM files to cover: the system's bundles, and what settings name that no variable beats.
///
/// A file inside the project is left alone: the build may copy it.
pub(super) fn bundles(caller: &Caller) -> Vec<PathBuf> {
    let system = SYSTEM_BUNDLES.iter().map(PathBuf::from);
    let named = named_by_settings(caller).into_iter().map(|(path, _)| path);
    existing(caller, system.chain(named))
        .into_iter()
        .filter(|path| !path.starts_with(caller.directory()))
        .collect()
}

/// Returns the Java key stores to cover.
pub(super) fn java_stores(caller: &Caller) -> Vec<PathBuf> {
    let homes = java_homes(caller);
    let inside = homes.iter().flat_map(|home| IN_JAVA_HOME.iter().map(move |file| home.join(file)));
    existing(caller, JAVA_STORES.iter().map(PathBuf::from).chain(inside))
}

/// Returns whether there is a Java to run.
pub(super) fn has_java(caller: &Caller) -> bool {
    !java_homes(caller).is_empty()
}

fn java_homes(caller: &Caller) -> Vec<PathBuf> {
    let files = caller.files();
    let mut homes: Vec<PathBuf> = Vec::new();
    homes.extend(caller.path("JAVA_HOME").filter(|home| files.identity(home).is_some()));
    for directory in caller.get("PATH").map(std::env::split_paths).into_iter().flatten() {
        let java = files.resolve(&caller.directory().join(directory).join("java"));
        homes.extend(java.as_deref().and_then(Path::parent).and_then(Path::parent).map(Path::to_owned));
    }
    let home = caller.home().unwrap_or_else(|| PathBuf::from("/"));
    homes.extend(JAVA_HOMES.iter().flat_map(|directory| files.list(&home.join(directory))));
    homes
}

/// Follows links, so that each file comes once and a mount covers the file itself. A directory is passed over.
fn existing(caller: &Caller, paths: impl Iterator<Item = PathBuf>) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for path in paths.filter_map(|path| caller.files().resolve(&path)) {
        if !found.contains(&path) && caller.files().read(&path).is_ok() {
            found.push(path);
        }
    }
    found
}
