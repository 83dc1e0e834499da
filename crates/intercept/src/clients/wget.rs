//! wget 1.21 (GnuTLS): no variable names certificates, and `WGETRC` replaces the caller's file, so its text is repeated.

use super::{Client, Draft, PLAIN};

pub(super) const CLIENT: Client = Client { name: "wget", more, ..PLAIN };

fn more(draft: &mut Draft<'_>) {
    let own = draft.caller.path("WGETRC").or_else(|| Some(draft.caller.home()?.join(".wgetrc")));
    let mut text = own.and_then(|path| draft.caller.text(&path)).unwrap_or_default();
    // The last line of a kind wins.
    text.push_str(&format!("\nca_certificate = {}\n", draft.bundle_text()));
    match draft.proxy() {
        Some(proxy) => {
            text.push_str(&format!("use_proxy = on\nhttp_proxy = {proxy}\nhttps_proxy = {proxy}\n"));
        }
        None if draft.is_sealed() => text.push_str("use_proxy = off\n"),
        None => {}
    }
    let path = draft.file("wgetrc", text.into_bytes());
    draft.set("WGETRC", path);
}
