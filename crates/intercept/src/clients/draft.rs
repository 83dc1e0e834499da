//! Settings while the clients write them.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use super::{ALL, Client, Paths, Settings, Tier};
use crate::caller::Caller;

/// Hosts that are reached directly in an observed run: a test's own servers. Never empty, npm would ignore that.
pub(super) const DIRECT_HOSTS: &str = "localhost,127.0.0.1,::1";
/// Proxy variables that belong to no single client.
const COMMON_PROXIES: [&str; 5] = ["http_proxy", "https_proxy", "all_proxy", "ftp_proxy", "no_proxy"];

/// What clients read from and write to.
pub(super) struct Draft<'a> {
    pub(super) caller: &'a Caller,
    pub(super) paths: &'a Paths,
    pub(super) tier: &'a Tier,
    pub(super) settings: Settings,
}

impl<'a> Draft<'a> {
    pub(super) fn new(caller: &'a Caller, paths: &'a Paths, tier: &'a Tier) -> Self {
        Self { caller, paths, tier, settings: Settings::default() }
    }

    /// Takes the caller's proxies away where they cannot be reached (sealed) or are replaced (observed with a proxy).
    pub(super) fn remove_proxies(&mut self) {
        if self.leaves_proxies() {
            return;
        }
        let names = ALL.iter().flat_map(|client| client.proxy.iter().chain(client.no_proxy));
        let unwanted: Vec<String> = names.chain(&COMMON_PROXIES).map(|name| spelling(name)).collect();
        for name in self.caller.names() {
            if unwanted.contains(&spelling(&name.to_string_lossy())) {
                self.settings.removed.push(name.to_owned());
            }
        }
    }

    pub(super) fn apply(&mut self, client: &Client) {
        let Paths { bundle, ca, extra, .. } = self.paths.clone();
        for name in client.bundle {
            self.set(name, &bundle);
        }
        for name in client.bundle_if_set.iter().filter(|name| self.caller.get(name).is_some()) {
            self.set(name, &bundle);
        }
        for name in client.extra {
            // What the caller had put there is among the extra ones, unless the client has it anyway: to read a whole
            // bundle takes every process of Node 30 ms.
            let is_own = self.caller.get(name).is_some();
            self.set(name, if is_own { &extra } else { &ca });
        }
        if let Some(proxy) = self.proxy() {
            for name in client.proxy {
                self.set(name, &proxy);
            }
            for name in client.no_proxy {
                self.set(name, DIRECT_HOSTS);
            }
        }
        (client.more)(self);
    }

    /// Returns the proxy of an observed run, without a closing slash: some clients take that for a path.
    pub(super) fn proxy(&self) -> Option<String> {
        match self.tier {
            Tier::Observed { proxy: Some(proxy) } => Some(proxy.expose().trim_end_matches('/').to_owned()),
            _ => None,
        }
    }

    pub(super) fn is_sealed(&self) -> bool {
        matches!(self.tier, Tier::Sealed { .. })
    }

    /// Returns whether the caller's own proxies are still in force.
    pub(super) fn leaves_proxies(&self) -> bool {
        matches!(self.tier, Tier::Observed { proxy: None })
    }

    /// Returns a variable as the command would see it now.
    pub(super) fn get(&self, name: &str) -> Option<&OsStr> {
        let ours = self.settings.variables.iter().find(|(key, _)| key == name);
        match ours {
            Some((_, value)) => Some(value),
            None if self.settings.removed.iter().any(|removed| removed == name) => None,
            None => self.caller.get(name),
        }
    }

    pub(super) fn set(&mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) {
        let name = name.as_ref();
        self.settings.removed.retain(|removed| removed != name);
        self.settings.variables.retain(|(key, _)| key != name);
        self.settings.variables.push((name.to_owned(), value.as_ref().to_owned()));
    }

    pub(super) fn remove(&mut self, name: &OsStr) {
        self.settings.variables.retain(|(key, _)| key != name);
        if self.caller.names().any(|own| own == name)
            && !self.settings.removed.iter().any(|gone| gone == name)
        {
            self.settings.removed.push(name.to_owned());
        }
    }

    /// Places a file in the room's directory and returns where the command finds it.
    pub(super) fn file(&mut self, name: impl AsRef<Path>, bytes: Vec<u8>) -> PathBuf {
        let path = self.paths.directory.join(name);
        self.settings.files.push((path.clone(), bytes));
        path
    }

    /// Returns the bundle's path as text for a settings file; the room's own paths are always UTF-8.
    pub(super) fn bundle_text(&self) -> String {
        self.paths.bundle.to_string_lossy().into_owned()
    }

    /// Adds words to a variable that holds a line of options.
    pub(super) fn append(&mut self, name: &str, separator: &str, words: &str) {
        let mut value = self.get(name).map_or_else(OsString::new, OsStr::to_owned);
        if !value.is_empty() {
            value.push(separator);
        }
        value.push(words);
        self.set(name, value);
    }
}

/// Clients read proxy variables in either case, npm with either dash.
fn spelling(name: &str) -> String {
    name.to_ascii_lowercase().replace('-', "_")
}
