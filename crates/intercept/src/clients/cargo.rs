//! cargo 1.95: its variables beat `.cargo/config.toml`.

use super::{Client, Draft, PLAIN};
use crate::caller::Caller;
use crate::trust::{files_with_settings, has_setting};

pub(super) const CLIENT: Client = Client {
    name: "cargo",
    bundle: &["CARGO_HTTP_CAINFO", "SSL_CERT_FILE"],
    proxy: &["CARGO_HTTP_PROXY"],
    more,
    ..PLAIN
};

/// How far up a workspace is looked for.
const N_ANCESTORS_MAX: usize = 8;
/// Chooses git in place of the library that cargo brings along, whose settings no variable reaches.
const WITH_GIT: &str = "CARGO_NET_GIT_FETCH_WITH_CLI";

fn more(draft: &mut Draft<'_>) {
    if !draft.is_sealed() {
        return;
    }
    let files = files_with_settings(draft.caller, "cargo");
    let settings: Vec<String> = files.iter().filter_map(|path| draft.caller.text(path)).collect();
    if settings.iter().any(|text| has_setting(text, "proxy")) {
        // Handed on to libcurl, for which empty means "none".
        draft.set("CARGO_HTTP_PROXY", "");
    }
    let is_chosen = settings.iter().any(|text| has_setting(text, "git-fetch-with-cli"));
    // The library would ask with ssh, which does not come through.
    if !is_chosen && draft.caller.get(WITH_GIT).is_none() && names_ssh(draft.caller) {
        draft.set(WITH_GIT, "true");
    }
}

/// Returns whether a project, or the workspace around it, takes packages from where ssh leads.
fn names_ssh(caller: &Caller) -> bool {
    let folders = caller.directory().ancestors().take(N_ANCESTORS_MAX);
    let files = folders.flat_map(|folder| ["Cargo.toml", "Cargo.lock"].map(|name| folder.join(name)));
    files
        .filter_map(|path| caller.text(&path))
        .any(|text| ["git = \"ssh://", "git+ssh://"].iter().any(|source| text.contains(source)))
}
