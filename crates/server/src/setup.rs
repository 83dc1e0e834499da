//! The settings that send each client here, ready to paste, each with its undo.

use std::collections::BTreeSet;

use intercept::SYSTEM_BUNDLES;
use registry::{ALL, ClientSettings, Site};

/// Where the certificate lies that clients of the forward proxy have to trust.
pub(crate) const CA_PATH: &str = "/setup/ca.pem";

/// Returns the page.
pub(crate) fn page(site: &Site) -> String {
    let mut page = format!(
        "This is Outlast at {}\n\nPaste what belongs to your client; its undo is below it. No file of a project changes, but what is\n\
         locked anew may name this server. Locks of uv, Poetry and Yarn 1 name the registry itself, whatever is set{}.\n\
         Or change nothing, and run a command with: outlast exec --via {} -- COMMAND\n",
        site.base(),
        if site.has_proxy() { ": for these\nthere is a proxy, below" } else { "" },
        site.base()
    );
    if site.wants_token() {
        page.push_str(
            "\nThis server wants a token. Put your own in place of TOKEN; a room sends the one in OUTLAST_TOKEN.\n\
             Whoever runs the server makes one: outlast token add NAME --scope read\n",
        );
    }
    for client in ALL.iter().flat_map(|ecosystem| ecosystem.settings()) {
        add(&mut page, site, client, "");
    }
    if site.has_proxy() {
        add_proxy(&mut page, site);
    }
    page
}

/// Adds what sends clients through the forward proxy. Most trust what they are told in place of what the machine trusts, so that they
/// are told of both.
fn add_proxy(page: &mut String, site: &Site) {
    page.push_str(&format!(
        "\n# Through the proxy, with whatever lock. It shows certificates of its own authority, {}{CA_PATH}:\n\
         # whoever trusts it lets this server stand in for any host. The settings are for one shell.\n",
        site.base()
    ));
    let trust = format!(
        "mkdir -p ~/.outlast && curl -fsS --noproxy '*' {{base}}{CA_PATH} -o ~/.outlast/ca.pem\n\
         cat $(ls {} 2>/dev/null | head -n 1) ~/.outlast/ca.pem > ~/.outlast/bundle.pem\n",
        SYSTEM_BUNDLES.join(" ")
    );
    for client in ALL.iter().flat_map(|ecosystem| ecosystem.proxy_settings()) {
        add(page, site, client, &trust);
    }
    let (set, unset) = for_all(site);
    page.push_str(&format!(
        "\n## Any client, in one shell\n{}\n{set}\n# undo\n{unset}\n",
        site.filled_in(&trust)
    ));
    page.push_str("\n# What all of these trust goes with: rm -r ~/.outlast\n");
}

/// Returns the variables that any client may read, and what unsets them.
fn for_all(site: &Site) -> (String, String) {
    const BUNDLE: &str = "=\"$HOME/.outlast/bundle.pem\"";
    const CA: &str = "=\"$HOME/.outlast/ca.pem\"";
    let settings = ALL.iter().flat_map(|ecosystem| ecosystem.proxy_settings());
    let lines = settings.flat_map(|client| client.set.lines());
    let own = lines.filter_map(|line| line.strip_prefix("export ")?.strip_suffix(BUNDLE));
    let clients = intercept::clients::ALL;
    let bundle: BTreeSet<&str> =
        clients.iter().flat_map(|client| client.bundle.iter().copied()).chain(own).collect();
    let extra: BTreeSet<&str> = clients.iter().flat_map(|client| client.extra.iter().copied()).collect();
    let proxies = ["https_proxy", "HTTPS_PROXY"];
    let exports = |names: &mut dyn Iterator<Item = &str>, value: &str| {
        let all: String = names.map(|name| format!(" {name}{value}")).collect();
        format!("export{all}")
    };
    let set = [
        exports(&mut proxies.into_iter(), &site.filled_in("={proxy}")),
        exports(&mut bundle.iter().copied(), BUNDLE),
        exports(&mut extra.iter().copied(), CA),
    ];
    let names: Vec<&str> = proxies.into_iter().chain(bundle).chain(extra).collect();
    (set.join("\n"), format!("unset {}", names.join(" ")))
}

fn add(page: &mut String, site: &Site, client: &ClientSettings, before: &str) {
    let (set, unset) = (site.filled_in(&format!("{before}{}", client.set)), site.filled_in(client.undo));
    page.push_str(&format!("\n## {}\n{set}\n# undo\n{unset}\n", client.client));
}
