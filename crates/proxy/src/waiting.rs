//! How long clients wait for a transfer, and what goes on without them.

use std::sync::Arc;
use std::time::Duration;

use crate::copy::Prior;
use crate::flight::{Flight, Ready};
use crate::health::breaker::{Attempt, Outcome};
use crate::limits::SOFT_DEADLINE;
use crate::session::Inner;
use crate::want::Want;

impl Inner {
    /// Finds out whether an upstream is back while the copy is served: nobody waits for it twice.
    pub(crate) fn probe_beside(self: &Arc<Self>, want: Want, prior: Prior) {
        let attempt = self.attempt(want.host(), want.lane());
        let (inner, flight) = (self.clone(), self.join(Arc::new(want), prior));
        tokio::spawn(async move {
            if tokio::time::timeout(SOFT_DEADLINE, flight.ready()).await.is_err() {
                let attempt = turned(attempt, &flight);
                inner.note_outcome(&attempt, Outcome::Hung, "it did not answer a probe within a second");
                inner.leave(&flight);
            }
        });
    }
}

/// Returns an attempt as that of the host which is waited for: a redirect may have led to another.
pub(crate) fn turned(attempt: Attempt, flight: &Flight) -> Attempt {
    Attempt { host: flight.turned_to().unwrap_or(attempt.host), ..attempt }
}

/// Waits for a transfer that nothing here can stand in for. One that finds out whether a host is back has all patience, and who asked
/// for it has not.
pub(crate) async fn in_patience(patience: Option<Duration>, flight: &Flight) -> Option<Ready> {
    match patience {
        Some(patience) => tokio::time::timeout(patience, flight.ready()).await.ok(),
        None => Some(flight.ready().await),
    }
}
