//! One answer of git for all clients that ask the same at the same time, and for those who come a little later.
//!
//! Git writes into a file without a name, as fast as it can; each client reads from there at its own pace. Only where that file may
//! not grow any more, whoever is far behind holds up the others, and not for long.

mod ring;
mod table;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use host::process::ProcessError;
use tokio::sync::watch;
use tokio::time::Instant;

use ring::Ring;
pub(crate) use table::{Flights, Key};

/// After so long a program that waits for clients keeps no core from others.
const STALL: Duration = Duration::from_secs(1);
/// How long a client that takes nothing is waited for where it holds up others.
const PACE: Duration = Duration::from_secs(30);

/// An answer that somebody asked for.
#[derive(Debug)]
pub(crate) struct Flight {
    written: watch::Sender<Written>,
    state: Mutex<State>,
    /// A client has read more, or is gone.
    moved: Condvar,
    pace: Duration,
}

#[derive(Debug, Clone, Default)]
struct Written {
    n_bytes: u64,
    end: Option<End>,
}

/// How an answer ended.
#[derive(Debug, Clone)]
pub(crate) enum End {
    /// It is whole.
    Whole,
    /// It says itself why there is no more.
    Said,
    /// There is half of it.
    Broken(Arc<ProcessError>),
}

#[derive(Debug)]
struct State {
    ring: Ring,
    /// How far each client has read.
    readers: HashMap<u64, Place>,
    n_readers_ever: u64,
    /// Whether its first byte is still there, and nothing is wrong with it.
    can_join: bool,
}

/// How far a client has read.
#[derive(Debug, Clone, Copy)]
struct Place {
    offset: u64,
    /// Since when.
    since: Instant,
}

/// One client's way through an answer.
#[derive(Debug)]
pub(crate) struct Reader {
    flight: Arc<Flight>,
    written: watch::Receiver<Written>,
    number: u64,
    offset: u64,
}

/// Why a client has no more of an answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    #[error("git's answer broke off")]
    Broken(#[source] Arc<ProcessError>),
    #[error("others waited too long for this client")]
    Slow,
    #[error("git's answer cannot be read back")]
    Io(#[from] io::Error),
}

impl Flight {
    /// Makes one that lies in a folder, or in memory where that takes nothing.
    fn new(folder: &Path, capacity: u64) -> io::Result<Self> {
        let ring = Ring::on_disk(folder, capacity).or_else(|error| {
            tracing::warn!("answers to git's clients cannot be shared from the disk: {error}");
            Ring::in_memory(0)
        })?;
        let state = State { ring, readers: HashMap::new(), n_readers_ever: 0, can_join: true };
        let (written, moved) = (watch::Sender::default(), Condvar::new());
        Ok(Self { written, state: Mutex::new(state), moved, pace: PACE })
    }

    /// Lets one more client read, if the beginning is still there.
    fn join(self: &Arc<Self>) -> Option<Reader> {
        let mut state = self.lock();
        if !state.can_join {
            return None;
        }
        let number = state.n_readers_ever;
        state.n_readers_ever += 1;
        state.readers.insert(number, Place { offset: 0, since: Instant::now() });
        Some(Reader { flight: self.clone(), written: self.written.subscribe(), number, offset: 0 })
    }

    /// Adds what git has written; returns whether anybody wants more. `turn` is let go where clients are waited for.
    ///
    /// Only one thread writes, and it may have to wait.
    pub(crate) fn push(&self, mut bytes: &[u8], turn: &mut Option<impl Send>) -> io::Result<bool> {
        let mut offset = self.written.borrow().n_bytes;
        while !bytes.is_empty() {
            let Some((ring, n_bytes)) = self.room(offset, bytes.len(), turn)? else { return Ok(false) };
            if let Err(error) = ring.write(&bytes[..n_bytes], offset) {
                if !self.turn_to_memory(offset, &error, turn)? {
                    return Ok(false);
                }
                continue;
            }
            offset += n_bytes as u64;
            bytes = &bytes[n_bytes..];
            self.written.send_modify(|written| written.n_bytes = offset);
        }
        Ok(true)
    }

    /// Returns how many bytes can be written at a place, and where; nothing once nobody reads any more.
    fn room(
        &self,
        offset: u64,
        n_bytes: usize,
        turn: &mut Option<impl Send>,
    ) -> io::Result<Option<(Ring, usize)>> {
        let mut state = self.lock();
        if let Err(error) = state.ring.look(offset) {
            drop(state);
            if !self.turn_to_memory(offset, &error, turn)? {
                return Ok(None);
            }
            state = self.lock();
        }
        let capacity = state.ring.capacity;
        let is_free = |state: &State| offset - state.floor(offset) < capacity;
        let Some(mut state) = self.wait_until(state, offset, turn, is_free) else { return Ok(None) };
        let n_free = capacity - (offset - state.floor(offset));
        let n_bytes = n_bytes.min(usize::try_from(n_free).unwrap_or(usize::MAX));
        // What lies there is written over, so nobody can begin any more.
        state.can_join &= offset + n_bytes as u64 <= capacity;
        Ok(Some((state.ring.clone(), n_bytes)))
    }

    /// Goes on in memory once every client has what the disk has; returns whether anybody is left.
    fn turn_to_memory(&self, offset: u64, why: &io::Error, turn: &mut Option<impl Send>) -> io::Result<bool> {
        if self.lock().ring.is_in_memory {
            return Err(io::Error::other("memory takes nothing"));
        }
        tracing::warn!("an answer to git's clients goes on without the disk: {why}");
        let ring = Ring::in_memory(offset)?;
        let mut state = self.lock();
        state.can_join &= offset == 0;
        let is_read = |state: &State| state.floor(offset) == offset;
        let Some(mut state) = self.wait_until(state, offset, turn, is_read) else { return Ok(false) };
        state.ring = ring;
        Ok(true)
    }

    /// Waits for clients until something holds; returns nothing once there is none. Who takes nothing is left behind.
    fn wait_until<'a>(
        &'a self,
        mut state: MutexGuard<'a, State>,
        end: u64,
        turn: &mut Option<impl Send>,
        holds: impl Fn(&State) -> bool,
    ) -> Option<MutexGuard<'a, State>> {
        while !state.readers.is_empty() {
            if holds(&state) {
                return Some(state);
            }
            let floor = state.floor(end);
            let is_stuck = |state: &mut State| state.floor(end) == floor && !state.readers.is_empty();
            let mut waited;
            (state, waited) = self.wait(state, STALL, is_stuck);
            if waited {
                drop(turn.take());
                (state, waited) = self.wait(state, self.pace, is_stuck);
            }
            if waited {
                state.readers.retain(|_, place| place.offset > floor);
            }
        }
        state.can_join = false;
        None
    }

    fn wait<'a>(
        &self,
        state: MutexGuard<'a, State>,
        time: Duration,
        is_stuck: impl Fn(&mut State) -> bool,
    ) -> (MutexGuard<'a, State>, bool) {
        let waited = self.moved.wait_timeout_while(state, time, is_stuck);
        let (state, result) = waited.unwrap_or_else(PoisonError::into_inner);
        (state, result.timed_out())
    }

    /// Ends it for everybody; the first end stands, and only one that is whole is joined later.
    pub(crate) fn finish(&self, end: End) {
        self.lock().can_join &= matches!(end, End::Whole);
        self.written.send_modify(|written| {
            written.end.get_or_insert(end);
        });
    }

    /// Leaves clients behind that have taken nothing for so long though there is more; returns whether anybody is left, or may come.
    ///
    /// Whoever stays connected and takes nothing must not keep what lies on the disk.
    pub(crate) fn leave_behind(&self, pace: Duration) -> io::Result<bool> {
        let Written { n_bytes, end } = self.written.borrow().clone();
        let mut state = self.lock();
        let n_before = state.readers.len();
        state.readers.retain(|_, place| place.offset >= n_bytes || place.since.elapsed() < pace);
        let is_over = state.readers.is_empty() && n_before > 0 && end.is_some();
        if is_over {
            state.can_join = false;
            state.ring = Ring::in_memory(0)?;
        }
        drop(state);
        self.moved.notify_one();
        Ok(!is_over)
    }

    /// Waits until nobody reads any more; nobody joins then.
    async fn deserted(&self) {
        loop {
            self.written.closed().await;
            let mut state = self.lock();
            if state.readers.is_empty() {
                state.can_join = false;
                return;
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Returns how far everybody has read of what ends there.
    fn floor(&self, end: u64) -> u64 {
        self.readers.values().map(|place| place.offset).min().unwrap_or(end)
    }
}

impl Reader {
    /// Returns the next bytes, nothing at the end. Nothing is lost where it is no longer waited for.
    pub(crate) async fn next(&mut self) -> Option<Result<Bytes, ReadError>> {
        let offset = self.offset;
        let more = self.written.wait_for(|written| written.n_bytes > offset || written.end.is_some()).await;
        // Who writes is part of the flight, and outlives its readers.
        let Written { n_bytes, end } = more.expect("the flight is there").clone();
        if n_bytes > offset {
            // A client that is as fast as this machine would keep a thread of the runtime for as long as there is more.
            tokio::task::yield_now().await;
            return Some(self.read(n_bytes));
        }
        match end {
            Some(End::Broken(error)) => Some(Err(ReadError::Broken(error))),
            _ => None,
        }
    }

    fn read(&mut self, end: u64) -> Result<Bytes, ReadError> {
        let ring = self.flight.lock().ring.clone();
        let bytes = ring.read(self.offset, end);
        let mut state = self.flight.lock();
        // What was left behind may have been written over.
        let place = state.readers.get_mut(&self.number).ok_or(ReadError::Slow)?;
        let bytes = bytes?;
        self.offset += bytes.len() as u64;
        *place = Place { offset: self.offset, since: Instant::now() };
        drop(state);
        self.flight.moved.notify_one();
        Ok(bytes.into())
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.flight.lock().readers.remove(&self.number);
        self.flight.moved.notify_one();
    }
}
