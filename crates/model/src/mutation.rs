//! The one entry for hostile bytes: every parser of this crate, none of which may panic.

use std::str::FromStr;

use fakes::damage::survives;

use crate::{
    CommitId, Cut, Digest, DigestSet, Event, MoveClass, ObjectId, ObjectUrl, Record, RefName, RepoId, RunId,
    SafeUrl, Sha256, Target, escape, format_compact, is_escaped, parse_time, unescape,
};

/// Feeds bytes to every parser, and looks at what came out as its readers do.
fn no_panic(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    for text in text.lines().chain([&*text]) {
        of_addresses(text);
        of_words(text);
        drop(serde_json::from_str::<Event>(text).map(|event| (event.subject(), event.needs().len())));
        drop(serde_json::from_str::<Record>(text));
    }
    assert_eq!(unescape(&escape(bytes)), bytes);
}

fn of_addresses(text: &str) {
    if let Ok(url) = SafeUrl::parse(text) {
        url.each_credential(|_, _| {});
        let shown = url.object();
        let parts = [shown.scheme(), shown.host(), shown.authority(), shown.path(), shown.path_and_query()];
        assert!(parts.iter().all(|part| shown.as_str().contains(part) || *part == "/"), "{text}");
        let _ = (shown.port(), shown.join(text));
        assert_eq!(ObjectUrl::parse(shown.as_str()).as_ref(), Ok(shown), "{text}");
    }
    for repo in [RepoId::parse(text), RepoId::from_name(text)].into_iter().flatten() {
        let _ = (repo.host(), repo.path(), repo.subject());
    }
}

fn of_words(text: &str) {
    drop((Digest::from_str(text), DigestSet::from_sri(text), Sha256::from_str(text), RunId::from_str(text)));
    drop((ObjectId::from_str(text), Target::from_str(text), RefName::from_str(text), CommitId::parse(text)));
    drop((Cut::from_str(text), MoveClass::of(text)));
    let _ = parse_time(text).map(format_compact);
    if is_escaped(text) {
        unescape(text);
    }
}

#[test]
fn no_damage_makes_a_parser_panic() {
    const ADDRESSES: &str =
        "https://user:pass@files.example:8443/a%20b/;jsessionid=1?token=x&X-Amz-Signature=2#part
https://h.example/?next=https%3A%2F%2Fu:p@i.example%2F%3Fkey%3Dv
git@forge.example:acme/tool.git
ssh://git@forge.example:22/acme/tool
https://[2001:db8::1]/a";
    const WORDS: &str = "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
sha512-m3HSJL1i83hdltRq0+o9czGb+8KJDKra4t/3JRlnPKcjI8PZm6XBHXx6zG4UuMXaDEZjR1wuXDre9G9zvN7AQw==
aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb
refs/heads/main
@refs/heads/main
api.github.com=hang
20260521T100005Z
2026-05-21T10:00:05.25+02:00
a\\x00\\n";
    let journal = include_str!("../../store/testdata/journal.jsonl");
    // A query in a query in a query, as deep as an address may be long.
    let deep = format!("https://h.example/?{}", "a=b://?".repeat(1100));
    let documents = [("addresses", ADDRESSES), ("words", WORDS), ("journal", journal), ("deep", &deep)];
    survives(&documents.map(|(name, document)| (name, document.as_bytes())), no_panic);
}
