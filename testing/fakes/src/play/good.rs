//! The right answer to a request, as a good server gives it.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};

use super::{Body, Ending, Framing, Play, Script};
use crate::answer::{Answer, Asked, Ranges};

/// Answers as a good server does: 304 where the client has it, 206 for a range, no body for HEAD.
pub(super) fn send(asked: &Asked, answer: Answer) -> Play {
    let Answer { mut status, mut headers, mut body, ranges, .. } = answer;
    if status == StatusCode::OK && is_unchanged(asked, &headers) {
        status = StatusCode::NOT_MODIFIED;
        headers.remove(header::CONTENT_TYPE);
        return script(status, headers, Body::None, Framing::Length(0));
    }
    if status == StatusCode::OK && ranges == Ranges::Honoured {
        headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
        match range(asked, &headers, body.len()) {
            Wanted::All => {}
            Wanted::Part { start, end } => {
                let text = format!("bytes {start}-{}/{}", end - 1, body.len());
                headers.insert(header::CONTENT_RANGE, text.parse().expect("digits"));
                status = StatusCode::PARTIAL_CONTENT;
                body = body.slice(start..end);
            }
            Wanted::Nothing => {
                let text = format!("bytes */{}", body.len());
                headers.insert(header::CONTENT_RANGE, text.parse().expect("digits"));
                return script(
                    StatusCode::RANGE_NOT_SATISFIABLE,
                    headers,
                    Body::Whole(Bytes::new()),
                    Framing::Length(0),
                );
            }
        }
    }
    let framing = Framing::Length(body.len() as u64);
    let body = if asked.method == Method::HEAD { Body::None } else { Body::Whole(body) };
    script(status, headers, body, framing)
}

fn script(status: StatusCode, headers: HeaderMap, body: Body, framing: Framing) -> Play {
    let ending = Ending::Whole;
    Play::Send(Box::new(Script { wait: Duration::ZERO, status, headers, body, framing, ending }))
}

fn is_unchanged(asked: &Asked, headers: &HeaderMap) -> bool {
    let has = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let known = asked.header("if-none-match");
    if !known.is_empty() {
        return has(header::ETAG).is_some_and(|etag| known.split(',').any(|one| one.trim() == etag));
    }
    let since = asked.header("if-modified-since");
    !since.is_empty() && has(header::LAST_MODIFIED) == Some(since)
}

enum Wanted {
    All,
    Part { start: usize, end: usize },
    Nothing,
}

/// Reads `bytes=START-`, `bytes=START-END` and `bytes=-LAST`; several ranges at once are answered whole.
fn range(asked: &Asked, headers: &HeaderMap, size: usize) -> Wanted {
    let condition = asked.header("if-range");
    let etag = headers.get(header::ETAG).and_then(|value| value.to_str().ok());
    let modified = headers.get(header::LAST_MODIFIED).and_then(|value| value.to_str().ok());
    if !condition.is_empty() && etag != Some(condition) && modified != Some(condition) {
        return Wanted::All;
    }
    let Some((start, end)) = asked.header("range").strip_prefix("bytes=").and_then(|r| r.split_once('-'))
    else {
        return Wanted::All;
    };
    let (start, end) = match (start.parse::<usize>(), end.parse::<usize>()) {
        (Ok(start), Ok(end)) if start <= end => (start, end.saturating_add(1).min(size)),
        (Ok(start), Err(_)) if end.is_empty() => (start, size),
        (Err(_), Ok(last)) if start.is_empty() => (size.saturating_sub(last), size),
        _ => return Wanted::All,
    };
    if start >= size { Wanted::Nothing } else { Wanted::Part { start, end } }
}
