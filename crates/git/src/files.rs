//! Repositories that a server gives out as files, without knowing what they are ("dumb" HTTP): gitrepository-layout(5).

use model::{ObjectId, Target};

use crate::earlier::Advertised;
use crate::fetch::PACK_BYTES_MAX;
use crate::listing::{BYTES_MAX, Listing};
use crate::pkt::{ProtocolError, text};
use crate::remote::packets;

/// What `HEAD` has at most: the name of a ref, which is a path.
const HEAD_BYTES_MAX: u64 = 4096 + 6;
/// What one object has at most that lies there alone; git packs what it has many of.
const OBJECT_BYTES_MAX: u64 = 4 << 30;

/// Returns whether a file may be `info/refs`, by its beginning.
pub fn may_be_refs(bytes: &[u8]) -> bool {
    let is_digit = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    let n_digits = bytes.iter().take_while(|byte| is_digit(byte)).count();
    match bytes.get(n_digits) {
        None => (1..=64).contains(&n_digits),
        Some(b'\t') => matches!(n_digits, 40 | 64),
        Some(_) => false,
    }
}

/// Returns how many bytes a file of a repository may have that git asks for; nothing for what is none, or leads to another repository
/// (`alternates`).
pub fn file_bytes_max(path: &str) -> Option<u64> {
    let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    let is_id = |text: &str| matches!(text.len(), 40 | 64) && text.bytes().all(is_digit);
    match path {
        "HEAD" => return Some(HEAD_BYTES_MAX),
        "info/refs" | "objects/info/packs" => return Some(BYTES_MAX as u64),
        _ => {}
    }
    let object = path.strip_prefix("objects/")?;
    if let Some(pack) = object.strip_prefix("pack/pack-") {
        let id = pack.strip_suffix(".pack").or_else(|| pack.strip_suffix(".idx"))?;
        return is_id(id).then_some(PACK_BYTES_MAX);
    }
    let (folder, file) = object.split_once('/')?;
    (folder.len() == 2 && is_id(&format!("{folder}{file}"))).then_some(OBJECT_BYTES_MAX)
}

impl Advertised {
    /// Reads `info/refs`, which `git update-server-info` writes, and `HEAD`, which is empty where there is none.
    pub fn in_files(info_refs: &[u8], head: &[u8]) -> Result<Self, ProtocolError> {
        // Half a line would be half a name, and what follows it would be missing.
        let Some(lines) = info_refs.strip_suffix(b"\n") else { return Err(ProtocolError::Short) };
        let lines = || lines.split(|byte| *byte == b'\n');
        if !lines().all(|line| line.contains(&b'\t')) {
            return Err(ProtocolError::Unexpected { what: "a ref without a name" });
        }
        let head = match text(head)?.strip_prefix("ref: ") {
            Some(name) => {
                let end = format!("\t{name}");
                // A default branch that nobody has pushed to yet is none.
                let id = lines().find_map(|line| line.strip_suffix(end.as_bytes()));
                id.map(|id| format!("ref: {name}\tHEAD\n{}\tHEAD\n", String::from_utf8_lossy(id)))
            }
            None => Some(text(head)?).filter(|id| !id.is_empty()).map(|id| format!("{id}\tHEAD\n")),
        };
        let mut listing = Listing::default();
        listing.push(&packets(&[head.unwrap_or_default().as_bytes(), info_refs].concat()))?;
        let listed = listing.finish()?;
        let id = listed.refs.values().find_map(Target::id);
        let object_format = id.map_or("sha1", ObjectId::format).to_owned();
        Ok(Self { listed, object_format })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refs_are_read_from_files() {
        let (a, b) = ("a".repeat(40), "b".repeat(40));
        let refs = format!("{a}\trefs/heads/main\n{b}\trefs/tags/v1\n{a}\trefs/tags/v1^{{}}\n");
        let of = |head: &str| {
            let read = Advertised::in_files(refs.as_bytes(), head.as_bytes());
            let line = |(name, target): (&model::RefName, &Target)| format!("{name} {target}\n");
            read.map(|read| read.listed.refs.iter().map(line).collect::<String>())
        };
        let rest = format!("refs/heads/main {a}\nrefs/tags/v1 {b}^{a}\n");
        assert_eq!(of("ref: refs/heads/main\n"), Ok(format!("HEAD @refs/heads/main\n{rest}")));
        assert_eq!(of(&format!("{b}\n")), Ok(format!("HEAD {b}\n{rest}")));
        assert_eq!(of(""), Ok(rest.clone()));
        assert_eq!(of("ref: refs/heads/unborn\n"), Ok(rest));
        assert!(of("<html>").is_err());
        for cut in [refs.len() - 1, refs.len() - 7, 0] {
            let cut = Advertised::in_files(&refs.as_bytes()[..cut], b"");
            assert_eq!(cut.unwrap_err(), ProtocolError::Short);
        }
        for wrong in ["x\trefs/heads/main\n", "nothing\n", &format!("{a}\trefs/heads/a\nno tab\n")] {
            assert!(Advertised::in_files(wrong.as_bytes(), b"").is_err(), "{wrong}");
        }
        let long = format!("{}\trefs/heads/main\n", "c".repeat(64));
        assert_eq!(Advertised::in_files(long.as_bytes(), b"").unwrap().object_format, "sha256");
    }

    #[test]
    fn a_list_of_refs_is_known_by_its_beginning() {
        let id = "0f".repeat(20);
        for good in [&id[..1], &id, &format!("{id}\t"), &format!("{id}\trefs"), &format!("{id}00")] {
            assert!(may_be_refs(good.as_bytes()), "{good}");
        }
        for bad in ["", "<!doctype html>", "001e# service", &format!("{id} refs"), &"0".repeat(65)] {
            assert!(!may_be_refs(bad.as_bytes()), "{bad}");
        }
    }

    #[test]
    fn only_files_of_the_repository_itself_are_given() {
        let (a, b) = ("a".repeat(38), "b".repeat(40));
        let objects = [format!("objects/0f/{a}"), format!("objects/pack/pack-{b}.pack")];
        for path in ["HEAD", "info/refs", "objects/info/packs", &objects[0], &objects[1]] {
            assert!(file_bytes_max(path).is_some(), "{path}");
        }
        for path in [
            "objects/info/alternates",
            "objects/info/http-alternates",
            "config",
            "../HEAD",
            "objects/../HEAD",
            &format!("objects/pack/pack-{b}.keep"),
            &format!("objects/0/{a}0"),
            &format!("objects/0f/{}..", &a[2..]),
        ] {
            assert_eq!(file_bytes_max(path), None, "{path}");
        }
    }
}
