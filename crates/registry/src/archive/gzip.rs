//! gzip: each member ends with a sum and a length of what it holds (RFC 1952).

use std::io::{self, BufReader, Read, Seek};

use super::Budget;

/// Returns whether every member is there with the right sum. What unpacks to more than is reasonable is not believed.
pub(super) fn has_end(file: &mut (impl Read + Seek)) -> bool {
    let Ok(size_bytes) = file.seek(io::SeekFrom::End(0)) else { return false };
    if file.seek(io::SeekFrom::Start(0)).is_err() {
        return false;
    }
    let limit = Budget::of(size_bytes).bytes;
    let mut decoder = flate2::read::MultiGzDecoder::new(BufReader::new(file)).take(limit);
    io::copy(&mut decoder, &mut io::sink()).is_ok_and(|n_bytes| n_bytes < limit)
}
