//! npm 11: a `cafile` in any npmrc disables NODE_EXTRA_CA_CERTS and is beaten by the variable; so is `noproxy`, unless the
//! variable is empty. npm reads its variables in any case and with either dash.
//!
//! npm reads its `cafile` again for each connection. In a sealed room, where only Outlast answers, it needs no public
//! root, and a small install is done in 380 ms rather than 430 (npm 11.19 on Node 20).

use std::ffi::{OsStr, OsString};

use super::{Client, Draft, PLAIN};
use crate::trust::{files_with_settings, has_setting};

pub(super) const CLIENT: Client = Client {
    name: "npm",
    proxy: &["npm_config_proxy", "npm_config_https_proxy"],
    no_proxy: &["npm_config_noproxy"],
    more,
    ..PLAIN
};

fn more(draft: &mut Draft<'_>) {
    let trusted = if draft.is_sealed() { &draft.paths.extra } else { &draft.paths.bundle };
    draft.set("npm_config_cafile", trusted);
    // Which of two spellings npm takes is chance; only ours stays.
    let spellings: Vec<OsString> = draft
        .caller
        .names()
        .filter(|name| *name != "npm_config_cafile")
        .filter(|name| name.to_str().is_some_and(|name| is_npm(name, "cafile") || is_npm(name, "http_proxy")))
        .map(OsStr::to_owned)
        .collect();
    for name in spellings {
        let is_trust = name.to_str().is_some_and(|name| is_npm(name, "cafile"));
        if is_trust || !draft.leaves_proxies() {
            draft.remove(&name);
        }
    }
    if !draft.is_sealed() {
        return;
    }
    let files: Vec<String> =
        files_with_settings(draft.caller, "npm").iter().filter_map(|path| draft.caller.text(path)).collect();
    for (key, variable) in [("proxy", "npm_config_proxy"), ("https-proxy", "npm_config_https_proxy")] {
        if files.iter().any(|text| has_setting(text, key)) {
            // npm's word for "none"; an empty value would be ignored.
            draft.set(variable, "null");
        }
    }
}

/// Returns whether npm reads this variable as the setting `key` (written with underscores).
pub(crate) fn is_npm(name: &str, key: &str) -> bool {
    let name = name.to_ascii_lowercase().replace('-', "_");
    name.strip_prefix("npm_config_") == Some(key)
}
