//! A client that sends what it is told byte for byte, and knows whether an answer came whole.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

/// Longer than anything may take that is asked here; what takes so long has hung.
const PATIENCE: Duration = Duration::from_secs(30);

/// One connection.
pub(crate) struct Raw {
    reader: BufReader<TcpStream>,
    began: Instant,
}

/// What came back.
#[derive(Debug, Default)]
pub(crate) struct Got {
    /// 0 where the connection ended without an answer.
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
    /// Whether the answer came to the end that its head promises.
    pub(crate) is_whole: bool,
    /// From the request to the end of the answer.
    pub(crate) took: Duration,
    /// From the request to its first byte.
    pub(crate) first_byte: Duration,
}

impl Got {
    /// Returns whether it is whole, and these bytes.
    pub(crate) fn is(&self, bytes: &[u8]) -> bool {
        self.status == 200 && self.is_whole && self.body == bytes
    }

    /// Returns whether the client knows that it did not get it, and that nobody said it does not exist; Composer goes on to another
    /// address after a 429.
    pub(crate) fn is_refused(&self) -> bool {
        [503, 429].contains(&self.status) || !self.is_whole
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Returns the first word of `Outlast-State`, empty where there is none.
    pub(crate) fn state(&self) -> &str {
        self.field("outlast-state").split(';').next().unwrap_or_default().trim()
    }

    pub(crate) fn field(&self, name: &str) -> &str {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(':'));
        lines.find(|(found, _)| found.eq_ignore_ascii_case(name)).map_or("", |(_, value)| value.trim())
    }
}

/// Asks for a path over a connection of its own; `base` may have a scheme.
pub(crate) fn get(base: &str, path: &str, headers: &[&str]) -> Got {
    let authority = authority(base);
    let mut request = format!("GET {path} HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n");
    for header in headers {
        request.push_str(header);
        request.push_str("\r\n");
    }
    request.push_str("\r\n");
    exchange(base, request.as_bytes())
}

/// Sends some bytes over a connection of their own, and returns the first answer.
pub(crate) fn exchange(base: &str, bytes: &[u8]) -> Got {
    let Ok(mut raw) = Raw::connect(base) else { return Got::default() };
    // Whoever refuses before the end of a request may have closed by then.
    let _ = raw.send(bytes);
    raw.answer()
}

fn authority(base: &str) -> &str {
    base.split_once("://").map_or(base, |(_, rest)| rest)
}

impl Raw {
    pub(crate) fn connect(base: &str) -> io::Result<Self> {
        let stream = TcpStream::connect(authority(base))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Self { reader: BufReader::new(stream), began: Instant::now() })
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.began = Instant::now();
        self.reader.get_mut().write_all(bytes)
    }

    /// Sends no more, and still waits for an answer.
    pub(crate) fn break_off(&mut self) {
        let _ = self.reader.get_ref().shutdown(Shutdown::Write);
    }

    /// Reads one answer to a GET.
    pub(crate) fn answer(&mut self) -> Got {
        let mut got = Got::default();
        let Ok(Some((status, head))) = self.head() else { return got };
        (got.status, got.head, got.first_byte) = (status, head, self.began.elapsed());
        got.is_whole = self.body(&mut got).unwrap_or(false);
        got.took = self.began.elapsed();
        got
    }

    /// Returns whether the other side has closed, having said nothing more.
    pub(crate) fn is_closed(&mut self) -> bool {
        let mut rest = Vec::new();
        match self.reader.read_to_end(&mut rest) {
            Ok(_) => rest.is_empty(),
            Err(error) => error.kind() == io::ErrorKind::ConnectionReset,
        }
    }

    /// Waits until an answer has begun, and takes nothing of it.
    pub(crate) fn has_begun(&mut self) -> bool {
        self.reader.fill_buf().is_ok_and(|part| !part.is_empty())
    }

    /// Reads some bytes of what comes; returns how many there were.
    pub(crate) fn read_some(&mut self, n_bytes: usize) -> usize {
        let mut part = vec![0; n_bytes];
        self.reader.read(&mut part).unwrap_or(0)
    }

    fn head(&mut self) -> io::Result<Option<(u16, String)>> {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if self.reader.read_line(&mut head)? == 0 {
                return Ok(None);
            }
        }
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
        Ok(status.map(|status| (status, head)))
    }

    fn body(&mut self, got: &mut Got) -> io::Result<bool> {
        if matches!(got.status, 204 | 304) {
            return Ok(true);
        }
        if got.field("transfer-encoding").eq_ignore_ascii_case("chunked") {
            return self.chunks(&mut got.body);
        }
        let Ok(length) = got.field("content-length").parse::<u64>() else {
            self.reader.read_to_end(&mut got.body)?;
            return Ok(true);
        };
        self.reader.by_ref().take(length).read_to_end(&mut got.body)?;
        Ok(got.body.len() as u64 == length)
    }

    fn chunks(&mut self, body: &mut Vec<u8>) -> io::Result<bool> {
        loop {
            let mut line = String::new();
            self.reader.read_line(&mut line)?;
            let Ok(size) = u64::from_str_radix(line.trim(), 16) else { return Ok(false) };
            let n_read = self.reader.by_ref().take(size).read_to_end(body)?;
            let mut end = String::new();
            self.reader.read_line(&mut end)?;
            if n_read as u64 != size || end != "\r\n" {
                return Ok(false);
            }
            if size == 0 {
                return Ok(true);
            }
        }
    }
}
