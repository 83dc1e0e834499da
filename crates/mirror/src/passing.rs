//! What git writes, on its way to one client. The head of the answer is sent while the client waits for its turn.

use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use git::Opening;
use host::http::Outgoing;
use host::process::{ProcessError, Stream};
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;

use crate::flight::Reader;
use crate::served::Given;

type Broken = Box<dyn std::error::Error + Send + Sync>;

/// Where an answer comes from.
enum Source {
    /// A program that waits for its turn.
    Given(Given),
    /// One that is at work for this client, which keeps its place.
    Alone {
        stream: Stream,
        _place: OwnedSemaphorePermit,
    },
    /// One that others read from as well.
    Shared(Reader),
    Nothing,
}

/// What is on its way.
struct Passing {
    /// What stands in front of what git writes.
    first: Option<Bytes>,
    source: Source,
    waiting: Option<Waiting>,
}

/// How a client is kept that waits, until git has begun.
pub(crate) struct Waiting {
    pub(crate) opening: Opening,
    pub(crate) told_every: Duration,
}

/// Passes on what git writes for one client, behind what stands in front of it.
pub(crate) fn alone(first: Option<Bytes>, given: Given, waiting: Option<Waiting>) -> Outgoing {
    body(Passing { first, source: Source::Given(given), waiting })
}

/// Passes on what others read as well.
pub(crate) fn shared(reader: Reader, waiting: Option<Waiting>) -> Outgoing {
    body(Passing { first: None, source: Source::Shared(reader), waiting })
}

fn body(passing: Passing) -> Outgoing {
    let pieces = stream::unfold(passing, |mut passing| async {
        let piece = match passing.first.take() {
            Some(first) => Ok(first),
            None => passing.next().await?,
        };
        Some((piece.map(Frame::data), passing))
    });
    StreamBody::new(pieces).boxed_unsync()
}

impl Passing {
    /// Returns the next piece for the client, nothing at the end.
    async fn next(&mut self) -> Option<Result<Bytes, Broken>> {
        while let Some(Waiting { opening, told_every }) = &mut self.waiting {
            let Ok(piece) = timeout(*told_every, self.source.next()).await else {
                return Some(Ok(opening.wait().into()));
            };
            let taken = match piece? {
                Ok(bytes) => opening.take(&bytes),
                Err(error) => return Some(Err(error)),
            };
            if let Some(taken) = taken.transpose() {
                self.waiting = None;
                return Some(taken.map(Into::into).map_err(Into::into));
            }
        }
        self.source.next().await
    }
}

impl Source {
    /// Returns the next piece, nothing at the end. Nothing is lost where it is no longer waited for.
    async fn next(&mut self) -> Option<Result<Bytes, Broken>> {
        if let Self::Given(given) = self {
            *self = match given.as_mut().await {
                Ok((stream, place)) => Self::Alone { stream, _place: place },
                Err(error) => {
                    tracing::warn!("a client got nothing: {error}");
                    *self = Self::Nothing;
                    return Some(Ok(git::refusal(&error.to_string()).into()));
                }
            };
        }
        match self {
            Self::Alone { stream, .. } => match stream.next().await? {
                // Git has said why in its own protocol, and half a pack is none to any client: to break off would hide the reason.
                Err(error @ ProcessError::Failed { .. }) => {
                    tracing::debug!("a client was refused: {error}");
                    None
                }
                piece => Some(piece.map_err(Into::into)),
            },
            Self::Shared(reader) => Some(reader.next().await?.map_err(Into::into)),
            Self::Given(_) | Self::Nothing => None,
        }
    }
}
