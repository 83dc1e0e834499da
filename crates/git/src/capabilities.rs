//! What a server says of itself before it is asked anything, gitprotocol-v2(5).

use crate::earlier::Advertised;
use crate::pkt::{Packet, Packets, ProtocolError, said, text};

/// What a server can do that speaks version 2 of the protocol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capabilities {
    /// `sha1` or `sha256`.
    pub object_format: String,
    /// Whether parts of a repository can be asked for.
    pub can_filter: bool,
}

/// The version of the protocol that a server speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speech {
    /// Version 2.
    Two,
    /// Version 0 or 1: it lists its refs before it is asked.
    Earlier,
    /// None: it gives out files, in which git finds what it needs.
    Files,
}

/// How a server speaks, and what it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Spoken {
    /// Version 2.
    Two(Capabilities),
    /// An earlier version, in which it lists its refs at once.
    Earlier(Advertised),
    /// None; its refs are in a file.
    Files(Advertised),
}

impl Spoken {
    /// Reads what a server answers to `GET …/info/refs?service=git-upload-pack`.
    pub fn read(answer: &[u8]) -> Result<Self, ProtocolError> {
        let mut packets = Packets::default();
        packets.push(answer);
        let mut from = 0;
        let mut first = next_line(&mut packets)?;
        if first.as_deref() == Some("# service=git-upload-pack") {
            if next_line(&mut packets)?.is_some() {
                return Err(ProtocolError::Unexpected { what: "no end after the service's name" });
            }
            from = answer.len() - packets.n_unread();
            first = next_line(&mut packets)?;
        }
        if first.as_deref() != Some("version 2") {
            if from == 0 {
                // Earlier versions always announce the service.
                let wrong = ProtocolError::Unexpected { what: "neither capabilities nor refs" };
                return Err(if first.is_none() { ProtocolError::Short } else { wrong });
            }
            let mut packets = Packets::default();
            packets.push(&answer[from..]);
            return Ok(Self::Earlier(Advertised::read(&mut packets)?));
        }
        let mut capabilities = Capabilities { object_format: "sha1".to_owned(), can_filter: false };
        let (mut can_list, mut can_fetch) = (false, false);
        while let Some(line) = next_line(&mut packets)? {
            let (name, value) = line.split_once('=').unwrap_or((&line, ""));
            match name {
                "ls-refs" => can_list = true,
                "fetch" => {
                    can_fetch = true;
                    capabilities.can_filter = value.split(' ').any(|feature| feature == "filter");
                }
                "object-format" if matches!(value, "sha1" | "sha256") => {
                    value.clone_into(&mut capabilities.object_format);
                }
                "object-format" => {
                    return Err(ProtocolError::Unexpected { what: "an unknown format of objects" });
                }
                _ => {}
            }
        }
        if !can_list || !can_fetch {
            return Err(ProtocolError::Unexpected { what: "a server that neither lists nor gives" });
        }
        Ok(Self::Two(capabilities))
    }
}

/// Returns the next line, none at a flush.
fn next_line(packets: &mut Packets) -> Result<Option<String>, ProtocolError> {
    match packets.take()?.ok_or(ProtocolError::Short)? {
        Packet::Data(bytes) if bytes.starts_with(b"ERR ") => Err(said(&bytes[4..])),
        // Earlier versions have names of refs there, in any bytes.
        Packet::Data(bytes) => Ok(Some(text(bytes).unwrap_or("earlier").to_owned())),
        _ => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(lines: &[&str]) -> Result<Spoken, ProtocolError> {
        let mut answer = Vec::new();
        for text in lines {
            if text.is_empty() {
                answer.extend_from_slice(b"0000");
            } else {
                crate::pkt::line(&mut answer, text);
            }
        }
        Spoken::read(&answer)
    }

    #[test]
    fn a_server_says_what_it_can() {
        let two = |object_format: &str, can_filter| {
            Ok(Spoken::Two(Capabilities { object_format: object_format.to_owned(), can_filter }))
        };
        let fetch = "fetch=shallow wait-for-done filter";
        assert_eq!(of(&["version 2", "agent=git/2.39.5", "ls-refs=unborn", fetch, ""]), two("sha1", true));
        let service = "# service=git-upload-pack";
        assert_eq!(
            of(&[service, "", "version 2", "ls-refs", "fetch", "object-format=sha256", ""]),
            two("sha256", false)
        );
        let head = format!("{} HEAD\0side-band-64k", "a".repeat(40));
        assert!(
            matches!(of(&[service, "", &head, ""]), Ok(Spoken::Earlier(earlier)) if earlier.listed.refs.len() == 1)
        );
        assert!(matches!(of(&[service, "", ""]), Ok(Spoken::Earlier(_))), "it has no refs");
        assert!(of(&[""]).is_err() && of(&[&head, ""]).is_err(), "nothing is announced");
        assert_eq!(of(&[service, "", &head]), Err(ProtocolError::Short));
        assert_eq!(of(&["version 2", "fetch", "ls-refs"]), Err(ProtocolError::Short));
        assert!(of(&["version 2", "agent=x", ""]).is_err(), "it can do nothing");
        assert!(of(&["version 2", "fetch", "ls-refs", "object-format=md5", ""]).is_err());
        assert_eq!(Spoken::read(b"<!doctype html>"), Err(ProtocolError::NotGit));
        assert_eq!(Spoken::read(b""), Err(ProtocolError::Short));
        let said = of(&["ERR no such repository"]).unwrap_err().to_string();
        assert_eq!(said, "the upstream says: no such repository");
    }
}
