//! The one entry for hostile bytes: every parser of this crate, none of which may panic.

use fakes::damage::survives;
use model::{Event, RunId, Sha256, Timestamp};

use super::line::{self, Draft, Line};
use super::segment::{Header, Scan, unpack_closed};

/// Feeds bytes to every parser: an entry, a segment, a closed one, and what is added behind.
fn no_panic(bytes: &[u8]) {
    drop((line::check(bytes), Scan::of(bytes), unpack_closed(bytes)));
    drop(Scan::behind(bytes, bytes.len() / 2, (2, Sha256::of(bytes))));
    // As if its hash had been right.
    for text in bytes.split(|byte| *byte == b'\n') {
        drop(Line::parse(text).ok().and_then(|line| line.event()));
    }
}

#[test]
fn no_damage_makes_a_parser_panic() {
    let header = Header::first();
    let mut segment = header.encode().unwrap();
    let mut prev = header.prev;
    for n in 0..3u8 {
        let event = Event::Ran {
            run_id: RunId::new(Timestamp::UNIX_EPOCH, [n; 4]),
            record: Sha256::of(b"record"),
            record_bytes: Some(6),
            command: vec!["make".to_owned(), "a\nb".to_owned()],
            directory: "/work".to_owned(),
            exit_code: 0,
            containment: model::Containment::Sealed,
            hosts: vec![("a.example".to_owned(), true)],
            is_drill: false,
        };
        let draft = Draft::new(Timestamp::UNIX_EPOCH, &event).unwrap();
        let (text, hash) = line::encode(&draft, u64::from(n) + 1, u64::from(n) + 1, &prev).unwrap();
        segment.extend(text);
        prev = hash;
    }
    assert!(Scan::of(&segment).problems.is_empty(), "the control: it is a segment");
    let closed = zstd::encode_all(&segment[..], 3).unwrap();
    let entry = segment.split(|byte| *byte == b'\n').nth(1).unwrap();
    survives(&[("segment", &segment), ("entry", entry), ("closed", &closed)], no_panic);
}
