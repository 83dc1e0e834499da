//! The refs of a repository, as a server lists them: `ls-refs` of gitprotocol-v2(5).

use std::collections::{BTreeMap, BTreeSet};

use model::{ObjectId, RefName, Sha256, Sha256Hasher, Target};

use crate::harmless::harmless;
use crate::pkt::{DELIMITER, FLUSH, Packet, Packets, ProtocolError, line, said, text};

/// The most that is read of a listing; 100,000 refs take 8 MB.
pub const BYTES_MAX: usize = 256 << 20;
/// The most refs that are taken.
const N_MAX: usize = 1_000_000;
/// How many of the names that are left out are told, and how much of each.
const N_LEFT_OUT_NAMED: usize = 5;
const NAME_LETTERS_MAX: usize = 80;

/// What a server lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The refs.
    pub refs: BTreeMap<RefName, Target>,
    /// What was listed beside them.
    pub left_out: LeftOut,
    /// The digest of the answer as it came: the same refs in the same order have the same.
    pub digest: Sha256,
}

impl Listed {
    /// Returns the objects that refs name, each once.
    pub fn tips(&self) -> Vec<ObjectId> {
        let tips: BTreeSet<ObjectId> = self.refs.values().filter_map(Target::id).copied().collect();
        tips.into_iter().collect()
    }
}

/// Names that were listed and that no copy takes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LeftOut {
    /// How many.
    pub n: u64,
    /// The first few, made harmless.
    pub names: Vec<String>,
}

impl LeftOut {
    fn add(&mut self, packet: &[u8]) {
        if self.names.len() < N_LEFT_OUT_NAMED {
            let name = packet.split(|byte| *byte == b' ').nth(1).unwrap_or_default();
            self.names.push(harmless(name, NAME_LETTERS_MAX));
        }
        self.n += 1;
    }
}

/// Reads a listing as it comes.
#[derive(Debug, Default)]
pub struct Listing {
    packets: Packets,
    hasher: Sha256Hasher,
    size_bytes: usize,
    refs: BTreeMap<RefName, Target>,
    left_out: LeftOut,
    is_over: bool,
}

/// Returns what asks a server for all its refs.
pub fn listing_request(object_format: &str) -> Vec<u8> {
    let mut request = Vec::new();
    line(&mut request, "command=ls-refs");
    line(&mut request, AGENT);
    line(&mut request, &format!("object-format={object_format}"));
    request.extend_from_slice(DELIMITER);
    line(&mut request, "peel");
    line(&mut request, "symrefs");
    line(&mut request, "unborn");
    request.extend_from_slice(FLUSH);
    request
}

/// Who asks, in a request.
pub(crate) const AGENT: &str = concat!("agent=outlast/", env!("CARGO_PKG_VERSION"));

impl Listing {
    /// Takes the next bytes.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), ProtocolError> {
        self.size_bytes += bytes.len();
        let large = ProtocolError::Large { bytes_max: BYTES_MAX, n_max: N_MAX };
        if self.size_bytes > BYTES_MAX {
            return Err(large);
        }
        self.hasher.update(bytes);
        self.packets.push(bytes);
        while let Some(packet) = self.packets.take()? {
            match packet {
                _ if self.is_over => {
                    return Err(ProtocolError::Unexpected { what: "more after the end of the list" });
                }
                Packet::Data(bytes) if bytes.starts_with(b"ERR ") => return Err(said(&bytes[4..])),
                Packet::Data(bytes) => match read(bytes)? {
                    Some((name, target)) => {
                        if self.refs.insert(name, target).is_some() {
                            return Err(ProtocolError::Unexpected { what: "a ref that is listed twice" });
                        }
                        if self.refs.len() > N_MAX {
                            return Err(large);
                        }
                    }
                    None => self.left_out.add(bytes),
                },
                Packet::Flush => self.is_over = true,
                Packet::Delimiter | Packet::End => {
                    return Err(ProtocolError::Unexpected { what: "a list of several parts" });
                }
            }
        }
        Ok(())
    }

    /// Returns what was listed.
    ///
    /// # Errors
    /// `Short` where the end has not come.
    pub fn finish(self) -> Result<Listed, ProtocolError> {
        if !self.is_over || !self.packets.is_empty() {
            return Err(ProtocolError::Short);
        }
        let mut refs = self.refs;
        if !are_of_one_format(&refs) {
            return Err(ProtocolError::Unexpected { what: "objects of two formats" });
        }
        // A default branch that nobody has pushed to yet is no ref; nor is one that a half list leaves hanging.
        if let Some(Target::Ref(name)) = refs.get("HEAD")
            && !refs.contains_key(name)
        {
            refs.remove("HEAD");
        }
        Ok(Listed { refs, left_out: self.left_out, digest: self.hasher.finish() })
    }
}

fn are_of_one_format(refs: &BTreeMap<RefName, Target>) -> bool {
    let ids = refs.values().flat_map(|target| match target {
        Target::Object { id, peeled } => [Some(id), peeled.as_ref()],
        Target::Ref(_) => [None, None],
    });
    let mut formats = ids.flatten().map(ObjectId::format);
    formats.next().is_none_or(|first| formats.all(|format| format == first))
}

/// Reads `ID NAME [symref-target:NAME] [peeled:ID]`; nothing for a name that no ref may have.
fn read(bytes: &[u8]) -> Result<Option<(RefName, Target)>, ProtocolError> {
    // Names may be of any bytes; what is no text is none that is taken.
    let Ok(text) = text(bytes) else { return Ok(None) };
    let mut words = text.split(' ');
    let (Some(id), Some(name)) = (words.next(), words.next()) else {
        return Err(ProtocolError::Unexpected { what: "a ref without a name" });
    };
    let (mut peeled, mut target) = (None, None);
    for word in words {
        if let Some(id) = word.strip_prefix("peeled:") {
            peeled = Some(object(id)?);
        } else if let Some(name) = word.strip_prefix("symref-target:") {
            target = name.parse::<RefName>().ok();
        }
    }
    // Outlast's own are no upstream's.
    let name = name.parse::<RefName>().ok().filter(|name| !is_outlasts(name));
    let Some(name) = name else { return Ok(None) };
    if id == "unborn" {
        return Ok(target.map(|target| (name, Target::Ref(target))));
    }
    let id = object(id)?;
    let target = match target.filter(|_| name.is_head()) {
        Some(target) => Target::Ref(target),
        // Another symbolic ref is one more name of what it leads to.
        None => Target::Object { id, peeled },
    };
    Ok(Some((name, target)))
}

fn is_outlasts(name: &RefName) -> bool {
    name.as_str() == "refs/outlast" || name.as_str().starts_with("refs/outlast/")
}

fn object(text: &str) -> Result<ObjectId, ProtocolError> {
    let id: Option<ObjectId> = text.parse().ok();
    id.filter(|id| !id.is_null()).ok_or(ProtocolError::Unexpected { what: "a ref without an object" })
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    const B: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

    fn of(lines: &[&str]) -> Result<Listed, ProtocolError> {
        let mut listing = Listing::default();
        for text in lines {
            let mut answer = Vec::new();
            if text.is_empty() {
                answer.extend_from_slice(FLUSH);
            } else {
                line(&mut answer, text);
            }
            listing.push(&answer)?;
        }
        listing.finish()
    }

    fn refs(listed: &Listed) -> String {
        listed.refs.iter().map(|(name, target)| format!("{name} {target}\n")).collect()
    }

    #[test]
    fn refs_are_read_with_what_they_name() {
        let listed = of(&[
            &format!("{A} HEAD symref-target:refs/heads/main"),
            &format!("{A} refs/heads/main"),
            &format!("{A} refs/remotes/origin/HEAD symref-target:refs/remotes/origin/main"),
            &format!("{B} refs/tags/v1 peeled:{A}"),
            "",
        ])
        .unwrap();
        let expected = format!(
            "HEAD @refs/heads/main\nrefs/heads/main {A}\nrefs/remotes/origin/HEAD {A}\nrefs/tags/v1 {B}^{A}\n"
        );
        assert_eq!(refs(&listed), expected);
        assert_eq!(listed.left_out, LeftOut::default());
        let detached = of(&[&format!("{A} HEAD"), ""]).unwrap();
        assert_eq!(refs(&detached), format!("HEAD {A}\n"));
        let unborn = of(&["unborn HEAD symref-target:refs/heads/main", ""]).unwrap();
        assert!(unborn.refs.is_empty());
    }

    #[test]
    fn names_that_no_ref_may_have_are_counted_and_left() {
        let names = ["refs/heads/../x", "refs/heads/-x", "refs/heads/\u{1b}[m", "../x", "refs/outlast/pin/a"];
        let mut lines: Vec<String> = names.iter().map(|name| format!("{A} {name}")).collect();
        lines.extend([format!("{A} refs/heads/good"), String::new()]);
        let listed = of(&lines.iter().map(String::as_str).collect::<Vec<_>>()).unwrap();
        assert_eq!((refs(&listed), listed.left_out.n), (format!("refs/heads/good {A}\n"), 5));
        let named = ["refs/heads/../x", "refs/heads/-x", "refs/heads/ [m", "../x", "refs/outlast/pin/a"];
        assert_eq!(listed.left_out.names, named);
    }

    #[test]
    fn half_a_list_is_none() {
        let main = format!("{A} refs/heads/main");
        assert_eq!(of(&[&main]), Err(ProtocolError::Short));
        assert_eq!(of(&[]), Err(ProtocolError::Short));
        assert!(of(&[&main, &main, ""]).is_err(), "twice");
        assert!(of(&[&main, "", &main]).is_err(), "after its end");
        assert!(of(&["x refs/heads/main", ""]).is_err());
        assert!(of(&[&format!("{} refs/heads/main", "0".repeat(40)), ""]).is_err());
        assert_eq!(of(&["ERR gone\u{7}"]).unwrap_err().to_string(), "the upstream says: gone");
        assert!(of(&[""]).unwrap().refs.is_empty(), "an empty repository is one");
    }
}
