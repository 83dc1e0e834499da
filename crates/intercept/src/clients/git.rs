//! git 2.47 (GnuTLS build): ignores SSL_CERT_FILE and CURL_CA_BUNDLE; settings can be added by variables, which beat files.

use std::ffi::OsStr;

use super::{Client, Draft, PLAIN, Tier};
use crate::trust::{files_with_settings, has_setting, values};

pub(super) const CLIENT: Client = Client { name: "git", bundle: &["GIT_SSL_CAINFO"], more, ..PLAIN };

/// What addresses of a host begin with that are asked for with ssh. The longer one is rewritten where two fit.
fn ssh(host: &str) -> [String; 4] {
    [
        format!("git@{host}:"),
        // An absolute path.
        format!("git@{host}:/"),
        format!("ssh://git@{host}/"),
        format!("ssh://git@{host}:22/"),
    ]
}

/// How many of the caller's rewritings to ssh are undone.
const N_UNDONE_MAX: usize = 16;
/// What the name of an owner or of a repository may begin with at any forge.
const LETTERS: &str = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.~-";

fn more(draft: &mut Draft<'_>) {
    // Only where no ssh comes through: elsewhere the caller's keys are good for what nobody may read without.
    if let Tier::Sealed { forges } = draft.tier {
        let own = rewritings(draft);
        for host in forges {
            let key = format!("url.https://{host}/.insteadOf");
            // Where the caller's settings lead such an address is the caller's to say, with a token of theirs for example.
            let is_own =
                |ours: &String| own.iter().any(|(_, beginning)| ours.starts_with(beginning.as_str()));
            ssh(host).iter().filter(|ours| !is_own(ours)).for_each(|beginning| add(draft, &key, beginning));
        }
        undo(draft, forges, &own);
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

/// Leads what the caller's settings make ssh of back to https: git rewrites an address once, and takes the longest beginning, so
/// that each is told with one letter more.
fn undo(draft: &mut Draft<'_>, forges: &[String], own: &[(String, String)]) {
    let mut n_undone = 0;
    for (base, beginning) in own {
        let over_https = forges.iter().find_map(|host| {
            // The longer ones first: `git@HOST:/` is no path that begins with a slash.
            let beginnings = ssh(host);
            let rest = beginnings.iter().rev().find_map(|ssh| base.strip_prefix(ssh.as_str()))?;
            Some(format!("https://{host}/{}", rest.trim_start_matches('/')))
        });
        let Some(over_https) = over_https.filter(|_| n_undone < N_UNDONE_MAX) else { continue };
        n_undone += 1;
        for letter in LETTERS.chars() {
            add(draft, &format!("url.{over_https}{letter}.insteadOf"), &format!("{beginning}{letter}"));
        }
    }
}

/// Returns what the caller's settings rewrite: each with what takes the place of a beginning, and the beginning.
fn rewritings(draft: &Draft<'_>) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for text in files_with_settings(draft.caller, "git").iter().filter_map(|path| draft.caller.text(path)) {
        let mut base = None;
        for mut line in text.lines().map(str::trim) {
            if let Some((name, rest)) = line.strip_prefix('[').and_then(|section| section.split_once(']')) {
                base = name.trim().strip_prefix("url").map(|name| name.trim().trim_matches('"').to_owned());
                line = rest.trim();
            }
            let Some(base) = &base else { continue };
            found.extend(values(line, "insteadOf").into_iter().map(|beginning| (base.clone(), beginning)));
        }
    }
    let variable = |name: &str, n: usize| draft.caller.get(&format!("GIT_CONFIG_{name}_{n}"))?.to_str();
    for (key, value) in (0..).map_while(|n| variable("KEY", n).zip(variable("VALUE", n))) {
        let is_one = key.to_ascii_lowercase().ends_with(".insteadof");
        let base = key.strip_prefix("url.").filter(|_| is_one).and_then(|key| key.rsplit_once('.'));
        let base = base.map(|(base, _)| base);
        found.extend(base.map(|base| (base.to_owned(), value.to_owned())));
    }
    // What is no address is none of ours to understand.
    let is_plain =
        |text: &str| !text.is_empty() && !text.contains(['"', '[', ']', ';', '#', ' ', '\t', '\\']);
    found.retain(|(base, beginning)| is_plain(base) && is_plain(beginning));
    found
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
