//! The beginning of an answer with a pack, written for a client that waits before git has written anything: proxies and clients
//! break off where nothing comes for a while. See gitprotocol-pack(5) on channels.

use crate::pkt::{Packet, Packets, ProtocolError, packet};
use crate::wanted::Wanted;

/// What is said to a client that wants to be told.
const WHY: &[u8] = b"\x02the server is busy; waiting for a turn\n";
/// A packet of the pack without a byte of it, which git sends as well while it counts objects.
const NOTHING: &[u8] = b"0005\x01";
/// So many at a time, for clients that give up where less than 1,000 bytes a second come (`http.lowSpeedLimit`).
const N_NOTHINGS: usize = 1600;
const FAILURE: &[u8] = b"\x03";

/// What a client that waits was sent, until git's own answer follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opening {
    /// What git begins with as well.
    beginning: &'static [u8],
    is_told: bool,
    has_begun: bool,
    /// What came of git's own beginning.
    held: Vec<u8>,
    is_past: bool,
}

impl Opening {
    /// Returns what is known of the answer to a request; nothing where only git can begin it.
    pub fn of(wanted: &Wanted) -> Option<Self> {
        let beginning = wanted.beginning?;
        Some(Self { beginning, is_told: wanted.is_told, has_begun: false, held: Vec::new(), is_past: false })
    }

    /// Returns what to send now to a client that has waited for a while.
    pub fn wait(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        if !self.has_begun {
            self.has_begun = true;
            bytes.extend_from_slice(self.beginning);
            if self.is_told {
                packet(&mut bytes, WHY);
            }
        }
        bytes.extend(NOTHING.repeat(N_NOTHINGS));
        bytes
    }

    /// Takes what git writes; returns what of it to send, and nothing as long as the client may still be told to wait.
    ///
    /// # Errors
    /// Where git begins in another way than it should.
    pub fn take(&mut self, bytes: &[u8]) -> Result<Option<Vec<u8>>, ProtocolError> {
        if !self.has_begun || self.is_past {
            return Ok(Some(bytes.to_vec()));
        }
        self.held.extend_from_slice(bytes);
        if let Some(rest) = self.held.strip_prefix(self.beginning) {
            let rest = rest.to_vec();
            self.is_past = true;
            return Ok((!rest.is_empty()).then_some(rest));
        }
        let mut packets = Packets::default();
        packets.push(&self.held);
        match packets.take()? {
            None => Ok(None),
            // In the midst of a pack it has a channel.
            Some(Packet::Data(line)) if line.starts_with(b"ERR ") => {
                self.is_past = true;
                let mut failure = Vec::new();
                packet(&mut failure, &[FAILURE, &line[4..]].concat());
                Ok(Some(failure))
            }
            Some(_) => Err(ProtocolError::Unexpected { what: "git begins with something else than a pack" }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::serve::{Protocol, refusal};

    /// Returns what a client of version 2 that sends this is sent while it waits.
    fn opening(arguments: &[&str]) -> Option<Opening> {
        let mut request = Vec::new();
        crate::pkt::line(&mut request, "command=fetch");
        request.extend_from_slice(b"0001");
        arguments.iter().for_each(|argument| crate::pkt::line(&mut request, argument));
        request.extend_from_slice(b"0000");
        Opening::of(&Wanted::read(Protocol::Two, &request))
    }

    /// Returns the packets of an answer that carry something.
    fn carried(answer: &[u8]) -> Vec<Vec<u8>> {
        let (mut packets, mut carried) = (Packets::default(), Vec::new());
        packets.push(answer);
        while let Some(packet) = packets.take().unwrap() {
            match packet {
                Packet::Data(b"\x01") => {}
                Packet::Data(bytes) => carried.push(bytes.to_vec()),
                other => panic!("{other:?}"),
            }
        }
        assert!(packets.is_empty());
        carried
    }

    #[test]
    fn a_client_that_waits_has_one_beginning_however_gits_own_is_cut() {
        let gits = b"000dpackfile\n0009\x01PACK";
        for cut in 0..=gits.len() {
            let mut opening = opening(&["done"]).unwrap();
            let (first, second) = (opening.wait(), opening.wait());
            assert!(first.len() > 5000 && second.len() > 5000);
            let mut answer = [first, second].concat();
            for piece in [&gits[..cut], &gits[cut..]] {
                answer.extend(opening.take(piece).unwrap().unwrap_or_default());
            }
            assert_eq!(carried(&answer), [&b"packfile\n"[..], WHY, b"\x01PACK"], "cut at {cut}");
        }
        let mut quiet = opening(&["no-progress", "done"]).unwrap();
        assert_eq!(carried(&quiet.wait()), [b"packfile\n"]);
    }

    #[test]
    fn a_client_that_did_not_wait_has_what_git_writes() {
        let mut opening = opening(&["done"]).unwrap();
        assert_eq!(opening.take(b"000dpack").unwrap().unwrap(), b"000dpack");
    }

    #[test]
    fn between_gits_beginning_and_its_pack_a_client_may_wait_on() {
        let mut opening = opening(&["done"]).unwrap();
        let first = opening.wait();
        assert_eq!(opening.take(b"000dpackfile\n").unwrap(), None);
        let second = opening.wait();
        let rest = opening.take(b"0009\x01PACK").unwrap().unwrap();
        assert_eq!(
            carried(&[first, second, rest].concat()),
            [&b"packfile\n"[..], WHY, b"\x01PACK"],
            "it begins once"
        );
    }

    #[test]
    fn why_there_is_no_pack_is_said_on_its_channel() {
        let mut opening = opening(&["done"]).unwrap();
        opening.wait();
        let refused = refusal("it fails");
        assert_eq!(opening.take(&refused[..7]).unwrap(), None);
        assert_eq!(carried(&opening.take(&refused[7..]).unwrap().unwrap()), [b"\x03it fails\n"]);
    }

    #[test]
    fn only_git_begins_what_begins_otherwise() {
        assert_eq!(opening(&["deepen 1", "done"]), None);
        let mut opening = opening(&["done"]).unwrap();
        opening.wait();
        assert!(opening.take(b"0011shallow-info\n").is_err());
    }
}
