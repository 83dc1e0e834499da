//! Answers to clients, and their bodies: from a copy, or from a transfer that is under way.

use std::io;

use bytes::Bytes;
use futures_util::stream;
use host::http::Outgoing;
use http::{HeaderMap, Response, StatusCode, header};
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};

use crate::copy::Verified;
use crate::flight::FlightReader;
use crate::limits::CHUNK_BYTES;
use crate::range;

pub(crate) fn answer(status: StatusCode, headers: HeaderMap, body: Outgoing) -> Response<Outgoing> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

pub(crate) fn unsatisfiable(size: u64) -> Response<Outgoing> {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_RANGE, range::of_nothing(size));
    answer(StatusCode::RANGE_NOT_SATISFIABLE, headers, host::http::whole(Bytes::new()))
}

/// Returns the bytes of a transfer as they arrive.
pub(crate) fn arriving(reader: FlightReader) -> Outgoing {
    let body = stream::unfold(Some(reader), |reader| async move {
        let mut reader = reader?;
        match reader.next().await {
            Ok(Some(bytes)) => Some((Ok(Frame::data(bytes)), Some(reader))),
            Ok(None) => None,
            Err(error) => Some((Err(error.into()), None)),
        }
    });
    StreamBody::new(body).boxed_unsync()
}

/// Returns bytes of a copy that was verified before the first of them leaves.
pub(crate) fn part(bytes: Verified, start: u64, end: u64) -> Outgoing {
    let blob = match bytes {
        Verified::File(blob) => blob,
        Verified::Whole(bytes) => {
            let index = |offset| usize::try_from(offset).unwrap_or(usize::MAX);
            return host::http::whole(bytes.slice(index(start)..index(end)));
        }
    };
    read(move |buffer, offset| blob.read_at(buffer, offset), start, end)
}

/// Returns bytes that are read from the page cache, which what verified or wrote them has filled: a read does not wait for the disk.
pub(crate) fn read(
    read_at: impl Fn(&mut [u8], u64) -> io::Result<usize> + Send + 'static,
    start: u64,
    end: u64,
) -> Outgoing {
    let body = stream::unfold(Some((read_at, start)), move |state| async move {
        let (read_at, offset) = state?;
        if offset >= end {
            return None;
        }
        match read_chunk(&read_at, offset, end) {
            Ok(bytes) => {
                let next = offset + bytes.len() as u64;
                Some((Ok(Frame::data(bytes)), Some((read_at, next))))
            }
            Err(error) => Some((Err(error.into()), None)),
        }
    });
    StreamBody::new(body).boxed_unsync()
}

fn read_chunk(
    read_at: &impl Fn(&mut [u8], u64) -> io::Result<usize>,
    offset: u64,
    end: u64,
) -> io::Result<Bytes> {
    let size = usize::try_from(end - offset).unwrap_or(CHUNK_BYTES).min(CHUNK_BYTES);
    let mut buffer = vec![0; size];
    let n = read_at(&mut buffer, offset)?;
    if n == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    buffer.truncate(n);
    Ok(buffer.into())
}
