//! What git writes, on its way to one client. The head of the answer is sent while the client waits for its turn.

use bytes::Bytes;
use futures_util::stream;
use host::http::Outgoing;
use host::process::{ProcessError, Stream};
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use tokio::sync::OwnedSemaphorePermit;

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

/// Passes on what git writes for one client, behind what stands in front of it.
pub(crate) fn alone(first: Option<Bytes>, given: Given) -> Outgoing {
    body(first, Source::Given(given))
}

/// Passes on what others read as well.
pub(crate) fn shared(reader: Reader) -> Outgoing {
    body(None, Source::Shared(reader))
}

fn body(first: Option<Bytes>, source: Source) -> Outgoing {
    let pieces = stream::unfold((first, source), |(first, mut source)| async {
        let piece = match first {
            Some(first) => Ok(first),
            None => source.next().await?,
        };
        Some((piece.map(Frame::data), (None, source)))
    });
    StreamBody::new(pieces).boxed_unsync()
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
