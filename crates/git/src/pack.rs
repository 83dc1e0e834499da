//! Indexing packs: every object in one is found, inflated and hashed, in this process.
//!
//! gix-pack takes a third of the CPU of `git index-pack`, and writes the same index. A pack on which it gives up goes to git, which streams
//! objects that are too large to be held whole, and says what is wrong with those that are damaged.

use std::cell::Cell;
use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, BufWriter, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::rc::Rc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use gix_hash::Kind;
use gix_pack::data::EntryRange;
use gix_pack::data::entry::Header;
use gix_pack::data::input::{
    BytesToEntriesIter, EntriesToBytesIter, Entry, EntryDataMode, LookupRefDeltaObjectsIter, Mode,
};
use gix_pack::{data, index};
use gix_utils::progress::Discard;
use gix_zlib::Compression;
use host::Clock;

use crate::bases::Bases;

/// Objects of more bytes are not held whole, nor are entries of more bytes as they are packed.
const OBJECT_BYTES_MAX: usize = 16 << 20;
/// What is held at once is one object for each delta that builds on another; git packs no longer chains unless it is told to.
const N_DELTAS_MAX: u32 = 50;
/// How long one pack may take. What is inflated in it is bounded by nothing else.
const WITHIN: Duration = Duration::from_secs(3600);
const BUFFER_BYTES: usize = 64 << 10;

/// Why no index was made: the pack is damaged, or git has to be asked.
#[derive(Debug)]
pub(crate) struct GivenUp(pub(crate) String);

impl<E: std::error::Error> From<E> for GivenUp {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

/// Writes the index of a pack that stands on its own beside it.
pub(crate) fn index(pack: &Path, format: &str) -> Result<(), GivenUp> {
    let kind = kind(format);
    guarded(|| {
        let entries = entries(File::open(pack)?, EntryDataMode::Crc32, kind)?;
        write_index(pack, &pack.with_extension("idx"), entries, kind).map(drop)
    })
}

/// Writes a pack with the objects on which it builds into a folder, and its index. `packs` is where those lie.
pub(crate) fn complete(pack: File, packs: &Path, folder: &Path, format: &str) -> Result<(), GivenUp> {
    let kind = kind(format);
    let (whole, index) = (folder.join("tmp_whole.pack"), folder.join("tmp_whole.idx"));
    let completed = guarded(|| {
        let file = File::options().read(true).write(true).create_new(true).open(&whole)?;
        let entries = entries(pack, EntryDataMode::KeepAndCrc32, kind)?;
        let entries =
            LookupRefDeltaObjectsIter::new(entries, Bases::new(packs, kind), Compression::BEST_SPEED);
        let entries = EntriesToBytesIter::new(entries, file, data::Version::V2, kind);
        let name = write_index(&whole, &index, entries, kind)?;
        fs::rename(&whole, folder.join(format!("pack-{name}.pack")))?;
        fs::rename(&index, folder.join(format!("pack-{name}.idx")))?;
        Ok(())
    });
    if completed.is_err() {
        let (_, _) = (fs::remove_file(whole), fs::remove_file(index));
    }
    completed
}

pub(crate) fn kind(format: &str) -> Kind {
    if format == "sha256" { Kind::Sha256 } else { Kind::Sha1 }
}

/// What a stranger sends may find a mistake in who reads it: that is no reason to end.
fn guarded(work: impl FnOnce() -> Result<(), GivenUp>) -> Result<(), GivenUp> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| Err(GivenUp("it led into a mistake".to_owned())))
}

/// Returns the entries of a pack that is a file of its own, and nothing besides.
pub(crate) fn entries(
    pack: File,
    data: EntryDataMode,
    kind: Kind,
) -> Result<impl Iterator<Item = gix_error::Result<Entry>>, GivenUp> {
    let (clock, size_bytes) = (Clock::real(), pack.metadata()?.len());
    let left = Rc::new(Cell::new(OBJECT_BYTES_MAX));
    let pack = Allowance { bytes: BufReader::with_capacity(BUFFER_BYTES, pack), left: left.clone() };
    let entries = BytesToEntriesIter::new_from_header(pack, Mode::Verify, data, kind)?;
    let mut chains: HashMap<u64, u32> = HashMap::new();
    let mut check = move |entry: Entry| {
        left.set(OBJECT_BYTES_MAX);
        let n_deltas = match entry.header {
            Header::OfsDelta { base_distance } => {
                let base = entry.pack_offset.checked_sub(base_distance);
                1 + base.and_then(|base| chains.get(&base)).copied().unwrap_or_default()
            }
            // How long the chain is that it ends is not known here.
            Header::RefDelta { .. } => 1,
            _ => 0,
        };
        if n_deltas > 0 {
            chains.insert(entry.pack_offset, n_deltas);
        }
        let end = entry.pack_offset + entry.bytes_in_pack() + kind.len_in_bytes() as u64;
        let wrong = if entry.decompressed_size > OBJECT_BYTES_MAX as u64 {
            "an object is too large to be held"
        } else if n_deltas > N_DELTAS_MAX {
            "too many deltas build on each other"
        } else if entry.trailer.is_some() && end != size_bytes {
            "there is more after its end"
        } else if !is_early(&clock) {
            "it takes too long"
        } else {
            return Ok(entry);
        };
        Err(gix_error::message(wrong).into())
    };
    Ok(entries.map(move |entry| entry.and_then(&mut check)))
}

/// Bytes of which only so many are given for one entry, so that none of them is held that is too large.
struct Allowance<R> {
    bytes: R,
    left: Rc<Cell<usize>>,
}

impl<R: BufRead> Read for Allowance<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.fill_buf()?.read(buffer)?;
        self.consume(n);
        Ok(n)
    }
}

impl<R: BufRead> BufRead for Allowance<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.left.get() == 0 {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let bytes = self.bytes.fill_buf()?;
        Ok(&bytes[..bytes.len().min(self.left.get())])
    }

    fn consume(&mut self, n_bytes: usize) {
        self.left.set(self.left.get().saturating_sub(n_bytes));
        self.bytes.consume(n_bytes);
    }
}

/// Reads entries to their end, then the pack at `pack` that they are of, and writes its index. Returns the pack's own digest.
fn write_index(
    pack: &Path,
    to: &Path,
    mut entries: impl Iterator<Item = gix_error::Result<Entry>>,
    kind: Kind,
) -> Result<String, GivenUp> {
    let mut out = BufWriter::new(File::options().write(true).create_new(true).open(to)?);
    let source = || {
        let pack = data::File::at(pack, kind).map_err(io::Error::other)?;
        Ok((slice, Source { pack, clock: Clock::real() }))
    };
    let written = index::write_data_iter_to_stream(
        index::Version::V2,
        source,
        &mut entries,
        Some(1),
        &mut Discard,
        &mut out,
        &AtomicBool::new(false),
        kind,
        Some(OBJECT_BYTES_MAX),
        data::Version::V2,
    );
    let written = written.map_err(GivenUp::from).and_then(|written| match written.num_objects {
        0 => Err(GivenUp("it is empty".to_owned())),
        _ => Ok(written),
    });
    match (written, out.into_inner()) {
        (Ok(written), Ok(_)) => Ok(written.data_hash.to_string()),
        (written, flushed) => {
            let _ = fs::remove_file(to);
            Err(written
                .err()
                .or_else(|| flushed.err().map(Into::into))
                .unwrap_or_else(|| GivenUp(String::new())))
        }
    }
}

/// A pack whose entries are read again, for a while.
struct Source {
    pack: data::File,
    clock: Clock,
}

fn slice(range: EntryRange, source: &Source) -> Option<&[u8]> {
    if is_early(&source.clock) { source.pack.entry_slice(range) } else { None }
}

fn is_early(clock: &Clock) -> bool {
    clock.elapsed() < WITHIN
}
