//! What an archive says about itself: whether it is whole, and what is in it, whatever its compression.
//!
//! Functions of bytes, read through `Read` and `Seek` since archives are large; bounded in time and memory.

use std::collections::BTreeMap;
use std::io::{self, Read, Seek, SeekFrom};

use model::{Sha256, Sha256Hasher};

mod gzip;
mod pack;
mod tar;
#[cfg(test)]
mod tests;
mod zip;

/// The most that an archive may unpack to; the largest package seen in public registries has 400 MB.
const UNPACKED_BYTES_MAX: u64 = 2 << 30;
/// The most entries; the largest trees seen have under 100,000.
const N_ENTRIES_MAX: usize = 400_000;
/// How much more an archive may unpack to than it has bytes, once it is large: text gets about 10 times smaller.
const RATIO_MAX: u64 = 200;
/// What may be unpacked whatever the ratio.
const RATIO_FREE_BYTES: u64 = 16 << 20;
/// The most that all names and targets of links take, since they are held until the end; 400,000 of 160 bytes each.
const NAMES_BYTES_MAX: u64 = 64 << 20;

pub use pack::pack;

/// Whether an archive has its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Completeness {
    /// Its own marks say that nothing is missing.
    Whole,
    /// They say that something is.
    Cut,
    /// It is no archive that has such marks.
    Unknown,
}

/// Why an archive's content cannot be named.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// None of the known kinds.
    #[error("not a known kind of archive")]
    Kind,
    /// Broken, cut, or of a form that nobody should need: encrypted, overlapping, lying about sizes.
    #[error("archive cannot be read")]
    Broken {
        /// The reader's reason.
        source: io::Error,
    },
    /// A name that would leave the folder into which it is unpacked.
    #[error("archive has the name `{name}`, which leads out of it")]
    Name {
        /// The name, shown as far as it is text.
        name: String,
    },
    /// Two entries of one name: which one is unpacked depends on who unpacks.
    #[error("archive has `{name}` twice")]
    Twice {
        /// The name.
        name: String,
    },
    /// More than any package needs: a bomb.
    #[error("archive unpacks to more than is reasonable")]
    Bomb,
}

impl From<io::Error> for ArchiveError {
    fn from(source: io::Error) -> Self {
        if source.get_ref().is_some_and(|inner| inner.is::<Exceeded>()) {
            return Self::Bomb;
        }
        Self::Broken { source }
    }
}

/// A budget is spent: what a reader below a library can say of a bomb.
#[derive(Debug, thiserror::Error)]
#[error("more than is reasonable")]
struct Exceeded;

impl From<Exceeded> for ArchiveError {
    fn from(_: Exceeded) -> Self {
        Self::Bomb
    }
}

/// The kinds that are known, by their first bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Zip,
    Gzip,
    Tar,
}

impl Kind {
    fn of(file: &mut (impl Read + Seek)) -> io::Result<Option<Self>> {
        let mut first = Vec::new();
        file.seek(SeekFrom::Start(0))?;
        file.take(512).read_to_end(&mut first)?;
        file.seek(SeekFrom::Start(0))?;
        Ok(match first.as_slice() {
            [b'P', b'K', 3, 4, ..] | [b'P', b'K', 5, 6, ..] => Some(Self::Zip),
            [0x1f, 0x8b, 8, ..] => Some(Self::Gzip),
            block if block.len() == 512 && block[257..262] == *b"ustar" => Some(Self::Tar),
            _ => None,
        })
    }
}

/// Returns whether an archive has its end: a zip its directory, a gzip its sum, a tar its two empty blocks.
pub fn completeness(file: &mut (impl Read + Seek)) -> io::Result<Completeness> {
    let is_whole = match Kind::of(file)? {
        None => return Ok(Completeness::Unknown),
        Some(Kind::Zip) => zip::has_end(file)?,
        Some(Kind::Gzip) => gzip::has_end(file),
        Some(Kind::Tar) => tar::has_end(file)?,
    };
    Ok(if is_whole { Completeness::Whole } else { Completeness::Cut })
}

/// Returns the digest of what an archive holds: names, kinds, executable bits, contents. A single folder at the top is
/// left out, as Composer does, since GitHub names it after the repository; order, times and compression do not count.
pub fn tree(file: &mut (impl Read + Seek)) -> Result<Sha256, ArchiveError> {
    Ok(read(file)?.digest())
}

/// Returns what an archive holds below the single folder at its top, where there is one; not the folders.
pub fn contents(file: &mut (impl Read + Seek)) -> Result<BTreeMap<Vec<u8>, Content>, ArchiveError> {
    let tree = read(file)?;
    let top = tree.top();
    let is_content = |(_, content): &(Vec<u8>, Content)| *content != Content::Folder;
    Ok(tree
        .entries
        .into_iter()
        .filter(is_content)
        .map(|(name, content)| (name[top..].to_vec(), content))
        .collect())
}

fn read(file: &mut (impl Read + Seek)) -> Result<Tree, ArchiveError> {
    let size_bytes = file.seek(SeekFrom::End(0))?;
    let mut tree = Tree::of(size_bytes);
    match Kind::of(file)?.ok_or(ArchiveError::Kind)? {
        Kind::Zip => zip::read(file, &mut tree)?,
        Kind::Gzip => tar::read(flate2::read::MultiGzDecoder::new(io::BufReader::new(file)), &mut tree)?,
        Kind::Tar => tar::read(file, &mut tree)?,
    }
    Ok(tree)
}

/// What of an entry counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// A folder.
    Folder,
    /// A file.
    File {
        /// Whether its owner may execute it.
        is_executable: bool,
        /// The digest of its bytes.
        sha256: Sha256,
    },
    /// A symbolic link.
    Link {
        /// Where it leads.
        target: Vec<u8>,
    },
}

/// What was read of an archive so far.
struct Tree {
    entries: BTreeMap<Vec<u8>, Content>,
    left: Budget,
    names_left: Budget,
}

/// How much may still be unpacked.
#[derive(Debug, Clone, Copy)]
struct Budget {
    bytes: u64,
}

impl Budget {
    fn of(size_bytes: u64) -> Self {
        let by_ratio = size_bytes.saturating_mul(RATIO_MAX).max(RATIO_FREE_BYTES);
        Self { bytes: by_ratio.min(UNPACKED_BYTES_MAX) }
    }

    fn charge(&mut self, n_bytes: usize) -> Result<(), Exceeded> {
        self.bytes = self.bytes.checked_sub(n_bytes as u64).ok_or(Exceeded)?;
        Ok(())
    }
}

impl Tree {
    /// Begins a tree of an archive that has so many bytes.
    fn of(size_bytes: u64) -> Self {
        let names_left = Budget { bytes: NAMES_BYTES_MAX };
        Self { entries: BTreeMap::new(), left: Budget::of(size_bytes), names_left }
    }

    /// Adds an entry whose name was checked.
    fn add(&mut self, name: Vec<u8>, content: Content) -> Result<(), ArchiveError> {
        if self.entries.len() >= N_ENTRIES_MAX {
            return Err(ArchiveError::Bomb);
        }
        let n_target = if let Content::Link { target } = &content { target.len() } else { 0 };
        self.names_left.charge(name.len() + n_target)?;
        let shown = String::from_utf8_lossy(&name).into_owned();
        // A folder may be named by its own entry, and again by whoever packs with two tools.
        match self.entries.insert(name, content.clone()) {
            Some(before) if before != content || content != Content::Folder => {
                Err(ArchiveError::Twice { name: shown })
            }
            _ => Ok(()),
        }
    }

    /// Reads a file's bytes and returns their digest.
    fn hash(&mut self, mut bytes: impl Read) -> Result<Sha256, ArchiveError> {
        let mut hasher = Sha256Hasher::new();
        let mut chunk = [0; 64 << 10];
        loop {
            let n = bytes.read(&mut chunk)?;
            if n == 0 {
                return Ok(hasher.finish());
            }
            self.left.charge(n)?;
            hasher.update(&chunk[..n]);
        }
    }

    fn digest(self) -> Sha256 {
        let top = self.top();
        let mut hasher = Sha256Hasher::new();
        for (name, content) in &self.entries {
            let name = &name[top.min(name.len())..];
            if name.is_empty() || *content == Content::Folder {
                // Whether a folder has an entry of its own depends on who packed.
                continue;
            }
            let mut line = |kind: &[u8], rest: &[u8]| {
                hasher.update(kind);
                hasher.update(&(name.len() as u64).to_le_bytes());
                hasher.update(name);
                hasher.update(&(rest.len() as u64).to_le_bytes());
                hasher.update(rest);
            };
            match content {
                Content::Folder => {}
                Content::File { is_executable: false, sha256 } => line(b"f", sha256.as_bytes()),
                Content::File { is_executable: true, sha256 } => line(b"x", sha256.as_bytes()),
                Content::Link { target } => line(b"l", target),
            }
        }
        hasher.finish()
    }

    /// Returns the length of the one folder at the top that everything is in, slash included.
    fn top(&self) -> usize {
        let first = |name: &[u8]| name.iter().position(|&byte| byte == b'/').map(|at| name[..=at].to_vec());
        let mut tops = self.entries.iter().map(|(name, content)| {
            if *content == Content::Folder && !name.contains(&b'/') {
                Some([name, b"/".as_slice()].concat())
            } else {
                first(name)
            }
        });
        let Some(Some(top)) = tops.next() else { return 0 };
        if tops.all(|other| other.as_ref() == Some(&top)) { top.len() } else { 0 }
    }
}

/// Returns a name as it is unpacked, without `./` and the slash of a folder; refuses one that leads elsewhere.
fn checked(name: &[u8]) -> Result<Vec<u8>, ArchiveError> {
    let refused = || ArchiveError::Name { name: String::from_utf8_lossy(name).into_owned() };
    if name.starts_with(b"/") || name.contains(&b'\\') || name.contains(&0) || name.get(1) == Some(&b':') {
        return Err(refused());
    }
    let parts: Vec<&[u8]> =
        name.split(|&byte| byte == b'/').filter(|part| !part.is_empty() && *part != b".").collect();
    if parts.contains(&b"..".as_slice()) {
        return Err(refused());
    }
    Ok(parts.join(&b'/'))
}
