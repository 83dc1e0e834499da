//! What makes each client trust the room, and in an observed run go through it: variables, small files, overlays.
//!
//! From notes measured with real clients (2026-11); the versions stand in each client's file. Adding a client is one
//! file and one name in [`ALL`].

mod apt;
mod bun;
mod cargo;
mod composer;
mod curl;
mod deno;
mod draft;
mod git;
mod go;
mod java;
mod node;
mod npm;
mod others;
mod overlay;
mod php;
mod pip;
mod pnpm;
mod python;
mod rustup;
mod uv;
mod wget;
mod yarn;

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

use model::SafeUrl;

use crate::caller::Caller;
use draft::Draft;
pub(crate) use npm::is_npm;

/// One client: the variables it reads, and what it needs besides.
#[derive(Debug, Clone, Copy)]
pub struct Client {
    /// Its name, as people type it.
    pub name: &'static str,
    /// Variables that name the PEM file it trusts in place of its own roots.
    pub bundle: &'static [&'static str],
    /// Variables that name a PEM file it trusts besides its own roots.
    pub extra: &'static [&'static str],
    /// The same as `bundle`, for variables that are touched only where the caller has set them.
    pub bundle_if_set: &'static [&'static str],
    /// Variables that name the proxy it goes through: set in an observed run, taken away in a sealed one.
    pub proxy: &'static [&'static str],
    /// Variables that name hosts it reaches without the proxy.
    pub no_proxy: &'static [&'static str],
    more: fn(&mut Draft<'_>),
}

/// A client that needs nothing; the others say how they differ.
const PLAIN: Client =
    Client { name: "", bundle: &[], extra: &[], bundle_if_set: &[], proxy: &[], no_proxy: &[], more: |_| {} };

/// Every client. Later ones may build on the variables of earlier ones.
pub const ALL: [Client; 20] = [
    curl::CLIENT,
    wget::CLIENT,
    git::CLIENT,
    node::CLIENT,
    npm::CLIENT,
    pnpm::CLIENT,
    yarn::CLIENT,
    bun::CLIENT,
    deno::CLIENT,
    pip::CLIENT,
    uv::CLIENT,
    python::CLIENT,
    cargo::CLIENT,
    rustup::CLIENT,
    go::CLIENT,
    composer::CLIENT,
    php::CLIENT,
    apt::CLIENT,
    java::CLIENT,
    others::CLIENT,
];

/// Where the room's files are, as the command sees them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paths {
    /// Everything the caller trusts and the run's root, as PEM.
    pub bundle: PathBuf,
    /// The run's root alone, as PEM.
    pub ca: PathBuf,
    /// The run's root, and what the caller trusts besides the public roots that clients bring along, as PEM.
    pub extra: PathBuf,
    /// Everything, as a Java key store.
    pub java_store: PathBuf,
    /// A directory of the room for further small files.
    pub directory: PathBuf,
}

/// How a command is kept from the world.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tier {
    /// Its connections are captured, whatever it does: proxies are taken away.
    Sealed {
        /// Hosts of repositories, which git is to ask over https where an address says ssh.
        forges: Vec<String>,
    },
    /// It is only asked to go through `proxy`; without one, only trust is set.
    Observed {
        /// Where the forward proxy listens.
        proxy: Option<SafeUrl>,
    },
}

/// What to change for a command, besides running it. Printing it shows names only.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Settings {
    /// Variables to set, each once; they replace the caller's.
    pub variables: Vec<(OsString, OsString)>,
    /// Variables of the caller to take away.
    pub removed: Vec<OsString>,
    /// Small files to be placed in the room, for its user only: they may repeat secrets of the caller's files.
    pub files: Vec<(PathBuf, Vec<u8>)>,
    /// Files to be covered by the bundle: the system's, and those the caller's settings name outside the project.
    pub overlays: Vec<PathBuf>,
    /// Files to be covered by the Java key store.
    pub java_overlays: Vec<PathBuf>,
}

/// Returns what each client needs in a room.
pub fn settings(caller: &Caller, paths: &Paths, tier: &Tier) -> Settings {
    let mut draft = Draft::new(caller, paths, tier);
    draft.settings.overlays = overlay::bundles(caller);
    draft.settings.java_overlays = overlay::java_stores(caller);
    draft.remove_proxies();
    for client in &ALL {
        draft.apply(client);
    }
    draft.settings
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let variables: Vec<_> = self.variables.iter().map(|(name, _)| name).collect();
        let files: Vec<_> = self.files.iter().map(|(path, _)| path).collect();
        f.debug_struct("Settings")
            .field("variables", &variables)
            .field("removed", &self.removed)
            .field("files", &files)
            .field("overlays", &self.overlays)
            .field("java_overlays", &self.java_overlays)
            .finish()
    }
}

#[cfg(test)]
mod tests;
