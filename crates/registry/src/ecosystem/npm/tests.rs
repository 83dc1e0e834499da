//! npm's addresses and packuments; its locks are in `lock/tests.rs`.

use http::{HeaderMap, HeaderValue, Method, header};
use model::{Algorithm, Digest, ObjectUrl};

use super::Npm;
use crate::class::{Class, Head, IndexRequest};
use crate::ecosystem::Ecosystem;
use crate::index::{IndexError, IndexFacts};

const IS_NUMBER: &str = include_str!("testdata/is-number.json");
const IS_NUMBER_ABBREVIATED: &str = include_str!("testdata/is-number-abbreviated.json");
const LEFT_PAD: &str = include_str!("testdata/left-pad.json");
const CLIUI: &str = include_str!("testdata/isaacs-cliui.json");
const REGISTRYS_OWN: &str = include_str!("testdata/JSON.json");
const REGISTRYS_ABBREVIATED: &str = include_str!("testdata/is-positive-abbreviated.json");

/// What npm 11, pnpm 9, Yarn 1 and Bun 1 send for a packument (seen 2026-11).
const NPM_ACCEPT: &str = "application/vnd.npm.install-v1+json; q=1.0, application/json; q=0.8, */*";

fn ask_as(method: &Method, url: &str, accept: &str, agent: &str) -> Option<Class> {
    let mut headers = HeaderMap::new();
    headers.insert(header::ACCEPT, HeaderValue::from_str(accept).unwrap());
    headers.insert(header::USER_AGENT, HeaderValue::from_str(agent).unwrap());
    let url = ObjectUrl::parse(url).unwrap();
    Npm.classify(&Head { method, url: &url, headers: &headers })
}

fn ask(url: &str, accept: &str) -> Option<Class> {
    ask_as(&Method::GET, url, accept, "")
}

fn request(url: &str) -> IndexRequest {
    match ask(url, NPM_ACCEPT) {
        Some(Class::Index(request)) => request,
        other => panic!("{url} is {other:?}"),
    }
}

fn read(url: &str, body: &str) -> Result<IndexFacts, IndexError> {
    Npm.read_index(&request(url), body.as_bytes())
}

#[test]
fn a_packument_has_one_address_in_two_forms() {
    let check = |url: &str, accept: &str, expected: Option<(&str, &str, &str)>| {
        let got = match ask(url, accept) {
            Some(Class::Index(it)) => Some((it.url.to_string(), it.variant, it.subject)),
            None => None,
            other => panic!("{url} is {other:?}"),
        };
        let got = got.as_ref().map(|(url, variant, subject)| (&**url, &**variant, &**subject));
        assert_eq!(got, expected, "{url}");
    };
    let cliui = "https://registry.npmjs.org/@isaacs%2fcliui";
    for url in
        [cliui, "https://registry.npmjs.org/@isaacs/cliui", "https://registry.npmjs.org/%40isaacs%2Fcliui"]
    {
        check(url, NPM_ACCEPT, Some((cliui, "abbreviated", "@isaacs/cliui")));
        check(url, "application/json", Some((cliui, "full", "@isaacs/cliui")));
        check(url, "*/*", Some((cliui, "full", "@isaacs/cliui")));
    }
    let yarn = "https://registry.yarnpkg.com/JSONStream";
    check(yarn, NPM_ACCEPT, Some((yarn, "abbreviated", "JSONStream")));
    let private = "https://npm.example.com/api/npm/team/left-pad";
    check(private, NPM_ACCEPT, Some((private, "abbreviated", "left-pad")));
    check(private, "application/json", None);
    check("https://npm.example.com/a/b/1.0.0", NPM_ACCEPT, None);
    check("https://npm.example.com/a/latest", NPM_ACCEPT, None);
    // A version or a tag, a search, keys: documents of their own.
    check("https://registry.npmjs.org/left-pad/1.3.0", NPM_ACCEPT, None);
    check("https://registry.npmjs.org/left-pad/latest", NPM_ACCEPT, None);
    check("https://registry.npmjs.org/@isaacs/cliui/9.0.0", NPM_ACCEPT, None);
    check("https://registry.npmjs.org/-/npm/v1/keys", "*/*", None);
    check("https://registry.npmjs.org/-/v1/search?text=pad", "*/*", None);
    check("https://registry.npmjs.org/", "*/*", None);
    check("https://registry.npmjs.org/.hidden", "*/*", None);
}

#[test]
fn a_client_is_known_by_what_it_says_of_itself() {
    let check = |agent: &str, accept: &str, is_index: bool| {
        let class = ask_as(&Method::GET, "https://npm.example.com/left-pad", accept, agent);
        assert_eq!(matches!(class, Some(Class::Index(_))), is_index, "{agent} {accept} is {class:?}");
    };
    check("npm/11.19.1 node/v24 linux x64", "application/json", true);
    check("pnpm/9.15.9 npm/? node/v24", "application/json; q=1.0, */*", true);
    check("yarn/1.22.22 npm/? node/v24", NPM_ACCEPT, true);
    check("Bun/1.4.5", NPM_ACCEPT, true);
    // Yarn 4 does not say anything about itself: an ordinary document, unless the registry is a known one.
    check("got (https://github.com/sindresorhus/got)", "", false);
    // An archive of a forge that npm fetches under its own name.
    check("npm/11.19.1 node/v24 linux x64", "*/*", false);
    check("Mozilla/5.0", "text/html,application/json", false);
}

#[test]
fn a_tarball_is_known_by_its_path_on_any_host() {
    let check = |url: &str, expected: Option<(&str, &str)>| {
        let got = match ask(url, "*/*") {
            Some(Class::File(file)) => {
                Some((file.coordinate.unwrap().to_string(), file.index.unwrap().url.to_string()))
            }
            None => None,
            other => panic!("{url} is {other:?}"),
        };
        let got = got.as_ref().map(|(coordinate, index)| (&**coordinate, &**index));
        assert_eq!(got, expected, "{url}");
    };
    check(
        "https://registry.npmjs.org/left-pad/-/left-pad-1.3.0.tgz",
        Some(("left-pad 1.3.0 of registry.npmjs.org", "https://registry.npmjs.org/left-pad")),
    );
    check(
        "https://registry.yarnpkg.com/@isaacs/cliui/-/cliui-9.0.0.tgz",
        Some(("@isaacs/cliui 9.0.0 of registry.npmjs.org", "https://registry.yarnpkg.com/@isaacs%2fcliui")),
    );
    check(
        "https://npm.example.com/api/npm/team/@a%2fb/-/b-1.0.0-rc.1.tgz",
        Some((
            "@a/b 1.0.0-rc.1 of npm.example.com/api/npm/team",
            "https://npm.example.com/api/npm/team/@a%2fb",
        )),
    );
    check("https://forge.example.com/group/project/-/archive/main/project-main.tgz", None);
    check("https://forge.example.com/project/-/main.tgz", None);
    check("https://example.com/left-pad-1.3.0.tgz", None);
}

#[test]
fn a_tarball_named_otherwise_is_still_a_file_of_the_public_registry() {
    match ask("https://registry.npmjs.org/old/-/whatever.tgz", "*/*") {
        Some(Class::File(file)) => {
            assert_eq!(file.coordinate, None);
            assert_eq!(file.index.unwrap().subject, "old");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn audits_are_questions_and_the_rest_of_post_is_not_ours() {
    let check = |path: &str, is_question: bool| {
        let class = ask_as(&Method::POST, &format!("https://npm.example.com{path}"), "*/*", "npm/11");
        assert_eq!(class == Some(Class::Question), is_question, "{path} is {class:?}");
    };
    check("/-/npm/v1/security/advisories/bulk", true);
    check("/base/-/npm/v1/security/audits/quick", true);
    check("/-/npm/v1/security/audits", true);
    check("/-/v1/login", false);
    check("/-/npm/v1/tokens", false);
    check("/npm/v1/security/audits", false);
}

#[test]
fn what_depends_on_who_asks_is_live() {
    for path in ["/-/whoami", "/-/npm/v1/user", "/-/npm/v1/tokens", "/left-pad?write=true"] {
        let class = ask(&format!("https://registry.npmjs.org{path}"), "*/*");
        assert!(matches!(class, Some(Class::Live { .. })), "{path} is {class:?}");
    }
}

#[test]
fn a_hostile_name_is_refused() {
    for path in ["/left%2fpad", "/@a%2fb%2fc", "/x/-/%2fetc.tgz", &format!("/{}", "a".repeat(215))] {
        let class = ask(&format!("https://registry.npmjs.org{path}"), "*/*");
        assert!(matches!(class, Some(Class::Refuse { status: 400, .. })), "{path} is {class:?}");
    }
}

#[test]
fn both_forms_vouch_for_the_same_files() {
    let url = "https://registry.npmjs.org/is-number";
    let (full, abbreviated) = (read(url, IS_NUMBER).unwrap(), read(url, IS_NUMBER_ABBREVIATED).unwrap());
    assert_eq!((full.versions.len(), full.vouched.len()), (15, 15));
    assert_eq!((&full.versions, &full.vouched), (&abbreviated.versions, &abbreviated.vouched));
    assert_eq!(abbreviated.modified.as_deref(), Some("2023-07-12T19:06:11.363Z"));
    let last = full.vouched.last().unwrap();
    assert_eq!(last.coordinate.as_ref().unwrap().to_string(), "is-number 7.0.0 of registry.npmjs.org");
    assert_eq!(
        last.url.as_ref().unwrap().as_str(),
        "https://registry.npmjs.org/is-number/-/is-number-7.0.0.tgz"
    );
    assert_eq!(last.digests.strongest(), Some(Algorithm::Sha512));
    let sha1 = Digest::from_hex(Algorithm::Sha1, "7535345b896734d5f80c4d06c50955527a14f12b").unwrap();
    assert!(last.digests.iter().any(|digest| *digest == sha1));
    let scoped = read("https://registry.npmjs.org/@isaacs%2fcliui", CLIUI).unwrap();
    assert_eq!(scoped.versions, ["8.0.2", "9.0.0"]);
}

#[test]
fn what_is_not_the_packument_is_an_error() {
    let check = |body: &str, expected: &str| {
        let error = read("https://registry.npmjs.org/is-number", body).unwrap_err();
        assert_eq!(error.to_string(), expected);
    };
    check("", "index is empty");
    check("{}", "not an index");
    check("{\"error\":\"not_found\"}", "not an index");
    check("<!doctype html><html>", "not an index");
    check(&IS_NUMBER[..IS_NUMBER.len() - 1], "not an index");
    check(&format!("{IS_NUMBER}x"), "not an index");
    check("{\"name\":\"is-number\",\"versions\":[]}", "not an index");
    check("{\"name\":\"is-number\",\"name\":\"left-pad\"}", "not an index");
    check(LEFT_PAD, "index is about `left-pad`, not about `is-number`");
}

#[test]
fn documents_as_the_registry_itself_serves_them_are_read() {
    let full = read("https://registry.npmjs.org/JSON", REGISTRYS_OWN).unwrap();
    assert_eq!(
        (&full.versions[..], full.modified.as_deref()),
        (&["1.0.0".to_owned()][..], Some("2018-03-06T01:41:38.380Z"))
    );
    // From before there was anything better than SHA-1.
    assert_eq!(full.vouched[0].digests.strongest(), Some(Algorithm::Sha1));
    let abbreviated = read("https://registry.npmjs.org/is-positive", REGISTRYS_ABBREVIATED).unwrap();
    assert_eq!(abbreviated.versions, ["1.0.0", "2.0.0", "3.0.0", "3.1.0"]);
    assert!(abbreviated.vouched.iter().all(|vouched| vouched.digests.strongest() == Some(Algorithm::Sha512)));
    assert_eq!(abbreviated.modified.as_deref(), Some("2017-08-17T19:26:00.508Z"));
}

#[test]
fn a_strange_version_spoils_only_itself() {
    let body = r#"{"name":"is-number","time":{"modified":null},"versions":{
        "1.0.0":{"dist":{"shasum":"not hex","integrity":"md5-AAAA","tarball":"nowhere"}},
        "1.1.0":{"dist":{"shasum":"7535345b896734d5f80c4d06c50955527a14f12b","integrity":null,"tarball":"nowhere"}},
        "1.2.0":{}}}"#;
    let facts = read("https://registry.npmjs.org/is-number", body).unwrap();
    assert_eq!(facts.versions, ["1.0.0", "1.1.0", "1.2.0"]);
    assert_eq!(facts.vouched.len(), 1);
    assert_eq!((facts.vouched[0].url.as_ref(), facts.modified), (None, None));
}

#[test]
fn a_registry_does_not_vouch_for_another_ones_address() {
    let vouched_url = |tarball: &str| {
        let body = IS_NUMBER.replace("https://registry.npmjs.org/is-number/-/is-number-7.0.0.tgz", tarball);
        let facts = read("https://npm.example.com/team/is-number", &body).unwrap();
        let last = facts.vouched.last().unwrap();
        assert_eq!(last.coordinate.as_ref().unwrap().registry, "npm.example.com/team");
        last.url.as_ref().map(ToString::to_string)
    };
    let own = "https://npm.example.com/team/is-number/-/is-number-7.0.0.tgz";
    assert_eq!(vouched_url(own).as_deref(), Some(own));
    let elsewhere = "https://files.example.com/download/is-number/7.0.0/abc";
    assert_eq!(vouched_url(elsewhere).as_deref(), Some(elsewhere));
    assert_eq!(vouched_url("https://registry.npmjs.org/is-number/-/is-number-7.0.0.tgz"), None);
}

#[test]
fn a_packument_may_grow_but_not_lose_change_or_age() {
    let url = "https://registry.npmjs.org/is-number";
    let held = read(url, IS_NUMBER_ABBREVIATED).unwrap();
    let worse = |body: &str| Npm.judge(&held, &read(url, body).unwrap()).map(|worse| worse.to_string());
    assert_eq!(worse(IS_NUMBER), None, "no date is not an older date");
    assert_eq!(
        worse(&IS_NUMBER.replace("\"7.0.0\": {", "\"7.0.1\": {")).as_deref(),
        Some("no longer lists 7.0.0")
    );
    assert_eq!(
        worse(&IS_NUMBER_ABBREVIATED.replace("2023-07-12", "2020-07-12")).as_deref(),
        Some("is from 2020-07-12T19:06:11.363Z, older than 2023-07-12T19:06:11.363Z")
    );
    assert_eq!(
        worse(&IS_NUMBER.replace("7535345b", "00000000")).as_deref(),
        Some("has other bytes for 7.0.0")
    );
    assert_eq!(
        worse(r#"{"name":"is-number","versions":{"0.0.1-security":{}}}"#).as_deref(),
        Some("no longer lists 0.1.0, 0.1.1, 1.0.0, 1.1.0, 1.1.2 and 10 more")
    );
}

#[test]
fn a_digest_that_is_added_later_is_not_a_change() {
    let url = "https://registry.npmjs.org/is-number";
    let body = |dist: &str| format!(r#"{{"name":"is-number","versions":{{"1.0.0":{{"dist":{{{dist}}}}}}}}}"#);
    let shasum = r#""shasum":"7535345b896734d5f80c4d06c50955527a14f12b""#;
    let both = format!(
        r#"{shasum},"integrity":"sha512-41Cifkg6e8TylSpdtTpeLVMqvSBEVzTttHvERD741+pnZ8ANv0004MRL43QKPDlK9cGvNp6NZWZUBlbGXYxxng==""#
    );
    let (before, after) = (read(url, &body(shasum)).unwrap(), read(url, &body(&both)).unwrap());
    assert_eq!((Npm.judge(&before, &after), Npm.judge(&after, &before)), (None, None));
}

#[test]
fn what_vanished_is_listed_again_and_what_was_republished_is_as_it_was() {
    let url = "https://registry.npmjs.org/is-number";
    let held = IS_NUMBER;
    let facts = read(url, held).unwrap();
    let versions = ["7.0.0", "6.0.0"].into();
    let mut json: serde_json::Value = serde_json::from_str(held).unwrap();
    json["versions"].as_object_mut().unwrap().remove("7.0.0");
    json["time"].as_object_mut().unwrap().remove("7.0.0");
    json["versions"]["6.0.0"]["dist"]["integrity"] = "sha512-AAAA".into();
    json["versions"]["6.0.0"]["dist"]["shasum"] = "0".repeat(40).into();
    json["dist-tags"]["latest"] = "6.0.0".into();
    let new = json.to_string();
    let mended = Npm.with_versions(&request(url), new.as_bytes(), held.as_bytes(), &versions).unwrap();
    let mended = String::from_utf8(mended).unwrap();
    let got = read(url, &mended).unwrap();
    assert_eq!(Npm.judge(&facts, &got), None);
    assert_eq!(got.versions.len(), facts.versions.len());
    let mended: serde_json::Value = serde_json::from_str(&mended).unwrap();
    let original: serde_json::Value = serde_json::from_str(held).unwrap();
    for version in ["7.0.0", "6.0.0"] {
        assert_eq!(mended["versions"][version], original["versions"][version], "{version}");
        assert_eq!(mended["time"][version], original["time"][version], "{version}");
    }
    assert_eq!(mended["dist-tags"]["latest"], "6.0.0", "what is newest is the registry's to say");
    let none_left = r#"{"name":"is-number"}"#;
    let mended = Npm.with_versions(&request(url), none_left.as_bytes(), held.as_bytes(), &versions).unwrap();
    assert_eq!(read(url, std::str::from_utf8(&mended).unwrap()).unwrap().versions, ["6.0.0", "7.0.0"]);
}
