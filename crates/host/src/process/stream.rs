//! A program whose answer is passed on as it comes.

use std::fs::File;
use std::io::Read as _;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame};
use tokio::sync::mpsc;

use super::{END, PIECE_BYTES, ProcessError, Program, Running, STDERR, STDOUT};

/// How many pieces are read before they are taken: 256 KB.
const N_AHEAD: usize = 4;

/// What a program writes to its standard output; dropped, the program is ended.
///
/// As a body it breaks off where the program fails, so that nobody takes half an answer for a whole one.
#[derive(Debug)]
pub struct Stream(mpsc::Receiver<Result<Bytes, ProcessError>>);

impl Program {
    /// Starts it, and passes on what it writes. The bound on its standard output holds, and the one on its time counts only while it is
    /// waited for.
    pub fn stream(&self) -> Result<Stream, ProcessError> {
        let running = self.start()?;
        let (sender, receiver) = mpsc::channel(N_AHEAD);
        let program = running.program.clone();
        std::thread::Builder::new()
            .name("process stream".to_owned())
            .spawn(move || {
                if let Err(error) = pass_on(running, &sender) {
                    // Whoever has gone needs no word.
                    let _ = sender.blocking_send(Err(error));
                }
            })
            .map_err(|source| ProcessError::Io { program, source })?;
        Ok(Stream(receiver))
    }
}

fn pass_on(
    mut running: Running,
    sender: &mpsc::Sender<Result<Bytes, ProcessError>>,
) -> Result<(), ProcessError> {
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
                    if n_bytes > 0
                        && sender.blocking_send(Ok(Bytes::copy_from_slice(&piece[..n_bytes]))).is_err()
                    {
                        // Dropped: nobody waits for it any more.
                        return Ok(());
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
        self.0.recv().await
    }
}

impl Body for Stream {
    type Data = Bytes;
    type Error = ProcessError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ProcessError>>> {
        self.0.poll_recv(context).map(|piece| piece.map(|piece| piece.map(Frame::data)))
    }
}
