//! A connection whose client may read slowly, and not for ever not at all: its place is one of few.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

/// How long a client may take nothing of what is written to it.
pub(crate) const UNREAD: Duration = Duration::from_secs(60);

/// A connection on which writing ends with an error once nothing was taken for too long.
#[derive(Debug)]
pub(crate) struct Patient<S> {
    stream: S,
    after: Duration,
    /// Runs since nothing was taken.
    stuck: Option<Pin<Box<Sleep>>>,
}

impl<S> Patient<S> {
    pub(crate) const fn new(stream: S, after: Duration) -> Self {
        Self { stream, after, stuck: None }
    }

    /// Looks at what became of a write.
    fn judge<T>(&mut self, polled: Poll<io::Result<T>>, context: &mut Context<'_>) -> Poll<io::Result<T>> {
        if polled.is_ready() {
            self.stuck = None;
            return polled;
        }
        let after = self.after;
        let stuck = self.stuck.get_or_insert_with(|| Box::pin(tokio::time::sleep(after)));
        stuck.as_mut().poll(context).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Patient<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Patient<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.judge(polled, context)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_flush(context);
        self.judge(polled, context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_shutdown(context);
        self.judge(polled, context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.judge(polled, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    const AFTER: Duration = Duration::from_millis(1000);

    /// Writes four pieces to a client that takes so many, and then nothing.
    async fn written(n_taken: usize) -> io::Result<()> {
        let (near, mut far) = tokio::io::duplex(16);
        let writing = tokio::spawn(async move { Patient::new(near, AFTER).write_all(&[b'a'; 64]).await });
        let mut piece = [0; 16];
        for _ in 0..n_taken {
            tokio::time::sleep(AFTER / 2).await;
            far.read_exact(&mut piece).await?;
        }
        writing.await?
    }

    #[tokio::test]
    async fn who_takes_nothing_is_let_go_and_who_takes_little_is_not() {
        assert_eq!(written(2).await.unwrap_err().kind(), io::ErrorKind::TimedOut);
        // The control: together it takes longer, and comes whole.
        written(4).await.unwrap();
    }
}
