//! The one entry for hostile bytes: every parser of this crate, none of which may panic.

use fakes::damage::survives;

use crate::{Address, state};

/// Feeds bytes to every parser: as an address, and as the text of a state.
fn no_panic(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    state::no_panic(&text);
    if let Ok(address) = Address::parse(&text) {
        assert!(Address::parse(address.as_str()).is_ok_and(|again| again.agrees_with(&address)), "{text}");
    }
}

#[test]
fn no_damage_makes_a_parser_panic() {
    let (a, b) = ("a".repeat(40), "b".repeat(40));
    let state = format!(
        "outlast refs 1\nHEAD @refs/heads/main\nrefs/heads/main {a} {b} force 2026-05-21T10:00:05Z\nrefs/heads/old {b} - \
         delete 2026-05-21T10:00:05Z\nrefs/tags/v1 {a}^{b}\n"
    );
    let documents: [(&str, &[u8]); 5] = [
        ("state", state.as_bytes()),
        ("https", b"https://Forge.Example:443/acme/tool.git/"),
        ("ssh", b"git@forge.example:acme/tool.git"),
        ("port", b"ssh://git@[2001:db8::1]:2222/acme/tool"),
        ("file", b"file:///srv/git/tool.git"),
    ];
    survives(&documents, no_panic);
}
