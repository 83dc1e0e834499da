//! What keeps repositories, for one process.

use git::Git;
use intercept::CallerTrust;
use mirror::Mirror;
use store::Store;

use super::{client, trust};
use crate::failure::Failure;
use crate::home::Home;

/// Makes it: it trusts what the caller trusts, and goes where the configuration says.
pub(crate) fn mirror(home: &Home, store: &Store) -> Result<Mirror, Failure> {
    mirror_for(home, store, &trust()?)
}

/// Makes it for a command, which trusts whom it trusts.
pub(crate) fn mirror_for(home: &Home, store: &Store, trust: &CallerTrust) -> Result<Mirror, Failure> {
    let client = client(home, trust, None)?;
    Ok(Mirror::new(store.clone(), git(), client, home.clock.clone())?)
}

/// Returns the git of whoever started Outlast.
#[expect(clippy::disallowed_methods, reason = "the rim reads the environment")]
pub(crate) fn git() -> Git {
    Git::new(&std::env::var("PATH").unwrap_or_default())
}
