//! Cargo's addresses, index entries and locks.

use http::{HeaderMap, HeaderValue, Method, header};
use model::ObjectUrl;

use super::Cargo;
use crate::class::{Class, FileRequest, Head, IndexRequest};
use crate::coordinate::Coordinate;
use crate::ecosystem::Ecosystem;
use crate::index::{IndexError, IndexFacts};
use crate::lock::{LockError, Locked, Pin, Unpinned, read_locks};

const ITOA: &str = include_str!("testdata/itoa.jsonl");
const SERDE: &str = include_str!("testdata/serde.jsonl");
const CONFIG: &str = include_str!("testdata/config.json");
const LOCK: &str = include_str!("testdata/Cargo.lock");

fn ask(url: &str, agent: &str) -> Option<Class> {
    let mut headers = HeaderMap::new();
    headers.insert(header::USER_AGENT, HeaderValue::from_str(agent).unwrap());
    let url = ObjectUrl::parse(url).unwrap();
    Cargo.classify(&Head { method: &Method::GET, url: &url, headers: &headers })
}

fn request(url: &str) -> IndexRequest {
    match ask(url, "cargo/1.95.0") {
        Some(Class::Index(request)) => request,
        other => panic!("{url} is {other:?}"),
    }
}

fn read(url: &str, body: &str) -> Result<IndexFacts, IndexError> {
    Cargo.read_index(&request(url), body.as_bytes())
}

#[test]
fn a_download_is_known_by_its_path_on_any_host() {
    let check = |url: &str, agent: &str, expected: Option<&str>| {
        let got = match ask(url, agent) {
            Some(Class::File(FileRequest { coordinate, .. })) => coordinate.map(|it| it.to_string()),
            None => None,
            other => panic!("{url} is {other:?}"),
        };
        assert_eq!(got.as_deref(), expected, "{url}");
    };
    check("https://static.crates.io/crates/serde/serde-1.0.0.crate", "", Some("serde 1.0.0 of crates.io"));
    check(
        "https://static.crates.io/crates/a-1/a-1-0.1.0-rc.1.crate",
        "",
        Some("a-1 0.1.0-rc.1 of crates.io"),
    );
    check("https://crates.io/api/v1/crates/serde/1.0.0/download", "", Some("serde 1.0.0 of crates.io"));
    check("https://static.crates.io/crates/serde/1.0.0/download", "", Some("serde 1.0.0 of crates.io"));
    check(
        "https://index.crates.io:443/some/base/v1/crates/itoa/1.0.19/download",
        "",
        Some("itoa 1.0.19 of crates.io"),
    );
    check(
        "https://crates.example.com/dl/crates/x/1.0.0%2Bb.1/download",
        "",
        Some("x 1.0.0+b.1 of crates.example.com"),
    );
    check("http://127.0.0.1:4900/x/1.0.0/download", "cargo/1.95.0 (x)", Some("x 1.0.0 of 127.0.0.1:4900"));
    check("https://index.example.com/x/1.0.0/download", "", Some("x 1.0.0 of index.example.com"));
    // Pages of ordinary sites.
    check("https://downloads.example.net/files/tool/1.0.0/download", "curl/8", None);
    check("https://downloads.example.net/x/1.0.0/download", "curl/8", None);
    check("https://example.com/crates/tool/latest/download", "", None);
    check("https://example.com/a/b.crate", "", None);
}

#[test]
fn a_download_knows_who_vouches_for_it() {
    let index_of = |url: &str| match ask(url, "") {
        Some(Class::File(file)) => file.index,
        other => panic!("{url} is {other:?}"),
    };
    let expected = request("https://index.crates.io/in/fl/inflector");
    assert_eq!(index_of("https://index.crates.io/base/v1/crates/Inflector/0.11.4/download"), Some(expected));
    assert_eq!(index_of("https://crates.example.com/crates/x/1.0.0/download"), None);
}

#[test]
fn an_index_entry_lies_where_its_name_says() {
    let check = |url: &str, agent: &str, subject: Option<&str>| {
        let got = match ask(url, agent) {
            Some(Class::Index(request)) => Some(request.subject),
            None => None,
            other => panic!("{url} is {other:?}"),
        };
        assert_eq!(got.as_deref(), subject, "{url}");
    };
    check("https://index.crates.io/config.json", "", Some(""));
    check("https://index.crates.io/1/a", "", Some("a"));
    check("https://index.crates.io/2/ab", "", Some("ab"));
    check("https://index.crates.io/3/s/syn", "", Some("syn"));
    check("https://index.crates.io/se/rd/serde_json", "", Some("serde_json"));
    check("https://crates.example.com/base/se/rd/serde", "cargo/1.95.0", Some("serde"));
    check("https://crates.example.com/base/config.json", "cargo/1.95.0", Some(""));
    check("https://crates.example.com/se/rd/serde", "curl/8", None);
    check("https://crates.example.com/config.json", "curl/8", None);
    check("https://index.example.com/se/rd/serde", "curl/8", Some("serde"));
    check("https://index.example.com/config.json", "curl/8", None);
    check("https://index.crates.io/se/de/serde", "", None);
    check("https://index.crates.io/SE/RD/SERDE", "", None);
    check("https://index.crates.io/", "", None);
    check("https://index.crates.io/3/s/s%C3%BC", "", None);
    check("https://index.crates.io/se/rd/serde?x=1", "", None);
}

#[test]
fn a_hostile_name_is_refused() {
    let check = |path: &str| {
        let class = ask(&format!("https://index.crates.io{path}"), "cargo/1.95.0");
        assert!(matches!(class, Some(Class::Refuse { status: 400, .. })), "{path} is {class:?}");
    };
    check("/se/rd/serde%2fx");
    check(&format!("/aa/aa/{}", "a".repeat(65)));
}

#[test]
fn recorded_entries_vouch_for_every_line() {
    let facts = read("https://index.crates.io/it/oa/itoa", ITOA).unwrap();
    assert_eq!((facts.vouched.len(), facts.versions.len()), (38, 38));
    let last = facts.vouched.iter().find(|it| it.coordinate.as_ref().unwrap().version == "1.0.19").unwrap();
    assert_eq!(last.coordinate.as_ref().unwrap().to_string(), "itoa 1.0.19 of crates.io");
    assert_eq!(
        last.digests.to_string(),
        "sha256:3bd1574e617a9a6c1f8f8181bd7e841e1f20e4277607ef28945765188d6284d4"
    );
    assert_eq!(read("https://index.crates.io/se/rd/serde", SERDE).unwrap().versions.len(), 12);
    assert_eq!(read("https://index.crates.io/config.json", CONFIG).unwrap(), IndexFacts::default());
}

#[test]
fn what_is_not_the_entry_is_an_error() {
    let check = |body: &str, expected: &str| {
        let error = read("https://index.crates.io/it/oa/itoa", body).unwrap_err();
        assert_eq!(error.to_string(), expected);
    };
    check(SERDE, "index is about `serde`, not about `itoa`");
    check("<!doctype html>\n<html>", "line 1 is not an index entry");
    check("\n{}", "line 2 is not an index entry");
    check(&ITOA[..ITOA.len() - 20], "line 38 is not an index entry");
    check("\n\n", "index is empty");
    let line = ITOA.lines().next().unwrap();
    check(&line.replace("\"cksum\": \"8fe390", "\"cksum\": \"zzzzzz"), "digest of `0.1.0` cannot be read");
    check(&line.replace("\"cksum\": \"8fe390", "\"cksum\": \""), "digest of `0.1.0` cannot be read");
    check(&line.replace("\"0.1.0\"", "\"../../etc\""), "line 1 has no proper version");
    for body in ["", "{}", "<html>", "{\"api\":\"https://crates.io\"}", &CONFIG[..30]] {
        assert!(read("https://index.crates.io/config.json", body).is_err(), "{body}");
    }
}

#[test]
fn an_entry_may_grow_and_yank_but_not_lose() {
    let facts = |body: &str| read("https://index.crates.io/it/oa/itoa", body).unwrap();
    let whole = facts(ITOA);
    let shorter = ITOA.lines().take(37).collect::<Vec<_>>().join("\n");
    let yanked = ITOA.replace("\"yanked\": false", "\"yanked\": true");
    assert_ne!(yanked, ITOA);
    assert_eq!(Cargo.judge(&whole, &facts(&yanked)), None);
    assert_eq!(Cargo.judge(&facts(&shorter), &whole), None);
    let last = whole.versions.last().unwrap().clone();
    assert_eq!(Cargo.judge(&whole, &facts(&shorter)).unwrap().lost, vec![last]);
    let other = ITOA.replace("8fe390", "000000");
    assert_eq!(Cargo.judge(&whole, &facts(&other)).unwrap().changed, vec!["0.1.0".to_owned()]);
}

#[test]
fn a_lock_and_an_index_name_the_same_file() {
    let pins = lock(LOCK).unwrap().pins;
    let facts = read("https://index.crates.io/it/oa/itoa", ITOA).unwrap();
    let vouched = facts.vouched.last().unwrap();
    let pin = pins.iter().find(|pin| pin.coordinate == vouched.coordinate).expect("itoa is in the lock");
    assert_eq!(pin.digests, vouched.digests);
    // Every package but the project itself.
    assert_eq!(pins.len(), LOCK.matches("[[package]]").count() - 1);
}

#[test]
fn every_kind_of_lock_entry_is_understood() {
    let check = |lock_text: &str, expected: &[&str]| {
        let Locked { pins, repositories, unpinned, .. } = lock(lock_text).unwrap();
        let repositories = repositories
            .iter()
            .map(|pin| format!("{}: it is in a git repository whose address is not understood", pin.name));
        let pins = pins.iter().map(|pin| {
            let no = if pin.digests.is_empty() { ", no digest" } else { "" };
            format!("{}{no}", pin.coordinate.as_ref().unwrap())
        });
        let unpinned = unpinned.iter().map(|unpinned| format!("{}: {}", unpinned.name, unpinned.reason));
        assert_eq!(pins.chain(repositories).chain(unpinned).collect::<Vec<_>>(), expected, "{lock_text}");
    };
    let sum = "0".repeat(64);
    let entry = |source: &str| {
        format!(
            "[[package]]\nname = \"a\"\nversion = \"1.0.0\"\nsource = \"{source}\"\nchecksum = \"{sum}\"\n"
        )
    };
    check(&entry("sparse+https://index.crates.io/"), &["a 1.0.0 of crates.io"]);
    check(&entry("registry+https://github.com/rust-lang/crates.io-index"), &["a 1.0.0 of crates.io"]);
    check(&entry("sparse+https://crates.example.com/index/"), &["a 1.0.0 of crates.example.com"]);
    let git = "a: it is in a git repository whose address is not understood";
    check(&entry("git+https://github.com/a/a#0123"), &[git]);
    check(&entry("git+ssh://git@github.com/a/a.git?tag=v1#0123").repeat(2), &[git]);
    check(&entry("git+file:///a#0123"), &[]);
    check(&entry("registry+file:///index"), &[]);
    check(&entry("registry+ssh://git@example.com/index"), &["a: where it lies cannot be read from the lock"]);
    let checksum = format!("checksum = \"{sum}\"\n");
    check(
        &entry("sparse+https://index.crates.io/").replace(&checksum, ""),
        &["a 1.0.0 of crates.io, no digest"],
    );
    check("[[package]]\nname = \"a\"\nversion = \"1.0.0\"\n", &[]);
    check("version = 4\n", &[]);
    let first_version = format!(
        "[[package]]\nname = \"a\"\nversion = \"1.0.0\"\nsource = \"registry+https://github.com/rust-lang/crates.io-index\"\n\n\
         [metadata]\n\"checksum a 1.0.0 (registry+https://github.com/rust-lang/crates.io-index)\" = \"{sum}\"\n"
    );
    check(&first_version, &["a 1.0.0 of crates.io"]);
    check(&first_version.replace(&sum, "<none>"), &["a 1.0.0 of crates.io, no digest"]);
}

#[test]
fn a_digest_that_cannot_be_read_costs_its_package_alone() {
    let whole = lock(LOCK).unwrap();
    let sum = "3bd1574e617a9a6c1f8f8181bd7e841e1f20e4277607ef28945765188d6284d4";
    // Sixty-four bytes, cut in the middle of a character by whoever slices them in pairs.
    let wide = format!("a{}b", "é".repeat(31));
    for broken in [&sum.replace("3bd157", "zzzzzz"), &wide, "3bd1", ""] {
        let Locked { mut pins, unpinned, .. } = lock(&LOCK.replace(sum, broken)).unwrap();
        let [Unpinned { name, reason: Unpinned::DIGEST }] = &*unpinned else { panic!("{unpinned:?}") };
        let is_it = |pin: &Pin| pin.coordinate.as_ref().is_some_and(|it| it.name == *name);
        assert!(!pins.iter().any(is_it), "nobody vouches for {name}");
        pins.extend(whole.pins.iter().filter(|pin| is_it(pin)).cloned());
        assert_eq!(
            (pins.len(), whole.unpinned.len()),
            (whole.pins.len(), 0),
            "{broken}: all others are pinned"
        );
    }
}

#[test]
fn a_broken_lock_is_an_error() {
    assert!(matches!(lock("[[package]]\nname = "), Err(LockError::Toml { .. })));
    assert!(matches!(lock(""), Err(LockError::Format)));
    let newer = LOCK.replace("version = 4", "version = 5");
    assert!(matches!(lock(&newer), Err(LockError::Version { version: 5, known: 4 })));
    assert!(matches!(read_locks("Cargo.lock", b"\xff"), Some(Err(LockError::NotText { .. }))));
}

#[test]
fn a_vanished_line_comes_back_and_a_republished_one_is_as_it_was() {
    let url = "https://index.crates.io/se/rd/serde";
    let facts = read(url, SERDE).unwrap();
    let (gone, other) = (facts.versions[0].as_str(), facts.versions[1].as_str());
    let line_of = |version: &str| {
        let is_it = |line: &&str| line.contains(&format!("\"vers\": \"{version}\""));
        SERDE.lines().find(is_it).unwrap()
    };
    let (gone_line, other_line) = (line_of(gone), line_of(other));
    let start = other_line.find("\"cksum\": \"").unwrap() + 10;
    let evil = format!("{}{}{}", &other_line[..start], "0".repeat(64), &other_line[start + 64..]);
    let new = SERDE.replace(gone_line, "").replace(other_line, &evil);
    assert!(Cargo.judge(&facts, &read(url, &new).unwrap()).is_some());
    let versions = [gone, other].into();
    let mended = Cargo.with_versions(&request(url), new.as_bytes(), SERDE.as_bytes(), &versions).unwrap();
    let mended = String::from_utf8(mended).unwrap();
    assert_eq!(Cargo.judge(&facts, &read(url, &mended).unwrap()), None);
    assert!(mended.lines().any(|line| line == gone_line) && mended.lines().any(|line| line == other_line));
    assert_eq!(mended.lines().count(), SERDE.lines().count());
}

fn lock(text: &str) -> Result<Locked, LockError> {
    read_locks("some/folder/Cargo.lock", text.as_bytes()).unwrap()
}

#[test]
fn only_of_crates_io_is_known_where_a_file_lies() {
    let line = format!("{{\"name\":\"Demo\",\"vers\":\"1.0.0\",\"cksum\":\"{}\"}}", "ab".repeat(32));
    let check = |index: &str, expected: Option<&str>| {
        let facts = read(index, &line).unwrap();
        assert_eq!(facts.vouched[0].url.as_ref().map(ToString::to_string).as_deref(), expected, "{index}");
    };
    let file = "https://static.crates.io/crates/Demo/1.0.0/download";
    check("https://index.crates.io/de/mo/demo", Some(file));
    check("https://index.crates.example/de/mo/demo", None);
}

#[test]
fn where_a_crate_lies_is_what_the_settings_say() {
    let coordinate = Coordinate {
        ecosystem: "cargo",
        registry: "crates.io".to_owned(),
        name: "Serde".to_owned(),
        version: "1.0.0".to_owned(),
        file: None,
    };
    let placed = |dl: &str| {
        let settings = serde_json::json!({ "dl": dl, "api": "https://crates.io" }).to_string();
        Cargo.placed(settings.as_bytes(), &coordinate).map(|url| url.to_string())
    };
    for (dl, expected) in [
        ("https://static.crates.io/crates", "https://static.crates.io/crates/Serde/1.0.0/download"),
        ("https://a.example/x/", "https://a.example/x/Serde/1.0.0/download"),
        ("https://a.example/{crate}/{crate}-{version}.crate", "https://a.example/Serde/Serde-1.0.0.crate"),
        ("https://a.example/{prefix}/{lowerprefix}/{crate}", "https://a.example/Se/rd/se/rd/Serde"),
    ] {
        assert_eq!(placed(dl).as_deref(), Some(expected));
    }
    for dl in [
        "",
        "crates",
        "https://a.example/{sha256-checksum}",
        &format!("https://a.example/{}", "a".repeat(3000)),
    ] {
        assert_eq!(placed(dl), None, "{dl}");
    }
    assert_eq!(Cargo.placed(b"{}", &coordinate), None);
}
