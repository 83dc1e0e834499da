//! What hangs, so that its clients were given what is held: if it comes late, it is there for the next time.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::{AbortHandle, JoinHandle};
use tokio::time::Instant;

use crate::flight::Flight;
use crate::session::{Inner, lock};

/// How long what hung may still come once its client has the copy, also after the end: a run must not end late because of it.
const LATE: Duration = Duration::from_millis(600);
/// And a question, whose old answer may be a false all-clear: the services that are asked take seconds at times.
const LATE_ANSWER: Duration = Duration::from_secs(2);

/// Something that hangs.
pub(crate) struct Left {
    ended: Pin<Box<dyn Future<Output = ()> + Send>>,
    abort: AbortHandle,
    flight: Option<Arc<Flight>>,
    /// Until when it is waited for at the end.
    until: Instant,
}

impl std::fmt::Debug for Left {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Left").field("until", &self.until).finish_non_exhaustive()
    }
}

impl Left {
    /// Leaves a transfer.
    pub(crate) fn flight(flight: Arc<Flight>, abort: AbortHandle) -> Self {
        let waited = flight.clone();
        let ended = Box::pin(async move { drop(waited.ended().await) });
        Self { ended, abort, flight: Some(flight), until: Instant::now() + LATE }
    }

    /// Leaves a question.
    pub(crate) fn question<T: Send + 'static>(task: JoinHandle<T>) -> Self {
        let abort = task.abort_handle();
        let ended = Box::pin(async move { drop(task.await) });
        Self { ended, abort, flight: None, until: Instant::now() + LATE_ANSWER }
    }

    /// Returns whether it is a transfer.
    pub(crate) fn is(&self, flight: &Arc<Flight>) -> bool {
        self.flight.as_ref().is_some_and(|other| Arc::ptr_eq(other, flight))
    }

    fn has_ended(&self) -> bool {
        self.abort.is_finished()
    }
}

impl Inner {
    /// Leaves what hangs to itself, as long as the session lasts and a little longer.
    pub(crate) fn leave_behind(&self, left: Left) {
        let mut all = lock(&self.left);
        // What is done is not held until the end.
        all.retain(|left| !left.has_ended());
        all.push(left);
    }

    /// Waits a little, at the end, for what may still come.
    pub(crate) async fn wait_for_late(&self) {
        let left = std::mem::take(&mut *lock(&self.left));
        for Left { ended, abort, until, .. } in left {
            if tokio::time::timeout_at(until, ended).await.is_err() {
                abort.abort();
            }
        }
    }
}
