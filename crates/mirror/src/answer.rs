//! Answers to git's clients over HTTP, gitprotocol-http(5).

use std::io::Read as _;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use flate2::read::GzDecoder;
use git::{Asked, Protocol, ProtocolError};
use host::http::{HeaderMap, HeaderValue, Outgoing, header};
use host::process::{ProcessError, Stream};
use http::Response;
use http_body::{Body, Frame};
use http_body_util::BodyExt as _;
use model::{RepoId, Timestamp};
use tokio::sync::OwnedSemaphorePermit;

use crate::served::{Given, Refs, ServeError, Served};

/// The most that a client asks: a hundred thousand objects that it wants, and those that it has.
pub const REQUEST_BYTES_MAX: u64 = 16 << 20;

/// What a client asks of a repository.
#[derive(Debug)]
pub enum Ask<'a> {
    /// `GET …/info/refs?service=git-upload-pack`.
    Capabilities,
    /// `POST …/git-upload-pack`, with its body as it came.
    Pack(&'a [u8]),
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum AnswerError {
    /// The client's fault.
    #[error("the request is none of git's: {0}")]
    Asked(#[from] ProtocolError),
    /// Its body is compressed in a way that is not understood, or too large.
    #[error("the body is no gzip, or too large")]
    Body,
    /// The copy.
    #[error(transparent)]
    Serve(#[from] ServeError),
}

/// Answers what a client with these headers asks of a repository, as its refs are or were.
pub fn answer(
    served: &Served,
    repo: &RepoId,
    at: Option<Timestamp>,
    refs: &Refs,
    headers: &HeaderMap,
    ask: Ask<'_>,
) -> Result<Response<Outgoing>, AnswerError> {
    let protocol = Protocol::of(headers.get("git-protocol").and_then(|value| value.to_str().ok()));
    let advertisement = "application/x-git-upload-pack-advertisement";
    let result = "application/x-git-upload-pack-result";
    let body = match ask {
        Ask::Capabilities if protocol == Protocol::Two => {
            return Ok(whole(advertisement, git::capabilities(refs.object_format)));
        }
        Ask::Capabilities => {
            let given = served.advertise(repo, at, refs, protocol)?;
            // Earlier versions begin with the service's name.
            let first = Some(Bytes::from_static(b"001e# service=git-upload-pack\n0000"));
            return Ok(passed_on(advertisement, Passing { first, state: Passed::Not(given) }));
        }
        Ask::Pack(body) => unpacked(headers, body)?,
    };
    if protocol == Protocol::Two
        && let Asked::Refs(asked) = Asked::read(&body)?
    {
        return Ok(whole(result, asked.answer(&refs.refs)));
    }
    let given = served.upload_pack(repo, at, refs, protocol, body)?;
    Ok(passed_on(result, Passing { first: None, state: Passed::Not(given) }))
}

/// Returns what a client sent, unpacked: git compresses what is longer than a kilobyte.
fn unpacked(headers: &HeaderMap, body: &[u8]) -> Result<Vec<u8>, AnswerError> {
    let Some(encoding) = headers.get(header::CONTENT_ENCODING) else { return Ok(body.to_vec()) };
    let mut unpacked = Vec::new();
    let read = GzDecoder::new(body).take(REQUEST_BYTES_MAX + 1).read_to_end(&mut unpacked);
    let is_gzip = matches!(encoding.as_bytes(), b"gzip" | b"x-gzip");
    match read {
        Ok(_) if is_gzip && unpacked.len() as u64 <= REQUEST_BYTES_MAX => Ok(unpacked),
        _ => Err(AnswerError::Body),
    }
}

fn whole(content: &'static str, body: Vec<u8>) -> Response<Outgoing> {
    let length = body.len();
    let mut response = headed(content, host::http::whole(body.into()));
    response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    response
}

fn passed_on(content: &'static str, body: Passing) -> Response<Outgoing> {
    headed(content, body.map_err(Into::into).boxed_unsync())
}

fn headed(content: &'static str, body: Outgoing) -> Response<Outgoing> {
    let mut response = Response::new(body);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

/// What git writes, behind what stands in front of it. The head of the answer is sent while the client waits for its turn.
struct Passing {
    first: Option<Bytes>,
    state: Passed,
}

enum Passed {
    Not(Given),
    Partly { stream: Stream, _place: OwnedSemaphorePermit },
    Whole,
}

impl Body for Passing {
    type Data = Bytes;
    type Error = ProcessError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ProcessError>>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(Ok(Frame::data(first))));
        }
        if let Passed::Not(given) = &mut self.state {
            match ready!(given.as_mut().poll(context)) {
                Ok((stream, place)) => self.state = Passed::Partly { stream, _place: place },
                Err(error) => {
                    tracing::warn!("a client got nothing: {error}");
                    self.state = Passed::Whole;
                    return Poll::Ready(Some(Ok(Frame::data(git::refusal(&error.to_string()).into()))));
                }
            }
        }
        let Passed::Partly { stream, .. } = &mut self.state else { return Poll::Ready(None) };
        match ready!(Pin::new(stream).poll_frame(context)) {
            // Git has said why in its own protocol, and half a pack is none to any client: to break off would hide the reason.
            Some(Err(error @ ProcessError::Failed { .. })) => {
                tracing::debug!("a client was refused: {error}");
                Poll::Ready(None)
            }
            frame => Poll::Ready(frame),
        }
    }
}
