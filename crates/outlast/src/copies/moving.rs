//! What is on its way to or from a server may take as long as it takes, if only it moves: a line may be slow, and a blob long.

use std::io::Read;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::anyhow;
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::{Bytes, Frame};
use tokio::time::Instant;

const CHUNK_BYTES: usize = 128 * 1024;
/// What a server reads back in a second at least, from a slow disk that does other things besides.
const READ_BACK_BYTES_PER_S: u64 = 10 << 20;

/// Something on its way, in any number of parts.
#[derive(Debug, Clone)]
pub(super) struct Moving {
    /// How long nothing may move.
    limit: Duration,
    /// When it is given up, unless something moves.
    until: Arc<Mutex<Instant>>,
}

impl Moving {
    pub(super) fn within(limit: Duration) -> Self {
        Self { limit, until: Arc::new(Mutex::new(Instant::now() + limit)) }
    }

    /// Notes that a part has come, or has left.
    pub(super) fn moved(&self) {
        self.rest(0);
    }

    /// Notes that so much has left which the other side reads back now.
    fn rest(&self, size_bytes: u64) {
        let until = Instant::now() + self.limit + Duration::from_secs(size_bytes / READ_BACK_BYTES_PER_S);
        let mut known = self.until();
        *known = until.max(*known);
    }

    fn until(&self) -> std::sync::MutexGuard<'_, Instant> {
        self.until.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the end, for as long as something moves.
    pub(super) async fn wait<T>(&self, future: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
        let mut future = std::pin::pin!(future);
        loop {
            let until = *self.until();
            match tokio::time::timeout_at(until, &mut future).await {
                Ok(ended) => return ended,
                Err(_) if *self.until() > until => {}
                Err(_) => {
                    return Err(anyhow!("nothing came or went for {} s", self.limit.as_secs()));
                }
            }
        }
    }

    /// Makes a body of what is read as it leaves; `size_bytes` is what the other side reads back before it answers.
    pub(super) fn body(&self, from: impl Read + Send + 'static, size_bytes: u64) -> host::http::Outgoing {
        let chunks = Chunks { from, moving: self.clone(), size_bytes };
        StreamBody::new(futures_util::stream::iter(chunks)).boxed_unsync()
    }
}

/// The bytes of a body as it is made of them.
#[derive(Debug)]
struct Chunks<R> {
    from: R,
    moving: Moving,
    size_bytes: u64,
}

impl<R: Read> Iterator for Chunks<R> {
    type Item = Result<Frame<Bytes>, Box<dyn std::error::Error + Send + Sync>>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut chunk = vec![0; CHUNK_BYTES];
        match self.from.read(&mut chunk) {
            Ok(0) => {
                self.moving.rest(self.size_bytes);
                None
            }
            Ok(n) => {
                self.moving.moved();
                chunk.truncate(n);
                Some(Ok(Frame::data(chunk.into())))
            }
            Err(error) => Some(Err(error.into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Waits with a limit of some milliseconds for something that ends once it took so many times the limit; it moves all the
    /// while, or not at all.
    fn check(moves: bool, n_limits: u32, is_waited_for: bool) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let limit = Duration::from_millis(50);
        let waited = runtime.block_on(async {
            let (moving, start) = (Moving::within(limit), Instant::now());
            let ending = async {
                while start.elapsed() < limit * n_limits {
                    if moves {
                        moving.moved();
                    }
                    tokio::task::yield_now().await;
                }
                Ok(())
            };
            moving.wait(ending).await
        });
        assert_eq!(waited.is_ok(), is_waited_for, "{moves} {n_limits}: {waited:?}");
    }

    #[test]
    fn what_moves_may_take_long_and_what_does_not_is_given_up() {
        check(true, 10, true);
        check(false, 1000, false);
    }

    #[test]
    fn a_server_has_time_to_read_back_what_it_was_given() {
        let moving = Moving::within(Duration::from_secs(120));
        let left = || moving.until().saturating_duration_since(Instant::now()).as_secs();
        let mut chunks = Chunks { from: &[0; 200_000][..], moving: moving.clone(), size_bytes: 16 << 30 };
        assert!(chunks.next().is_some() && chunks.next().is_some());
        assert!(left() <= 120);
        assert!(chunks.next().is_none());
        assert!(left() > 1700, "{}", left());
        moving.moved();
        assert!(left() > 1700, "others that end meanwhile take nothing away: {}", left());
    }
}
