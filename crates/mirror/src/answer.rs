//! Answers to git's clients over HTTP, gitprotocol-http(5).

use std::io::Read as _;

use bytes::Bytes;
use flate2::read::GzDecoder;
use git::{Asked, Opening, Protocol, ProtocolError, Wanted};
use host::http::{HeaderMap, HeaderValue, Outgoing, header};
use http::Response;
use model::{RepoId, Timestamp};

use crate::passing::{self, Waiting};
use crate::served::{Refs, ServeError, Served, Shareable};
use crate::sync::blocking;

/// The most that a client asks: a hundred thousand objects that it wants, and those that it has.
pub const REQUEST_BYTES_MAX: u64 = 16 << 20;

/// A list of more refs than these is made where no other client waits for it.
const N_LISTED_MAX: usize = 10_000;

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
            return Ok(headed(advertisement, passing::alone(first, given, None)));
        }
        Ask::Pack(body) => unpacked(headers, body)?,
    };
    if protocol == Protocol::Two
        && let Asked::Refs(asked) = Asked::read(&body)?
    {
        let list = || asked.answer(&refs.refs);
        return Ok(whole(result, if refs.refs.len() > N_LISTED_MAX { blocking(list) } else { list() }));
    }
    let wanted = Wanted::read(protocol, &body);
    let waiting = Opening::of(&wanted).map(|opening| Waiting { opening, told_every: served.told_every() });
    let answer = match wanted.digest {
        Some(digest) => {
            let reader = served.shared(repo, at, refs, Shareable { protocol, digest, body })?;
            passing::shared(reader, waiting)
        }
        None => passing::alone(None, served.upload_pack(repo, at, refs, protocol, body)?, waiting),
    };
    Ok(headed(result, answer))
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

fn headed(content: &'static str, body: Outgoing) -> Response<Outgoing> {
    let mut response = Response::new(body);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}
