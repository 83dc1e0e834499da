//! From a request, the right answer and a fault to what goes over the wire; decided here, played by `http1` and `http2`.

mod good;

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, StatusCode, header};

use crate::answer::{Answer, Asked};
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
    /// The same byte again and again, after a beginning.
    Endless { start: Bytes, byte: u8, size_bytes: u64 },
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
    /// Nothing more comes, and nothing is closed.
    Stall,
}

const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];
const PORTAL: &str = "<!doctype html><html><head><title>Welcome to our network</title></head>\
    <body><form action=\"/login\"><button>Accept the terms</button></form></body></html>\n";

/// Decides what a request gets.
pub(crate) fn decide(asked: &Asked, answer: Option<Answer>, fault: Option<Fault>) -> Play {
    let right = answer.unwrap_or_else(|| Answer::status(404));
    match fault {
        None => good::send(asked, right),
        Some(Fault::Hang) => Play::Hang,
        Some(Fault::Reset) => Play::Reset,
        Some(fault) => {
            let other = instead(asked, &right, &fault);
            let mut play = good::send(asked, other.unwrap_or(right));
            if let Play::Send(script) = &mut play {
                spoil(script, fault);
            }
            play
        }
    }
}

/// Returns what is answered in place of the right answer, nothing if that one is only sent badly.
fn instead(asked: &Asked, right: &Answer, fault: &Fault) -> Option<Answer> {
    let redirect = |to: &str| Answer::status(302).header("location", to);
    let later = |status, seconds: &u64| Answer::status(status).header("retry-after", &seconds.to_string());
    Some(match fault {
        Fault::Status(status) => Answer::status(*status),
        Fault::RetryAfter429(seconds) => later(429, seconds),
        Fault::RetryAfter503(seconds) => later(503, seconds),
        Fault::Html200 => Answer::bytes("text/html", PORTAL),
        Fault::Older(older) => older.clone(),
        Fault::RedirectTo(url) => redirect(url),
        Fault::RedirectLoop => redirect(&asked.path),
        Fault::RedirectWithoutEnd => redirect(&format!("{}x", asked.path)),
        Fault::TruncatedJson => with_body(right, |bytes| bytes.truncate(bytes.len() / 2)),
        Fault::WrongBytes => with_body(right, |bytes| {
            // Byte 9 of a gzip header names the system it was packed on, which no one reads.
            let at = if bytes.starts_with(&GZIP_MAGIC) { 9 } else { bytes.len().saturating_sub(1) };
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= 0x01;
            }
        }),
        _ => return None,
    })
}

fn with_body(right: &Answer, change: impl FnOnce(&mut BytesMut)) -> Answer {
    let mut bytes = BytesMut::from(&right.body[..]);
    change(&mut bytes);
    Answer { body: bytes.freeze(), ..right.clone() }
}

/// Makes the right answer arrive late, in part or without end.
fn spoil(script: &mut Script, fault: Fault) {
    match fault {
        Fault::SlowFirstByte(wait) => script.wait = wait,
        Fault::Drip { bytes: size, every: pause } => {
            if let Body::Whole(bytes) = &script.body {
                script.body = Body::Pieces { bytes: bytes.clone(), size: size.max(1), pause };
            }
        }
        Fault::Chunked => script.framing = Framing::Chunked,
        Fault::WithoutLength => script.framing = Framing::Close,
        Fault::Short => stop_at(script, 50, Ending::Cut),
        Fault::CutAt { percent } => stop_at(script, percent, Ending::Cut),
        Fault::CutAfter { bytes } => cut_after(script, bytes),
        Fault::StallAt { percent } => stop_at(script, percent, Ending::Stall),
        Fault::ShortWithoutLength => {
            script.framing = Framing::Close;
            stop_at(script, 50, Ending::Cut);
        }
        Fault::ShortChunked => {
            script.framing = Framing::Chunked;
            stop_at(script, 50, Ending::Cut);
        }
        Fault::EndlessBody { bytes } => go_on(script, Bytes::new(), b'a', bytes),
        Fault::EndlessIndex { bytes } => {
            let start = match &script.body {
                // Up to the last bracket, before which blanks may stand.
                Body::Whole(whole) => whole.slice(..whole.len().saturating_sub(1)),
                _ => Bytes::new(),
            };
            go_on(script, start, b' ', bytes);
        }
        // Played elsewhere: in place of the answer, in the handshake, by the site.
        _ => {}
    }
}

fn stop_at(script: &mut Script, percent: u8, ending: Ending) {
    if let Body::Whole(bytes) = &script.body {
        script.body = Body::Whole(bytes.slice(..bytes.len() * usize::from(percent.min(100)) / 100));
        script.ending = ending;
    }
}

fn cut_after(script: &mut Script, n_bytes: usize) {
    if let Body::Whole(bytes) = &script.body
        && bytes.len() > n_bytes
    {
        script.body = Body::Whole(bytes.slice(..n_bytes));
        script.ending = Ending::Cut;
    }
}

fn go_on(script: &mut Script, start: Bytes, byte: u8, size_bytes: u64) {
    script.status = StatusCode::OK;
    script.headers.remove(header::CONTENT_RANGE);
    script.body = Body::Endless { start, byte, size_bytes };
    script.framing = Framing::Chunked;
}
