//! Composer's addresses, documents and lock.

use std::collections::BTreeSet;

use http::{HeaderMap, HeaderValue, Method, header};
use model::ObjectUrl;

use super::Composer;
use crate::class::{Class, Head, IndexRequest};
use crate::ecosystem::Ecosystem;
use crate::index::{IndexError, IndexFacts};

mod bounds;
mod lock;
mod mend;

const LOG: &str = include_str!("../testdata/psr-log.json");
const LOG_DEV: &str = include_str!("../testdata/psr-log-dev.json");
const ROOT: &str = include_str!("../testdata/packages.json");

const LOG_URL: &str = "https://repo.packagist.org/p2/psr/log.json";
const AGENT: &str = "Composer/2.8.8 (Linux; 6.1; PHP 8.4.11; cURL 8.14.1; Platform-PHP 8.4.11; CI)";

fn ask(method: &Method, url: &str, agent: &str) -> Option<Class> {
    let mut headers = HeaderMap::new();
    headers.insert(header::USER_AGENT, HeaderValue::from_str(agent).unwrap());
    let url = ObjectUrl::parse(url).unwrap();
    Composer.classify(&Head { method, url: &url, headers: &headers })
}

fn request(url: &str) -> IndexRequest {
    match ask(&Method::GET, url, AGENT) {
        Some(Class::Index(request)) => request,
        other => panic!("{url} is {other:?}"),
    }
}

fn read(url: &str, body: &str) -> Result<IndexFacts, IndexError> {
    Composer.read_index(&request(url), body.as_bytes())
}

fn p2(entries: &str) -> String {
    format!(r#"{{"packages":{{"psr/log":{entries}}},"minified":"composer/2.0"}}"#)
}

#[test]
fn documents_are_known_by_their_host_or_by_who_asks() {
    let check = |url: &str, agent: &str, expected: Option<&str>| {
        let got = match ask(&Method::GET, url, agent) {
            Some(Class::Index(request)) => Some(request.subject),
            None => None,
            other => panic!("{url} is {other:?}"),
        };
        assert_eq!(got.as_deref(), expected, "{url}");
    };
    check(LOG_URL, "", Some("psr/log"));
    check("https://repo.packagist.org/p2/psr/log~dev.json", "", Some("psr/log"));
    check("https://repo.packagist.org/packages.json", "", Some(""));
    check("https://repo.packagist.org/lists/all/summary.json", "", Some(""));
    check("https://packagist.org/search.json?q=log", "", Some(""));
    check("https://packagist.org/providers/psr/log-implementation.json", "", Some(""));
    check("https://packagist.org/api/security-advisories/?packages[]=a/b", "", Some(""));
    check("https://packagist.org/packages/psr/log", "", None);
    check("https://repo.packagist.org/p2/psr/..%2flog.json", "", None);
    check("https://repo.packagist.org/p2/psr/log/x.json", "", None);
    let satis = "https://satis.example.com/team/packages.json";
    check(satis, AGENT, Some(""));
    check(satis, "curl/8.0", None);
    check("https://satis.example.com/team/p2/acme/a.json", AGENT, Some("acme/a"));
    check("https://satis.example.com/search.json?q=x", AGENT, None);
    let sha1 = "da39a3ee5e6b4b0d3255bfef95601890afd80709";
    check(&format!("https://satis.example.com/include/all${sha1}.json"), AGENT, Some(""));
    check(&format!("https://satis.example.com/p/acme/a${}.json", "0".repeat(64)), AGENT, Some(""));
    check("https://satis.example.com/include/all$abc.json", AGENT, None);
    let gitlab = "https://gitlab.example.com/api/v4/group/7/-/packages/composer";
    check(&format!("{gitlab}/packages.json"), AGENT, Some(""));
    check(&format!("{gitlab}/p2/acme/a.json"), AGENT, Some("acme/a"));
    check(&format!("{gitlab}/acme/a${}.json", "0".repeat(64)), AGENT, Some(""));
    check("https://satis.example.com/p2/Acme/A.json", AGENT, Some("acme/a"));
}

#[test]
fn posts_ask_or_tell() {
    let check = |url: &str, agent: &str, expected: Option<Class>| {
        assert_eq!(ask(&Method::POST, url, agent), expected, "{url}");
    };
    check("https://packagist.org/downloads/", AGENT, Some(Class::Notice));
    check("https://satis.example.com/downloads/", AGENT, Some(Class::Notice));
    check("https://satis.example.com/downloads/", "curl/8.0", None);
    check("https://satis.example.com/team/notify-batch", AGENT, Some(Class::Notice));
    check("https://satis.example.com/notify", AGENT, Some(Class::Notice));
    check("https://satis.example.com/downloads/acme/a", AGENT, Some(Class::Notice));
    check("https://satis.example.com/downloads/acme/a/b", AGENT, None);
    check("https://packagist.org/api/security-advisories/", AGENT, Some(Class::Question));
    check("https://satis.example.com/api/security-advisories", AGENT, Some(Class::Question));
    check("https://lists.example.com/api/filter", AGENT, Some(Class::Question));
    check("https://lists.example.com/api/filter", "curl/8.0", None);
    check("https://packagist.org/api/create-package", AGENT, None);
    check("https://gitlab.com/oauth/token", AGENT, None);
}

#[test]
fn a_minified_list_is_expanded_before_anything_is_decided() {
    let facts = read(LOG_URL, LOG).unwrap();
    let got: Vec<_> = facts
        .vouched
        .iter()
        .map(|file| {
            let coordinate = file.coordinate.as_ref().unwrap();
            let url = file.url.as_ref().unwrap();
            assert!(url.as_str().ends_with(&coordinate.version), "{url}");
            assert_eq!((&*coordinate.registry, &*coordinate.name), ("packagist.org", "psr/log"));
            assert!(file.digests.is_empty(), "Packagist has none");
            (file.version.as_str(), &coordinate.version[..7])
        })
        .collect();
    assert_eq!(got.len(), 9);
    assert_eq!(got[0], ("3.0.2", "f16e1d5"));
    // Two tags on one commit: the second inherits where its archive lies.
    assert_eq!(got[7..], [("1.0.0", "fe0936e"), ("1.0.0-RC1", "fe0936e")]);
}

#[test]
fn what_is_unset_is_no_longer_inherited() {
    let dist = r#"{"type":"zip","url":"https://example.com/a.zip","reference":"abc","shasum":"da39a3ee5e6b4b0d3255bfef95601890afd80709"}"#;
    let list = format!(
        r#"[{{"version":"3","dist":{dist}}},{{"version":"2","dist":"__unset"}},{{"version":"1","x":"__unset"}}]"#
    );
    let facts = read(LOG_URL, &p2(&list)).unwrap();
    assert_eq!(facts.versions, ["3", "2", "1"]);
    assert_eq!(facts.vouched.len(), 1);
    assert_eq!(facts.vouched[0].digests.iter().count(), 1);
    let null = r#"[{"version":"1","dist":null},{"version":"2","dist":{"type":"zip","url":"https://example.com/b.zip","reference":null}}]"#;
    let facts = read(LOG_URL, &p2(null)).unwrap();
    assert_eq!(facts.vouched.len(), 1);
    assert_eq!(facts.vouched[0].coordinate.as_ref().unwrap().version, "2", "without a commit, the version");
}

#[test]
fn what_is_not_the_document_is_an_error() {
    let check = |body: &str| assert!(read(LOG_URL, body).is_err(), "{body}");
    check(r#"{"packages":{"psr/cache":[]},"minified":"composer/2.0"}"#);
    check(r#"{"packages":[],"minified":"composer/2.0"}"#);
    check(r#"{"packages":{"psr/log":{}}}"#);
    check(&p2(r#"["1.0.0"]"#));
    check(&p2(r#"[{"name":"psr/log"}]"#));
    check(&p2(r#"[{"version":"dev-main"}]"#));
    check(r#"{"packages":{"psr/log":[]},"minified":"composer/3.0"}"#);
    check(LOG_DEV);
    check(&LOG[..LOG.len() / 2]);
    assert!(read("https://repo.packagist.org/p2/psr/log~dev.json", LOG).is_err());
    assert!(read(LOG_URL, &p2("[]")).is_ok(), "a package may have nothing but branches");
    assert!(read("https://repo.packagist.org/packages.json", LOG).is_err());
    assert!(read("https://repo.packagist.org/packages.json", "{\"name\":1}").is_err());
}

#[test]
fn an_answer_has_what_was_asked_for() {
    let check = |url: &str, body: &str| {
        assert!(read(url, body).is_ok(), "{url} {body}");
        let other = r#"{"status":"error","message":"try again","results":null,"filter":"x"}"#;
        for wrong in ["{}", "<html>", "[]", &body[..body.len() - 1], other] {
            assert!(read(url, wrong).is_err(), "{url} {wrong}");
        }
    };
    check("https://packagist.org/packages/list.json", r#"{"packageNames":[]}"#);
    check("https://packagist.org/packages/list.json?fields[]=type", r#"{"packages":{}}"#);
    check("https://packagist.org/search.json?q=log", r#"{"results":[],"total":0}"#);
    check("https://packagist.org/providers/psr/log-implementation.json", r#"{"providers":[]}"#);
    check("https://packagist.org/api/security-advisories/?packages[]=a/b", r#"{"advisories":[]}"#);
    check("https://repo.packagist.org/lists/all/summary.json", r#"{"filter":{"malware":{"a/b":"*"}}}"#);
}

#[test]
fn a_map_by_version_is_read_as_a_list_is() {
    let url = "https://gitlab.example.com/api/v4/group/7/-/packages/composer/p2/acme/a.json";
    let entry = |version: &str, reference: &str| {
        format!(
            r#""{version}":{{"name":"acme/a","version":"{version}","uid":1,"dist":{{"type":"zip","url":"https://gitlab.example.com/a.zip?sha={reference}","reference":"{reference}","shasum":""}}}}"#
        )
    };
    let body = |reference: &str| {
        let entries = [entry("1.0.0", reference), entry("dev-main", "bbb")].join(",");
        format!(r#"{{"packages":{{"acme/a":{{{entries}}}}}}}"#)
    };
    let facts = read(url, &body("aaa")).unwrap();
    assert_eq!(facts.versions, ["1.0.0", "dev-main"]);
    assert_eq!(facts.vouched[0].coordinate.as_ref().unwrap().version, "aaa");
    let worse = Composer.judge(&facts, &read(url, &body("ccc")).unwrap()).unwrap();
    assert_eq!(worse.changed, ["1.0.0"]);

    let mended = |new: &str, held: &str| {
        let versions = BTreeSet::from(["1.0.0"]);
        let mended = Composer.with_versions(&request(url), new.as_bytes(), held.as_bytes(), &versions)?;
        Some(String::from_utf8(mended).unwrap())
    };
    assert_eq!(mended(&body("ccc"), &body("aaa")), Some(body("aaa")), "it changed");
    let others = |entries: &str| format!(r#"{{"packages":{{"acme/a":{entries}}}}}"#);
    let (stood, branch) = (entry("1.0.0", "aaa"), entry("dev-main", "bbb"));
    let check = |new: &str, expected: &str| {
        let got = mended(&others(new), &body("aaa")).unwrap();
        assert_eq!(got, others(expected));
        assert_eq!(Composer.judge(&read(url, &got).unwrap(), &facts).unwrap_or_default().changed.len(), 0);
    };
    check(&format!("{{ {branch} }}"), &format!("{{ {branch} ,{stood}}}"));
    let as_item = stood.split_once(':').unwrap().1;
    check("[]", &format!("[{as_item}]"));
    let other_key = branch.replacen("dev-main", "1.0.0", 1);
    assert_eq!(mended(&others(&format!("{{{other_key}}}")), &body("aaa")), None, "its place is taken");
}

#[test]
fn small_repositories_and_includes_vouch_for_what_is_inside() {
    let inside = r#"{"packages":{"acme/a":{"1.0.0":{"name":"acme/a","version":"1.0.0","dist":{"type":"zip","url":"https://satis.example.com/dist/a.zip","reference":null,"shasum":"da39a3ee5e6b4b0d3255bfef95601890afd80709"}}},"acme/b":[]}}"#;
    let check = |url: &str| {
        let facts = read(url, inside).unwrap();
        assert_eq!(facts.versions, ["acme/a 1.0.0"], "{url}");
        let file = &facts.vouched[0];
        let coordinate = file.coordinate.as_ref().unwrap();
        assert_eq!(coordinate.registry, "satis.example.com/team");
        assert_eq!((&*coordinate.name, &*coordinate.version), ("acme/a", "1.0.0"), "as a lock names it");
        assert_eq!(file.digests.iter().count(), 1);
    };
    check("https://satis.example.com/team/packages.json");
    let sha1 = ring::digest::digest(&ring::digest::SHA1_FOR_LEGACY_USE_ONLY, inside.as_bytes());
    let hex: String = sha1.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    let include = format!("https://satis.example.com/team/include/all${hex}.json");
    check(&include);
    assert!(read(&include, &inside.replace("1.0.0", "1.0.1")).is_err(), "these are other bytes");
}

#[test]
fn a_tag_that_moved_is_changed_and_a_branch_that_moved_is_not() {
    let list = |version: &str, reference: &str| {
        p2(&format!(
            r#"[{{"version":"{version}","dist":{{"type":"zip","url":"https://example.com/{reference}.zip","reference":"{reference}","shasum":""}}}}]"#
        ))
    };
    let facts = |url: &str, version: &str, reference: &str| read(url, &list(version, reference)).unwrap();
    let worse = Composer.judge(&facts(LOG_URL, "1.0.0", "aaa"), &facts(LOG_URL, "1.0.0", "bbb")).unwrap();
    assert_eq!((worse.changed.as_slice(), worse.lost.len()), (&["1.0.0".to_owned()][..], 0));
    let dev = "https://repo.packagist.org/p2/psr/log~dev.json";
    for branch in ["dev-main", "2.x-dev"] {
        assert_eq!(Composer.judge(&facts(dev, branch, "aaa"), &facts(dev, branch, "bbb")), None, "{branch}");
    }
    assert!(Composer.judge(&read(LOG_URL, LOG).unwrap(), &read(LOG_URL, &p2("[]")).unwrap()).is_some());
}

#[test]
fn composer_prints_what_it_is_told() {
    let url = |text: &str| ObjectUrl::parse(text).unwrap();
    let root = url("https://repo.packagist.org/packages.json");
    let told = |url: &ObjectUrl, body: &str| {
        let body = Composer.with_message(url, body.as_bytes(), "Outlast: \"down\"")?;
        Some(serde_json::from_slice::<serde_json::Value>(&body).unwrap()["warnings"].clone())
    };
    let warning = serde_json::json!({ "message": "Outlast: \"down\"", "versions": "*" });
    assert_eq!(told(&root, ROOT), Some(serde_json::json!([warning])));
    let other = serde_json::json!({ "message": "m", "versions": ">=2" });
    let with_one = format!("{{\"packages\":[],\"warnings\":[{other}]}}");
    assert_eq!(told(&root, &with_one), Some(serde_json::json!([other, warning])));
    let advisories = url("https://packagist.org/api/security-advisories/");
    assert_eq!(told(&advisories, "{\"advisories\":{}}"), Some(serde_json::json!([warning])));
    assert_eq!(told(&url(LOG_URL), LOG), None, "one line is enough");
    assert_eq!(told(&root, "[]"), None);
    assert_eq!(Composer.refusal_fields("x")[0].0, "warnings");
}
