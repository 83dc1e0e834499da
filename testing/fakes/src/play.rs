//! From a request, the right answer and a fault to what goes over the wire; decided here, played by `http1` and `http2`.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};

use crate::answer::{Answer, Asked, Ranges};
use crate::fault::Fault;

/// What one request gets.
#[derive(Debug)]
pub(crate) enum Play {
    /// No answer, ever.
    Hang,
    /// The connection is reset.
    Reset,
    /// An answer.
    Send(Box<Script>),
}

/// An answer and how it is sent.
#[derive(Debug)]
pub(crate) struct Script {
    pub(crate) wait: Duration,
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Body,
    pub(crate) framing: Framing,
    pub(crate) ending: Ending,
}

/// The bytes of an answer.
#[derive(Debug)]
pub(crate) enum Body {
    /// None at all, though a length may be announced (HEAD, 304).
    None,
    /// All at once.
    Whole(Bytes),
    /// In pieces, with a pause after each.
    Pieces { bytes: Bytes, size: usize, pause: Duration },
    /// The same byte again and again.
    Endless { size_bytes: u64 },
}

/// How the end of a body is told (HTTP/1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    /// By a length, which need not be the right one.
    Length(u64),
    /// By chunks.
    Chunked,
    /// By the end of the connection.
    Close,
}

/// How an answer ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// As it should.
    Whole,
    /// The connection is closed before the end that was promised.
    Cut,
}

const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];
const PORTAL: &str = "<!doctype html><html><head><title>Welcome to our network</title></head>\
    <body><form action=\"/login\"><button>Accept the terms</button></form></body></html>\n";

/// Decides what a request gets.
pub(crate) fn decide(asked: &Asked, answer: Option<Answer>, fault: Option<Fault>) -> Play {
    let right = || answer.clone().unwrap_or_else(|| Answer::status(404));
    let page = |answer: Answer| send(asked, answer);
    match fault {
        None => page(right()),
        Some(Fault::Hang) => Play::Hang,
        Some(Fault::Reset) => Play::Reset,
        Some(Fault::Status(status)) => page(Answer::status(status)),
        Some(Fault::RetryAfter429(seconds)) => {
            page(Answer::status(429).header("retry-after", &seconds.to_string()))
        }
        Some(Fault::Html200) => page(Answer::bytes("text/html", PORTAL)),
        Some(Fault::Older(older)) => page(older),
        Some(Fault::RedirectTo(url)) => page(Answer::status(302).header("location", &url)),
        Some(Fault::RedirectLoop) => page(Answer::status(302).header("location", &asked.path)),
        Some(Fault::TruncatedJson) => {
            let mut answer = right();
            answer.body = answer.body.slice(..answer.body.len() / 2);
            page(answer)
        }
        Some(Fault::WrongBytes) => {
            let mut answer = right();
            let mut bytes = answer.body.to_vec();
            // Byte 9 of a gzip header names the system it was packed on, which no one reads.
            let at = if bytes.starts_with(&GZIP_MAGIC) { 9 } else { bytes.len().saturating_sub(1) };
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= 0x01;
            }
            answer.body = bytes.into();
            page(answer)
        }
        Some(Fault::SlowFirstByte(wait)) => with(page(right()), |script| script.wait = wait),
        Some(Fault::Drip { bytes: size, every: pause }) => with(page(right()), |script| {
            if let Body::Whole(bytes) = &script.body {
                script.body = Body::Pieces { bytes: bytes.clone(), size: size.max(1), pause };
            }
        }),
        Some(Fault::EndlessBody { bytes: size_bytes }) => with(page(right()), |script| {
            script.status = StatusCode::OK;
            script.headers.remove(header::CONTENT_RANGE);
            script.body = Body::Endless { size_bytes };
            script.framing = Framing::Chunked;
        }),
        Some(Fault::Short) => with(page(right()), |script| cut(script, Ending::Cut)),
        Some(Fault::ShortWithoutLength) => with(page(right()), |script| {
            script.framing = Framing::Close;
            cut(script, Ending::Cut);
        }),
        Some(Fault::ShortChunked) => with(page(right()), |script| {
            script.framing = Framing::Chunked;
            cut(script, Ending::Cut);
        }),
        // Played in the handshake; whoever came this far has no TLS.
        Some(Fault::ExpiredCertificate | Fault::ForeignCertificate | Fault::NoHandshake) => page(right()),
    }
}

fn with(mut play: Play, change: impl FnOnce(&mut Script)) -> Play {
    if let Play::Send(script) = &mut play {
        change(script);
    }
    play
}

fn cut(script: &mut Script, ending: Ending) {
    if let Body::Whole(bytes) = &script.body {
        script.body = Body::Whole(bytes.slice(..bytes.len() / 2));
        script.ending = ending;
    }
}

/// Answers as a good server does: 304 where the client has it, 206 for a range, no body for HEAD.
fn send(asked: &Asked, answer: Answer) -> Play {
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
