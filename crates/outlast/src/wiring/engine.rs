//! The proxy engine of one process.

use host::http::{Client, Roots, Settings};
use intercept::CallerTrust;
use proxy::Engine;
use store::Store;

use crate::failure::Failure;
use crate::home::Home;

/// Makes the engine: it trusts what the caller trusts, and goes where the configuration says.
pub(crate) fn engine(home: &Home, store: &Store, trust: &CallerTrust) -> Result<Engine, Failure> {
    Ok(Engine {
        store: store.clone(),
        client: Client::new(Settings {
            roots: Roots::from(trust.upstream_roots()),
            upstreams: home.config.upstreams.clone(),
            allow: home.config.allow.clone(),
        }),
        clock: home.clock.clone(),
        credential_key: home.credential_key()?,
        index_fresh_for: home.config.limits.index_fresh_for,
    })
}
