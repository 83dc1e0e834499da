//! What a request for a pack says of the answer before anybody has made it, gitprotocol-v2(5) and gitprotocol-pack(5).

use model::{Sha256, Sha256Hasher};

use crate::pkt::{Packet, Packets};
use crate::serve::Protocol;

/// What is known of the answer to a request for a pack.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Requests with the same one have the same answer for as long as the refs are the same; none where a client has something
    /// already, or will say more.
    pub digest: Option<Sha256>,
    /// With what the answer begins, so that somebody else can begin it; nothing where only git knows.
    pub beginning: Option<&'static [u8]>,
    /// Whether its client wants to hear of progress.
    pub is_told: bool,
}

/// What a client says of itself; it changes no answer.
const ITSELF: [&str; 2] = ["agent=", "session-id="];
/// What a client may ask for and has an answer that begins with the pack: no limits of depth, no refs by name, no addresses.
const PLAIN: [&str; 4] = ["thin-pack", "no-progress", "include-tag", "ofs-delta"];
const PLAIN_BEGINNINGS: [&str; 3] = ["want ", "have ", "filter "];
/// Stands for what parts the lines; no line is as long as that.
const END: [u8; 8] = [0xff; 8];
const PACKFILE: &[u8] = b"000dpackfile\n";
const NAK: &[u8] = b"0008NAK\n";

impl Wanted {
    /// Reads a request; of one that is no request for a pack, or an odd one, nothing is known.
    pub fn read(protocol: Protocol, request: &[u8]) -> Self {
        let mut reading = Reading { is_plain: true, ..Reading::default() };
        reading.digest.update(protocol.name().as_bytes());
        let understood = match protocol {
            Protocol::Two => reading.version_two(request),
            Protocol::Zero | Protocol::One => reading.earlier(request),
        };
        if understood.is_none() {
            return Self::default();
        }
        let Reading { digest, has_done, has_have, is_plain, is_quiet, beginning } = reading;
        Self {
            digest: (has_done && !has_have).then(|| digest.finish()),
            beginning: beginning.filter(|_| has_done && is_plain),
            is_told: !is_quiet,
        }
    }
}

/// What the lines of a request were, so far.
#[derive(Default)]
struct Reading {
    digest: Sha256Hasher,
    has_done: bool,
    has_have: bool,
    is_plain: bool,
    is_quiet: bool,
    beginning: Option<&'static [u8]>,
}

impl Reading {
    fn version_two(&mut self, request: &[u8]) -> Option<()> {
        let mut packets = Packets::default();
        packets.push(request);
        let (mut n_lines, mut is_argument) = (0, false);
        loop {
            match packets.take().ok()?? {
                Packet::Data(bytes) => {
                    let line = crate::pkt::text(bytes).ok()?;
                    if n_lines == 0 && line != "command=fetch" {
                        return None;
                    }
                    n_lines += 1;
                    if is_argument {
                        self.take(line);
                    } else if ITSELF.iter().any(|word| line.starts_with(word)) {
                        continue;
                    }
                    self.note(line);
                }
                Packet::Delimiter if !is_argument && n_lines > 0 => {
                    is_argument = true;
                    self.digest.update(&END);
                }
                Packet::Flush if is_argument => break,
                _ => return None,
            }
        }
        self.beginning = Some(PACKFILE);
        packets.is_empty().then_some(())
    }

    /// Reads what clients of the earlier versions send at last: what they want, up to a flush, and `done`.
    fn earlier(&mut self, request: &[u8]) -> Option<()> {
        let mut packets = Packets::default();
        packets.push(request);
        let (mut n_lines, mut n_flushes) = (0, 0);
        while let Some(packet) = packets.take().ok()? {
            match packet {
                Packet::Data(bytes) => {
                    let line = crate::pkt::text(bytes).ok()?;
                    let known = if n_lines == 0 { self.first_want(line)? } else { line.to_owned() };
                    n_lines += 1;
                    self.take(&known);
                    self.note(&known);
                }
                Packet::Flush => {
                    n_flushes += 1;
                    self.digest.update(&END);
                }
                Packet::Delimiter | Packet::End => return None,
            }
        }
        // What a client has is told in rounds, with a flush after each; each has an answer of its own.
        let has_rounds = self.has_have || n_flushes != 1;
        self.beginning = self.beginning.filter(|_| !has_rounds);
        self.has_done &= n_flushes == 1;
        packets.is_empty().then_some(())
    }

    /// Returns the first line without what the client says of itself; what it can take stands behind the object.
    fn first_want(&mut self, line: &str) -> Option<String> {
        let mut words: Vec<&str> = line.strip_prefix("want ")?.split(' ').collect();
        words.retain(|word| !ITSELF.iter().any(|itself| word.starts_with(itself)));
        self.is_quiet |= words.contains(&"no-progress");
        // Elsewhere, the pack comes bare, and nothing may stand in front of it.
        self.beginning = words.contains(&"side-band-64k").then_some(NAK);
        Some(format!("want {}", words.join(" ")))
    }

    fn take(&mut self, line: &str) {
        self.has_done |= line == "done";
        self.has_have |= line.starts_with("have ");
        self.is_quiet |= line == "no-progress";
        self.is_plain &= line == "done"
            || PLAIN.contains(&line)
            || PLAIN_BEGINNINGS.iter().any(|beginning| line.starts_with(beginning));
    }

    /// Takes a line into the digest, with its length: no two requests are written alike.
    fn note(&mut self, line: &str) {
        self.digest.update(&(line.len() as u64).to_be_bytes());
        self.digest.update(line.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WANT: &str = "want 1111111111111111111111111111111111111111";

    /// Writes a request: `0000` and `0001` are what they are, everything else is a line.
    fn request(lines: &[&str]) -> Vec<u8> {
        let mut request = Vec::new();
        for text in lines {
            match *text {
                "0000" | "0001" => request.extend_from_slice(text.as_bytes()),
                _ => crate::pkt::line(&mut request, text),
            }
        }
        request
    }

    fn two(lines: &[&str]) -> Wanted {
        Wanted::read(Protocol::Two, &request(lines))
    }

    /// Reads a request of a client of version 2 that asks for one commit, and for this.
    fn asked(arguments: &[&str]) -> Wanted {
        let head = ["command=fetch", "agent=git/2.39.5", "object-format=sha1", "0001", WANT];
        two(&[&head[..], arguments, &["0000"]].concat())
    }

    #[test]
    fn the_same_request_is_known_whoever_sends_it() {
        let plain = asked(&["ofs-delta", "done"]);
        assert!(plain.digest.is_some() && plain.is_told);
        let other = |agent: &[&str]| {
            let rest = ["object-format=sha1", "0001", WANT, "ofs-delta", "done", "0000"];
            two(&[&["command=fetch"], agent, &rest].concat())
        };
        assert_eq!(other(&["agent=JGit/7", "session-id=7"]), plain);
        assert_eq!(other(&[]), plain);
        assert_ne!(other(&["server-option=x"]).digest, plain.digest);
        for more in [
            &["ofs-delta", "filter blob:none", "done"][..],
            &["ofs-delta", "deepen 1", "done"],
            &["ofs-delta", "agent=x", "done"],
            &["done"],
        ] {
            let one = asked(more);
            assert!(one.digest.is_some() && one.digest != plain.digest, "{more:?}");
        }
        let have = "have 2222222222222222222222222222222222222222";
        assert_eq!(asked(&["ofs-delta", have, "done"]).digest, None, "it has something");
        assert_eq!(asked(&["ofs-delta"]).digest, None, "it will say more");
    }

    #[test]
    fn an_answer_begins_with_the_pack_where_nothing_else_is_asked() {
        let have = "have 2222222222222222222222222222222222222222";
        for plain in [&["done"][..], &["thin-pack", "no-progress", have, "done"], &["filter tree:0", "done"]]
        {
            assert_eq!(asked(plain).beginning, Some(PACKFILE), "{plain:?}");
        }
        assert!(!asked(&["no-progress", "done"]).is_told);
        for other in [
            &[][..],
            &[have],
            &["deepen 1", "done"],
            &["deepen-since 7", "done"],
            &["shallow 2222222222222222222222222222222222222222", "done"],
            &["want-ref refs/heads/main", "done"],
            &["packfile-uris https", "done"],
            &["sideband-all", "done"],
        ] {
            assert_eq!(asked(other).beginning, None, "{other:?}");
        }
    }

    #[test]
    fn of_an_odd_request_nothing_is_known() {
        for odd in [
            &["command=ls-refs", "0001", "done", "0000"][..],
            &["command=fetch", "0001", "done"],
            &["command=fetch", "0001", "done", "0000", "0000"],
            &["command=fetch", "0001", "0001", "done", "0000"],
            &["0000"],
            &[],
        ] {
            assert_eq!(two(odd), Wanted::default(), "{odd:?}");
        }
        assert_eq!(Wanted::read(Protocol::Two, b"<html>"), Wanted::default());
        assert_eq!(Wanted::read(Protocol::Zero, b"<html>"), Wanted::default());
    }

    #[test]
    fn earlier_versions_say_the_same_in_their_own_words() {
        let zero = |first: &str, rest: &[&str]| {
            Wanted::read(Protocol::Zero, &request(&[&[format!("{WANT} {first}").as_str()], rest].concat()))
        };
        let plain = zero("multi_ack_detailed side-band-64k agent=git/2.39.5", &["0000", "done"]);
        assert!(plain.digest.is_some() && plain.is_told);
        assert_eq!(plain.beginning, Some(NAK));
        assert_eq!(zero("multi_ack_detailed side-band-64k", &["0000", "done"]), plain);
        let quiet = zero("no-progress", &["0000", "done"]);
        assert!(quiet.digest.is_some() && quiet.digest != plain.digest);
        assert_eq!((quiet.beginning, quiet.is_told), (None, false), "it comes without channels");
        assert_eq!(zero("side-band-64k", &["deepen 1", "0000", "done"]).beginning, None);
        let have = "have 2222222222222222222222222222222222222222";
        let more = zero("side-band-64k", &["0000", have, "done"]);
        assert_eq!((more.digest, more.beginning), (None, None));
        assert_eq!(zero("side-band-64k", &["0000"]).digest, None, "it will say more");
        let one = Wanted::read(Protocol::One, &request(&[&format!("{WANT} side-band-64k"), "0000", "done"]));
        assert_ne!(one.digest, zero("side-band-64k", &["0000", "done"]).digest);
    }
}
