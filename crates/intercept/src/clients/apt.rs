//! apt (http, https): only a file named by APT_CONFIG, which is read before the system's own.

use super::{Client, Draft, PLAIN};

pub(super) const CLIENT: Client = Client { name: "apt", more, ..PLAIN };

fn more(draft: &mut Draft<'_>) {
    let own = draft.caller.path("APT_CONFIG").and_then(|path| draft.caller.text(&path));
    let mut text = own.unwrap_or_default();
    text.push_str(&format!("\nAcquire::https::CAInfo \"{}\";\n", draft.bundle_text()));
    match draft.proxy() {
        Some(proxy) => {
            text.push_str(&format!("Acquire::http::Proxy \"{proxy}\";\nAcquire::https::Proxy \"{proxy}\";\n"))
        }
        // apt's word for "none"; a proxy outside cannot be reached from the room.
        None if draft.is_sealed() => {
            text.push_str("Acquire::http::Proxy \"DIRECT\";\nAcquire::https::Proxy \"DIRECT\";\n");
        }
        None => {}
    }
    let path = draft.file("apt.conf", text.into_bytes());
    draft.set("APT_CONFIG", path);
}
