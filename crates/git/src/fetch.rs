//! Objects from a server: `fetch` of gitprotocol-v2(5), in one round.

use std::io::{self, Write};

use model::ObjectId;

use crate::listing::AGENT;
use crate::pkt::{DELIMITER, FLUSH, Packet, Packets, ProtocolError, line, said, text};

/// What is asked for.
#[derive(Debug, Clone, Copy)]
pub struct FetchRequest<'a> {
    /// `sha1` or `sha256`.
    pub object_format: &'a str,
    /// The objects that are missing here.
    pub wants: &'a [ObjectId],
    /// Objects that are here with everything they need, on which what comes may build.
    pub haves: &'a [ObjectId],
}

impl FetchRequest<'_> {
    /// Returns the body of the request. A copy knows what the upstream had, so there is nothing to negotiate.
    pub fn body(&self) -> Vec<u8> {
        let mut request = Vec::with_capacity((self.wants.len() + self.haves.len()) * 74 + 200);
        line(&mut request, "command=fetch");
        line(&mut request, AGENT);
        line(&mut request, &format!("object-format={}", self.object_format));
        request.extend_from_slice(DELIMITER);
        for feature in ["thin-pack", "no-progress", "ofs-delta"] {
            line(&mut request, feature);
        }
        for id in self.wants {
            line(&mut request, &format!("want {id}"));
        }
        for id in self.haves {
            line(&mut request, &format!("have {id}"));
        }
        line(&mut request, "done");
        request.extend_from_slice(FLUSH);
        request
    }
}

/// The most that one pack may have; the largest repositories that are known have 100 GB in all.
pub(crate) const PACK_BYTES_MAX: u64 = 256 << 30;

/// Reads the answer as it comes, and hands the pack in it on.
#[derive(Debug)]
pub struct FetchAnswer {
    packets: Packets,
    place: Place,
    /// How much of a pack may still come.
    n_bytes_left: u64,
}

impl Default for FetchAnswer {
    fn default() -> Self {
        Self { packets: Packets::default(), place: Place::default(), n_bytes_left: PACK_BYTES_MAX }
    }
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Place {
    /// Before a section's name.
    #[default]
    Section,
    /// Before a pack that begins without a name: the answer of an earlier version.
    Acknowledged,
    /// In a section that says nothing about a whole pack.
    Passed,
    Pack,
    Over,
}

/// Why an answer was not taken.
#[derive(Debug, thiserror::Error)]
pub enum TakeError {
    /// The upstream's fault.
    #[error(transparent)]
    Protocol(#[from] ProtocolError),
    /// The disk's.
    #[error("what came could not be written; free space or mend the disk")]
    Write(#[from] io::Error),
}

impl FetchAnswer {
    /// Reads the answer of a server that speaks an earlier version.
    pub fn earlier() -> Self {
        Self { place: Place::Acknowledged, ..Self::default() }
    }

    /// Takes the next bytes; those of the pack are written to `pack`.
    pub fn push(&mut self, bytes: &[u8], pack: &mut impl Write) -> Result<(), TakeError> {
        self.packets.push(bytes);
        while let Some(packet) = self.packets.take()? {
            match (self.place, packet) {
                (Place::Over, _) => return Err(unexpected("more after its end").into()),
                (_, Packet::Data(bytes)) if self.place != Place::Pack && bytes.starts_with(b"ERR ") => {
                    return Err(said(&bytes[4..]).into());
                }
                (Place::Section, Packet::Data(bytes)) => {
                    self.place = match text(bytes)? {
                        "packfile" => Place::Pack,
                        "acknowledgments" => Place::Passed,
                        // Parts of history are missing upstream, and would be missing here.
                        "shallow-info" => {
                            return Err(unexpected("a shallow repository, which is incomplete").into());
                        }
                        _ => return Err(unexpected("an unknown part").into()),
                    };
                }
                (Place::Acknowledged, Packet::Data(b"NAK\n")) => {}
                (Place::Acknowledged, Packet::Data(bytes)) if bytes.starts_with(b"ACK ") => {}
                (Place::Acknowledged | Place::Pack, Packet::Data(bytes)) => {
                    self.place = Place::Pack;
                    match bytes.split_first() {
                        Some((1, bytes)) => {
                            let left = self.n_bytes_left.checked_sub(bytes.len() as u64);
                            self.n_bytes_left = left.ok_or(unexpected("a pack without end"))?;
                            pack.write_all(bytes)?;
                        }
                        // Progress, which was not asked for.
                        Some((2, _)) => {}
                        Some((3, bytes)) => return Err(said(bytes).into()),
                        _ => return Err(unexpected("an unknown band").into()),
                    }
                }
                (Place::Passed, Packet::Delimiter) => self.place = Place::Section,
                (Place::Passed, Packet::Data(_)) => {}
                (Place::Pack, Packet::Flush) => self.place = Place::Over,
                _ => return Err(unexpected("no pack").into()),
            }
        }
        Ok(())
    }

    /// Returns whether all came.
    pub fn finish(self) -> Result<(), ProtocolError> {
        if self.place == Place::Over && self.packets.is_empty() { Ok(()) } else { Err(ProtocolError::Short) }
    }
}

const fn unexpected(what: &'static str) -> ProtocolError {
    ProtocolError::Unexpected { what }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(bytes: &[u8]) -> Vec<u8> {
        [format!("{:04x}", bytes.len() + 4).as_bytes(), bytes].concat()
    }

    fn taken(answer: &[u8]) -> Result<Vec<u8>, String> {
        let (mut reader, mut pack) = (FetchAnswer::default(), Vec::new());
        for bytes in answer.chunks(7) {
            reader.push(bytes, &mut pack).map_err(|error| error.to_string())?;
        }
        reader.finish().map_err(|error| error.to_string())?;
        Ok(pack)
    }

    #[test]
    fn what_is_missing_is_asked_for_in_one_round() {
        let id = |letter: &str| letter.repeat(40).parse::<ObjectId>().unwrap();
        let request = FetchRequest { object_format: "sha1", wants: &[id("a")], haves: &[id("b"), id("c")] };
        let text = String::from_utf8(request.body()).unwrap();
        for part in ["command=fetch", "want aaaa", "have bbbb", "have cccc", "0009done\n0000"] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }

    #[test]
    fn only_a_whole_pack_is_taken() {
        let pieces = [&b"\x01PACK"[..], b"\x02counting", b"\x01rest"].map(packet).concat();
        let whole = [packet(b"packfile\n"), pieces.clone(), b"0000".to_vec()].concat();
        assert_eq!(taken(&whole), Ok(b"PACKrest".to_vec()));
        let acknowledged =
            [packet(b"acknowledgments\n"), packet(b"NAK\n"), b"0001".to_vec(), whole.clone()].concat();
        assert_eq!(taken(&acknowledged), Ok(b"PACKrest".to_vec()));
        assert!(taken(&whole[..whole.len() - 4]).is_err(), "its end is missing");
        assert!(taken(&[whole.clone(), b"0000".to_vec()].concat()).is_err());
        assert!(taken(b"0000").is_err(), "no pack at all");
        let (mut reader, mut pack) = (FetchAnswer { n_bytes_left: 7, ..FetchAnswer::default() }, Vec::new());
        let error = reader.push(&whole, &mut pack).unwrap_err().to_string();
        assert!(error.contains("a pack without end"), "{error}");
        assert!(taken(&[packet(b"packfile\n"), packet(b"\x04x")].concat()).is_err());
        let shallow = [packet(b"shallow-info\n"), packet(b"shallow x")].concat();
        assert!(taken(&shallow).unwrap_err().contains("shallow"));
        let told = [packet(b"packfile\n"), packet(b"\x03no \x1bmemory\n")].concat();
        assert_eq!(taken(&told), Err("the upstream says: no  memory".to_owned()));
        let earlier = |answer: &[u8]| {
            let (mut reader, mut pack) = (FetchAnswer::earlier(), Vec::new());
            let pushed = reader.push(answer, &mut pack).map_err(|error| error.to_string());
            pushed.and_then(|()| reader.finish().map_err(|error| error.to_string())).map(|()| pack)
        };
        for acknowledged in [&b"NAK\n"[..], b"ACK aaaa\n"] {
            let answer = [packet(acknowledged), pieces.clone(), b"0000".to_vec()].concat();
            assert_eq!(earlier(&answer), Ok(b"PACKrest".to_vec()));
            assert!(earlier(&answer[..answer.len() - 4]).is_err());
        }
        assert!(earlier(b"0000").is_err());
        assert_eq!(taken(&packet(b"ERR not our ref")), Err("the upstream says: not our ref".to_owned()));
    }
}
