//! A program whose answer is passed on as it comes.

use std::fs::File;
use std::io::Read as _;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::SendTimeoutError;

use super::{END, PIECE_BYTES, ProcessError, Program, Running, STDERR, STDOUT};

/// After so long a program waits for whoever takes what it writes.
const STALL: Duration = Duration::from_secs(1);
/// How many pieces are read before they are taken: 256 KB.
const N_AHEAD: usize = 4;

/// What a program writes to its standard output; dropped, the program is ended.
///
/// As a body it breaks off where the program fails, so that nobody takes half an answer for a whole one.
#[derive(Debug)]
pub struct Stream {
    pieces: mpsc::Receiver<Bytes>,
    /// Why there are no more, where that is no good end; there before the last piece is taken.
    failure: Arc<Mutex<Option<ProcessError>>>,
}

impl Program {
    /// Runs it, and gives each piece of what it writes to `give` as it comes, until that takes no more; the bounds are those of
    /// [`Program::stream`].
    pub fn pour(&self, give: impl FnMut(&[u8]) -> bool) -> Result<(), ProcessError> {
        pass_on(self.start()?, give)
    }

    /// Starts it, and passes on what it writes. The bound on its standard output holds, and the one on its time counts only while it is
    /// waited for. Whoever takes nothing for `patience` is waited for no longer. `held` is let go when the program has ended, or when
    /// it waits for whoever takes what it writes.
    ///
    /// # Panics
    /// Outside a runtime.
    pub fn stream(&self, patience: Duration, held: impl Send + 'static) -> Result<Stream, ProcessError> {
        let running = self.start()?;
        let (sender, pieces) = mpsc::channel(N_AHEAD);
        let failure = Arc::new(Mutex::new(None));
        let (program, runtime, failed) = (running.program.clone(), Handle::current(), failure.clone());
        std::thread::Builder::new()
            .name("process stream".to_owned())
            .spawn(move || {
                let mut held = Some(held);
                let give = |piece: &[u8]| {
                    let piece = Bytes::copy_from_slice(piece);
                    match runtime.block_on(sender.send_timeout(piece, STALL)) {
                        Ok(()) => true,
                        Err(SendTimeoutError::Closed(_)) => false,
                        Err(SendTimeoutError::Timeout(piece)) => {
                            drop(held.take());
                            runtime.block_on(sender.send_timeout(piece, patience)).is_ok()
                        }
                    }
                };
                let passed_on = pass_on(running, give);
                *failed.lock().unwrap_or_else(PoisonError::into_inner) = passed_on.err();
                drop(sender);
            })
            .map_err(|source| ProcessError::Io { program, source })?;
        Ok(Stream { pieces, failure })
    }
}

/// Passes on what a program writes, for as long as somebody takes it.
fn pass_on(mut running: Running, mut give: impl FnMut(&[u8]) -> bool) -> Result<(), ProcessError> {
    let (mut n_written, mut said) = (0, Vec::new());
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        let ready = running.ready()?;
        if ready.is_empty() {
            break;
        }
        for place in ready {
            let Some(pipe) = &mut running.pipes[place] else { continue };
            let n_bytes = File::read(pipe, &mut piece).map_err(|source| running.failed(source))?;
            if n_bytes == 0 {
                running.pipes[place] = None;
            }
            match place {
                STDOUT => {
                    n_written += n_bytes;
                    if n_written > running.limits.stdout_bytes {
                        let bytes_max = running.limits.stdout_bytes;
                        return Err(ProcessError::Long { program: running.program.clone(), bytes_max });
                    }
                    if n_bytes > 0 && !give(&piece[..n_bytes]) {
                        return Err(ProcessError::Untaken { program: running.program.clone() });
                    }
                }
                STDERR => running.take_stderr(&mut said, &piece[..n_bytes]),
                END => running.kill(),
                _ => {}
            }
        }
    }
    let status = running.reap().map_err(|source| running.failed(source))?;
    match status.success() {
        true => Ok(()),
        false => Err(ProcessError::Failed {
            program: running.program.clone(),
            said: String::from_utf8_lossy(&said).trim().to_owned(),
        }),
    }
}

impl Stream {
    /// Returns the next piece, nothing at the end.
    pub async fn next(&mut self) -> Option<Result<Bytes, ProcessError>> {
        let piece = self.pieces.recv().await;
        self.or_failure(piece)
    }

    fn or_failure(&self, piece: Option<Bytes>) -> Option<Result<Bytes, ProcessError>> {
        let failure = || self.failure.lock().unwrap_or_else(PoisonError::into_inner).take();
        piece.map(Ok).or_else(|| failure().map(Err))
    }
}

impl Body for Stream {
    type Data = Bytes;
    type Error = ProcessError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ProcessError>>> {
        let piece = std::task::ready!(self.pieces.poll_recv(context));
        Poll::Ready(self.or_failure(piece).map(|piece| piece.map(Frame::data)))
    }
}
