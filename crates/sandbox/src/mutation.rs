//! The one entry for hostile bytes: every parser of this crate, none of which may panic.

use fakes::damage::survives;

use crate::wire::{ToRoom, frame_length};
use crate::{helper, memory, tier, unix};

/// Feeds bytes to every parser.
fn no_panic(bytes: &[u8]) {
    unix::parse(bytes).for_each(drop);
    helper::no_panic(bytes);
    tier::no_panic(bytes);
    memory::no_panic(&String::from_utf8_lossy(bytes));
    if let Some((header, body)) = bytes.split_first_chunk() {
        let _ = frame_length(*header);
        drop(serde_json::from_slice::<ToRoom>(body));
    }
}

#[test]
fn no_damage_makes_a_parser_panic() {
    let documents: [(&str, &[u8]); 7] = [
        ("sockets", b"0000: 00000002 00000000 00010000 0001 01 20154 /srv/a b/x.sock\n0000: 0 0 0 5 1 7 public/pickup\n"),
        ("mounts", br"36 35 98:0 /mnt1 /a\040b\134c rw,noatime master:1 shared:2 - ext3 /dev/root rw"),
        ("variable", b"unix:path=/home/u/bus,guid=12"),
        ("groups", b"0::/a/b\n5:blkio,memory:/x\nMemAvailable:   24 kB\n"),
        ("packet", b"\x45\0\0\x28\0\0\0\0\x40\x06\0\0\x01\x01\x01\x01\x7f\0\0\x01\0\x16\x9c\x40"),
        ("query", b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x06crates\x02io\0\0\x01\0\x01"),
        ("message", br#"    {"Signal":15}"#),
    ];
    survives(&documents, no_panic);
}
