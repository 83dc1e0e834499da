//! The settings that send each client here, ready to paste, each with its undo.

use registry::{ALL, Site};

/// Returns the page.
pub(crate) fn page(site: &Site) -> String {
    let mut page = format!(
        "This is Outlast at {}\n\nPaste what belongs to your client; its undo is below it. No file of a project changes, but what is\n\
         locked anew may name this server. Locks of uv, Poetry and Yarn 1 name the registry itself, whatever is set.\n\
         Or change nothing, and run a command with: outlast exec --via {} -- COMMAND\n",
        site.base(),
        site.base()
    );
    if site.wants_token() {
        page.push_str(
            "\nThis server wants a token. Put your own in place of TOKEN; a room sends the one in OUTLAST_TOKEN.\n\
             Whoever runs the server makes one: outlast token add NAME --scope read\n",
        );
    }
    for client in ALL.iter().flat_map(|ecosystem| ecosystem.settings()) {
        let (set, unset) = (site.filled_in(client.set), site.filled_in(client.undo));
        page.push_str(&format!("\n## {}\n{set}\n# undo\n{unset}\n", client.client));
    }
    page
}
