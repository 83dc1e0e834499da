//! A body that a client sends: it must keep coming.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep};

use crate::limits::BODY_PAUSE;

/// Passes a body on for as long as it comes.
#[derive(Debug)]
pub(crate) struct Arriving {
    body: Incoming,
    pause: Pin<Box<Sleep>>,
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

impl Arriving {
    pub(crate) fn new(body: Incoming, slow: Slow) -> Self {
        Self { body, pause: Box::pin(tokio::time::sleep(BODY_PAUSE)), slow }
    }
}

impl Body for Arriving {
    type Data = Bytes;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) {
            self.pause.as_mut().reset(Instant::now() + BODY_PAUSE);
            return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
        }
        match self.pause.as_mut().poll(context) {
            Poll::Ready(()) => {
                self.slow.0.store(true, Ordering::Relaxed);
                Poll::Ready(Some(Err(
                    format!("nothing more of it came for {} s", BODY_PAUSE.as_secs()).into()
                )))
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
