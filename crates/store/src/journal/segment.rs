//! A segment: one header line, then entries. The open one is `current.jsonl`; a closed one is compressed and named by
//! the SHA-256 of its compressed bytes, so that `sha256sum` of the file is its name.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

use host::failpoint;
use model::Sha256;
use serde::{Deserialize, Serialize};

use super::line::{self, Link};
use crate::regular;

/// An open segment is closed before the next append once it is this long.
pub(crate) const SEGMENT_BYTES_MAX: u64 = 4 << 20;
/// A closed segment that unpacks to more than this is not one of ours: a full one, plus the longest batch.
const UNPACKED_BYTES_MAX: u64 = 64 << 20;
const FORMAT: &str = "outlast/journal/v1";
const SUFFIX: &str = ".jsonl.zst";
/// zstd's own default: 8 MB/s would do, and this is forty times that.
const LEVEL: i32 = 3;

/// The first line of a segment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Header {
    pub(crate) format: String,
    /// 32 random hexadecimal digits, the same in every segment of one journal.
    pub(crate) journal: String,
    /// Its number; the first is 1.
    pub(crate) segment: u64,
    /// The name of the closed segment before it.
    pub(crate) previous: Option<Sha256>,
    /// The number of the first entry after this line.
    pub(crate) first_seq: u64,
    /// The hash of the entry before; [`Header::genesis`] where there is none.
    pub(crate) prev: Sha256,
}

impl Header {
    /// Begins a new journal.
    pub(crate) fn first() -> Self {
        let journal = format!("{:032x}", u128::from_be_bytes(host::random::bytes()));
        let prev = Self::genesis(&journal);
        Self { format: FORMAT.to_owned(), journal, segment: 1, previous: None, first_seq: 1, prev }
    }

    /// Returns what stands in place of a hash before the first entry: it ties the chain to the journal's id.
    pub(crate) fn genesis(journal: &str) -> Sha256 {
        Sha256::of(journal.as_bytes())
    }

    /// Returns the line, with its line feed.
    pub(crate) fn encode(&self) -> io::Result<Vec<u8>> {
        let mut text = serde_json::to_vec(self)?;
        text.push(b'\n');
        Ok(text)
    }

    /// Reads the line, which must be exactly what [`Header::encode`] writes.
    fn decode(text: &[u8]) -> Option<Self> {
        let header: Self = serde_json::from_slice(text).ok()?;
        let is_exact = header.format == FORMAT && header.encode().ok()?.strip_suffix(b"\n") == Some(text);
        is_exact.then_some(header)
    }
}

/// What follows the last line feed of an open segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tail {
    /// Nothing, as it should be.
    Clean,
    /// A whole entry whose line feed is missing or damaged.
    Whole {
        /// Where the line feed belongs.
        end: usize,
    },
    /// An entry that a crash cut off.
    Torn {
        /// Where it begins.
        start: usize,
    },
}

/// What a segment's bytes say.
#[derive(Debug)]
pub(crate) struct Scan {
    pub(crate) header: Option<Header>,
    /// Each entry that is whole, without its line feed.
    pub(crate) lines: Vec<(Range<usize>, Link)>,
    /// What is wrong, in words for a person.
    pub(crate) problems: Vec<String>,
    pub(crate) tail: Tail,
}

impl Scan {
    /// Checks a whole segment.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        let mut scan = Self { header: None, lines: Vec::new(), problems: Vec::new(), tail: Tail::Clean };
        let end = memchr::memchr(b'\n', bytes).unwrap_or(bytes.len());
        scan.header = Header::decode(&bytes[..end]);
        let next = scan.header.as_ref().map(|header| (header.first_seq, header.prev));
        match &scan.header {
            None => scan.problems.push("its first line is damaged".to_owned()),
            Some(header) if header.segment == 1 => {
                if (header.first_seq, header.prev) != (1, Header::genesis(&header.journal)) {
                    scan.problems.push("its first line contradicts itself".to_owned());
                }
            }
            Some(_) => {}
        }
        scan.entries(bytes, (end + 1).min(bytes.len()), next);
        scan
    }

    /// Checks what was added behind `start`; `next` is the number and the predecessor's hash that must come.
    pub(crate) fn behind(bytes: &[u8], start: usize, next: (u64, Sha256)) -> Self {
        let mut scan = Self { header: None, lines: Vec::new(), problems: Vec::new(), tail: Tail::Clean };
        scan.entries(bytes, start, Some(next));
        scan
    }

    fn entries(&mut self, bytes: &[u8], mut start: usize, mut next: Option<(u64, Sha256)>) {
        while let Some(n) = memchr::memchr(b'\n', &bytes[start..]) {
            let range = start..start + n;
            start += n + 1;
            let Some(link) = line::check(&bytes[range.clone()]) else {
                let after = self.lines.last().map_or_else(
                    || "at its beginning".to_owned(),
                    |(_, link)| format!("after entry {}", link.seq),
                );
                self.problems.push(format!("an entry {after} is damaged"));
                // Of what follows only its own hashes can be checked.
                next = None;
                continue;
            };
            if next.is_some_and(|next| next != (link.seq, link.prev)) {
                self.problems.push(format!("entry {} does not follow the one before it", link.seq));
            }
            next = Some((link.seq + 1, link.hash));
            self.lines.push((range, link));
        }
        self.tail = tail(bytes, start);
    }

    pub(crate) fn last(&self) -> Option<Link> {
        self.lines.last().map(|(_, link)| *link)
    }
}

fn tail(bytes: &[u8], start: usize) -> Tail {
    let rest = &bytes[start..];
    if rest.is_empty() {
        Tail::Clean
    } else if line::check(rest).is_some() {
        Tail::Whole { end: bytes.len() }
    } else if line::check(&rest[..rest.len() - 1]).is_some() {
        Tail::Whole { end: bytes.len() - 1 }
    } else {
        Tail::Torn { start }
    }
}

/// A closed segment on disk.
#[derive(Debug, Clone)]
pub(crate) struct Closed {
    pub(crate) name: Sha256,
    pub(crate) path: PathBuf,
}

/// Lists the closed segments, in no order.
pub(crate) fn list(folder: &Path) -> io::Result<Vec<Closed>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if let Some(name) = name.strip_suffix(SUFFIX).and_then(|name| name.parse().ok()) {
            found.push(Closed { name, path });
        }
    }
    Ok(found)
}

/// Compresses a finished segment and makes it durable under its name.
pub(crate) fn close(folder: &Path, bytes: &[u8]) -> io::Result<Sha256> {
    let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), LEVEL)?;
    encoder.include_checksum(true)?;
    encoder.write_all(bytes)?;
    let packed = encoder.finish()?;
    // Check twice: what will be the only copy must unpack to what is there now.
    if unpack(&packed[..])? != bytes {
        return Err(io::Error::other("a compressed segment does not unpack to itself"));
    }
    let name = Sha256::of(&packed);
    write_closed(folder, &name, &packed)?;
    Ok(name)
}

/// Makes a compressed segment durable under its name.
pub(crate) fn write_closed(folder: &Path, name: &Sha256, packed: &[u8]) -> io::Result<()> {
    let temporary = folder.join(format!("{name}.tmp"));
    let mut file = File::create(&temporary)?;
    file.write_all(packed)?;
    file.sync_all()?;
    failpoint::pass("segment.written")?;
    fs::rename(&temporary, closed_path(folder, name))?;
    host::file::sync_folder(folder)?;
    failpoint::pass("segment.closed")
}

/// Returns where a closed segment lies.
pub(crate) fn closed_path(folder: &Path, name: &Sha256) -> PathBuf {
    folder.join(format!("{name}{SUFFIX}"))
}

/// Returns the name that a closed segment's bytes have, and what they unpack to.
pub(crate) fn read_closed(path: &Path) -> io::Result<(Sha256, io::Result<Vec<u8>>)> {
    let packed = match regular::read(path) {
        Err(error) if regular::is_other(&error) => return Ok((Sha256::of(b""), Err(error))),
        read => read?,
    };
    Ok(unpack_closed(&packed))
}

/// As [`read_closed`], of bytes that are here.
pub(crate) fn unpack_closed(packed: &[u8]) -> (Sha256, io::Result<Vec<u8>>) {
    (Sha256::of(packed), unpack(packed))
}

/// Returns the header of a closed segment without unpacking the rest.
pub(crate) fn read_header(path: &Path) -> Option<Header> {
    let mut decoder = zstd::stream::read::Decoder::new(regular::open(path).ok()?).ok()?;
    // A header has about 300 bytes.
    let mut bytes = Vec::new();
    let mut chunk = [0; 1024];
    while bytes.len() < 8 * 1024 {
        let n = decoder.read(&mut chunk).ok()?;
        bytes.extend_from_slice(&chunk[..n]);
        if n == 0 || chunk[..n].contains(&b'\n') {
            break;
        }
    }
    Header::decode(&bytes[..memchr::memchr(b'\n', &bytes)?])
}

fn unpack(packed: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    zstd::stream::read::Decoder::new(packed)?.take(UNPACKED_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > UNPACKED_BYTES_MAX {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "a segment unpacks to more than 64 MB"));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flipped_bit_of_a_header_is_seen() {
        let text = Header::first().encode().unwrap();
        let text = text.strip_suffix(b"\n").unwrap();
        assert!(Header::decode(text).is_some());
        assert_eq!(Scan::of(text).problems, [] as [String; 0]);
        for place in 0..text.len() * 8 {
            let mut flipped = text.to_vec();
            flipped[place / 8] ^= 1 << (place % 8);
            let scan = Scan::of(&flipped);
            // The number alone says nothing; the chain of segments does.
            let is_other_number = scan.header.is_some_and(|header| header.segment != 1);
            assert!(is_other_number || !scan.problems.is_empty(), "bit {place}");
        }
    }

    #[test]
    fn a_bomb_is_refused() {
        let packed = zstd::encode_all(io::repeat(0).take(UNPACKED_BYTES_MAX + 10), 1).unwrap();
        assert!(packed.len() < 1 << 20);
        assert_eq!(unpack(&packed[..]).unwrap_err().kind(), io::ErrorKind::InvalidData);
    }
}
