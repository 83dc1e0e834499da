//! curl 7.88 (OpenSSL). A `cacert` or `proxy` in `~/.curlrc` would beat the variables, so that file is repeated with ours
//! at its end.

use super::{Client, Draft, PLAIN};
use crate::trust::{files_with_settings, has_setting};

pub(super) const CLIENT: Client = Client {
    name: "curl",
    bundle: &["CURL_CA_BUNDLE", "SSL_CERT_FILE"],
    proxy: &["http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"],
    no_proxy: &["no_proxy", "NO_PROXY"],
    more,
    ..PLAIN
};

/// Settings that beat the variables, as they may be written.
const BEATING: [&str; 9] =
    ["cacert", "--cacert", "proxy", "--proxy", "-x", "socks5", "socks5-hostname", "--socks5", "preproxy"];

fn more(draft: &mut Draft<'_>) {
    // curl reads the first it finds only.
    let Some(path) = files_with_settings(draft.caller, "curl").into_iter().next() else { return };
    let Some(text) = draft.caller.text(&path) else { return };
    if !BEATING.iter().any(|key| has_setting(&text, key)) {
        return;
    }
    let mut text = format!("{text}\ncacert = \"{}\"\n", draft.bundle_text());
    if !draft.leaves_proxies() {
        text.push_str(&format!("proxy = \"{}\"\n", draft.proxy().unwrap_or_default()));
    }
    if let Some(home) = draft.file("curl/.curlrc", text.into_bytes()).parent() {
        draft.set("CURL_HOME", home);
    }
}
