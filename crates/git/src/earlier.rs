//! Versions 0 and 1 of the protocol, gitprotocol-pack(5): the server lists its refs before it is asked anything.

use model::ObjectId;

use crate::fetch::FetchRequest;
use crate::listing::{AGENT, Listed, Listing};
use crate::pkt::{FLUSH, Packet, Packets, ProtocolError, line, said};
use crate::remote::packets;

/// What a server lists and says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Advertised {
    /// Its refs.
    pub listed: Listed,
    /// `sha1` or `sha256`.
    pub object_format: String,
}

impl Advertised {
    /// Reads what a server answers to `GET …/info/refs?service=git-upload-pack`, after the service's name.
    pub(crate) fn read(packets_left: &mut Packets) -> Result<Self, ProtocolError> {
        let unexpected = |what| ProtocolError::Unexpected { what };
        let (mut printed, mut features, mut n_lines) = (Vec::new(), String::new(), 0);
        loop {
            let line = match packets_left.take()?.ok_or(ProtocolError::Short)? {
                Packet::Data(bytes) if bytes.starts_with(b"ERR ") => return Err(said(&bytes[4..])),
                Packet::Data(b"version 1\n" | b"version 1") if n_lines == 0 => continue,
                Packet::Data(bytes) => bytes.strip_suffix(b"\n").unwrap_or(bytes),
                Packet::Flush => break,
                Packet::Delimiter | Packet::End => return Err(unexpected("a list of several parts")),
            };
            let mut parts = line.splitn(2, |byte| *byte == 0);
            let (named, more) = (parts.next().unwrap_or_default(), parts.next());
            if let Some(more) = more {
                features = String::from_utf8_lossy(more).into_owned();
            }
            n_lines += 1;
            if named.starts_with(b"shallow ") {
                return Err(unexpected("a shallow repository, which is incomplete"));
            }
            let space = named.iter().position(|byte| *byte == b' ');
            let (id, name) = named.split_at(space.ok_or(unexpected("a ref without a name"))?);
            // What an empty repository has in place of a ref.
            if name == b" capabilities^{}" {
                continue;
            }
            printed.extend_from_slice(&[id, b"\t", &name[1..], b"\n"].concat());
        }
        if !packets_left.is_empty() {
            return Err(unexpected("more after the end of the list"));
        }
        let feature = |name: &str| features.split(' ').find_map(|feature| feature.strip_prefix(name));
        if n_lines > 0 && feature("side-band-64k").is_none() {
            return Err(unexpected("a server of before 2006"));
        }
        let head = feature("symref=HEAD:").map(|name| format!("ref: {name}\tHEAD\n")).unwrap_or_default();
        let mut listing = Listing::default();
        listing.push(&packets(&[head.as_bytes(), &printed].concat()))?;
        let object_format = feature("object-format=").unwrap_or("sha1").to_owned();
        Ok(Self { listed: listing.finish()?, object_format })
    }
}

impl FetchRequest<'_> {
    /// Returns the body of the request, for a server that speaks an earlier version.
    pub fn earlier_body(&self) -> Vec<u8> {
        let mut request = Vec::with_capacity((self.wants.len() + self.haves.len()) * 74 + 200);
        let mut features = format!(" side-band-64k thin-pack no-progress ofs-delta {AGENT}");
        if self.object_format != "sha1" {
            features.push_str(&format!(" object-format={}", self.object_format));
        }
        for (number, id) in self.wants.iter().enumerate() {
            line(&mut request, &format!("want {id}{}", if number == 0 { &features } else { "" }));
        }
        request.extend_from_slice(FLUSH);
        let have = |id: &ObjectId| format!("have {id}");
        self.haves.iter().for_each(|id| line(&mut request, &have(id)));
        line(&mut request, "done");
        request
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(lines: &[&str]) -> Result<Advertised, ProtocolError> {
        let mut answer = Vec::new();
        lines.iter().for_each(|text| line(&mut answer, text));
        let mut packets = Packets::default();
        packets.push(&[&answer[..], FLUSH].concat());
        Advertised::read(&mut packets)
    }

    #[test]
    fn what_is_listed_at_once_is_a_listing() {
        let (a, b) = ("a".repeat(40), "b".repeat(40));
        let features = "multi_ack side-band-64k ofs-delta symref=HEAD:refs/heads/main agent=git/2.17";
        let first = format!("{a} HEAD\0{features}");
        let (main, tag, peeled) =
            (format!("{a} refs/heads/main"), format!("{b} refs/tags/v1"), format!("{a} refs/tags/v1^{{}}"));
        let advertised = of(&["version 1", &first, &main, &tag, &peeled]).unwrap();
        let refs = &advertised.listed.refs;
        let text: Vec<String> = refs.iter().map(|(name, target)| format!("{name} {target}")).collect();
        let expected = [
            "HEAD @refs/heads/main".to_owned(),
            format!("refs/heads/main {a}"),
            format!("refs/tags/v1 {b}^{a}"),
        ];
        assert_eq!((text, advertised.object_format.as_str()), (expected.to_vec(), "sha1"));
        let empty = format!("{} capabilities^{{}}\0side-band-64k object-format=sha256", "0".repeat(64));
        let empty = of(&[&empty]).unwrap();
        assert_eq!((empty.listed.refs.len(), empty.object_format.as_str()), (0, "sha256"));
        assert!(of(&[]).unwrap().listed.refs.is_empty());
        for wrong in [
            vec![format!("{a} HEAD\0ofs-delta")],
            vec![first.clone(), "nothing".to_owned()],
            vec![first.clone(), main.clone(), main],
            vec![first.clone(), format!("shallow {a}")],
            vec!["ERR no".to_owned()],
        ] {
            let wrong: Vec<&str> = wrong.iter().map(String::as_str).collect();
            assert!(of(&wrong).is_err(), "{wrong:?}");
        }
        // The same refs are the same, whatever else the server says of itself.
        let other = of(&[&first.replace("2.17", "2.18"), &format!("{a} refs/heads/main"), &tag, &peeled]);
        assert_eq!(other.unwrap().listed.digest, advertised.listed.digest);
    }

    #[test]
    fn what_is_missing_is_asked_for_as_it_was_before_version_2() {
        let id = |letter: &str| letter.repeat(40).parse::<ObjectId>().unwrap();
        let wants = [id("a"), id("b")];
        let request = FetchRequest { object_format: "sha1", wants: &wants, haves: &[id("c")] };
        let text = String::from_utf8(request.earlier_body()).unwrap();
        assert!(
            text.contains("aaaa side-band-64k")
                && text.ends_with(&format!("0000{:04x}have {}\n0009done\n", 50, id("c"))),
            "{text}"
        );
        assert_eq!(text.matches("side-band-64k").count(), 1);
    }
}
