//! What apt asks for, and what a list says.

use http::{HeaderMap, Method};
use model::{ObjectUrl, Timestamp};

use super::Apt;
use crate::class::{Class, Head, IndexRequest};
use crate::ecosystem::Ecosystem;
use crate::index::{IndexError, IndexFacts};

const SUITE: &str = "https://deb.debian.org/debian/dists/trixie-updates";
const IN_RELEASE: &str = include_str!("testdata/trixie-updates.InRelease");
const SIGNATURE: &str = include_str!("testdata/trixie-updates.Release.gpg");

fn url(text: &str) -> ObjectUrl {
    ObjectUrl::parse(text).unwrap()
}

fn classify(address: &str) -> Option<Class> {
    let url = url(address);
    Apt.classify(&Head { method: &Method::GET, url: &url, headers: &HeaderMap::new() })
}

fn index(address: &str) -> IndexRequest {
    match classify(address) {
        Some(Class::Index(request)) => request,
        other => panic!("{address} is {other:?}"),
    }
}

/// What is signed in the recorded document.
fn release() -> &'static str {
    let (head, _) = IN_RELEASE.split_once("-----BEGIN PGP SIGNATURE").unwrap();
    head.split_once("\n\n").unwrap().1
}

fn read(address: &str, body: &str) -> Result<IndexFacts, IndexError> {
    Apt.read_index(&index(address), body.as_bytes())
}

#[test]
fn what_apt_asks_for_is_told_apart() {
    let check = |path: &str, expected: &str| {
        let class = match classify(&format!("http://mirror.example/{path}")) {
            Some(Class::Index(request)) => format!("index {}", request.subject),
            Some(Class::File(_)) => "file".to_owned(),
            Some(Class::Document { .. }) => "document".to_owned(),
            None => "nothing".to_owned(),
            other => format!("{other:?}"),
        };
        assert_eq!(class, expected, "{path}");
    };
    check("debian/dists/sid/InRelease", "index sid");
    check("debian/dists/sid/Release", "index sid");
    check("debian/dists/sid/Release.gpg", "index sid");
    check("dists/buster/updates/InRelease", "index buster/updates");
    check("debian/dists/sid/main/binary-amd64/Release", "document");
    check("debian/dists/sid/main/source/Release", "document");
    check("debian/dists/sid/main/binary-amd64/Packages.xz", "document");
    check("debian/dists/sid/main/binary-amd64/Packages.diff/Index", "document");
    check("debian/dists/sid/main/Contents-amd64.gz", "document");
    check("debian/dists/sid/main/i18n/Translation-en.xz", "document");
    check(&format!("debian/dists/sid/main/i18n/by-hash/SHA256/{}", "0a".repeat(32)), "file");
    check(&format!("debian/dists/sid/main/i18n/by-hash/MD5Sum/{}", "0a".repeat(16)), "file");
    check("debian/pool/main/0/0ad/0ad_0.27.0-2_amd64.deb", "nothing");
    check("debian/pool/main/0/0ad/0ad_0.27.0.orig.tar.xz", "nothing");
    check("debian/dists/", "nothing");
    check("debian/dists/InRelease", "nothing");
    check("debian/dists/sid/main/i18n/by-hash/CRC/0a", "nothing");
    check("debian/pool/main/0/0ad/", "nothing");
    check("pool/photo.tar.gz", "nothing");
    check("InRelease", "nothing");
    check("debian/dists/sid/InRelease?x=1", "nothing");
}

#[test]
fn only_a_strong_digest_in_an_address_vouches() {
    let named = |algorithm: &str, n_bytes: usize| {
        let hex = "0a".repeat(n_bytes);
        Apt.named_digest(&url(&format!("{SUITE}/main/by-hash/{algorithm}/{hex}"))).map(|it| it.to_string())
    };
    assert_eq!(named("SHA256", 32), Some(format!("sha256:{}", "0a".repeat(32))));
    assert_eq!(named("SHA512", 64), Some(format!("sha512:{}", "0a".repeat(64))));
    assert_eq!([named("MD5Sum", 16), named("SHA1", 20), named("SHA256", 20)], [None, None, None]);
}

#[test]
fn a_list_says_what_its_documents_are_and_until_when() {
    let facts = read(&format!("{SUITE}/InRelease"), IN_RELEASE).unwrap();
    assert_eq!(facts.modified.as_deref(), Some("2026-11-28T14:09:31Z"));
    assert_eq!(facts.valid_until, Some("2026-12-05T14:09:31Z".parse::<Timestamp>().unwrap()));
    assert_eq!(facts.documents.len(), 409);
    let name = url(&format!("{SUITE}/main/binary-amd64/Packages"));
    let packages = facts.documents.iter().find(|listed| listed.url == name).unwrap();
    let hex = "7f1dd99bbd1a0416d39499892ec12ff38d80637029114d234c38972bba8ae041";
    assert_eq!(packages.digests.to_string(), format!("sha256:{hex}"));
    let by_digest = url(&format!("{SUITE}/main/binary-amd64/by-hash/SHA256/{hex}"));
    assert_eq!(packages.by_digest, [by_digest]);
    assert_eq!(read(&format!("{SUITE}/Release"), release()).unwrap(), facts, "without its signatures");
}

#[test]
fn what_is_no_list_is_an_error() {
    let check = |name: &str, body: &str, expected: &str| {
        let error = read(&format!("{SUITE}/{name}"), body).unwrap_err().to_string();
        assert_eq!(error, expected);
    };
    let page = "<html><title>Sign in</title>\n<p>a: b</html>";
    check("InRelease", page, "not an index: it is no signed message");
    check("InRelease", release(), "not an index: it is no signed message");
    check("InRelease", &IN_RELEASE[..IN_RELEASE.len() - 40], "not an index: it is no whole signature");
    check("InRelease", &IN_RELEASE[..9000], "not an index: it is no signed message");
    check("Release", page, "not an index: a line of it is no field");
    check("Release", "Suite: stable-updates\n", "not an index: it lists no documents");
    check("Release", "Codename: trixie-updates\nSHA256:\n 0a\n", "not an index: a line of its list is none");
    check("Release.gpg", page, "not an index: it is no whole signature");
    check("Release.gpg", &SIGNATURE[..SIGNATURE.len() - 40], "not an index: it is no whole signature");
    check("Release.gpg", IN_RELEASE, "not an index: it is no whole signature");
    assert!(read(&format!("{SUITE}/Release.gpg"), SIGNATURE).is_ok());
}

#[test]
fn an_older_list_is_worse_and_a_newer_one_is_not() {
    let read = |date: &str| {
        let body = format!("Suite: sid\nDate: {date} UTC\nSHA256:\n");
        read("https://deb.example/dists/sid/Release", &body).unwrap()
    };
    let (one, two) = (read("Sat, 28 Nov 2026 14:09:31"), read("Sun, 29 Nov 2026 14:09:31"));
    assert!(Apt.judge(&two, &one).unwrap().older.is_some());
    assert_eq!(Apt.judge(&one, &two), None);
}

#[test]
fn a_path_that_leads_out_of_the_suite_is_left_out() {
    let hex = "0a".repeat(32);
    let body = format!(
        "Suite: sid\nSHA256:\n {hex} 1 ../up/Packages\n {hex} 1 main/Packages\n {hex} 1 a/../../Packages\n"
    );
    let facts = read("https://deb.example/dists/sid/Release", &body).unwrap();
    let urls: Vec<&str> = facts.documents.iter().map(|listed| listed.url.as_str()).collect();
    assert_eq!(urls, ["https://deb.example/dists/sid/main/Packages"]);
}

#[test]
fn a_list_of_more_documents_than_any_archive_has_is_an_error() {
    let list = |n_documents: usize| {
        let line = |number: usize| format!(" {} 1 main/{number}/Packages\n", "0a".repeat(32));
        let lines: String = (0..n_documents).map(line).collect();
        read("https://deb.example/dists/sid/Release", &format!("Suite: sid\nSHA256:\n{lines}"))
    };
    assert_eq!(list(100_000).unwrap().documents.len(), 100_000);
    assert!(list(100_001).unwrap_err().to_string().contains("more documents"));
}

#[test]
fn a_document_is_looked_for_in_each_suite_it_may_be_of() {
    let name = url("https://deb.example/dists/buster/updates/main/Packages.xz");
    let listings: Vec<String> = Apt.listings(&name).into_iter().map(|it| it.url.to_string()).collect();
    let at =
        |suite: &str| ["InRelease", "Release"].map(|end| format!("https://deb.example/dists/{suite}/{end}"));
    assert_eq!(listings, [at("buster"), at("buster/updates"), at("buster/updates/main")].concat());
}

#[test]
fn a_signature_goes_with_what_it_signs() {
    let leader = |name: &str| Apt.leader(&index(&format!("{SUITE}/{name}"))).unwrap().url.to_string();
    assert_eq!(leader("Release.gpg"), format!("{SUITE}/Release"));
    assert_eq!(leader("Release"), format!("{SUITE}/Release"));
    assert_eq!(leader("InRelease"), format!("{SUITE}/InRelease"));
}

#[test]
fn a_list_of_another_suite_takes_the_place_of_none() {
    let facts = |suite: &str, names: &str| {
        let line = format!("{names}SHA256:\n {} 1 main/source/Sources\n", "a".repeat(64));
        read(&format!("https://deb.example/dists/{suite}/Release"), &line).unwrap()
    };
    let trixie = "Suite: stable\nCodename: trixie\n";
    for (suite, expected) in
        [("stable", true), ("trixie", true), ("devel", true), ("bookworm", false), ("trixie-updates", false)]
    {
        let own = facts(suite, &format!("Suite: {suite}\n"));
        assert_eq!(Apt.judge(&own, &facts(suite, trixie)).is_none(), expected, "{suite}");
        // One that was called otherwise from the beginning is what it is.
        assert_eq!(Apt.judge(&facts(suite, trixie), &facts(suite, trixie)), None, "{suite}");
    }
}
