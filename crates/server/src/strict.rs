//! A connection on which the heads of requests are read as strictly as the strictest proxy reads them. What two servers in a row read
//! differently lets one client put words into another's mouth (request smuggling, RFC 9112 §11.2).
//!
//! hyper refuses two lengths, folded lines and spaces before a colon by itself. It takes a line feed alone for the end of a line, and
//! a length beside chunks, as RFC 9112 allows: there the line's end is handed on as NUL, which no head may have, and hyper says 400.
//! What follows a head that announces a body is not looked at; such a connection is closed after the answer. Nor is what goes through a
//! tunnel, which begins where its head ends.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::{HeaderMap, HeaderValue, Method, Request, header};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

const LENGTH: &[u8] = b"content-length:";
const CODING: &[u8] = b"transfer-encoding:";
const TUNNEL: &[u8] = b"CONNECT ";
/// How much of a line is looked at: both names, and a length of many digits.
const LINE_BYTES_MAX: usize = 64;

/// A connection whose heads are looked at as they come.
#[derive(Debug)]
pub(crate) struct Strict<S> {
    stream: S,
    heads: Heads,
}

impl<S> Strict<S> {
    pub(crate) fn new(stream: S) -> Self {
        Self { stream, heads: Heads::default() }
    }
}

/// Returns whether nothing is looked at any more that comes after a request: it announces a body, or wants a tunnel.
pub(crate) fn is_last<B>(request: &Request<B>) -> bool {
    request.method() == Method::CONNECT || has_body(request.headers())
}

fn has_body(headers: &HeaderMap) -> bool {
    let is_long = |value: &HeaderValue| value.as_bytes().trim_ascii() != b"0";
    headers.contains_key(header::TRANSFER_ENCODING)
        || headers.get_all(header::CONTENT_LENGTH).iter().any(is_long)
}

/// Where in a head the bytes are that came last.
#[derive(Debug, Default)]
struct Heads {
    /// The beginning of the line that has no end yet.
    line: Vec<u8>,
    /// The byte before the next one.
    last: u8,
    has_lines: bool,
    names_length: bool,
    /// Whether it is another one than 0.
    has_length: bool,
    has_coding: bool,
    asks_for_tunnel: bool,
    is_body: bool,
}

impl Heads {
    /// Looks at what came, and spoils what two servers would read differently.
    fn look(&mut self, mut bytes: &mut [u8]) {
        while !self.is_body && !bytes.is_empty() {
            let end = bytes.iter().position(|byte| *byte == b'\n');
            let (line, rest) = bytes.split_at_mut(end.map_or(bytes.len(), |end| end + 1));
            let room = LINE_BYTES_MAX.saturating_sub(self.line.len());
            self.line.extend_from_slice(&line[..line.len().min(room)]);
            if end.is_some() {
                let before = if line.len() > 1 { line[line.len() - 2] } else { self.last };
                if before != b'\r' || !self.end_line() {
                    line[line.len() - 1] = 0;
                    self.is_body = true;
                }
            }
            self.last = line.last().copied().unwrap_or(self.last);
            bytes = rest;
        }
    }

    /// Takes a whole line; returns whether it may stand in a head.
    fn end_line(&mut self) -> bool {
        let line = std::mem::take(&mut self.line);
        if line == b"\r\n" {
            // Empty lines before a request are passed over, as hyper does.
            if self.has_lines {
                let is_body = self.has_length || self.has_coding || self.asks_for_tunnel;
                *self = Self { is_body, ..Self::default() };
            }
            return true;
        }
        self.asks_for_tunnel |= !self.has_lines && line.starts_with(TUNNEL);
        self.has_lines = true;
        let begins = |name: &[u8]| line.get(..name.len()).is_some_and(|it| it.eq_ignore_ascii_case(name));
        let (is_length, is_coding) = (begins(LENGTH), begins(CODING));
        self.names_length |= is_length;
        self.has_length |= is_length && line[LENGTH.len()..].trim_ascii() != b"0";
        self.has_coding |= is_coding;
        // Of one that is longer than what is looked at nobody knows what it says.
        let is_cut = (is_length || is_coding) && !line.ends_with(b"\n");
        !(is_cut || self.names_length && self.has_coding)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Strict<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let n_before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(context, buffer);
        self.heads.look(&mut buffer.filled_mut()[n_before..]);
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Strict<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns what is handed on of some bytes, however they are cut.
    fn handed_on(text: &str) -> String {
        let whole = {
            let mut bytes = text.as_bytes().to_vec();
            Heads::default().look(&mut bytes);
            String::from_utf8(bytes).unwrap()
        };
        for n_bytes in [1, 2, 3, 7] {
            let (mut heads, mut bytes) = (Heads::default(), text.as_bytes().to_vec());
            bytes.chunks_mut(n_bytes).for_each(|part| heads.look(part));
            assert_eq!(String::from_utf8(bytes).unwrap(), whole, "in parts of {n_bytes}");
        }
        whole
    }

    #[test]
    fn plain_heads_are_handed_on_as_they_are() {
        for same in [
            "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
            "\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\nGET /b HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET / HTTP/1.1\r\nContent-Length: 0\r\n\r\nGET /b HTTP/1.1\r\n\r\n",
            // A body is what it is, and so is what goes through a tunnel.
            "CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\na\nb\nc\nd\ne",
            "POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\na\nb\nc\nd\ne",
            "POST / HTTP/1.1\r\nTRANSFER-ENCODING: chunked\r\n\r\n1\n\na",
            &format!("GET / HTTP/1.1\r\nX: {}\r\n\r\n", "y".repeat(1000)),
        ] {
            assert_eq!(handed_on(same), same);
        }
    }

    #[test]
    fn what_two_servers_read_differently_becomes_no_head_at_all() {
        let check = |text: &str, at: &str| {
            let found = handed_on(text);
            let n_before = text.find(at).unwrap() + at.len();
            assert_eq!(found.find('\0'), Some(n_before - 1), "{found:?}");
            assert_eq!(found.replacen('\0', "\n", 1), text, "nothing else changes");
        };
        check("GET / HTTP/1.1\nHost: a\r\n\r\n", "1.1\n");
        check("GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n", "a\n");
        check("GET / HTTP/1.1\r\nHost: a\r\n\n", "a\r\n\n");
        check("\nGET / HTTP/1.1\r\n\r\n", "\n");
        check("POST / HTTP/1.1\r\nContent-Length: 5\r\ntransfer-encoding: x\r\n\r\n", "x\r\n");
        check("POST / HTTP/1.1\r\ntransfer-encoding: x\r\nContent-Length: 5\r\n\r\n", "5\r\n");
        check("POST / HTTP/1.1\r\nContent-Length: 0\r\ntransfer-encoding: x\r\n\r\n", "x\r\n");
        let far = format!("POST / HTTP/1.1\r\nContent-Length:{}0\r\n\r\nGET /b HTTP/1.1\n", " ".repeat(49));
        check(&far, " 0\r\n");
        check("CONNECT a:443 HTTP/1.1\r\nHost: a\n\r\na\r\n", "a\n");
        check("GET / HTTP/1.1\r\nX: \r\nCONNECT : a\r\n\r\nGET / HTTP/1.1\n", "1.1\n");
        // After a request without a body comes another head.
        check("GET / HTTP/1.1\r\nHost: a\r\n\r\nGET /b HTTP/1.1\nHost: a\r\n\r\n", "/b HTTP/1.1\n");
    }

    #[test]
    fn both_sides_agree_on_what_has_a_body() {
        for (name, value, expected) in [
            ("content-length", "0", false),
            ("content-length", " 0 ", false),
            ("content-length", "00", true),
            ("content-length", "7", true),
            ("transfer-encoding", "chunked", true),
            ("x-length", "7", false),
        ] {
            let mut heads = Heads::default();
            heads.look(format!("GET / HTTP/1.1\r\n{name}: {value}\r\n\r\n").into_bytes().as_mut_slice());
            let name: http::HeaderName = name.parse().unwrap();
            let headers = HeaderMap::from_iter([(name, HeaderValue::try_from(value).unwrap())]);
            assert_eq!((heads.is_body, has_body(&headers)), (expected, expected), "{value}");
        }
    }
}
