//! One transfer from an upstream for any number of clients.
//!
//! Bytes go to the store's temporary file and, the newest of them, into memory; clients read from memory where they can
//! and from the file where they are behind, so a slow client never throttles the store. If the disk fails, the transfer
//! goes on from memory alone, at the pace of the slowest client.

mod reader;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, Weak};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};

use model::{Freshness, Held, SavedHeader, Sha256, Source};
use tokio::sync::{Notify, watch};

pub(crate) use reader::FlightReader;

use crate::limits::TAIL_BYTES_MAX;
use crate::refusal::Refusal;
use crate::session::lock;

/// How long a transfer without a disk waits for a client that does not read.
const PACE_TIMEOUT: Duration = Duration::from_secs(30);

/// The beginning of an answer that is passed on while it arrives.
#[derive(Debug, Clone)]
pub(crate) struct Head {
    pub(crate) status: StatusCode,
    pub(crate) headers: Vec<SavedHeader>,
    pub(crate) size_bytes: Option<u64>,
}

/// How a transfer ended.
#[derive(Debug, Clone)]
pub(crate) enum End {
    /// The object is in the store.
    Landed {
        held: Arc<Held>,
        source: Source,
        freshness: Freshness,
        /// Headers for the clients of this transfer where they differ from the ones that are kept: a signed redirect.
        live_headers: Option<Arc<Vec<SavedHeader>>>,
    },
    /// An answer to be passed on and not kept; empty where clients were given it while it arrived.
    Passed {
        status: StatusCode,
        headers: Arc<Vec<SavedHeader>>,
        body: Bytes,
        size_bytes: u64,
        reason: Arc<str>,
    },
    /// Nothing came that may be passed on. `held` is the blob that should have stood in and could not.
    Failed { refusal: Arc<Refusal>, sha256: Option<Sha256> },
    /// The transfer itself came to grief, which says nothing about the object.
    GivenUp,
}

impl End {
    /// An object that is in the store, with the headers that are kept.
    pub(crate) fn landed(held: Held, source: Source, freshness: Freshness) -> Self {
        Self::Landed { held: Arc::new(held), source, freshness, live_headers: None }
    }
}

#[derive(Debug, Clone, Default)]
struct Stage {
    head: Option<Arc<Head>>,
    visible_bytes: u64,
    end: Option<End>,
}

/// A transfer.
#[derive(Debug)]
pub(crate) struct Flight {
    stage: watch::Sender<Stage>,
    file: OnceLock<File>,
    tail: Mutex<Tail>,
    progress: Notify,
    /// Headers of the answer that are not kept.
    beside: Mutex<HeaderMap>,
    /// The host to which a redirect led.
    asked: Mutex<Option<String>>,
}

#[derive(Debug, Default)]
struct Tail {
    chunks: VecDeque<Bytes>,
    start: u64,
    n_bytes: usize,
    /// Bytes that are in the file; those beyond it are in memory alone.
    file_bytes: u64,
    readers: Vec<Weak<AtomicU64>>,
    /// Whether the client that made it begin has yet to come for its first byte.
    is_awaited: bool,
}

/// What a waiter finds first.
#[derive(Debug, Clone)]
pub(crate) enum Ready {
    /// The answer arrives; read it with [`Flight::reader`].
    Head(Arc<Head>),
    /// It is over.
    End(End),
}

impl Flight {
    pub(crate) fn new() -> Self {
        Self {
            stage: watch::Sender::new(Stage::default()),
            file: OnceLock::new(),
            tail: Mutex::new(Tail::default()),
            progress: Notify::new(),
            beside: Mutex::default(),
            asked: Mutex::default(),
        }
    }

    /// Gives headers that are not kept to the clients of this transfer.
    pub(crate) fn note_beside(&self, headers: HeaderMap) {
        *lock(&self.beside) = headers;
    }

    /// Adds them to a client's answer. A cookie is for one of them: the server has heard of no more.
    pub(crate) fn add_beside(&self, headers: &mut HeaderMap) {
        let mut beside = lock(&self.beside);
        // What is kept of these is written otherwise.
        beside.keys().for_each(|name| _ = headers.remove(name));
        for (name, value) in &*beside {
            headers.append(name, value.clone());
        }
        beside.remove(header::SET_COOKIE);
    }

    /// Notes that a redirect led to another host, which is waited for from now on.
    pub(crate) fn turn_to(&self, host: &str) {
        *lock(&self.asked) = Some(host.to_owned());
    }

    /// Returns the host that is waited for, if it is not the one that was asked first.
    pub(crate) fn turned_to(&self) -> Option<String> {
        lock(&self.asked).clone()
    }

    /// Gives the file that the transfer is written to.
    pub(crate) fn attach(&self, file: File) {
        // A transfer is written to one file only.
        let _ = self.file.set(file);
    }

    /// Lets clients begin.
    pub(crate) fn begin(&self, head: Head) {
        self.lock().is_awaited = true;
        self.stage.send_modify(|stage| stage.head = Some(Arc::new(head)));
    }

    /// Returns whether clients were let begin.
    pub(crate) fn has_begun(&self) -> bool {
        self.stage.borrow().head.is_some()
    }

    /// Returns whether it is over.
    pub(crate) fn has_ended(&self) -> bool {
        self.stage.borrow().end.is_some()
    }

    /// Adds a chunk that clients may see at once; `in_file` says whether it is in the file.
    pub(crate) async fn push(&self, chunk: Bytes, file: FileState) {
        let n_bytes = chunk.len() as u64;
        let must_wait = {
            let mut tail = self.lock();
            tail.n_bytes += chunk.len();
            tail.chunks.push_back(chunk);
            if file == FileState::Written {
                tail.file_bytes += n_bytes;
            }
            tail.trim();
            tail.n_bytes > TAIL_BYTES_MAX
        };
        self.stage.send_modify(|stage| stage.visible_bytes += n_bytes);
        if must_wait {
            self.pace().await;
        }
    }

    /// Ends the transfer for everybody; the first end stands.
    pub(crate) fn finish(&self, end: End) {
        self.stage.send_modify(|stage| {
            stage.end.get_or_insert(end);
        });
    }

    /// Waits until there is something to answer with.
    pub(crate) async fn ready(&self) -> Ready {
        let mut stage = self.stage.subscribe();
        let found = stage.wait_for(|stage| stage.head.is_some() || stage.end.is_some()).await;
        // The sender lives in `self`, so waiting cannot fail.
        let stage = found.expect("the transfer outlives its waiters").clone();
        match (stage.end, stage.head) {
            // What is not in the store is only here.
            (Some(End::Passed { .. }), Some(head)) => Ready::Head(head),
            (Some(end), _) => Ready::End(end),
            (None, Some(head)) => Ready::Head(head),
            (None, None) => unreachable!("waited for one of both"),
        }
    }

    /// Waits for the end.
    pub(crate) async fn ended(&self) -> End {
        let mut stage = self.stage.subscribe();
        let found = stage.wait_for(|stage| stage.end.is_some()).await;
        found.expect("the transfer outlives its waiters").end.clone().expect("waited for it")
    }

    /// Returns the whole body if it is still in memory.
    pub(crate) fn in_memory(&self) -> Option<Bytes> {
        let tail = self.lock();
        if tail.start > 0 {
            return None;
        }
        match tail.chunks.len() {
            0 => Some(Bytes::new()),
            1 => Some(tail.chunks[0].clone()),
            _ => Some(Bytes::from(tail.chunks.iter().flatten().copied().collect::<Vec<u8>>())),
        }
    }

    /// Returns a reader from `start` up to `end`, or to the end of the body.
    pub(crate) fn reader(self: &Arc<Self>, start: u64, end: Option<u64>) -> FlightReader {
        let offset = Arc::new(AtomicU64::new(start));
        {
            let mut tail = self.lock();
            tail.readers.push(Arc::downgrade(&offset));
            tail.is_awaited = false;
        }
        self.progress.notify_one();
        FlightReader { flight: self.clone(), offset, end, stage: self.stage.subscribe() }
    }

    async fn pace(&self) {
        let wait = async {
            loop {
                let progress = self.progress.notified();
                {
                    let mut tail = self.lock();
                    tail.trim();
                    if tail.n_bytes <= TAIL_BYTES_MAX {
                        return;
                    }
                }
                progress.await;
            }
        };
        if tokio::time::timeout(PACE_TIMEOUT, wait).await.is_err() {
            // A client that does not read loses its place, not everybody's.
            let mut tail = self.lock();
            tail.leave_behind();
            tail.is_awaited = false;
            tail.trim();
        }
    }

    fn read(&self, offset: u64, size: usize) -> io::Result<Bytes> {
        {
            let tail = self.lock();
            if let Some(chunk) = tail.at(offset) {
                return Ok(chunk.slice(..chunk.len().min(size)));
            }
            if offset >= tail.file_bytes {
                return Err(io::Error::other("too far behind a transfer that could not be stored"));
            }
        }
        let file = self.file.get().ok_or_else(|| io::Error::other("no file"))?;
        let mut buffer = vec![0; size];
        let n = file.read_at(&mut buffer, offset)?;
        if n == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        buffer.truncate(n);
        Ok(buffer.into())
    }

    fn lock(&self) -> MutexGuard<'_, Tail> {
        lock(&self.tail)
    }
}

/// Whether a chunk reached the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FileState {
    Written,
    Failed,
}

impl Tail {
    /// Drops what nobody needs from memory: bytes that are in the file, or that every reader has.
    fn trim(&mut self) {
        self.readers.retain(|reader| reader.strong_count() > 0);
        while self.n_bytes > TAIL_BYTES_MAX {
            let Some(front) = self.chunks.front() else { return };
            let end = self.start + front.len() as u64;
            let is_needed = end > self.file_bytes
                && (self.is_awaited
                    || self
                        .readers
                        .iter()
                        .filter_map(Weak::upgrade)
                        .any(|offset| offset.load(Ordering::Relaxed) < end));
            if is_needed {
                return;
            }
            self.n_bytes -= front.len();
            self.start = end;
            self.chunks.pop_front();
        }
    }

    /// Forgets the readers that have not read what is first in memory.
    fn leave_behind(&mut self) {
        let end = self.start + self.chunks.front().map_or(0, |front| front.len() as u64);
        let has_read = |offset: Arc<AtomicU64>| offset.load(Ordering::Relaxed) >= end;
        self.readers.retain(|reader| reader.upgrade().is_some_and(has_read));
    }

    fn at(&self, offset: u64) -> Option<Bytes> {
        let mut start = self.start;
        if offset < start {
            return None;
        }
        for chunk in &self.chunks {
            let end = start + chunk.len() as u64;
            if offset < end {
                return Some(chunk.slice(usize::try_from(offset - start).ok()?..));
            }
            start = end;
        }
        None
    }
}
