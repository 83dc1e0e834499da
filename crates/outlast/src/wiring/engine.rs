//! The proxy engine of one process.

use std::sync::Arc;

use host::http::{Client, Proxies, Roots, Settings};
use intercept::{Caller, CallerTrust};
use model::ObjectUrl;
use proxy::Engine;
use registry::Site;
use store::Store;

use crate::copies::FromCopies;
use crate::failure::Failure;
use crate::home::Home;

/// Returns whom to trust where no command is run: whom whoever started Outlast trusts.
#[expect(clippy::disallowed_methods, reason = "the rim reads the environment")]
pub(crate) fn trust() -> Result<CallerTrust, Failure> {
    let variables = std::env::vars_os().collect();
    let directory = std::env::current_dir().map_err(Failure::nowhere)?;
    Ok(CallerTrust::read(&Caller::new(variables, directory, intercept::caller::Disk)))
}

/// Returns through whom whoever started Outlast reaches the world.
#[expect(clippy::disallowed_methods, reason = "the rim reads the environment")]
pub(crate) fn proxies() -> Result<Proxies, Failure> {
    Proxies::read(|name| std::env::var(name).ok()).map_err(|error| {
        Failure::usage(error)
            .hint("name one that speaks HTTP, or take the variable away and let the hosts be asked directly")
    })
}

/// Makes the way out: it trusts what the caller trusts, and goes where the configuration says, or to a server wherever that is.
pub(crate) fn client(home: &Home, trust: &CallerTrust, server: Option<ObjectUrl>) -> Result<Client, Failure> {
    Ok(Client::new(Settings {
        roots: Roots::from(trust.upstream_roots()),
        upstreams: home.config.upstreams.clone(),
        allow: home.config.allow.clone(),
        public_hosts: registry::public_hosts().collect(),
        server,
        proxies: proxies()?,
    }))
}

/// Makes the engine: it trusts what the caller trusts, and goes where the configuration says, or to the team's server.
pub(crate) fn engine(
    home: &Home,
    store: &Store,
    trust: &CallerTrust,
    server: Option<&Site>,
) -> Result<Engine, Failure> {
    Ok(Engine {
        store: store.clone(),
        client: client(home, trust, server.and_then(|site| ObjectUrl::parse(site.base()).ok()))?,
        clock: home.clock.clone(),
        credential_key: home.credential_key()?,
        index_fresh_for: home.config.limits.index_fresh_for,
        // What lies beside the home's own store, a drill's empty one, has no second copy.
        healer: match store.home() == home.path && !home.config.copies.is_empty() {
            true => Some(Arc::new(FromCopies(home.clone()))),
            false => None,
        },
        private: home.config.private.clone(),
        blocks: home.config.blocks.clone(),
        mirrors: home.config.mirrors.clone(),
    })
}
