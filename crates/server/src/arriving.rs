//! A body that a client sends: it must keep coming, to its end, and be no longer than it may be. Where it is not so, the sender is told.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use host::http::Outgoing;
use http::{Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep};

use crate::answer::refusal;
use crate::limits::BODY_PAUSE;

/// What a sender did wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Fault {
    /// He sent nothing for too long.
    #[error("nothing more of the body came for {} s", BODY_PAUSE.as_secs())]
    Paused,
    /// He went away.
    #[error("the body broke off")]
    BrokeOff,
    /// He sent too much.
    #[error("the body is too large")]
    TooLarge,
}

impl Fault {
    /// Returns the answer to it.
    pub(crate) fn refuse(self) -> Response<Outgoing> {
        let (status, error, hint) = match self {
            Self::Paused => (StatusCode::REQUEST_TIMEOUT, "too_slow", "send the body at once"),
            Self::BrokeOff => (StatusCode::BAD_REQUEST, "broke_off", "send it again, to its end"),
            Self::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "too_large", "send less at a time"),
        };
        refusal(status, error, &self.to_string(), hint)
    }
}

/// Passes a body on for as long as it comes.
#[derive(Debug)]
pub(crate) struct Arriving<B = Incoming> {
    body: B,
    limit: Duration,
    pause: Pin<Box<Sleep>>,
    /// Whether the sender is waited for. While the server does something else, nobody pauses.
    is_awaited: bool,
    n_left: u64,
    slow: Slow,
}

/// Says afterwards whether a body was given up.
#[derive(Debug, Clone, Default)]
pub(crate) struct Slow(Arc<AtomicBool>);

impl Slow {
    pub(crate) fn was_given_up(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl<B: Body<Data = Bytes> + Unpin> Arriving<B> {
    pub(crate) fn new(body: B) -> Self {
        Self::within(body, BODY_PAUSE)
    }

    fn within(body: B, limit: Duration) -> Self {
        let pause = Box::pin(tokio::time::sleep(limit));
        Self { body, limit, pause, is_awaited: false, n_left: u64::MAX, slow: Slow::default() }
    }

    /// Returns what says afterwards whether it was given up, for whoever hands the body on.
    pub(crate) fn slow(&self) -> Slow {
        self.slow.clone()
    }

    /// Refuses one that announces more than so many bytes; of any other no more are taken.
    pub(crate) fn at_most(self, n_bytes: u64) -> Result<Self, Fault> {
        match self.body.size_hint().lower() > n_bytes {
            true => Err(Fault::TooLarge),
            false => Ok(Self { n_left: n_bytes, ..self }),
        }
    }

    /// Returns the next part; nothing at the end.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, Fault>
    where
        B::Error: std::error::Error,
    {
        while let Some(frame) = self.frame().await {
            if let Ok(bytes) = frame?.into_data() {
                return Ok(Some(bytes));
            }
        }
        Ok(None)
    }

    /// Returns all of it, of which no more than so many bytes are taken.
    pub(crate) async fn whole(self, n_bytes_max: u64) -> Result<Bytes, Fault>
    where
        B::Error: std::error::Error,
    {
        Ok(self.at_most(n_bytes_max)?.collect().await?.to_bytes())
    }
}

impl<B> Body for Arriving<B>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: std::error::Error,
{
    type Data = Bytes;
    type Error = Fault;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Fault>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) {
            self.is_awaited = false;
            return Poll::Ready(frame.map(|frame| {
                let frame = frame.map_err(|error| {
                    tracing::debug!("a body broke off: {error}");
                    Fault::BrokeOff
                })?;
                let n_bytes = frame.data_ref().map_or(0, |bytes| bytes.len() as u64);
                self.n_left = self.n_left.checked_sub(n_bytes).ok_or(Fault::TooLarge)?;
                Ok(frame)
            }));
        }
        if !self.is_awaited {
            self.is_awaited = true;
            let until = Instant::now() + self.limit;
            self.pause.as_mut().reset(until);
        }
        match self.pause.as_mut().poll(context) {
            Poll::Ready(()) => {
                self.slow.0.store(true, Ordering::Relaxed);
                Poll::Ready(Some(Err(Fault::Paused)))
            }
            Poll::Pending => Poll::Pending,
        }
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

    const LIMIT: Duration = Duration::from_millis(50);

    /// A body of so many parts, before each of which it is waited for; then it ends, or pauses for ever.
    #[derive(Debug)]
    struct Halting {
        n_parts: usize,
        is_there: bool,
        ends: bool,
    }

    impl Body for Halting {
        type Data = Bytes;
        type Error = std::io::Error;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            context: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
            if self.n_parts == 0 {
                return if self.ends { Poll::Ready(None) } else { Poll::Pending };
            }
            self.is_there = !self.is_there;
            if self.is_there {
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            self.n_parts -= 1;
            Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"12345678")))))
        }
    }

    fn wait<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(future)
    }

    #[test]
    fn the_time_that_the_server_takes_is_no_pause_of_the_sender() {
        let read = |ends| {
            wait(async {
                let mut body = Arriving::within(Halting { n_parts: 3, is_there: false, ends }, LIMIT);
                let mut n_bytes = 0;
                while let Some(bytes) = body.next().await? {
                    n_bytes += bytes.len();
                    // A disk that is slow.
                    let start = Instant::now();
                    while start.elapsed() < LIMIT * 2 {}
                }
                Ok(n_bytes)
            })
        };
        assert_eq!(read(true), Ok(24));
        assert_eq!(read(false), Err(Fault::Paused));
    }

    #[test]
    fn no_more_is_taken_than_may_come() {
        let whole = |n_bytes_max| {
            let body = Halting { n_parts: 3, is_there: false, ends: true };
            wait(async { Arriving::within(body, LIMIT).whole(n_bytes_max).await.map(|bytes| bytes.len()) })
        };
        assert_eq!((whole(24), whole(23)), (Ok(24), Err(Fault::TooLarge)));
    }
}
