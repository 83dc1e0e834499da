//! HTTP/1.1 by hand, because the faults worth playing are those that no good server can produce.

use std::io;

use bytes::{Buf as _, Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::answer::{Asked, Ranges};
use crate::connection::Wire;
use crate::play::{self, Body, Ending, Framing, Play, Script};
use crate::site::Peer;

/// More than any client sends as headers.
const HEAD_MAX_BYTES: usize = 256 << 10;
const ENDLESS_PIECE_BYTES: usize = 64 << 10;

/// What became of a connection.
pub(crate) enum After<W> {
    /// It is over.
    Closed,
    /// It was a CONNECT, and whatever comes now belongs to another protocol.
    Tunnel(W),
}

/// Answers requests until the connection ends; `sni` names the host where a request does not.
pub(crate) async fn serve<W: Wire>(mut wire: W, peer: &Peer, sni: Option<&str>) -> io::Result<After<W>> {
    let mut buffer = BytesMut::new();
    while let Some(asked) = read_request(&mut wire, &mut buffer, sni).await? {
        if asked.method == Method::CONNECT {
            wire.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await?;
            return Ok(After::Tunnel(wire));
        }
        let is_last = asked.header("connection").eq_ignore_ascii_case("close");
        let _under_way = peer.site.under_way(&asked.host);
        match meet(asked, peer).await {
            Play::Hang => {
                wait_for_the_end(&mut wire).await;
                return Ok(After::Closed);
            }
            Play::Reset => {
                wire.reset_on_close();
                return Ok(After::Closed);
            }
            Play::Send(script) => {
                let closes = script.ending == Ending::Cut || script.framing == Framing::Close;
                let stalls = script.ending == Ending::Stall;
                send(&mut wire, *script).await?;
                if stalls {
                    wait_for_the_end(&mut wire).await;
                    return Ok(After::Closed);
                }
                if closes || is_last {
                    wire.shutdown().await?;
                    return Ok(After::Closed);
                }
            }
        }
    }
    Ok(After::Closed)
}

/// Asks the site, and runs a handler where blocking does not matter.
pub(crate) async fn meet(asked: Asked, peer: &Peer) -> Play {
    let found = peer.site.lock().ask(&asked, peer.connection);
    let mut answer = match (found.answer, found.handler) {
        (None, Some(handler)) => {
            let asked = asked.clone();
            tokio::task::spawn_blocking(move || handler(&asked)).await.unwrap_or_default()
        }
        (answer, _) => answer,
    };
    if let (Ranges::Ignored, Some(answer)) = (found.ranges, answer.as_mut()) {
        answer.ranges = Ranges::Ignored;
    }
    let fault = found.fault.or_else(|| Some(*answer.as_mut()?.fault.take()?));
    let mut play = play::decide(&asked, answer, fault);
    if let Play::Send(script) = &mut play {
        script.wait += found.latency;
    }
    play
}

async fn wait_for_the_end<W: Wire>(wire: &mut W) {
    let mut rest = [0; 1024];
    while wire.read(&mut rest).await.is_ok_and(|n| n > 0) {}
}

async fn send<W: Wire>(wire: &mut W, script: Script) -> io::Result<()> {
    if !script.wait.is_zero() {
        tokio::time::sleep(script.wait).await;
    }
    let mut head = format!(
        "HTTP/1.1 {} {}\r\n",
        script.status.as_u16(),
        script.status.canonical_reason().unwrap_or("Unknown")
    )
    .into_bytes();
    for (name, value) in &script.headers {
        head.extend_from_slice(name.as_str().as_bytes());
        head.extend_from_slice(b": ");
        head.extend_from_slice(value.as_bytes());
        head.extend_from_slice(b"\r\n");
    }
    head.extend_from_slice(b"date: Sat, 01 Aug 2026 00:00:00 GMT\r\n");
    match script.framing {
        Framing::Length(size) => head.extend_from_slice(format!("content-length: {size}\r\n").as_bytes()),
        Framing::Chunked => head.extend_from_slice(b"transfer-encoding: chunked\r\n"),
        Framing::Close => head.extend_from_slice(b"connection: close\r\n"),
    }
    head.extend_from_slice(b"\r\n");
    wire.write_all(&head).await?;
    send_body(wire, &script).await?;
    wire.flush().await
}

async fn send_body<W: Wire>(wire: &mut W, script: &Script) -> io::Result<()> {
    match &script.body {
        Body::None => return Ok(()),
        Body::Whole(bytes) => piece(wire, script.framing, bytes).await?,
        Body::Pieces { bytes, size, pause } => {
            for part in bytes.chunks(*size) {
                piece(wire, script.framing, part).await?;
                wire.flush().await?;
                tokio::time::sleep(*pause).await;
            }
        }
        Body::Endless { start, byte, size_bytes } => {
            piece(wire, script.framing, start).await?;
            let part = vec![*byte; ENDLESS_PIECE_BYTES];
            let mut left = *size_bytes;
            while left > 0 {
                let n = part.len().min(usize::try_from(left).unwrap_or(usize::MAX));
                piece(wire, script.framing, &part[..n]).await?;
                left -= n as u64;
            }
        }
    }
    if script.framing == Framing::Chunked && script.ending == Ending::Whole {
        wire.write_all(b"0\r\n\r\n").await?;
    }
    Ok(())
}

async fn piece<W: Wire>(wire: &mut W, framing: Framing, bytes: &[u8]) -> io::Result<()> {
    if framing != Framing::Chunked {
        return wire.write_all(bytes).await;
    }
    // An empty chunk would be the last one.
    if bytes.is_empty() {
        return Ok(());
    }
    wire.write_all(format!("{:x}\r\n", bytes.len()).as_bytes()).await?;
    wire.write_all(bytes).await?;
    wire.write_all(b"\r\n").await
}

async fn read_request<W: Wire>(
    wire: &mut W,
    buffer: &mut BytesMut,
    sni: Option<&str>,
) -> io::Result<Option<Asked>> {
    let end = loop {
        if let Some(at) = buffer.windows(4).position(|four| four == b"\r\n\r\n") {
            break at;
        }
        if buffer.len() > HEAD_MAX_BYTES {
            return Err(bad("headers without end"));
        }
        if wire.read_buf(buffer).await? == 0 {
            return Ok(None);
        }
    };
    let head = buffer.split_to(end + 4);
    let text = std::str::from_utf8(&head).map_err(|_| bad("headers that are no text"))?;
    let mut lines = text.split("\r\n").filter(|line| !line.is_empty());
    let mut first = lines.next().unwrap_or_default().split(' ');
    let method = first.next().unwrap_or_default().parse::<Method>().map_err(|_| bad("no method"))?;
    let target = first.next().ok_or_else(|| bad("no target"))?;
    let mut headers = HeaderMap::new();
    for line in lines {
        let (name, value) = line.split_once(':').ok_or_else(|| bad("a header without a colon"))?;
        let name = name.parse::<HeaderName>().map_err(|_| bad("a header's name"))?;
        headers.append(name, HeaderValue::from_str(value.trim()).map_err(|_| bad("a header's value"))?);
    }
    let (host, path) = place(&method, target, &headers, sni);
    let body = read_body(wire, buffer, &headers).await?;
    Ok(Some(Asked { host, method, path, headers, body }))
}

/// Splits an absolute target (a plain proxy's) into host and path; all others have the host in its header.
fn place(method: &Method, target: &str, headers: &HeaderMap, sni: Option<&str>) -> (String, String) {
    let named = headers.get("host").and_then(|value| value.to_str().ok()).or(sni).unwrap_or_default();
    let (authority, path) = match target.strip_prefix("http://") {
        Some(rest) => rest.find('/').map_or((rest, "/"), |at| rest.split_at(at)),
        None if method == Method::CONNECT => (target, "/"),
        None => (named, target),
    };
    (without_port(authority), path.to_owned())
}

/// Returns a host in lower case without its port.
pub(crate) fn without_port(authority: &str) -> String {
    let is_port = |port: &str| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if is_port(port) && (!host.contains(':') || host.ends_with(']')) => host,
        _ => authority,
    };
    host.trim_matches(['[', ']']).to_lowercase()
}

async fn read_body<W: Wire>(wire: &mut W, buffer: &mut BytesMut, headers: &HeaderMap) -> io::Result<Bytes> {
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    if text("expect").is_some_and(|value| value.eq_ignore_ascii_case("100-continue")) {
        wire.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
    }
    if text("transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case("chunked")) {
        return read_chunks(wire, buffer).await;
    }
    let size = match text("content-length") {
        Some(size) => size.parse().map_err(|_| bad("a length that is no number"))?,
        None => 0,
    };
    take(wire, buffer, size).await
}

async fn read_chunks<W: Wire>(wire: &mut W, buffer: &mut BytesMut) -> io::Result<Bytes> {
    let mut body = BytesMut::new();
    loop {
        let line = loop {
            if let Some(at) = buffer.windows(2).position(|two| two == b"\r\n") {
                break buffer.split_to(at + 2);
            }
            if wire.read_buf(buffer).await? == 0 {
                return Err(bad("a chunk without end"));
            }
        };
        let digits = String::from_utf8_lossy(&line);
        let digits = digits.trim().split(';').next().unwrap_or_default();
        let size = usize::from_str_radix(digits, 16).map_err(|_| bad("a chunk without size"))?;
        let mut chunk = take(wire, buffer, size + 2).await?;
        chunk.truncate(size);
        if size == 0 {
            return Ok(body.freeze());
        }
        body.extend_from_slice(&chunk);
    }
}

async fn take<W: Wire>(wire: &mut W, buffer: &mut BytesMut, size: usize) -> io::Result<Bytes> {
    while buffer.remaining() < size {
        if wire.read_buf(buffer).await? == 0 {
            return Err(bad("a body without end"));
        }
    }
    Ok(buffer.split_to(size).freeze())
}

fn bad(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_has_no_port() {
        let check = |input: &str, expected: &str| assert_eq!(without_port(input), expected, "{input}");
        check("A.example:8443", "a.example");
        check("a.example", "a.example");
        check("[::1]:80", "::1");
        check("::1", "::1");
    }
}
