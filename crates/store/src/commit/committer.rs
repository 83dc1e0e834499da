//! The thread that makes things durable: blobs first, then the entries that name them, then the index.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use super::{Item, Outcome, Shared};
use crate::blob::Temporary;
use crate::error::{AppendError, WriteError};

/// How long the first of a batch waits for others to share its fsyncs.
const GATHER: Duration = Duration::from_millis(40);
/// The first pause after a failure; each is twice as long as the one before.
const BACK_OFF_MIN: Duration = Duration::from_millis(100);
const BACK_OFF_MAX: Duration = Duration::from_secs(5);

/// Commits what is handed over until the store is closed.
pub(crate) fn run(shared: &Arc<Shared>) {
    // Whoever waits must hear of it, also when this thread panics.
    let _stopped = Stopped(shared);
    let mut back_off = BACK_OFF_MIN;
    let mut waiting: Vec<Item> = Vec::new();
    loop {
        let Some(attempt) = begin(shared, &mut waiting) else {
            return;
        };
        let outcome = commit(shared, &mut waiting);
        let failed = outcome.is_err();
        end(shared, &attempt, outcome, &mut waiting);
        if !failed {
            back_off = BACK_OFF_MIN;
            continue;
        }
        let queue = shared.queue();
        if queue.is_closing {
            tracing::error!(
                n_entries = queue.n_events,
                "closed the store with entries that could not be written"
            );
            return;
        }
        if !queue.is_urgent {
            drop(
                shared
                    .work
                    .wait_timeout_while(queue, back_off, |queue| !queue.is_urgent && !queue.is_closing),
            );
        }
        back_off = (back_off * 2).min(BACK_OFF_MAX);
    }
}

struct Attempt {
    number: u64,
    /// Everything handed over up to here is tried.
    upto: u64,
}

/// Waits for work and gathers it; `None` once the store is closed and nothing is left.
fn begin(shared: &Shared, waiting: &mut Vec<Item>) -> Option<Attempt> {
    let mut queue = shared.queue();
    while queue.handed == queue.durable && waiting.is_empty() {
        if queue.is_closing {
            return None;
        }
        queue.is_idle = true;
        queue = shared.work.wait(queue).unwrap_or_else(PoisonError::into_inner);
        queue.is_idle = false;
    }
    if !queue.is_urgent {
        (queue, _) = shared
            .work
            .wait_timeout_while(queue, GATHER, |queue| !queue.is_urgent && !queue.is_closing)
            .unwrap_or_else(PoisonError::into_inner);
    }
    queue.is_urgent = false;
    queue.n_attempts += 1;
    waiting.extend(queue.items.drain(..));
    Some(Attempt { number: queue.n_attempts, upto: queue.handed })
}

/// Tells everybody how it went; what failed stays first in line.
fn end(shared: &Shared, attempt: &Attempt, outcome: Result<(), WriteError>, waiting: &mut Vec<Item>) {
    let mut queue = shared.queue();
    match outcome {
        Ok(()) => {
            queue.durable = attempt.upto;
            queue.failure = None;
        }
        Err(error) => {
            // Whoever waits for an append is told; it is not done behind his back later.
            waiting.retain(|item| match &item.guarded {
                None => true,
                Some(guarded) => {
                    let _ = guarded.answer.send(Err(error.clone().into()));
                    false
                }
            });
            queue.failure = Some((attempt.number, error));
        }
    }
    shared.ended.notify_all();
}

fn commit(shared: &Shared, waiting: &mut Vec<Item>) -> Result<(), WriteError> {
    let mut blobs: Vec<Temporary> = shared.queue().blobs.values().cloned().collect();
    if !blobs.is_empty() {
        let committed = shared.folder.commit(&mut blobs);
        let mut queue = shared.queue();
        if let Err(error) = committed {
            for blob in blobs {
                queue.blobs.insert(blob.sha256, blob);
            }
            return Err(error.into());
        }
        // Mended before it is no longer pending, so that it is held at every moment.
        shared.forget_damage(&blobs);
        for blob in &blobs {
            queue.blobs.remove(&blob.sha256);
            queue.n_blob_bytes -= blob.size_bytes;
        }
    }
    // Appended, but not in the index because that failed: it is still seen through the overlay, and folded now.
    if waiting.is_empty() && shared.overlay().is_empty() {
        return Ok(());
    }
    shared.locked(|desk| {
        desk.append(shared, waiting, |item, outcome| match item.guarded {
            None => shared.queue().n_events -= item.drafts.len(),
            Some(guarded) => {
                // He may be gone; then nobody wants to know.
                let _ = guarded.answer.send(match outcome {
                    Outcome::Appended { last_seq } => Ok(last_seq),
                    Outcome::Moved { subject, at } => Err(AppendError::Moved { subject, at }),
                });
            }
        })
    })
}

struct Stopped<'a>(&'a Shared);

impl Drop for Stopped<'_> {
    fn drop(&mut self) {
        let mut queue = self.0.queue();
        queue.is_stopped = true;
        // Those who wait for an append hear of it by the end of their channel.
        queue.items.clear();
        self.0.ended.notify_all();
    }
}
