//! apt (http, https): only a file named by APT_CONFIG, which is read before the system's own.

use super::{Client, Draft, PLAIN};

pub(super) const CLIENT: Client = Client { name: "apt", more, ..PLAIN };

fn more(draft: &mut Draft<'_>) {
    let own = draft.caller.path("APT_CONFIG").and_then(|path| draft.caller.text(&path));
    let mut text = own.unwrap_or_default();
    text.push_str(&format!("\nAcquire::https::CAInfo \"{}\";\n", draft.bundle_text()));
    // "DIRECT" is apt's word for "none"; a proxy outside cannot be reached from the room.
    let proxy = draft.proxy().or_else(|| draft.is_sealed().then(|| "DIRECT".to_owned()));
    if let Some(proxy) = proxy {
        text.push_str(&format!("Acquire::http::Proxy \"{proxy}\";\nAcquire::https::Proxy \"{proxy}\";\n"));
    }
    let path = draft.file("apt.conf", text.into_bytes());
    draft.set("APT_CONFIG", path);
}
