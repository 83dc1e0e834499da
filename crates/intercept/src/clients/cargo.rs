//! cargo 1.95: its variables beat `.cargo/config.toml`.

use super::{Client, Draft, PLAIN};
use crate::trust::{files_with_settings, has_setting};

pub(super) const CLIENT: Client = Client {
    name: "cargo",
    bundle: &["CARGO_HTTP_CAINFO", "SSL_CERT_FILE"],
    proxy: &["CARGO_HTTP_PROXY"],
    more,
    ..PLAIN
};

fn more(draft: &mut Draft<'_>) {
    let has_own = files_with_settings(draft.caller, "cargo")
        .iter()
        .filter_map(|path| draft.caller.text(path))
        .any(|text| has_setting(&text, "proxy"));
    if draft.is_sealed() && has_own {
        // Handed on to libcurl, for which empty means "none".
        draft.set("CARGO_HTTP_PROXY", "");
    }
}
