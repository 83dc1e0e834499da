//! Mends damaged copies: from a second copy when they are wanted, and notes it when their own bytes come again from upstream.

use std::time::Duration;

use model::Sha256;
use store::Store;

use crate::session::{Inner, lock};

/// How long a client waits for a second copy; upstream may be faster.
const PATIENCE: Duration = Duration::from_secs(5);

/// Whoever has the bytes that are damaged here.
pub trait Healer: Send + Sync + std::fmt::Debug {
    /// Puts a blob right in the store, which notes it, and returns where the bytes came from. It waits for disks and networks.
    fn heal(&self, store: &Store, sha256: &Sha256) -> Option<String>;
}

impl Inner {
    /// Mends a blob from a second copy; returns whether it is whole now.
    pub(crate) async fn heal(&self, sha256: Sha256) -> bool {
        let Some(healer) = self.engine.healer.clone() else { return false };
        let store = self.engine.store.clone();
        let healing = tokio::task::spawn_blocking(move || healer.heal(&store, &sha256));
        let Ok(Ok(Some(place))) = tokio::time::timeout(PATIENCE, healing).await else { return false };
        tracing::warn!("blob {sha256} was damaged, and is whole again from `{place}`");
        lock(&self.damaged).remove(&sha256);
        true
    }

    /// Notes that a blob that was found damaged came again from its host.
    pub(crate) fn note_healed(&self, sha256: &Sha256, host: &str) {
        if lock(&self.damaged).remove(sha256)
            && let Err(error) = self.engine.store.note_healed(sha256, host)
        {
            tracing::error!("that blob {sha256} is whole again could not be noted: {error}");
        }
    }
}
