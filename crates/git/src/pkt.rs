//! Packets: the framing of git's protocol, gitprotocol-common(5).

use crate::harmless::harmless;

/// The longest packet, with its four digits.
const PACKET_BYTES_MAX: usize = 65_520;

/// One packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packet<'a> {
    /// Bytes.
    Data(&'a [u8]),
    /// `0000`: the end of a message.
    Flush,
    /// `0001`: the end of a section.
    Delimiter,
    /// `0002`: the end of a response, where the connection does not tell.
    End,
}

/// Why what an upstream sends is not git's protocol.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProtocolError {
    /// No packets at all: a web page, another service.
    #[error("it does not speak git's protocol")]
    NotGit,
    /// It ended in the middle.
    #[error("the answer ended too early")]
    Short,
    /// More than is taken.
    #[error("the answer is larger than {bytes_max} bytes, or lists more than {n_max} refs")]
    Large {
        /// The most bytes.
        bytes_max: usize,
        /// The most refs.
        n_max: usize,
    },
    /// The other side says what is wrong; harmless text of at most a few hundred letters.
    #[error("the upstream says: {said}")]
    Said {
        /// What it says.
        said: String,
    },
    /// What came is no answer to what was asked.
    #[error("the answer is not what was asked for: {what}")]
    Unexpected {
        /// What came.
        what: &'static str,
    },
}

/// Reads packets from bytes as they come.
#[derive(Debug, Default)]
pub struct Packets {
    held: Vec<u8>,
    /// How much of it was read.
    read: usize,
}

impl Packets {
    /// Takes the next bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.read > 0 {
            self.held.drain(..self.read);
            self.read = 0;
        }
        self.held.extend_from_slice(bytes);
    }

    /// Returns the next packet, if it is here whole.
    pub fn take(&mut self) -> Result<Option<Packet<'_>>, ProtocolError> {
        let left = &self.held[self.read..];
        let Some(digits) = left.first_chunk::<4>() else { return Ok(None) };
        let length = length(digits).ok_or(ProtocolError::NotGit)?;
        let packet = match length {
            0 => Packet::Flush,
            1 => Packet::Delimiter,
            2 => Packet::End,
            3 => return Err(ProtocolError::NotGit),
            length if length > PACKET_BYTES_MAX => return Err(ProtocolError::NotGit),
            length if left.len() < length => return Ok(None),
            length => {
                let from = self.read + 4;
                self.read += length;
                return Ok(Some(Packet::Data(&self.held[from..self.read])));
            }
        };
        self.read += 4;
        Ok(Some(packet))
    }

    /// Returns how many bytes came and were not read.
    pub(crate) fn n_unread(&self) -> usize {
        self.held.len() - self.read
    }

    /// Returns whether everything that came was read.
    pub fn is_empty(&self) -> bool {
        self.read == self.held.len()
    }
}

fn length(digits: &[u8; 4]) -> Option<usize> {
    digits.iter().try_fold(0, |length, digit| {
        let value = char::from(*digit).to_digit(16)?;
        Some(length * 16 + value as usize)
    })
}

/// Adds a packet with a line.
pub(crate) fn line(request: &mut Vec<u8>, text: &str) {
    raw_line(request, text.as_bytes());
}

/// Adds a packet of bytes; what is too long for one is cut.
pub(crate) fn packet(answer: &mut Vec<u8>, bytes: &[u8]) {
    let bytes = &bytes[..bytes.len().min(PACKET_BYTES_MAX - 4)];
    answer.extend_from_slice(format!("{:04x}", bytes.len() + 4).as_bytes());
    answer.extend_from_slice(bytes);
}

/// Adds a line of any bytes; what is too long for a packet is cut, and then no name of anything.
pub(crate) fn raw_line(request: &mut Vec<u8>, text: &[u8]) {
    let text = &text[..text.len().min(PACKET_BYTES_MAX - 5)];
    request.extend_from_slice(format!("{:04x}", text.len() + 5).as_bytes());
    request.extend_from_slice(text);
    request.push(b'\n');
}

pub(crate) const FLUSH: &[u8] = b"0000";
pub(crate) const DELIMITER: &[u8] = b"0001";

/// Returns a line of text without its end.
pub(crate) fn text(bytes: &[u8]) -> Result<&str, ProtocolError> {
    let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    std::str::from_utf8(bytes).map_err(|_| ProtocolError::Unexpected { what: "a line that is no text" })
}

/// Returns what the other side says is wrong, so that no terminal takes any of it for a command.
pub(crate) fn said(bytes: &[u8]) -> ProtocolError {
    ProtocolError::Said { said: harmless(bytes, 300) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_are_read_however_they_are_cut() {
        let mut stream = Vec::new();
        line(&mut stream, "command=ls-refs");
        stream.extend_from_slice(DELIMITER);
        line(&mut stream, "");
        stream.extend_from_slice(b"00040002");
        stream.extend_from_slice(FLUSH);
        for piece in 1..stream.len() {
            let (mut packets, mut found) = (Packets::default(), Vec::new());
            for bytes in stream.chunks(piece) {
                packets.push(bytes);
                while let Some(packet) = packets.take().unwrap() {
                    found.push(format!("{packet:?}"));
                }
            }
            assert!(packets.is_empty());
            let expected = [
                Packet::Data(b"command=ls-refs\n"),
                Packet::Delimiter,
                Packet::Data(b"\n"),
                Packet::Data(b""),
                Packet::End,
                Packet::Flush,
            ];
            assert_eq!(found, expected.map(|packet| format!("{packet:?}")), "pieces of {piece}");
        }
    }

    #[test]
    fn what_is_no_packet_is_refused() {
        for bytes in ["<!do", "0003", "fff1", "ffff", "-001", "+001", " 001"] {
            let mut packets = Packets::default();
            packets.push(bytes.as_bytes());
            assert_eq!(packets.take(), Err(ProtocolError::NotGit), "{bytes}");
        }
        let mut packets = Packets::default();
        packets.push(b"0009abc");
        assert_eq!(packets.take(), Ok(None));
        assert!(!packets.is_empty());
    }

    #[test]
    fn what_the_other_side_says_is_harmless() {
        let error = said(b"\x1b[31mno\nsuch repository\x07 \xff").to_string();
        assert!(!error.contains(char::is_control), "{error:?}");
        assert!(said(&[b'a'; 10_000]).to_string().len() < 400);
    }
}
