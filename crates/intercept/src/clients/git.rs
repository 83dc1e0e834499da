//! git 2.47 (GnuTLS build): ignores SSL_CERT_FILE and CURL_CA_BUNDLE; settings can be added by variables, which beat files.

use std::ffi::OsStr;

use super::{Client, Draft, PLAIN, Tier};
use crate::trust::{files_with_settings, has_setting};

pub(super) const CLIENT: Client = Client { name: "git", bundle: &["GIT_SSL_CAINFO"], more, ..PLAIN };

/// What addresses of a host begin with that are asked for with ssh. The longer one is rewritten where two fit, and of two alike the
/// one that the caller's own settings have.
fn ssh(host: &str) -> [String; 4] {
    [
        format!("git@{host}:"),
        // An absolute path.
        format!("git@{host}:/"),
        format!("ssh://git@{host}/"),
        format!("ssh://git@{host}:22/"),
    ]
}

fn more(draft: &mut Draft<'_>) {
    // Only where no ssh comes through: elsewhere the caller's keys are good for what nobody may read without.
    if let Tier::Sealed { forges } = draft.tier {
        for host in forges {
            let key = format!("url.https://{host}/.insteadOf");
            ssh(host).iter().for_each(|beginning| add(draft, &key, beginning));
        }
    }
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
