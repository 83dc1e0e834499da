//! Git repositories, as git's clients ask for them: `/git/<host>/<path>.git`, and `…/app.git@20260521T1000Z` as it was then.
//!
//! | request, below the repository's address | what it does |
//! |---|---|
//! | `GET /info/refs?service=git-upload-pack` | says what this server can, or, to earlier versions of the protocol, which refs there are |
//! | `POST /git-upload-pack` | lists refs, or gives a pack |

use std::io::Read as _;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use flate2::read::GzDecoder;
use git::{Asked, Protocol};
use host::http::Outgoing;
use host::process::ProcessError;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body::{Body, Frame};
use http_body_util::BodyExt as _;
use mirror::{Given, Refs, ServeError, Served};
use model::{RepoId, Timestamp, parse_time};

use crate::answer::{answer, refusal};
use crate::arriving::Arriving;

/// Under which path the repositories are.
pub(crate) const PATH: &str = "/git/";
/// The most that a client asks: a hundred thousand objects that it wants, and those that it has.
const REQUEST_BYTES_MAX: u64 = 16 << 20;
const INFO: &str = "/info/refs";
const PACK: &str = "/git-upload-pack";
const HINT: &str = "`outlast adopt https://HOST/PATH.git` on the server keeps a repository";

/// What is asked for.
#[derive(Debug, PartialEq, Eq)]
struct Address {
    repo: RepoId,
    at: Option<Timestamp>,
    is_pack: bool,
}

impl Address {
    fn parse(path: &str) -> Option<Self> {
        let rest = path.strip_prefix(PATH)?;
        let (repository, is_pack) = match rest.strip_suffix(PACK) {
            Some(repository) => (repository, true),
            None => (rest.strip_suffix(INFO)?, false),
        };
        let (name, at) = match repository.rsplit_once(".git@") {
            Some((name, at)) => (name, Some(parse_time(at).ok()?)),
            None => (repository.strip_suffix(".git").unwrap_or(repository), None),
        };
        Some(Self { repo: RepoId::from_name(name).ok()?, at, is_pack })
    }
}

/// Answers a request for a path below [`PATH`], query included. Whoever asks may read.
pub(crate) async fn give(served: &Served, path: &str, request: Request<Arriving>) -> Response<Outgoing> {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    if path.ends_with("/git-receive-pack") || query == "service=git-receive-pack" {
        let hint = "push to the repository's own host";
        return refusal(StatusCode::FORBIDDEN, "read_only", "this server takes no pushes", hint);
    }
    let Some(address) = Address::parse(path) else {
        return refusal(StatusCode::NOT_FOUND, "absent", "that is no repository's address", HINT);
    };
    let refs = match tokio::task::block_in_place(|| served.refs(&address.repo, address.at)) {
        Ok(Some(refs)) => refs,
        Ok(None) => {
            let reason = match address.at {
                Some(at) => format!("nothing of `{}` was held at {at}", address.repo),
                None => format!("`{}` is not kept here", address.repo),
            };
            return refusal(StatusCode::NOT_FOUND, "absent", &reason, HINT);
        }
        Err(error) => return failed(&error.into()),
    };
    let protocol = Protocol::of(request.headers().get("git-protocol").and_then(|value| value.to_str().ok()));
    let answered = match (address.is_pack, request.method()) {
        (false, &Method::GET | &Method::HEAD) if query == "service=git-upload-pack" => {
            advertise(served, &address, &refs, protocol).await
        }
        (true, &Method::POST) => match whole(request).await {
            Ok(bytes) => upload(served, &address, &refs, protocol, &bytes).await,
            Err(refused) => return refused,
        },
        _ => {
            let hint = "use git 1.6.6 or newer, over HTTP";
            return refusal(StatusCode::BAD_REQUEST, "not_asked", "that is nothing git asks for", hint);
        }
    };
    let mut response = answered.unwrap_or_else(|error| failed(&error));
    if response.status().is_success() {
        mark(response.headers_mut(), &refs, &address);
    }
    response
}

async fn advertise(
    served: &Served,
    address: &Address,
    refs: &Refs,
    protocol: Protocol,
) -> Result<Response<Outgoing>, ServeError> {
    let content = "application/x-git-upload-pack-advertisement";
    if protocol == Protocol::Two {
        return Ok(answer(StatusCode::OK, content, git::capabilities(refs.object_format).into()));
    }
    let given = served.advertise(&address.repo, address.at, refs, protocol).await?;
    // Earlier versions begin with the service's name.
    let first = Some(Bytes::from_static(b"001e# service=git-upload-pack\n0000"));
    Ok(passed_on(content, Passing { first, given }))
}

async fn upload(
    served: &Served,
    address: &Address,
    refs: &Refs,
    protocol: Protocol,
    request: &[u8],
) -> Result<Response<Outgoing>, ServeError> {
    let content = "application/x-git-upload-pack-result";
    if protocol == Protocol::Two {
        match Asked::read(request) {
            Ok(Asked::Refs(asked)) => {
                return Ok(answer(StatusCode::OK, content, asked.answer(&refs.refs).into()));
            }
            Ok(Asked::Other) => {}
            Err(error) => {
                return Ok(refusal(
                    StatusCode::BAD_REQUEST,
                    "not_git",
                    &error.to_string(),
                    "use a newer git",
                ));
            }
        }
    }
    let given = served.upload_pack(&address.repo, address.at, refs, protocol, request).await?;
    Ok(passed_on(content, Passing { first: None, given }))
}

/// Returns what a client sent, unpacked: git compresses what is longer than a kilobyte.
async fn whole(request: Request<Arriving>) -> Result<Vec<u8>, Response<Outgoing>> {
    let encoding = request.headers().get(header::CONTENT_ENCODING).cloned();
    let bytes = request.into_body().whole(REQUEST_BYTES_MAX).await.map_err(|fault| fault.refuse())?;
    if encoding.is_none() {
        return Ok(bytes.to_vec());
    }
    let is_gzip = encoding.is_some_and(|encoding| matches!(encoding.as_bytes(), b"gzip" | b"x-gzip"));
    let mut unpacked = Vec::new();
    let read = GzDecoder::new(&bytes[..]).take(REQUEST_BYTES_MAX + 1).read_to_end(&mut unpacked);
    match read {
        Ok(_) if is_gzip && unpacked.len() as u64 <= REQUEST_BYTES_MAX => Ok(unpacked),
        _ => Err(refusal(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "not_gzip",
            "the body is no gzip, or too large",
            "send it as git does",
        )),
    }
}

/// Says how the copy stands to its upstream.
fn mark(headers: &mut HeaderMap, refs: &Refs, address: &Address) {
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    let state = match (&address.at, &refs.stale) {
        (None, None) => "fresh".to_owned(),
        (None, Some((since, reason))) => format!("stale; since={since}; reason={}", plain(reason)),
        (Some(at), _) => format!("stale; since={at}; reason=as it was then"),
    };
    if let Ok(state) = HeaderValue::from_str(&state) {
        headers.insert("outlast-state", state);
    }
}

/// Returns a reason as a header may have it.
fn plain(reason: &str) -> String {
    reason
        .chars()
        .map(|letter| if letter.is_ascii_graphic() || letter == ' ' { letter } else { '?' })
        .collect()
}

fn failed(error: &ServeError) -> Response<Outgoing> {
    tracing::error!("a repository cannot be given: {error}");
    let hint = "whoever runs this server finds the reason in its log";
    refusal(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "the copy of the repository cannot be read", hint)
}

fn passed_on(content: &'static str, body: Passing) -> Response<Outgoing> {
    let mut response = Response::new(body.map_err(Into::into).boxed_unsync());
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content));
    response
}

/// What git writes, behind what stands in front of it.
#[derive(Debug)]
struct Passing {
    first: Option<Bytes>,
    given: Given,
}

impl Body for Passing {
    type Data = Bytes;
    type Error = ProcessError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ProcessError>>> {
        match self.first.take() {
            Some(first) => Poll::Ready(Some(Ok(Frame::data(first)))),
            None => match Pin::new(&mut self.given.stream).poll_frame(context) {
                // Git has said why in its own protocol, and half a pack is none to any client: to break off would hide the reason.
                Poll::Ready(Some(Err(error @ ProcessError::Failed { .. }))) => {
                    tracing::debug!("a client was refused: {error}");
                    Poll::Ready(None)
                }
                frame => frame,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_names_a_repository_and_maybe_a_moment() {
        let check = |path: &str, expected: Option<(&str, Option<&str>, bool)>| {
            let found = Address::parse(path);
            let found =
                found.as_ref().map(|it| (it.repo.as_str(), it.at.map(|at| at.to_string()), it.is_pack));
            assert_eq!(
                found,
                expected.map(|(repo, at, is_pack)| (repo, at.map(str::to_owned), is_pack)),
                "{path}"
            );
        };
        check("/git/forge.example/acme/app.git/info/refs", Some(("forge.example/acme/app", None, false)));
        check("/git/forge.example/acme/app/git-upload-pack", Some(("forge.example/acme/app", None, true)));
        let at = Some("2026-05-21T10:00:00Z");
        check("/git/forge.example/a.git@20260521T1000Z/git-upload-pack", Some(("forge.example/a", at, true)));
        check("/git/forge.example:2222/a.git/info/refs", Some(("forge.example:2222/a", None, false)));
        for path in [
            "/git/forge.example/a.git",
            "/git/forge.example/a.git/objects/info/packs",
            "/git/forge.example/../a.git/info/refs",
            "/git/forge.example/a.git@yesterday/info/refs",
            "/git//a.git/info/refs",
            "/git/-x/a.git/info/refs",
        ] {
            check(path, None);
        }
    }
}
