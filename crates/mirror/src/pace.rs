//! How long an upstream is waited for, and how slowly it may answer.

use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use host::http::Incoming;
use http_body_util::BodyExt as _;
use tokio::time::{Sleep, sleep};

use crate::ask::Trouble;

/// Less is slow, as the documentation of git's `http.lowSpeedLimit` has it for an example.
const SLOW_BYTES_PER_S: u128 = 1000;

/// How long an upstream is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// How long it may think before it answers.
    pub first_byte: Duration,
    /// How long nothing may come in the middle of an answer.
    pub idle: Duration,
    /// How many times `idle` a whole answer may come slowly: who counts a large repository only sends signs of life meanwhile.
    pub n_slow_max: u32,
}

impl Default for Patience {
    fn default() -> Self {
        let minute = Duration::from_secs(60);
        Self { first_byte: minute, idle: minute, n_slow_max: 15 }
    }
}

/// An answer as it comes, neither never nor for ever.
#[derive(Debug)]
pub(crate) struct Body {
    incoming: Incoming,
    patience: Patience,
    /// Ends when the pace is looked at next.
    window: Pin<Box<Sleep>>,
    /// How much came since it was looked at last.
    n_bytes: u128,
    n_slow: u32,
}

impl Body {
    pub(crate) fn new(incoming: Incoming, patience: Patience) -> Self {
        Self { incoming, patience, window: Box::pin(sleep(patience.idle)), n_bytes: 0, n_slow: 0 }
    }

    /// Returns the next bytes, none at the end.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, Trouble> {
        loop {
            let frame = tokio::select! {
                // What is here was not slow: the disk may have been.
                biased;
                frame = self.incoming.frame() => frame,
                () = &mut self.window => {
                    self.look()?;
                    continue;
                }
            };
            match frame {
                None => return Ok(None),
                Some(Ok(frame)) => {
                    if let Ok(bytes) = frame.into_data() {
                        self.n_bytes += bytes.len() as u128;
                        return Ok(Some(bytes));
                    }
                }
                Some(Err(error)) => {
                    return Err(Trouble::Unavailable { reason: format!("the connection broke: {error}") });
                }
            }
        }
    }

    /// Looks at the pace, and gives up where it is too slow.
    fn look(&mut self) -> Result<(), Trouble> {
        let Patience { idle, n_slow_max, .. } = self.patience;
        if self.n_bytes == 0 {
            return Err(Trouble::Unavailable { reason: format!("nothing came for {} s", idle.as_secs()) });
        }
        if self.n_bytes * 1000 < SLOW_BYTES_PER_S * idle.as_millis() {
            self.n_slow += 1;
        }
        if self.n_slow > n_slow_max {
            let slow = idle.as_secs() * u64::from(n_slow_max);
            return Err(Trouble::Unavailable { reason: format!("it answered too slowly for {slow} s") });
        }
        self.n_bytes = 0;
        self.window = Box::pin(sleep(idle));
        Ok(())
    }
}
