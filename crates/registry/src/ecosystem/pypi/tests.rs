//! PyPI's addresses, names and indexes; its locks are in `lock/tests.rs`.

use http::{HeaderMap, HeaderValue, Method, header};
use model::ObjectUrl;

use super::{Pypi, html, name};
use crate::class::{Class, Head, IndexRequest};
use crate::ecosystem::Ecosystem;
use crate::index::{IndexError, IndexFacts, Vouched};

const PAGE: &str = include_str!("testdata/six.html");
const JSON: &str = include_str!("testdata/six.json");
const LEGACY: &str = include_str!("testdata/six-legacy.json");
/// The same index with all that PyPI itself writes.
const PYPI_PAGE: &str = include_str!("testdata/six-as-pypi.html");
const PYPI_JSON: &str = include_str!("testdata/six-as-pypi.json");

const SIMPLE: &str = "https://pypi.org/simple/six/";
/// What pip 26 sends.
const ACCEPT: &str =
    "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html; q=0.1, text/html; q=0.01";

fn ask(url: &str, accept: &str, agent: &str) -> Option<Class> {
    let mut headers = HeaderMap::new();
    headers.insert(header::ACCEPT, HeaderValue::from_str(accept).unwrap());
    headers.insert(header::USER_AGENT, HeaderValue::from_str(agent).unwrap());
    let url = ObjectUrl::parse(url).unwrap();
    Pypi.classify(&Head { method: &Method::GET, url: &url, headers: &headers })
}

fn request(url: &str, accept: &str) -> IndexRequest {
    match ask(url, accept, "pip/26.3") {
        Some(Class::Index(request)) => request,
        other => panic!("{url} is {other:?}"),
    }
}

fn read(url: &str, accept: &str, body: &str) -> Result<IndexFacts, IndexError> {
    Pypi.read_index(&request(url, accept), body.as_bytes())
}

fn page(body: &str) -> String {
    format!("<!DOCTYPE html><html><head><title>Links for six</title></head><body>{body}</body></html>")
}

#[test]
fn addresses_have_one_spelling() {
    let check = |url: &str, expected: &str| {
        let got = match ask(url, ACCEPT, "pip/26.3") {
            Some(Class::Index(request)) => format!("{} {}", request.variant, request.subject),
            Some(Class::Refuse { status, .. }) => format!("refused with {status}"),
            Some(Class::Moved { to }) => format!("moved to {to}"),
            Some(Class::File(file)) => file.coordinate.unwrap().to_string(),
            None => "not ours".to_owned(),
            other => panic!("{url} is {other:?}"),
        };
        assert_eq!(got, expected, "{url}");
    };
    check(SIMPLE, "json six");
    check("https://pypi.org/simple/six", "moved to https://pypi.org/simple/six/");
    check("https://pypi.org/simple/Foo_Bar..baz/", "moved to https://pypi.org/simple/foo-bar-baz/");
    check("https://pypi.org/simple/", "not ours");
    check("https://pypi.org/simple/-six/", "not ours");
    check("https://pypi.org/simple/a%2fb/", "refused with 400");
    check(&format!("https://pypi.org/simple/{}/", "a".repeat(300)), "refused with 400");
    check(&format!("https://pypi.org/pypi/{}/json", "a".repeat(300)), "refused with 400");
    check("https://pypi.org/project/six/", "not ours");
    check("https://pypi.org/pypi/six/json", " six");
    check("https://pypi.org/pypi/Six/1.0/json", "moved to https://pypi.org/pypi/six/1.0/json");
    check("https://devpi.example.com/root/dev/+simple/six/", "json six");
    check("https://devpi.example.com/root/dev/simple/six/", "json six");
    let wheel = "https://files.pythonhosted.org/packages/b7/ce/14/six-1.17.0-py2.py3-none-any.whl";
    check(wheel, "six 1.17 (six-1.17.0-py2.py3-none-any.whl) of pypi.org");
    check(&format!("{wheel}.metadata"), "six 1.17 (six-1.17.0-py2.py3-none-any.whl.metadata) of pypi.org");
    check("https://files.pythonhosted.org/packages/a/b/c/README.txt", "not ours");
    check(
        "https://devpi.example.com/root/+f/1/six-1.17.0.tar.gz",
        "six 1.17 (six-1.17.0.tar.gz) of devpi.example.com",
    );
    assert_eq!(ask("https://example.com/a-1.0.tar.gz", "*/*", "curl/8.0"), None);
    assert_eq!(request(SIMPLE, "text/html").variant, "html");
    assert_eq!(request(SIMPLE, "*/*").variant, "html");
    assert_eq!(request(SIMPLE, "application/vnd.pypi.simple.v1+html").variant, "html");
    assert_eq!(request(SIMPLE, "application/vnd.pypi.simple.latest+json").variant, "json");
}

#[test]
fn a_file_leads_to_the_index_that_vouches_for_it() {
    let check = |url: &str, expected: Option<&str>| match ask(url, "*/*", "pip/26.3") {
        Some(Class::File(file)) => {
            let index = file.index.map(|index| format!("{} {}", index.variant, index.url));
            assert_eq!(index.as_deref(), expected, "{url}");
        }
        other => panic!("{url} is {other:?}"),
    };
    check(
        "https://files.pythonhosted.org/packages/a/six-1.0.tar.gz",
        Some("json https://pypi.org/simple/six/"),
    );
    check(
        "https://test-files.pythonhosted.org/packages/a/six-1.0-py3-none-any.whl.metadata",
        Some("json https://test.pypi.org/simple/six/"),
    );
    // Where another server has its index, only the server knows.
    check("https://devpi.example.com/root/dev/+f/a/six-1.0.tar.gz", None);
}

#[test]
fn names_of_files_tell_project_and_version() {
    let check = |file: &str, expected: Option<(&str, &str)>| {
        let got = name::of_file(file);
        assert_eq!(got.as_ref().map(|(a, b)| (a.as_str(), b.as_str())), expected, "{file}");
    };
    check("six-1.17.0-py2.py3-none-any.whl", Some(("six", "1.17")));
    check("Zope.Interface-5.0.0-1-cp39-cp39-manylinux2014_x86_64.whl", Some(("zope-interface", "5")));
    check("my_project-2.0rc1.tar.gz", Some(("my-project", "2rc1")));
    check("my-project-2.0.0.zip", Some(("my-project", "2")));
    check("six-1.0-py2.7.egg", Some(("six", "1")));
    check("six-1.0.exe", Some(("six", "1")));
    check("six.tar.gz", None);
    check("../six-1.0.tar.gz", None);
    check("six-1.0.whl", None);
    check(&format!("{}-1.0.tar.gz", "a".repeat(300)), None);
    let old = name::version_in("foo", "foo-1.0-1.tar.gz");
    assert_eq!(old.as_deref(), Some("1.post1"), "the name tells where the version begins");
    let long = name::version_in("foo", &format!("{}.tar.gz", "-".repeat(1 << 20)));
    assert_eq!(long, None);
}

#[test]
fn every_form_lists_the_same_files() {
    let sorted = |facts: &IndexFacts, is_wanted: fn(&Vouched) -> bool| {
        let mut files: Vec<&Vouched> = facts.vouched.iter().filter(|file| is_wanted(file)).collect();
        files.sort_by_key(|file| file.coordinate.clone());
        format!("{files:#?}")
    };
    let is_archive = |file: &Vouched| !file.coordinate.as_ref().unwrap().is_description();
    for (page, json, n_files, serial) in
        [(PAGE, JSON, 48, None), (PYPI_PAGE, PYPI_JSON, 48 + 19, Some(26_356_948))]
    {
        let (page, json) = (read(SIMPLE, "text/html", page).unwrap(), read(SIMPLE, ACCEPT, json).unwrap());
        assert_eq!(sorted(&page, |_| true), sorted(&json, |_| true));
        assert_eq!((page.vouched.len(), json.serial, page.serial), (n_files, Some(26_356_948), serial));
        let legacy = read("https://pypi.org/pypi/six/json", "", LEGACY).unwrap();
        assert_eq!(sorted(&legacy, is_archive), sorted(&json, is_archive));
        assert_eq!(legacy.serial, json.serial);
    }
    // A server that knows no JSON answers with its page.
    assert_eq!(read(SIMPLE, ACCEPT, PAGE).unwrap(), read(SIMPLE, "text/html", PAGE).unwrap());
}

#[test]
fn the_older_json_of_one_version_has_its_files() {
    let mut json: serde_json::Value = serde_json::from_str(LEGACY).unwrap();
    json.as_object_mut().unwrap().remove("releases");
    let facts = read("https://pypi.org/pypi/six/1.17.0/json", "", &json.to_string()).unwrap();
    let files: Vec<_> = facts.vouched.iter().map(|it| it.coordinate.as_ref().unwrap().to_string()).collect();
    assert_eq!(
        files,
        [
            "six 1.17 (six-1.17.0.tar.gz) of pypi.org",
            "six 1.17 (six-1.17.0-py2.py3-none-any.whl.metadata) of pypi.org",
            "six 1.17 (six-1.17.0-py2.py3-none-any.whl) of pypi.org",
        ]
    );
}

#[test]
fn everything_of_a_link_is_understood() {
    let hash = "ab".repeat(32);
    let body = page(&format!(
        "<a href='../../f/six-1.0.tar.gz#egg=six&amp;sha256={hash}' data-requires-python=\"&gt;=3\">six-1.0.tar.gz</a>\
         <!-- <a href=\"x/six-9.0.tar.gz\">six-9.0.tar.gz</a> -->\
         <A class=x HREF=\"https://e.example/six-1.0-py3-none-any.whl?a=1&amp;b=2\" data-core-metadata=\"sha256={hash}\" data-yanked>\
         six-1.0-py3-none-any.whl</A>\
         <a href=\"/other-1.0.tar.gz\">other-1.0.tar.gz</a><a>six-2.0.tar.gz</a><abbr>six-3.0.tar.gz</abbr>"
    ));
    let facts = read(SIMPLE, "text/html", &format!("{body}\n<!--SERIAL 17-->")).unwrap();
    let got: Vec<_> = facts
        .vouched
        .iter()
        .map(|file| (file.url.as_ref().unwrap().as_str(), file.digests.iter().count()))
        .collect();
    assert_eq!(
        got,
        [
            ("https://pypi.org/f/six-1.0.tar.gz", 1),
            ("https://e.example/six-1.0-py3-none-any.whl?a=1&b=2.metadata", 1),
            ("https://e.example/six-1.0-py3-none-any.whl?a=1&b=2", 0),
        ]
    );
    assert_eq!((facts.versions, facts.serial), (vec!["1".to_owned()], Some(17)));
}

#[test]
fn what_is_not_the_index_is_an_error() {
    let check = |accept: &str, body: &str| assert!(read(SIMPLE, accept, body).is_err(), "{body}");
    check("text/html", "<html><title>Sign in</title><a href='/login'>here</a></html>");
    check("text/html", &PAGE.replace("six", "seven"));
    check("text/html", &PAGE[..PAGE.len() - 12]);
    check("text/html", "<html><title>Links for seven</title></html>");
    check("text/html", "   ");
    check(ACCEPT, &JSON.replace("\"name\": \"six\"", "\"name\": \"seven\""));
    check(ACCEPT, "{\"name\":\"six\"}");
    check(ACCEPT, &JSON[..JSON.len() / 2]);
    check(ACCEPT, &JSON.replace("3ef868e4818fc3c7", "zz"));
    check("text/html", &PAGE.replace("3ef868e4818fc3c7", "zz"));
    check("text/html", &PYPI_PAGE.replace("data-core-metadata=\"sha256=", "data-core-metadata=\"sha256=z"));
    check("text/html", &PYPI_PAGE[..PYPI_PAGE.len() - 3]);
    assert!(read(SIMPLE, "text/html", &page("")).is_ok(), "a project may have no files");
    // A small server need not close its page.
    let own = "https://devpi.example.com/simple/six/";
    let open = "<a href=\"six-1.0.tar.gz\">six-1.0.tar.gz</a>";
    assert_eq!(read(own, "text/html", open).unwrap().vouched.len(), 1);
}

#[test]
fn a_serial_never_goes_back() {
    let at = |serial: &str| read(SIMPLE, ACCEPT, &JSON.replace("\"26356948\"", serial)).unwrap();
    let worse = Pypi.judge(&at("10"), &at("9")).unwrap();
    assert_eq!(worse.to_string(), "is from change 9, older than change 10");
    assert_eq!(Pypi.judge(&at("10"), &at("\"11\"")), None);
    assert_eq!(Pypi.judge(&at("10"), &at("null")), None);
    let yanked = JSON.replace("\"yanked\": false", "\"yanked\": \"broken\"");
    assert_eq!(Pypi.judge(&at("10"), &read(SIMPLE, ACCEPT, &yanked).unwrap()), None, "a yank is no loss");
    let page = |serial: &str| read(SIMPLE, "text/html", &PYPI_PAGE.replace("26356948", serial)).unwrap();
    assert!(Pypi.judge(&page("10"), &page("9")).is_some());
    assert_eq!(Pypi.judge(&page("10"), &page("11")), None);
}

#[test]
fn a_file_that_vanishes_is_a_loss_of_its_version() {
    let held = read(SIMPLE, "text/html", PYPI_PAGE).unwrap();
    let mut new = held.clone();
    new.vouched.retain(|file| file.coordinate.as_ref().unwrap().file.as_deref() != Some("six-1.16.0.tar.gz"));
    assert_eq!(Pypi.judge(&held, &new).unwrap().to_string(), "no longer lists 1.16");
    assert_eq!(Pypi.judge(&new, &held), None, "a new file is none");
    new.vouched.clone_from(&held.vouched);
    new.vouched.retain(|file| !file.coordinate.as_ref().unwrap().is_description());
    assert_eq!(Pypi.judge(&held, &new), None, "a mirror leaves out metadata");
}

#[test]
fn files_stand_as_they_stood_in_both_forms() {
    let without = |text: &str, file: &str| match text.starts_with('{') {
        true => {
            let mut json: serde_json::Value = serde_json::from_str(text).unwrap();
            json["files"].as_array_mut().unwrap().retain(|entry| entry["filename"] != file);
            json["versions"].as_array_mut().unwrap().retain(|version| version != "1.16.0");
            json.to_string()
        }
        false => text
            .lines()
            .filter(|line| !line.contains(&format!(">{file}<")))
            .map(|line| format!("{line}\n"))
            .collect(),
    };
    let documents = [("text/html", PAGE), (ACCEPT, JSON), ("text/html", PYPI_PAGE), (ACCEPT, PYPI_JSON)];
    for (accept, held) in documents {
        let facts = read(SIMPLE, accept, held).unwrap();
        let digest = "8abb2f1d86890a2dfb989f9a77cfcfd3e47c2a354b01111771326f8aa26e0254";
        assert!(held.contains(digest), "six-1.16.0.tar.gz or its wheel has it");
        let new = without(held, "six-1.16.0.tar.gz").replace(digest, &"0".repeat(64));
        let worse = Pypi.judge(&facts, &read(SIMPLE, accept, &new).unwrap()).unwrap();
        assert_eq!(worse.changed, ["1.16"], "{accept}");
        let versions = ["1.16"].into();
        let mended =
            Pypi.with_versions(&request(SIMPLE, accept), new.as_bytes(), held.as_bytes(), &versions).unwrap();
        let mended = std::str::from_utf8(&mended).unwrap();
        assert_eq!(mended.contains("\"1.16.0\""), accept == ACCEPT, "the list of versions has its spelling");
        let got = read(SIMPLE, accept, mended).unwrap();
        assert_eq!(Pypi.judge(&facts, &got), None, "{accept}");
        assert_eq!(got.vouched.len(), facts.vouched.len(), "{accept}");
    }
}

#[test]
fn a_mended_page_keeps_its_links_whatever_the_new_one_hides() {
    let held = page("<a href=\"/six-1.0.tar.gz\">six-1.0.tar.gz</a><a href=\"/six-1.0.zip\">six-1.0.zip</a>");
    let check = |new: &str, expected: Option<usize>| {
        let versions = ["1"].into();
        let mended =
            Pypi.with_versions(&request(SIMPLE, "text/html"), new.as_bytes(), held.as_bytes(), &versions);
        let n_links = mended.map(|page| html::anchors(std::str::from_utf8(&page).unwrap()).count());
        assert_eq!(n_links, expected, "{new}");
    };
    check(&page(""), Some(2));
    check(&page("<a href=\"/six-1.0.zip\">six-1.0.zip</a>"), Some(2));
    check(&page("<a href=\"</body>\">six-1.0.zip</a>"), Some(2));
    check(&page("<a href=\"/x\">six-1.0.zip</a><a href=\"/y\">six-1.0.zip</a>"), Some(3));
    check(&format!("{}<!-- </body> -->", page("<a>x</a>")), Some(3));
    check(&format!("{}<!-- </body> -->", page("")), None);
    check("nothing", None);
    let unknown = ["1", "2"].into();
    let both = Pypi.with_versions(&request(SIMPLE, "text/html"), held.as_bytes(), held.as_bytes(), &unknown);
    assert_eq!(both, None, "one of them never stood there");
}

#[test]
fn a_page_of_nothing_but_brackets_ends() {
    for hostile in [
        "<a ".repeat(50_000),
        "<a href=".repeat(50_000),
        "<a>".repeat(50_000),
        "<!--".repeat(50_000),
        "<a =".repeat(50_000),
    ] {
        assert!(html::anchors(&hostile).count() <= 50_000);
    }
}

#[test]
fn an_index_in_one_form_says_what_it_says_in_the_other() {
    let html = request(SIMPLE, "text/html");
    for json in [JSON, PYPI_JSON] {
        let (media, page) = Pypi.in_form(&html, json.as_bytes()).unwrap();
        assert!(media.starts_with("text/html"));
        let page = String::from_utf8(page).unwrap();
        let (made, given) = (read(SIMPLE, "text/html", &page).unwrap(), read(SIMPLE, ACCEPT, json).unwrap());
        assert_eq!((&made.versions, made.serial), (&given.versions, given.serial), "{page}");
        // A page names one digest, and the metadata's beside it.
        let told = |facts: &IndexFacts| -> Vec<_> {
            let one = |it: &Vouched| (it.coordinate.clone(), it.url.clone(), it.digests.strongest());
            facts.vouched.iter().map(one).collect()
        };
        assert_eq!(told(&made), told(&given), "{page}");
    }
    // What a page can say beside it is said as PyPI says it.
    let files = r#"[{"filename":"six-1.0.tar.gz","url":"https://a.example/six-1.0.tar.gz?a&b","hashes":{"sha256":"00"},
        "requires-python":">=3.8","yanked":"broken \"badly\"","core-metadata":{"sha256":"11"},"gpg-sig":false}]"#;
    let json = format!(r#"{{"meta":{{"api-version":"1.1"}},"name":"six","files":{files}}}"#);
    let (_, page) = Pypi.in_form(&html, json.as_bytes()).unwrap();
    let link = "<a href=\"https://a.example/six-1.0.tar.gz?a&amp;b#sha256=00\" data-requires-python=\"&gt;=3.8\" \
                data-yanked=\"broken &quot;badly&quot;\" data-core-metadata=\"sha256=11\" data-gpg-sig=\"false\">";
    let page = String::from_utf8(page).unwrap();
    assert!(page.contains(link), "{page}");
    // A page is handed on as it is, and nothing is made of what is none.
    assert_eq!(Pypi.in_form(&request(SIMPLE, ACCEPT), PAGE.as_bytes()).unwrap().1, PAGE.as_bytes());
    assert!(Pypi.in_form(&html, b"{\"name\":").is_none());
}
