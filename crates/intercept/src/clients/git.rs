//! git 2.47 (GnuTLS build): ignores SSL_CERT_FILE and CURL_CA_BUNDLE; settings can be added by variables, which beat files.

use std::ffi::OsStr;

use super::{Client, Draft, PLAIN};
use crate::trust::{files_with_settings, has_setting};

pub(super) const CLIENT: Client = Client { name: "git", bundle: &["GIT_SSL_CAINFO"], more, ..PLAIN };

fn more(draft: &mut Draft<'_>) {
    if draft.leaves_proxies() {
        return;
    }
    let has_own = files_with_settings(draft.caller, "git")
        .iter()
        .filter_map(|path| draft.caller.text(path))
        .any(|text| has_setting(&text, "proxy"));
    match draft.proxy() {
        Some(proxy) => add(draft, "http.proxy", &proxy),
        // Empty means "none, whatever the files say".
        None if has_own => add(draft, "http.proxy", ""),
        None => {}
    }
}

/// Adds one setting behind those the caller passes the same way.
fn add(draft: &mut Draft<'_>, key: &str, value: &str) {
    let count = match draft.get("GIT_CONFIG_COUNT").map(OsStr::to_str) {
        None => 0,
        Some(text) => match text.and_then(|text| text.trim().parse::<usize>().ok()) {
            Some(count) => count,
            // git refuses to run with such a number; that is the caller's to see.
            None => return,
        },
    };
    draft.set(format!("GIT_CONFIG_KEY_{count}"), key);
    draft.set(format!("GIT_CONFIG_VALUE_{count}"), value);
    draft.set("GIT_CONFIG_COUNT", (count + 1).to_string());
}
