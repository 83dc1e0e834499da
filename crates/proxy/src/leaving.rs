//! A request whose body takes long to leave, as that of an upload: who waits for the answer counts from its last piece.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use host::http::Outgoing;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt as _;

/// How many pieces of a body have left.
pub(crate) type Left = Arc<AtomicU64>;

/// A body whose pieces are counted as they leave.
struct Leaving {
    body: Outgoing,
    left: Left,
}

/// Returns the body with the count of what has left of it.
pub(crate) fn counted(body: Outgoing) -> (Outgoing, Left) {
    let left = Left::default();
    (Leaving { body, left: left.clone() }.boxed_unsync(), left)
}

/// Waits for an answer; nothing once `after` has passed without one, and nothing has left meanwhile.
pub(crate) async fn patiently<T>(asking: impl Future<Output = T>, after: Duration, left: &Left) -> Option<T> {
    let mut asking = pin!(asking);
    let mut n_before = left.load(Ordering::Relaxed);
    loop {
        if let Ok(answer) = tokio::time::timeout(after, &mut asking).await {
            return Some(answer);
        }
        let n_now = left.load(Ordering::Relaxed);
        if n_now == n_before {
            return None;
        }
        n_before = n_now;
    }
}

impl Body for Leaving {
    type Data = Bytes;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        if matches!(polled, Poll::Ready(Some(Ok(_)))) {
            self.left.fetch_add(1, Ordering::Relaxed);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AFTER: Duration = Duration::from_millis(400);

    /// Waits for an answer that comes after four pieces, which leave at times or were there before.
    async fn waited(pieces_leave: impl Fn(&Left)) -> Option<u8> {
        let left = Left::default();
        let asking = async {
            for _ in 0..4 {
                tokio::time::sleep(AFTER / 2).await;
                pieces_leave(&left);
            }
            1
        };
        patiently(asking, AFTER, &left).await
    }

    #[tokio::test]
    async fn who_still_sends_is_waited_for() {
        let leave = |left: &Left| {
            left.fetch_add(1, Ordering::Relaxed);
        };
        assert_eq!(waited(leave).await, Some(1));
        assert_eq!(waited(|_| {}).await, None, "the control");
    }

    #[tokio::test]
    async fn a_body_says_how_long_it_is_and_is_counted() {
        let (body, left) = counted(host::http::whole(Bytes::from_static(b"four")));
        assert_eq!(body.size_hint().exact(), Some(4));
        assert_eq!(body.collect().await.unwrap().to_bytes(), "four");
        assert_eq!(left.load(Ordering::Relaxed), 1);
    }
}
