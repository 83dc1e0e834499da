//! What PyPI answers, seen by a client that hides nothing.

use fakes::Upstream;
use fakes::pypi::{HOSTS, Project, project};
use serde_json::{Value, json};

use crate::client::{Got, get, send};

const JSON: &str =
    "accept: application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html; q=0.1, */*; q=0.01";
const HTML: &str = "accept: application/vnd.pypi.simple.v1+html";

fn demo() -> Project {
    project("Demo_Pkg").release("1.0", &[]).requires_python(">=3.8").release("1.1", &["inner>=2"])
}

fn upstream() -> Upstream {
    let upstream = Upstream::start_blocking();
    upstream.serve_pypi(&[demo(), project("inner").wheel("2.0", &[])]);
    upstream
}

fn body(got: &Got) -> Value {
    serde_json::from_slice(&got.body).unwrap_or_else(|error| panic!("{error}: {}", got.head))
}

#[test]
fn accept_chooses_the_form_and_all_forms_say_the_same() {
    let upstream = upstream();
    let check = |line: &str, expected: &str| {
        let got = get(&upstream, HOSTS[0], "/simple/demo-pkg/", &[line]);
        assert_eq!(got.header("content-type"), Some(expected), "{line}");
        assert_eq!(got.header("vary"), Some("accept"));
        assert_eq!(got.header("x-pypi-last-serial"), Some(demo().serial().to_string().as_str()));
        got
    };
    let json = body(&check(JSON, "application/vnd.pypi.simple.v1+json"));
    let html = check(HTML, "application/vnd.pypi.simple.v1+html");
    assert_eq!(check("accept: */*", "text/html; charset=utf-8").body, html.body);
    assert_eq!(json["name"], "demo-pkg");
    assert_eq!(json["meta"]["_last-serial"], demo().serial());
    assert_eq!(json["versions"], json!(["1.0", "1.1"]));
    for (file, entry) in demo().files().iter().zip(json["files"].as_array().unwrap()) {
        assert_eq!(
            [&entry["filename"], &entry["hashes"]["sha256"]],
            [&json!(file.name()), &json!(file.sha256())]
        );
        let link =
            format!("<a href=\"https://files.pythonhosted.org{}#sha256={}\"", file.path(), file.sha256());
        assert!(html.text().contains(&link), "{link} is not in {}", html.text());
    }
    assert_eq!(html.text().matches("data-requires-python=\"&gt;=3.8\"").count(), 2);
    assert_eq!(body(&get(&upstream, HOSTS[0], "/simple/", &[JSON]))["projects"].as_array().unwrap().len(), 2);
}

#[test]
fn other_spellings_and_a_missing_slash_lead_to_the_one_form() {
    let upstream = upstream();
    let check = |path: &str, expected: Option<&str>| {
        let got = get(&upstream, HOSTS[0], path, &[]);
        let status = if expected.is_some() { "301" } else { "404" };
        assert_eq!((got.status(), got.header("location")), (status, expected), "{path}");
    };
    check("/simple/Demo_Pkg/", Some("/simple/demo-pkg/"));
    check("/simple/demo--pkg", Some("/simple/demo-pkg/"));
    check("/simple/demo-pkg", Some("/simple/demo-pkg/"));
    check("/simple/none/", None);
    check("/simple/None/", None);
    check("/pypi/Demo.Pkg/json", Some("/pypi/demo-pkg/json"));
    check("/pypi/Demo.Pkg/1.0/json", Some("/pypi/demo-pkg/1.0/json"));
    check("/pypi/demo-pkg/9/json", None);
}

#[test]
fn metadata_lies_beside_wheels_unless_it_is_withheld() {
    let upstream = upstream();
    let demo = demo();
    let path = format!("{}.metadata", demo.wheel_of("1.1").path());
    let got = get(&upstream, HOSTS[1], &path, &[]);
    assert!(got.text().contains("Requires-Dist: inner>=2\n"), "{}", got.text());
    let said = |project: &Project| {
        project.json()["files"]
            .as_array()
            .unwrap()
            .iter()
            .map(|file| file["core-metadata"]["sha256"].is_string())
            .collect::<Vec<_>>()
    };
    assert_eq!(said(&demo), [true, false, true, false], "of wheels alone");
    assert_eq!(demo.html().matches("data-core-metadata=").count(), 2);
    let without = demo.without_metadata();
    assert_eq!(said(&without), [false; 4]);
    upstream.serve_pypi(&[without]);
    assert_eq!(get(&upstream, HOSTS[1], &path, &[]).status(), "404");
}

#[test]
fn files_know_head_ranges_and_their_etag() {
    let upstream = upstream();
    let demo = demo();
    let wheel = demo.wheel_of("1.0");
    let (path, size) = (wheel.path(), wheel.bytes().len());
    let head = send(&upstream, "HEAD", HOSTS[1], &path, &[]);
    assert_eq!((head.header("content-length"), head.body.len()), (Some(size.to_string().as_str()), 0));
    assert_eq!(head.header("accept-ranges"), Some("bytes"));
    let etag = head.header("etag").unwrap();
    let last = get(&upstream, HOSTS[1], &path, &["range: bytes=-10", &format!("if-range: {etag}")]);
    assert_eq!((last.status(), &last.body[..]), ("206", &wheel.bytes()[size - 10..]));
    let other = get(&upstream, HOSTS[1], &path, &["range: bytes=-10", "if-range: \"other\""]);
    assert_eq!((other.status(), other.body.len()), ("200", size));
    assert_eq!(get(&upstream, HOSTS[1], &path, &[&format!("if-none-match: {etag}")]).status(), "304");
}

#[test]
fn each_change_has_a_higher_serial_but_one_that_is_asked_for() {
    let upstream = upstream();
    let serve = |project: &Project| {
        upstream.serve_pypi(std::slice::from_ref(project));
        body(&get(&upstream, HOSTS[0], "/simple/demo-pkg/", &[JSON]))
    };
    let files = |json: &Value| json["files"].as_array().unwrap().len();
    let first = demo();
    let yanked = first.clone().yanked("1.0", "broken & \"bad\"");
    let json = serve(&yanked);
    assert_eq!(
        [&json["files"][0]["yanked"], &json["files"][2]["yanked"]],
        [&json!("broken & \"bad\""), &json!(false)]
    );
    assert!(yanked.html().contains("data-yanked=\"broken &amp; &quot;bad&quot;\""));

    let republished = yanked.republished("1.0");
    let [before, after] = [&first, &republished].map(|project| project.wheel_of("1.0"));
    assert_eq!((before.path(), before.yanked()), (after.path(), None));
    assert_ne!(before.sha256(), after.sha256());
    assert_eq!(after.yanked(), Some("broken & \"bad\""), "it stays so");
    assert_eq!(serve(&republished)["files"][0]["hashes"]["sha256"], after.sha256());
    assert_eq!(get(&upstream, HOSTS[1], &after.path(), &[]).body, after.bytes().to_vec());

    let without = republished.clone().without("1.0");
    assert!(without.serial() > first.serial() + 2);
    assert_eq!(files(&serve(&without)), 2);
    assert_eq!(get(&upstream, HOSTS[0], "/pypi/demo-pkg/1.0/json", &[]).status(), "404");
    assert_eq!(get(&upstream, HOSTS[1], &before.path(), &[]).status(), "200", "the file stays");

    let lower = first.with_serial(7);
    assert_eq!(serve(&lower)["meta"]["_last-serial"], 7);
    upstream.remove_pypi(&lower);
    for path in ["/simple/demo-pkg/", "/simple/Demo_Pkg/", "/pypi/demo-pkg/json"] {
        assert_eq!(get(&upstream, HOSTS[0], path, &[]).status(), "404", "{path}");
    }
}

#[test]
fn the_older_api_has_releases_and_single_versions() {
    let upstream = upstream();
    let ask = |path: &str| body(&get(&upstream, HOSTS[0], path, &[]));
    let all = ask("/pypi/demo-pkg/json");
    assert_eq!(all["info"]["version"], "1.1");
    assert_eq!(all["info"]["requires_dist"], json!(["inner>=2"]));
    assert_eq!(all["last_serial"], demo().serial());
    assert_eq!(all["releases"]["1.0"].as_array().unwrap().len(), 2);
    let one = ask("/pypi/demo-pkg/1.0/json");
    assert_eq!(one["info"]["requires_python"], ">=3.8");
    assert_eq!(one["urls"], all["releases"]["1.0"]);
    assert!(one.get("releases").is_none());
}
