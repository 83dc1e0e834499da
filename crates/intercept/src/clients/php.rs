//! PHP scripts (curl and streams): a further ini directory. Streams know no proxy, so that an observed run misses them.

use super::{Client, Draft, PLAIN};

pub(super) const CLIENT: Client = Client { name: "php", more, ..PLAIN };

fn more(draft: &mut Draft<'_>) {
    let bundle = draft.bundle_text();
    let text = format!("curl.cainfo = \"{bundle}\"\nopenssl.cafile = \"{bundle}\"\n");
    let file = draft.file("php/outlast.ini", text.into_bytes());
    let Some(directory) = file.parent() else { return };
    // An empty part stands for the directory PHP was built with; later directories win.
    let mut value = draft.get("PHP_INI_SCAN_DIR").unwrap_or_default().to_owned();
    value.push(":");
    value.push(directory);
    draft.set("PHP_INI_SCAN_DIR", value);
}
