//! One client's place in a transfer.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use tokio::sync::watch;

use super::{End, Flight, Stage};
use crate::limits::CHUNK_BYTES;

/// Reads a transfer while it arrives.
#[derive(Debug)]
pub(crate) struct FlightReader {
    pub(super) flight: Arc<Flight>,
    pub(super) offset: Arc<AtomicU64>,
    pub(super) end: Option<u64>,
    pub(super) stage: watch::Receiver<Stage>,
}

impl FlightReader {
    /// Returns the next bytes, nothing at the end, or an error that must break the client's transfer.
    pub(crate) async fn next(&mut self) -> io::Result<Option<Bytes>> {
        let offset = self.offset.load(Ordering::Relaxed);
        if self.end.is_some_and(|end| offset >= end) {
            return Ok(None);
        }
        let (visible, end) = {
            let stage = self
                .stage
                .wait_for(|stage| stage.visible_bytes > offset || stage.end.is_some())
                .await
                .map_err(io::Error::other)?;
            (stage.visible_bytes, stage.end.clone())
        };
        if visible > offset {
            let limit = self.end.map_or(visible, |end| end.min(visible)) - offset;
            let size = usize::try_from(limit).unwrap_or(CHUNK_BYTES).min(CHUNK_BYTES);
            let bytes = self.flight.read(offset, size)?;
            let next = offset + bytes.len() as u64;
            self.offset.store(next, Ordering::Relaxed);
            self.flight.progress.notify_one();
            if self.end.is_some_and(|end| next >= end) {
                // A part is whole with these bytes: they leave only when the transfer was found to be right.
                broken(self.flight.ended().await)?;
            }
            return Ok(Some(bytes));
        }
        end.map_or(Ok(()), broken)?;
        Ok(None)
    }
}

impl Drop for FlightReader {
    fn drop(&mut self) {
        // The transfer may be waiting for this one.
        self.offset.store(u64::MAX, Ordering::Relaxed);
        self.flight.progress.notify_one();
    }
}

fn broken(end: End) -> io::Result<()> {
    match end {
        End::Failed { refusal, .. } => Err(io::Error::other(refusal.reason.clone())),
        End::GivenUp => Err(io::Error::other("the transfer was given up")),
        _ => Ok(()),
    }
}
