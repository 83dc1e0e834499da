//! Which answers are there or under way, and who has git write them.

use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use host::process::ProcessError;
use model::{RepoId, Sha256, Timestamp};
use tokio::runtime::Handle;

use super::ring::FILE_BYTES_MAX;
use super::{End, Flight, Reader};
use crate::served::ServeError;

/// How long an answer that is whole is there for those who come later: the jobs of one pipeline do not begin in one moment.
const STAYS: Duration = Duration::from_secs(10);
/// How many answers may stay so; each has a file open.
const N_KEPT_MAX: usize = 64;

/// What is asked: whoever asks the same has the same answer.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    pub(crate) repo: RepoId,
    pub(crate) at: Option<Timestamp>,
    /// The state of the refs.
    pub(crate) seq: u64,
    /// The request.
    pub(crate) digest: Sha256,
}

/// A client that takes nothing for so long is given nothing more.
const TAKES_NOTHING: Duration = Duration::from_secs(60);
/// How often clients are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(15);

/// The answers that can be joined; cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Flights(Arc<Mutex<HashMap<Key, Arc<Flight>>>>);

/// What writes an answer; dropped, it ends it.
#[derive(Debug)]
pub(crate) struct Writer {
    flights: Flights,
    key: Key,
    flight: Arc<Flight>,
}

impl Flights {
    /// Returns an answer that is there, or under way.
    pub(crate) fn join(&self, key: &Key) -> Option<Reader> {
        self.lock().get(key).and_then(Flight::join)
    }

    /// Returns an answer, with what writes it where nobody else does that.
    pub(crate) fn join_or_begin(&self, key: Key, folder: &Path) -> io::Result<(Reader, Option<Writer>)> {
        let mut flights = self.lock();
        if let Some(reader) = flights.get(&key).and_then(Flight::join) {
            return Ok((reader, None));
        }
        let flight = Arc::new(Flight::new(folder, FILE_BYTES_MAX)?);
        let reader = flight.join().ok_or(io::ErrorKind::Other)?;
        flights.insert(key.clone(), flight.clone());
        let watched = Arc::downgrade(&flight);
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(LOOK_EVERY).await;
                let Some(flight) = watched.upgrade() else { return };
                if !flight.leave_behind(TAKES_NOTHING).unwrap_or(true) {
                    return;
                }
            }
        });
        Ok((reader, Some(Writer { flights: self.clone(), key, flight })))
    }

    /// Forgets an answer, unless another one took its place.
    fn forget(&self, key: &Key, flight: &Arc<Flight>) {
        let mut flights = self.lock();
        if flights.get(key).is_some_and(|known| Arc::ptr_eq(known, flight)) {
            flights.remove(key);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Arc<Flight>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Writer {
    /// Has the answer written once there is a turn, as long as somebody waits for it. `pour` gives what git writes, until it is told
    /// that nobody wants more.
    pub(crate) async fn write<P, T>(
        self,
        turn: impl Future<Output = Result<(P, T), ServeError>>,
        pour: impl FnOnce(&mut dyn FnMut(&[u8]) -> bool) -> Result<(), ProcessError> + Send + 'static,
    ) where
        P: Send + 'static,
        T: Send + 'static,
    {
        let (place, turn) = tokio::select! {
            () = self.flight.deserted() => return,
            got = turn => match got {
                Ok(both) => both,
                Err(error) => return self.refuse(&error),
            },
        };
        let runtime = Handle::current();
        // Not one of the runtime's, which would be waited for when a server ends.
        let thread = std::thread::Builder::new().name("git's answer".to_owned());
        let started = thread.spawn(move || {
            let _runtime = runtime.enter();
            self.run(turn, pour);
            drop(place);
        });
        if let Err(error) = started {
            tracing::error!("a client got nothing: no thread can be started: {error}");
        }
    }

    fn run<T: Send>(
        self,
        turn: T,
        pour: impl FnOnce(&mut dyn FnMut(&[u8]) -> bool) -> Result<(), ProcessError>,
    ) {
        let (mut turn, mut n_bytes) = (Some(turn), 0);
        let poured = pour(&mut |piece| {
            n_bytes += piece.len();
            self.flight.push(piece, &mut turn).unwrap_or_else(|error| {
                tracing::error!("git's answer cannot be passed on: {error}");
                false
            })
        });
        match poured {
            Ok(()) => self.keep(),
            // Git has said why in its own protocol, and half a pack is none to any client: to break off would hide the reason.
            Err(error @ ProcessError::Failed { .. }) => {
                tracing::debug!("a client was refused: {error}");
                self.end(End::Said);
            }
            Err(error) if n_bytes == 0 => self.refuse(&error.into()),
            Err(error) => self.end(End::Broken(Arc::new(error))),
        }
    }

    /// Says in git's protocol why there is no answer.
    fn refuse(self, error: &ServeError) {
        tracing::warn!("a client got nothing: {error}");
        let refused = self.flight.push(&git::refusal(&error.to_string()), &mut None::<()>);
        if refused.is_ok() {
            self.end(End::Said);
        }
    }

    fn end(self, end: End) {
        self.flights.forget(&self.key, &self.flight);
        self.flight.finish(end);
    }

    /// Ends an answer that is whole, and lets it stay for a while.
    fn keep(self) {
        self.flight.finish(End::Whole);
        if self.flights.lock().len() <= N_KEPT_MAX {
            tokio::spawn(async move {
                tokio::time::sleep(STAYS).await;
                drop(self);
            });
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.flights.forget(&self.key, &self.flight);
        // What has an end keeps it.
        let lost = ProcessError::Untaken { program: "git".to_owned() };
        self.flight.finish(End::Broken(Arc::new(lost)));
    }
}
