//! The one entry for hostile bytes: every parser of this crate, none of which may panic.

use fakes::damage::survives;

use crate::pkt::{DELIMITER, FLUSH, line};
use crate::{Advertised, Asked, Listing, Packets, Spoken};

/// Feeds bytes to every parser, at once and in two pieces: a listing, capabilities and refs of all versions and in files, a client's
/// request, and bare packets.
fn no_panic(bytes: &[u8]) {
    let (first, second) = bytes.split_at(bytes.len() / 2);
    for pieces in [&[bytes][..], &[first, second]] {
        let (mut packets, mut listing) = (Packets::default(), Listing::default());
        let mut is_read = true;
        for piece in pieces {
            packets.push(piece);
            while let Ok(Some(_)) = packets.take() {}
            is_read = is_read && listing.push(piece).is_ok();
        }
        if is_read && let Ok(listed) = listing.finish() {
            listed.tips();
        }
    }
    drop((Spoken::read(bytes), Asked::read(bytes)));
    drop((Advertised::in_files(bytes, b"ref: refs/heads/main\n"), Advertised::in_files(first, second)));
}

#[test]
fn no_damage_makes_a_parser_panic() {
    let (a, b) = ("a".repeat(40), "b".repeat(40));
    let lines = |lines: &[&str], end: &[u8]| {
        let mut bytes = Vec::new();
        lines.iter().for_each(|text| line(&mut bytes, text));
        [&bytes[..], end].concat()
    };
    let listing = lines(
        &[
            &format!("{a} HEAD symref-target:refs/heads/main"),
            &format!("{a} refs/heads/main"),
            &format!("{b} refs/tags/v1 peeled:{a}"),
        ],
        FLUSH,
    );
    let two = lines(
        &["version 2", "agent=git/2.45", "ls-refs=unborn", "fetch=shallow filter", "object-format=sha1"],
        FLUSH,
    );
    let features = "multi_ack side-band-64k ofs-delta symref=HEAD:refs/heads/main agent=git/2.17";
    let service = lines(&["# service=git-upload-pack"], FLUSH);
    let refs = lines(&[&format!("{a} HEAD\0{features}"), &format!("{a} refs/heads/main")], FLUSH);
    let earlier = [service, refs].concat();
    let asked = lines(&["command=ls-refs", "agent=git/2.45"], DELIMITER);
    let asked = [asked, lines(&["peel", "symrefs", "ref-prefix refs/heads/"], FLUSH)].concat();
    let refusal = crate::refusal("no such repository");
    let files = format!("{a}\trefs/heads/main\n{b}\trefs/tags/v1\n{a}\trefs/tags/v1^{{}}\n").into_bytes();
    let documents: [(&str, &[u8]); 6] = [
        ("files", &files),
        ("listing", &listing),
        ("version 2", &two),
        ("earlier", &earlier),
        ("request", &asked),
        ("refusal", &refusal),
    ];
    survives(&documents, no_panic);
}
