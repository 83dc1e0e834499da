//! One entry of the journal as one line of JSON, with the hash that chains it to the one before.
//!
//! The hash is taken over the line's own text without its hash: `,"hash":"…"` cut out, the closing brace kept, no line
//! feed. So `sed` and `sha256sum` can check what is written here (docs/FORMAT.md).

use model::{Event, Sha256, Sha256Hasher, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// `,"hash":"` and 64 digits and `"}`.
const HASH_BYTES: usize = 9 + 64 + 2;
/// `,"prev":"` and 64 digits and `"`.
const PREV_BYTES: usize = 9 + 64 + 1;

/// An entry of the journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// Its number in the journal; the first is 1.
    pub seq: u64,
    /// When it was handed over.
    pub time: Timestamp,
    /// What it is about.
    pub subject: String,
    /// Its number among the entries of its subject; the first is 1.
    pub subject_seq: u64,
    /// The fact.
    pub event: Event,
}

/// An event that has no place in the journal yet.
#[derive(Debug)]
pub(crate) struct Draft {
    pub(crate) time: Timestamp,
    pub(crate) subject: String,
    pub(crate) kind: String,
    pub(crate) payload: Box<RawValue>,
}

impl Draft {
    pub(crate) fn new(time: Timestamp, event: &Event) -> serde_json::Result<Self> {
        let text = serde_json::to_string(event)?;
        let tagged: Tagged<'_> = serde_json::from_str(&text)?;
        Ok(Self {
            time,
            subject: event.subject(),
            kind: tagged.kind.to_owned(),
            payload: tagged.payload.to_owned(),
        })
    }
}

/// What a line says, its event still as text.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    pub(crate) seq: u64,
    pub(crate) time: String,
    pub(crate) kind: String,
    pub(crate) subject: String,
    pub(crate) subject_seq: u64,
    pub(crate) payload: String,
    pub(crate) hash: Sha256,
}

impl Line {
    /// Reads a line whose hash was checked.
    pub(crate) fn parse(text: &[u8]) -> serde_json::Result<Self> {
        let wire: Wire<'_> = serde_json::from_slice(text)?;
        Ok(Self {
            seq: wire.seq,
            time: wire.time.to_string(),
            kind: wire.kind,
            subject: wire.subject,
            subject_seq: wire.subject_seq,
            payload: wire.payload.get().to_owned(),
            hash: wire.hash,
        })
    }

    /// Returns the event, or `None` if a newer Outlast wrote one that this one does not know.
    pub(crate) fn event(&self) -> Option<Event> {
        event_of(&self.kind, &self.payload)
    }
}

/// Reads an event from the two fields it is stored in.
pub(crate) fn event_of(kind: &str, payload: &str) -> Option<Event> {
    let payload: &RawValue = serde_json::from_str(payload).ok()?;
    serde_json::from_str(&serde_json::to_string(&Tagged { kind, payload }).ok()?).ok()
}

/// Returns the text of a line, with its line feed, and its hash.
pub(crate) fn encode(
    draft: &Draft,
    seq: u64,
    subject_seq: u64,
    prev: &Sha256,
) -> serde_json::Result<(Vec<u8>, Sha256)> {
    let mut text = serde_json::to_vec(&Preimage {
        seq,
        time: draft.time,
        kind: &draft.kind,
        subject: &draft.subject,
        subject_seq,
        payload: &draft.payload,
        prev,
    })?;
    let hash = Sha256::of(&text);
    text.pop();
    text.extend_from_slice(format!(",\"hash\":\"{hash}\"}}\n").as_bytes());
    Ok((text, hash))
}

/// What chains a line to its neighbours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Link {
    pub(crate) seq: u64,
    pub(crate) prev: Sha256,
    pub(crate) hash: Sha256,
}

/// Checks the hash of a line without its line feed; `None` if any byte of it is wrong.
pub(crate) fn check(text: &[u8]) -> Option<Link> {
    let body = text.get(..text.len().checked_sub(HASH_BYTES)?)?;
    let mut hasher = Sha256Hasher::new();
    hasher.update(body);
    hasher.update(b"}");
    let hash = hasher.finish();
    // Compared as text: an upper-case digit would be the same number, and still a flipped bit.
    if text[body.len()..] != *format!(",\"hash\":\"{hash}\"}}").as_bytes() {
        return None;
    }
    let prev = body.get(body.len().checked_sub(PREV_BYTES)?..)?.strip_prefix(b",\"prev\":\"")?;
    let prev = std::str::from_utf8(prev.strip_suffix(b"\"")?).ok()?.parse().ok()?;
    let digits = body.strip_prefix(b"{\"seq\":")?;
    let digits = &digits[..digits.iter().position(|c| *c == b',')?];
    let seq = std::str::from_utf8(digits).ok()?.parse().ok()?;
    Some(Link { seq, prev, hash })
}

#[derive(Serialize, Deserialize)]
struct Tagged<'a> {
    kind: &'a str,
    #[serde(borrow)]
    payload: &'a RawValue,
}

#[derive(Serialize)]
struct Preimage<'a> {
    seq: u64,
    time: Timestamp,
    kind: &'a str,
    subject: &'a str,
    subject_seq: u64,
    payload: &'a RawValue,
    prev: &'a Sha256,
}

#[derive(Deserialize)]
struct Wire<'a> {
    seq: u64,
    time: Timestamp,
    kind: String,
    subject: String,
    subject_seq: u64,
    #[serde(borrow)]
    payload: &'a RawValue,
    hash: Sha256,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line() -> (Vec<u8>, Sha256) {
        let event = Event::Stale {
            host: "exämple.com".to_owned(),
            what: "files".to_owned(),
            since: Timestamp::UNIX_EPOCH,
            reason: "a \"quoted\"\u{7f}\n reason".to_owned(),
        };
        let draft = Draft::new(Timestamp::UNIX_EPOCH, &event).unwrap();
        encode(&draft, 7, 3, &Sha256::of(b"before")).unwrap()
    }

    #[test]
    fn what_was_encoded_is_read_back() {
        let (text, hash) = line();
        let text = text.strip_suffix(b"\n").unwrap();
        assert_eq!(check(text), Some(Link { seq: 7, prev: Sha256::of(b"before"), hash }));
        let line = Line::parse(text).unwrap();
        assert_eq!((line.seq, line.subject_seq, line.subject.as_str()), (7, 3, "host exämple.com files"));
        assert!(matches!(line.event(), Some(Event::Stale { reason, .. }) if reason.contains("\"quoted\"")));
    }

    #[test]
    fn every_flipped_bit_is_seen() {
        let (text, _) = line();
        let text = text.strip_suffix(b"\n").unwrap();
        for place in 0..text.len() * 8 {
            let mut flipped = text.to_vec();
            flipped[place / 8] ^= 1 << (place % 8);
            assert_eq!(check(&flipped), None, "bit {place}");
        }
        for end in 0..text.len() {
            assert_eq!(check(&text[..end]), None, "cut at {end}");
        }
    }

    #[test]
    fn an_unknown_event_is_no_error() {
        assert_eq!(event_of("invented_later", r#"{"a":1}"#), None);
    }
}
