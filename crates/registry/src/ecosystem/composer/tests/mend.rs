//! Documents in which some versions stand as they stood.

use std::collections::BTreeSet;

use super::{Composer, LOG_URL, p2, read, request};
use crate::ecosystem::Ecosystem;
use crate::ecosystem::composer::entry::{self, Form};
use crate::splice::Items;

/// A list of versions with seeded keys, as a model of what a document means.
fn random_list(random: &mut fastrand::Rng, n: usize) -> Vec<serde_json::Map<String, serde_json::Value>> {
    (0..n)
        .map(|number| {
            let mut entry = serde_json::Map::new();
            entry.insert("version".to_owned(), format!("{number}.0.0").into());
            for key in ["dist", "require", "time", "x\"y"] {
                if random.bool() {
                    entry.insert(key.to_owned(), serde_json::json!({ "n": random.u8(0..3) }));
                }
            }
            entry
        })
        .collect()
}

fn minified(list: &[serde_json::Map<String, serde_json::Value>]) -> String {
    let mut before = serde_json::Map::new();
    let mut entries = Vec::new();
    for entry in list {
        let mut changes = entry.clone();
        changes.retain(|key, value| before.get(key) != Some(value));
        changes.extend(
            before.keys().filter(|key| !entry.contains_key(*key)).map(|key| (key.clone(), "__unset".into())),
        );
        entries.push(serde_json::Value::from(changes));
        before = entry.clone();
    }
    p2(&serde_json::Value::from(entries).to_string())
}

fn meaning(document: &str) -> Vec<serde_json::Map<String, serde_json::Value>> {
    let package: crate::ecosystem::composer::index::Package<'_> = serde_json::from_str(document).unwrap();
    let entries: Items<'_> = serde_json::from_str(package.list("psr/log").unwrap()).unwrap();
    let mut list = Vec::new();
    let read = entry::expand(&entries, Form::Minified, |version| {
        let value = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
        list.push(version.0.iter().map(|(key, text)| (key.clone().into_owned(), value(text))).collect());
    });
    assert_eq!(read, Ok(()));
    list
}

#[test]
fn versions_stand_as_they_stood_whatever_the_others_inherit() {
    let seed = 7;
    let mut random = fastrand::Rng::with_seed(seed);
    for round in 0..300 {
        let n = random.usize(1..8);
        let held = random_list(&mut random, n);
        let new: Vec<_> = random_list(&mut random, n).into_iter().filter(|_| random.u8(0..4) > 0).collect();
        let names: Vec<String> =
            (0..n).filter(|_| random.bool()).map(|number| format!("{number}.0.0")).collect();
        let versions = names.iter().map(String::as_str).collect();
        let (held_text, new_text) = (minified(&held), minified(&new));
        assert_eq!(meaning(&new_text), new, "seed {seed}, round {round}");
        let mended = Composer
            .with_versions(&request(LOG_URL), new_text.as_bytes(), held_text.as_bytes(), &versions)
            .unwrap();
        let got = meaning(std::str::from_utf8(&mended).unwrap());
        let stood = |name: &str| held.iter().find(|entry| entry["version"] == name).unwrap().clone();
        let mut expected: Vec<_> = new
            .iter()
            .map(|entry| entry["version"].as_str().unwrap())
            .map(|name| {
                if versions.contains(name) {
                    stood(name)
                } else {
                    new.iter().find(|e| e["version"] == name).unwrap().clone()
                }
            })
            .collect();
        let is_listed = |name: &&String| new.iter().any(|entry| entry["version"] == name.as_str());
        expected.extend(names.iter().filter(|name| !is_listed(name)).map(|name| stood(name)));
        assert_eq!(got, expected, "seed {seed}, round {round}");
    }
}

#[test]
fn what_is_not_mended_keeps_its_bytes() {
    let new = p2(r#"[ {"version":"3", "unknown":  {"a":1}},  {"version":"2"} , {"version":"1" }]"#);
    let held = p2(r#"[{"version":"0.9","old":true}]"#);
    let versions = ["0.9"].into();
    let mended =
        Composer.with_versions(&request(LOG_URL), new.as_bytes(), held.as_bytes(), &versions).unwrap();
    let expected = new.replace(
        " {\"version\":\"1\" }]",
        " {\"version\":\"1\" },{\"version\":\"0.9\",\"old\":true,\"unknown\":\"__unset\"}]",
    );
    assert_eq!(std::str::from_utf8(&mended).unwrap(), expected);
}

/// The same versions, each with all it has.
const WHOLE: &str = r#"{"packages":{"psr/log":[{"version":"2","a":1,"b":1},{"version":"1","b":2}]}}"#;

#[test]
fn a_whole_list_and_a_minified_one_may_stand_in_for_each_other() {
    let check = |new: &str, held: &str, expected: &str| {
        let mended = Composer
            .with_versions(&request(LOG_URL), new.as_bytes(), held.as_bytes(), &["1"].into())
            .unwrap();
        assert_eq!(std::str::from_utf8(&mended).unwrap(), expected);
    };
    let minified = p2(r#"[{"version":"2","c":3},{"version":"1"}]"#);
    check(&minified, WHOLE, &p2(r#"[{"version":"2","c":3},{"version":"1","b":2,"c":"__unset"}]"#));
    check(WHOLE, &minified, &WHOLE.replace(r#""b":2"#, r#""c":3"#));
}

#[test]
fn a_version_that_is_listed_twice_stands_twice() {
    let new = p2(r#"[{"version":"1","a":1},{"version":"1","a":2},{"version":"0"}]"#);
    let held = p2(r#"[{"version":"1","a":0}]"#);
    let mended = Composer
        .with_versions(&request(LOG_URL), new.as_bytes(), held.as_bytes(), &BTreeSet::from(["1"]))
        .unwrap();
    let got: Vec<_> = meaning(std::str::from_utf8(&mended).unwrap());
    let a: Vec<_> = got.iter().map(|entry| entry["a"].as_u64().unwrap()).collect();
    assert_eq!(a, [0, 0, 2], "and what inherits means what it meant");
    assert_eq!(read(LOG_URL, std::str::from_utf8(&mended).unwrap()).unwrap().versions, ["1", "1", "0"]);
}

const ROOT_URL: &str = "https://satis.example.com/team/packages.json";

#[test]
fn packages_inside_a_root_are_mended_each_for_itself() {
    let root = |packages: &str| format!(r#"{{"packages":{packages},"notify-batch":"/downloads/"}}"#);
    let version = |version: &str, a: u8| format!(r#""{version}":{{"version":"{version}","a":{a}}}"#);
    let (one, two, other) = (version("1", 0), version("2", 0), version("1", 9));
    let held = root(&format!(r#"{{"acme/a":{{{one},{two}}},"acme/b":{{{one}}}}}"#));
    let versions = BTreeSet::from(["acme/a 1", "acme/b 1"]);
    let mended = |new: &str, held: &str| {
        let mended =
            Composer.with_versions(&request(ROOT_URL), new.as_bytes(), held.as_bytes(), &versions)?;
        Some(String::from_utf8(mended).unwrap())
    };
    let check = |new: &str, expected: &str| {
        assert_eq!(mended(&root(new), &held), Some(root(expected)));
        let facts = read(ROOT_URL, &root(expected)).unwrap();
        assert!(versions.iter().all(|version| facts.versions.contains(&(*version).to_owned())));
    };
    // One is other bytes now, and the other lost its last version.
    check(
        &format!(r#"{{"acme/a":{{{other}}},"acme/b":[]}}"#),
        &format!(r#"{{"acme/a":{{{one}}},"acme/b":[{}]}}"#, &one[4..]),
    );
    // A package is gone whole; then all are.
    check(
        &format!(r#"{{"acme/a":{{{two},{other}}}}}"#),
        &format!(r#"{{"acme/a":{{{two},{one}}},"acme/b":[{}]}}"#, &one[4..]),
    );
    check("[]", &format!(r#"{{"acme/a":[{0}],"acme/b":[{0}]}}"#, &one[4..]));
    let moved = r#"{"packages":{},"metadata-url":"/p2/%package%.json"}"#;
    assert_eq!(mended(moved, &held), None, "named in the root, it would hide its own document");
    assert_eq!(mended(&held, moved), None, "it never stood there");
}

#[test]
fn an_include_is_what_its_name_says() {
    let document = |a: u8| format!(r#"{{"packages":{{"acme/a":[{{"version":"1","a":{a}}}]}}}}"#);
    let sha1 = ring::digest::digest(&ring::digest::SHA1_FOR_LEGACY_USE_ONLY, document(1).as_bytes());
    let hex: String = sha1.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    let url = format!("https://satis.example.com/team/include/all${hex}.json");
    let versions = BTreeSet::from(["acme/a 1"]);
    let (new, held) = (document(1), document(0));
    assert_eq!(Composer.with_versions(&request(&url), new.as_bytes(), held.as_bytes(), &versions), None);
}
