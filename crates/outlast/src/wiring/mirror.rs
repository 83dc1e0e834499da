//! What keeps repositories and gives them, for one process.

use std::num::NonZero;

use git::{Git, Ssh};
use mirror::{Mirror, Served};
use store::Store;

use super::{client, trust};
use crate::failure::Failure;
use crate::home::Home;

/// Makes what keeps them: it trusts what the caller trusts, and goes where the configuration says.
pub(crate) fn mirror(home: &Home, store: &Store) -> Result<Mirror, Failure> {
    let client = client(home, &trust()?, None)?;
    let mirror = Mirror::new(store.clone(), git(), client, home.clock.clone());
    let mirror = mirror.with_tripwires(home.config.tripwires.clone());
    Ok(mirror.with_keyring(home.config.private.keyring()))
}

/// Makes what gives them.
pub(crate) fn served(store: &Store) -> Served {
    let n_cores = std::thread::available_parallelism().map_or(1, NonZero::get);
    Served::new(store.clone(), git(), n_cores)
}

/// Returns the git of whoever started Outlast.
#[expect(clippy::disallowed_methods, reason = "the rim reads the environment")]
pub(crate) fn git() -> Git {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let ssh = Ssh {
        command: variable("GIT_SSH_COMMAND"),
        agent: variable("SSH_AUTH_SOCK"),
        home: variable("HOME"),
    };
    Git::new(&variable("PATH").unwrap_or_default()).with_ssh(ssh)
}
