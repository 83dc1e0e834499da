//! Documents made to hurt, and large ones that are not.

use super::{Composer, LOG_URL, p2, read, request};
use crate::ecosystem::Ecosystem;
use crate::index::IndexFacts;

/// Returns the reason for which a document is not read.
#[track_caller]
fn refused(body: &str) -> String {
    let error: Box<dyn std::error::Error> = read(LOG_URL, body).unwrap_err().into();
    error.source().map_or_else(|| error.to_string(), ToString::to_string)
}

fn entry(number: usize) -> String {
    format!(
        r#"{{"version":"{number}.0.0","dist":{{"type":"zip","url":"https://api.github.com/repos/a/b/zipball/{number:040x}","reference":"{number:040x}","shasum":""}},"time":"2026-01-01","require":{{"php":">={number}"}}}}"#
    )
}

fn many(n: usize) -> String {
    p2(&format!("[{}]", (0..n).map(entry).collect::<Vec<_>>().join(",")))
}

#[test]
fn a_hundred_thousand_versions_are_read_judged_and_mended() {
    let body = many(100_000);
    let facts = read(LOG_URL, &body).unwrap();
    assert_eq!((facts.versions.len(), facts.vouched.len()), (100_000, 100_000));
    assert_eq!(Composer.judge(&facts, &facts), None);
    let fewer = many(99_998);
    let worse = Composer.judge(&facts, &read(LOG_URL, &fewer).unwrap()).unwrap();
    let lost = worse.lost.iter().map(String::as_str).collect();
    let mended = Composer.with_versions(&request(LOG_URL), fewer.as_bytes(), body.as_bytes(), &lost).unwrap();
    assert_eq!(read(LOG_URL, std::str::from_utf8(&mended).unwrap()).unwrap(), facts);
}

#[test]
fn short_entries_that_inherit_everything_are_bounded() {
    let first = entry(1);
    let check = |n: usize| p2(&format!("[{first}{}]", ",{}".repeat(n)));
    assert_eq!(read(LOG_URL, &check(1000)).unwrap().vouched.len(), 1001);
    assert_eq!(refused(&check(1_000_000)), "a package has more than 250000 versions");
    let padding = "x".repeat(1 << 20);
    let large = format!(
        r#"[{{"version":"1","dist":{{"url":"https://a.example/","x":"{padding}"}}}}{}]"#,
        ",{}".repeat(1000)
    );
    assert_eq!(refused(&p2(&large)), "the archives of all versions take more than 67108864 bytes to name");
}

#[test]
fn a_version_with_a_million_keys_is_refused_at_once() {
    let keys = |n: usize| (0..n).map(|number| format!(r#","{number}":0"#)).collect::<String>();
    assert!(read(LOG_URL, &p2(&format!(r#"[{{"version":"1"{}}}]"#, keys(200)))).is_ok());
    let many = refused(&p2(&format!(r#"[{{"version":"1"{}}}]"#, keys(1_000_000))));
    assert_eq!(many, "a version has more than 256 keys");
    // One key more with each version is no way around it.
    let list: Vec<String> = (0..1000).map(|n| format!(r#"{{"version":"{n}","{n}":0}}"#)).collect();
    assert_eq!(refused(&p2(&format!("[{}]", list.join(",")))), "a version has more than 256 keys");
    // Unless the others go.
    let list: Vec<String> =
        (1..1000).map(|n| format!(r#"{{"version":"{n}","{n}":0,"{}":"__unset"}}"#, n - 1)).collect();
    assert_eq!(read(LOG_URL, &p2(&format!("[{}]", list.join(",")))).unwrap().versions.len(), 999);
}

#[test]
fn what_comes_twice_counts_as_composer_counts_it() {
    let versions = |body: &str| read(LOG_URL, body).map(|facts: IndexFacts| facts.versions);
    let twice = p2(r#"[{"version":"1","version":"2"},{"version":"2"}]"#);
    assert_eq!(versions(&twice).unwrap(), ["2", "2"]);
    let names = r#"{"packages":{"psr/log":[{"version":"1"}],"psr/log":[{"version":"2"}]}}"#;
    assert_eq!(versions(names).unwrap(), ["2"]);
    assert!(versions(r#"{"packages":{"psr/log":[]},"packages":{"psr/log":[]}}"#).is_err());
}

#[test]
fn what_is_nothing_may_be_unset_and_a_reference_may_be_any_text() {
    let list = r#"[{"version":"1","dist":"__unset"},{"dist":"__unset","version":"2"},
        {"version":"3","dist":{"url":"https://example.com/a.zip","reference":"r7 (é)","shasum":"none"}},
        {"version":"4","dist":{"url":"nowhere","reference":""}},
        {"version":"5","dist":{"url":7}},{"version":"6","dist":[]},{"version":"7","dist":"x"}]"#;
    let facts = read(LOG_URL, &p2(list)).unwrap();
    assert_eq!(facts.versions, ["1", "2", "3", "4", "5", "6", "7"]);
    let named: Vec<_> =
        facts.vouched.iter().map(|file| &*file.coordinate.as_ref().unwrap().version).collect();
    assert_eq!(named, ["r7 (é)", "4"]);
    assert!(facts.vouched.iter().all(|file| file.digests.is_empty()));
    assert!(read(LOG_URL, &p2(r#"[{"version":"__unset"}]"#)).is_err());
}
