//! Locks.

use super::{LOG, LOG_URL, read};
use crate::lock::{LockError, Locked, Pin, read_locks};

/// Composer's own lock; see testdata/README.md.
const REAL: &str = include_str!("../testdata/composer-2.5.5.lock");
const LOCK: &str = include_str!("../testdata/composer.lock");

#[test]
fn a_lock_pins_commits_and_where_they_lie() {
    let pins = lock(LOCK).unwrap();
    let got: Vec<String> = pins
        .iter()
        .map(|pin| {
            let url = pin.url.as_ref().map_or("nowhere", |url| url.host());
            format!("{} at {url}, {} digests", pin.coordinate.as_ref().unwrap(), pin.digests.iter().count())
        })
        .collect();
    assert_eq!(
        got,
        [
            "psr/log f16e1d5863e37f8d8c2a01719f5b34baa2b714d3 at api.github.com, 0 digests",
            "acme/legacy 1.4.2 at repo.example.com, 1 digests",
            "acme/mirrored d49695b909c3b7628b6289db5479a1c204601f11 at api.github.com, 0 digests",
            "acme/mirrored d49695b909c3b7628b6289db5479a1c204601f11 at mirror.example.com, 0 digests",
            "acme/mirrored d49695b909c3b7628b6289db5479a1c204601f11 at other.example.com, 0 digests",
        ]
    );
    let log = read(LOG_URL, LOG).unwrap();
    let pinned = pins[0].coordinate.as_ref().unwrap();
    assert!(log.vouched.iter().any(|file| pinned.covers(file.coordinate.as_ref().unwrap())));
}

#[test]
fn a_broken_lock_is_an_error() {
    assert!(matches!(lock("{\"packages\":["), Err(LockError::Json { .. })));
    assert!(matches!(lock("{}"), Err(LockError::Json { .. })));
    assert!(matches!(read_locks("composer.lock", b"\xff"), Some(Err(LockError::NotText { .. }))));
    assert_eq!(lock("{\"packages\":[]}").unwrap(), []);
}

#[test]
fn a_checksum_that_cannot_be_read_costs_its_package_alone() {
    let check = |shasum: &str, expected: &[&str]| {
        let package = |name: &str, shasum: &str| {
            let url = format!("https://example.com/{name}.zip");
            serde_json::json!({ "name": name, "version": "1.0", "dist": { "type": "zip", "url": url, "shasum": shasum } })
        };
        let packages = [package("acme/a", shasum), package("acme/b", &"0".repeat(40))];
        let Locked { pins, unpinned, .. } =
            locked(&serde_json::json!({ "packages": packages }).to_string()).unwrap();
        let pins = pins
            .iter()
            .map(|pin| format!("{}: {}", pin.coordinate.as_ref().unwrap().name, !pin.digests.is_empty()));
        let unpinned = unpinned.iter().map(|it| format!("{}: {}", it.name, it.reason));
        assert_eq!(pins.chain(unpinned).collect::<Vec<_>>(), expected, "{shasum}");
    };
    let other = "acme/b: true";
    check(&"f".repeat(40), &["acme/a: true", other]);
    check("", &["acme/a: false", other]);
    for broken in [&"z".repeat(40), "ff", &"f".repeat(64)] {
        check(broken, &[other, "acme/a: the lock's digest of it cannot be read"]);
    }
}

#[test]
fn a_real_lock_pins_every_package_to_its_commit() {
    let pins = lock(REAL).unwrap();
    assert_eq!(pins.len(), 34);
    for pin in &pins {
        let (coordinate, url) = (pin.coordinate.as_ref().unwrap(), pin.url.as_ref().unwrap());
        assert!(coordinate.is_of_a_commit(), "{coordinate}");
        assert!(url.as_str().ends_with(&format!("/zipball/{}", coordinate.version)), "{url}");
        assert_eq!((url.host(), pin.digests.is_empty()), ("api.github.com", true));
    }
}

#[test]
fn a_package_without_an_archive_is_named() {
    let git = "it is in a git repository whose address is not understood";
    let unpinned = |text: &str| -> Vec<String> {
        let Locked { repositories, unpinned, .. } = locked(text).unwrap();
        let repositories = repositories.iter().filter(|pin| !pin.has_file);
        let repositories = repositories.map(|pin| format!("{}: {git}", pin.name));
        let unpinned = unpinned.iter().map(|unpinned| format!("{}: {}", unpinned.name, unpinned.reason));
        repositories.chain(unpinned).collect()
    };
    assert_eq!(unpinned(LOCK), [format!("acme/source-only: {git}")], "and not the local one");
    assert_eq!(unpinned(REAL), [""; 0]);
    let check = |fields: &str, expected: &[&str]| {
        let package = format!("{{\"name\":\"acme/a\",\"version\":\"1.0\",{fields}}}");
        let got = unpinned(&format!("{{\"packages\":[{package}],\"packages-dev\":[{package}]}}"));
        assert_eq!(got, expected, "{fields}");
    };
    let source = |kind: &str| format!("\"dist\":null,\"source\":{{\"type\":\"{kind}\",\"url\":\"x\"}}");
    check(&source("git"), &[&format!("acme/a: {git}")]);
    check(&source("hg"), &["acme/a: it is in a repository that is not of git, and those are not kept"]);
    check(&source("path"), &[]);
    check("\"type\":\"metapackage\"", &[]);
    check("\"dist\":{\"type\":\"path\",\"url\":\"../a\"}", &[]);
    check("\"dist\":{\"type\":\"zip\",\"url\":\"https://example.com/a.zip\"}", &[]);
}

#[test]
fn mirrors_are_where_composer_would_look() {
    let check = |pattern: &str, version: &str, reference: &str, expected: Option<&str>| {
        let text = serde_json::json!({ "packages": [{
            "name": "Acme/A", "version": version,
            "dist": {
                "type": "zip", "url": "", "reference": reference, "shasum": "",
                "mirrors": [{ "url": pattern, "preferred": true }],
            },
        }] });
        let pins = lock(&text.to_string()).unwrap();
        let got = pins.iter().find_map(|pin| pin.url.as_ref()).map(|url| url.as_str().to_owned());
        assert_eq!(got.as_deref(), expected, "{pattern} {version} {reference}");
    };
    let pattern = "https://m.example.com/d/%package%/%version%/r%reference%.%type%";
    check(pattern, "v1.2-beta1", "abc123", Some("https://m.example.com/d/Acme/A/1.2.0.0-beta1/rabc123.zip"));
    check(pattern, "dev-main", "abc123", Some("https://m.example.com/d/Acme/A/dev-main/rabc123.zip"));
    check(pattern, "1.0", "", Some("https://m.example.com/d/Acme/A/1.0.0.0/r.zip"));
    check(
        "https://m.example.com/%package%/%prettyVersion%.%type%",
        "v1.2",
        "no commit",
        Some("https://m.example.com/Acme/A/v1.2.zip"),
    );
    // Composer has their MD5 there.
    check(pattern, "dev-feature/x", "abc123", None);
    check(pattern, "1.0", "ABC", None);
    check(pattern, "1.0", "r1.0", None);
    check("file:///etc/%package%", "1.0", "abc123", None);
}

#[test]
fn a_package_with_an_absurd_name_is_known_by_its_address_alone() {
    let pins = |name: &str, url: &str| {
        let dist = serde_json::json!({ "type": "zip", "url": url, "reference": "abc", "mirrors": null });
        let package = serde_json::json!({ "name": name, "version": "1.0", "dist": dist });
        lock(&serde_json::json!({ "packages": [package] }).to_string()).unwrap()
    };
    let url = "https://example.com/a.zip";
    assert!(pins("acme/a", url)[0].coordinate.is_some());
    for name in ["../../etc/passwd", "acme/..", "a", "a/b/c", "acme/a\u{0}", "é/é", "", &"a/b".repeat(100)]
    {
        let got = pins(name, url);
        assert_eq!((got.len(), got[0].coordinate.as_ref()), (1, None), "{name}");
        assert_eq!(pins(name, "not an address"), [], "{name}");
        assert_eq!(pins(name, "ftp://example.com/a.zip"), [], "{name}");
    }
}

#[test]
fn a_mirror_does_not_grow_without_bound() {
    let name = format!("acme/{}", "a".repeat(150));
    let check = |pattern: String, n_pins: usize| {
        let mirrors = serde_json::json!([{ "url": pattern, "preferred": true }]);
        let dist =
            serde_json::json!({ "type": "zip", "url": "https://example.com/a.zip", "mirrors": mirrors });
        let package = serde_json::json!({ "name": name, "version": "1.0", "dist": dist });
        let pins = lock(&serde_json::json!({ "packages": [package] }).to_string()).unwrap();
        assert_eq!(pins.len(), n_pins);
    };
    check("https://m.example.com/%package%".to_owned(), 2);
    check(format!("https://m.example.com/{}", "%package%".repeat(100)), 1);
    check(format!("https://m.example.com/{}", "%package%".repeat(1_000_000)), 1);
}

fn locked(text: &str) -> Result<Locked, LockError> {
    read_locks("some/folder/composer.lock", text.as_bytes()).unwrap()
}

fn lock(text: &str) -> Result<Vec<Pin>, LockError> {
    locked(text).map(|locked| locked.pins)
}
