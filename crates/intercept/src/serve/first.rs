//! Tells from the first bytes which protocol a client speaks.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::time::timeout;

use super::http::Version;
use super::refused::RefusedWhy;

/// More than any method is long ("UPDATEREDIRECTREF" has 17 characters).
const METHOD_BYTES_MAX: usize = 24;
/// How many bytes are enough to tell.
pub(super) const NEEDED_BYTES_MAX: usize = METHOD_BYTES_MAX + 2;

/// What a connection began with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Opening {
    /// A TLS record that holds a handshake.
    Tls,
    /// A method, a space and a target.
    Http(Version),
    /// Nothing; the client closed.
    Closed,
}

/// Reads into `head` until the protocol is clear. At most [`NEEDED_BYTES_MAX`] bytes are taken.
pub(super) async fn read<S: AsyncRead + Unpin>(
    stream: &mut S,
    head: &mut Vec<u8>,
    within: Duration,
) -> Result<Opening, RefusedWhy> {
    let reading = async {
        loop {
            if let Some(decided) = tell(head) {
                return decided;
            }
            let room = NEEDED_BYTES_MAX.saturating_sub(head.len()) as u64;
            match (&mut *stream).take(room).read_buf(head).await {
                Ok(0) | Err(_) if head.is_empty() => return Ok(Opening::Closed),
                Ok(0) | Err(_) => return Err(RefusedWhy::UnknownProtocol),
                Ok(_) => {}
            }
        }
    };
    timeout(within, reading).await.unwrap_or(Err(RefusedWhy::Silent))
}

/// Returns `None` while more bytes are needed.
fn tell(head: &[u8]) -> Option<Result<Opening, RefusedWhy>> {
    const UNKNOWN: Option<Result<Opening, RefusedWhy>> = Some(Err(RefusedWhy::UnknownProtocol));
    match head {
        [] | [0x16] => return None,
        // Handshake record, version 3.x; what follows is rustls's to judge.
        [0x16, 0x03, ..] => return Some(Ok(Opening::Tls)),
        _ => {}
    }
    let n = head.iter().take_while(|byte| byte.is_ascii_uppercase() || **byte == b'-').count();
    if n == 0 || n > METHOD_BYTES_MAX || head[0] == b'-' {
        return UNKNOWN;
    }
    match (&head[..n], &head[n..]) {
        (_, [] | [b' ']) => None,
        (b"CONNECT", [b' ', ..]) => Some(Ok(Opening::Http(Version::One))),
        (b"PRI", [b' ', b'*', ..]) => Some(Ok(Opening::Http(Version::Two))),
        // A path, an absolute address, or the asterisk of OPTIONS.
        (_, [b' ', b'/' | b'h' | b'H' | b'*', ..]) => Some(Ok(Opening::Http(Version::One))),
        _ => UNKNOWN,
    }
}

/// Feeds bytes to the judge; with so many it decides.
#[cfg(test)]
pub(super) fn no_panic(bytes: &[u8]) {
    let head = &bytes[..bytes.len().min(NEEDED_BYTES_MAX)];
    assert!(tell(head).is_some() || head.len() < NEEDED_BYTES_MAX);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(head: &[u8], expected: Option<Result<Opening, RefusedWhy>>) {
        assert_eq!(tell(head), expected, "{}", head.escape_ascii());
    }

    #[test]
    fn tls_and_http_are_told_from_everything_else() {
        check(b"\x16\x03\x01\x02\x00\x01", Some(Ok(Opening::Tls)));
        for head in ["GET /", "CONNECT a:443", "OPTIONS *", "POST http://a/", "VERSION-CONTROL /a"] {
            check(head.as_bytes(), Some(Ok(Opening::Http(Version::One))));
        }
        check(b"PRI * HTTP/2.0", Some(Ok(Opening::Http(Version::Two))));
        for head in
            ["SSH-2.0-OpenSSH", "EHLO me", "get / HTTP/1.1", "*1\r\n$4", " GET /", "-GET /", "GET\r\n"]
        {
            check(head.as_bytes(), Some(Err(RefusedWhy::UnknownProtocol)));
        }
        // SSLv2 greeting, TLS alert, Java's serialisation, git's own protocol.
        for head in [&b"\x80\x2e\x01"[..], b"\x15\x03\x01", b"\xac\xed\x00\x05", b"003egit-upload-pack"] {
            check(head, Some(Err(RefusedWhy::UnknownProtocol)));
        }
        check("A".repeat(METHOD_BYTES_MAX + 1).as_bytes(), Some(Err(RefusedWhy::UnknownProtocol)));
    }

    #[test]
    fn too_little_is_waited_for() {
        for head in [&b""[..], b"\x16", b"G", b"GET", b"GET ", b"VERSION-"] {
            check(head, None);
        }
    }
}
