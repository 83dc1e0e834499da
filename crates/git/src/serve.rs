//! What a server answers: version 2 of the protocol, gitprotocol-v2(5). Capabilities and lists of refs are answered here; packs are
//! made by `git upload-pack`.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::path::Path;
use std::time::Duration;

use host::process::{Limits, ProcessError, Program, Stream};
use model::{RefName, Target};

use crate::command::{Git, STDERR_BYTES_MAX};
use crate::listing::AGENT;
use crate::pkt::{FLUSH, Packet, Packets, ProtocolError, line, text};

/// How long a client may take for a whole clone.
const PATIENCE: Duration = Duration::from_secs(6 * 3600);
/// How long a client may take nothing of what git writes: others wait for its turn.
const CLIENT: Duration = Duration::from_secs(60);
/// A list of refs, or a file, is not to wait for packs; a pack that nobody disturbs takes as long as before.
const NICENESS: i32 = 10;
/// The largest pack that is given.
pub(crate) const PACK_BYTES_MAX: usize = 1 << 40;
/// The most beginnings of names that a client may ask for.
const N_PREFIXES_MAX: usize = 65_536;

/// Returns what a server says of itself to a client that speaks version 2.
pub fn capabilities(object_format: &str) -> Vec<u8> {
    let mut answer = Vec::new();
    line(&mut answer, "version 2");
    line(&mut answer, AGENT);
    line(&mut answer, "ls-refs=unborn");
    line(&mut answer, "fetch=shallow wait-for-done filter");
    line(&mut answer, &format!("object-format={object_format}"));
    answer.extend_from_slice(FLUSH);
    answer
}

/// Returns an answer that ends what a client wants, and says why; git shows it as `remote error`.
pub fn refusal(reason: &str) -> Vec<u8> {
    let mut answer = Vec::new();
    line(&mut answer, &format!("ERR {reason}"));
    answer
}

/// What a client that speaks version 2 asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// Which refs there are.
    Refs(RefsAsked),
    /// Anything else, which `git upload-pack` answers.
    Other,
}

/// How a client wants refs to be listed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RefsAsked {
    peel: bool,
    symrefs: bool,
    /// Only names that begin so; sorted, and none within another.
    prefixes: Vec<String>,
}

impl Asked {
    /// Reads a request of version 2.
    pub fn read(request: &[u8]) -> Result<Self, ProtocolError> {
        let mut packets = Packets::default();
        packets.push(request);
        match packets.take()?.ok_or(ProtocolError::Short)? {
            Packet::Data(bytes) if text(bytes)? == "command=ls-refs" => {}
            _ => return Ok(Self::Other),
        }
        let mut asked = RefsAsked::default();
        let mut is_argument = false;
        loop {
            match packets.take()?.ok_or(ProtocolError::Short)? {
                Packet::Delimiter => is_argument = true,
                Packet::Flush => {
                    asked.sort();
                    return Ok(Self::Refs(asked));
                }
                Packet::Data(bytes) if is_argument => match text(bytes)? {
                    "peel" => asked.peel = true,
                    "symrefs" => asked.symrefs = true,
                    other => {
                        if let Some(prefix) = other.strip_prefix("ref-prefix ") {
                            asked.prefixes.push(prefix.to_owned());
                        }
                        if asked.prefixes.len() > N_PREFIXES_MAX {
                            return Err(ProtocolError::Unexpected { what: "too many beginnings of names" });
                        }
                    }
                },
                _ => {}
            }
        }
    }
}

impl RefsAsked {
    /// Puts the beginnings in order, without those that another one takes in. Where there is none, every name has it.
    fn sort(&mut self) {
        if self.prefixes.is_empty() {
            self.prefixes.push(String::new());
        }
        self.prefixes.sort_unstable();
        self.prefixes.dedup_by(|later, kept| later.starts_with(kept.as_str()));
    }

    /// Returns the refs that were asked for, in their order; what is not among them costs nothing.
    fn wanted<'a>(
        &'a self,
        refs: &'a BTreeMap<RefName, Target>,
    ) -> impl Iterator<Item = (&'a RefName, &'a Target)> {
        self.prefixes.iter().flat_map(|prefix| {
            let from = (Bound::Included(prefix.as_str()), Bound::Unbounded);
            refs.range::<str, _>(from).take_while(|(name, _)| name.as_str().starts_with(prefix.as_str()))
        })
    }

    /// Returns the list.
    pub fn answer(&self, refs: &BTreeMap<RefName, Target>) -> Vec<u8> {
        let mut answer = Vec::new();
        for (name, target) in self.wanted(refs) {
            let (id, peeled, symref) = match target {
                Target::Object { id, peeled } => (id, peeled.filter(|_| self.peel), None),
                Target::Ref(to) => match refs.get(to) {
                    Some(Target::Object { id, .. }) => (id, None, Some(to).filter(|_| self.symrefs)),
                    // It leads nowhere, as in a repository without commits.
                    _ => continue,
                },
            };
            let symref = symref.map(|to| format!(" symref-target:{to}")).unwrap_or_default();
            let peeled = peeled.map(|id| format!(" peeled:{id}")).unwrap_or_default();
            line(&mut answer, &format!("{id} {name}{symref}{peeled}"));
        }
        answer.extend_from_slice(FLUSH);
        answer
    }
}

impl Git {
    /// Has `git upload-pack` answer a request of a client from a repository on disk; `turn` is let go when git has ended.
    pub fn upload_pack(
        &self,
        folder: &Path,
        protocol: Protocol,
        request: &[u8],
        turn: impl Send + 'static,
    ) -> Result<Stream, ProcessError> {
        self.answering(folder, protocol, request)?.stream(CLIENT, turn)
    }

    /// Has it answer a request, and gives each piece of what it writes to `give` until that takes no more.
    pub fn pour_pack(
        &self,
        folder: &Path,
        protocol: Protocol,
        request: &[u8],
        give: impl FnMut(&[u8]) -> bool,
    ) -> Result<(), ProcessError> {
        self.answering(folder, protocol, request)?.pour(give)
    }

    /// Has it list the refs of a repository as earlier versions of the protocol do, before anything is asked.
    pub fn advertise(
        &self,
        folder: &Path,
        protocol: Protocol,
        turn: impl Send + 'static,
    ) -> Result<Stream, ProcessError> {
        let arguments = ["--stateless-rpc", "--strict", "--http-backend-info-refs"];
        self.serving(folder, protocol, &arguments).stream(CLIENT, turn)
    }

    fn answering(&self, folder: &Path, protocol: Protocol, request: &[u8]) -> Result<Program, ProcessError> {
        let program = self.serving(folder, protocol, &["--stateless-rpc", "--strict"]);
        program.reads(request).map_err(|source| ProcessError::Io { program: "git".to_owned(), source })
    }

    fn serving(&self, folder: &Path, protocol: Protocol, arguments: &[&str]) -> Program {
        let limits = Limits { time: PATIENCE, stdout_bytes: PACK_BYTES_MAX, stderr_bytes: STDERR_BYTES_MAX };
        let program = self.bare_program(limits).args(["upload-pack"]).args(arguments).args([folder]);
        program.environment([("GIT_PROTOCOL", protocol.name())]).after_others(NICENESS)
    }
}

/// A version of the protocol, as a client asks for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// The first one, of clients older than 2018 and of some libraries.
    Zero,
    /// The same, with its number in front.
    One,
    /// The one in which refs are asked for.
    Two,
}

impl Protocol {
    /// Reads the header `Git-Protocol`.
    pub fn of(header: Option<&str>) -> Self {
        let has = |version: &str| header.is_some_and(|header| header.split(':').any(|part| part == version));
        match () {
            () if has("version=2") => Self::Two,
            () if has("version=1") => Self::One,
            () => Self::Zero,
        }
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Zero => "version=0",
            Self::One => "version=1",
            Self::Two => "version=2",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capabilities::Spoken;
    use crate::listing::{Listing, listing_request};

    #[test]
    fn what_is_answered_is_what_a_client_reads() {
        let id = |letter: &str| letter.repeat(40);
        let refs = [
            ("HEAD", "@refs/heads/main".to_owned()),
            ("refs/heads/main", id("a")),
            ("refs/tags/v1", format!("{}^{}", id("b"), id("a"))),
        ];
        let refs: BTreeMap<RefName, Target> =
            refs.iter().map(|(name, target)| (name.parse().unwrap(), target.parse().unwrap())).collect();
        let Asked::Refs(asked) = Asked::read(&listing_request("sha1")).unwrap() else {
            panic!("it asks for refs")
        };
        let mut listing = Listing::default();
        listing.push(&asked.answer(&refs)).unwrap();
        assert_eq!(listing.finish().unwrap().refs, refs);
        let some = RefsAsked { prefixes: vec!["refs/tags/".to_owned()], ..RefsAsked::default() };
        assert_eq!(
            String::from_utf8(some.answer(&refs)).unwrap(),
            format!("003a{} refs/tags/v1\n0000", id("b"))
        );
        assert!(
            matches!(Spoken::read(&capabilities("sha256")), Ok(Spoken::Two(two)) if two.object_format == "sha256" && two.can_filter)
        );
        let mut twice = RefsAsked {
            prefixes: ["refs/", "refs/tags/", "HEAD", "refs/"].map(str::to_owned).into(),
            ..asked.clone()
        };
        twice.sort();
        assert_eq!(twice.answer(&refs), asked.answer(&refs), "each once, in their order");
        let mut fetch = Vec::new();
        line(&mut fetch, "command=fetch");
        assert_eq!(Asked::read(&fetch), Ok(Asked::Other));
        assert_eq!(Asked::read(b"<html>"), Err(ProtocolError::NotGit));
        assert_eq!(Asked::read(&listing_request("sha1")[..30]), Err(ProtocolError::Short));
    }

    #[test]
    fn a_client_says_which_version_it_speaks() {
        assert_eq!(Protocol::of(Some("version=2")), Protocol::Two);
        assert_eq!(Protocol::of(Some("a:version=2:b")), Protocol::Two);
        assert_eq!(Protocol::of(Some("version=1")), Protocol::One);
        assert_eq!(Protocol::of(Some("version=22")), Protocol::Zero);
        assert_eq!(Protocol::of(None), Protocol::Zero);
    }
}
