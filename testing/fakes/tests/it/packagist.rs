//! What Packagist and GitHub compute, seen by a client that hides nothing.

use fakes::composer::{self, HOSTS, Package};
use fakes::{Answer, Upstream};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::client::{Got, get, send};

const PACKAGIST: &str = HOSTS[1];

fn upstream() -> (Upstream, Vec<Package>, TempDir) {
    let (upstream, folder) = (Upstream::start_blocking(), TempDir::new().unwrap());
    let packages = composer::samples(folder.path());
    upstream.serve_composer(&packages);
    (upstream, packages, folder)
}

fn body(got: &Got) -> Value {
    serde_json::from_slice(&got.body).unwrap_or_else(|error| panic!("{error}: {}", got.head))
}

#[test]
fn documents_are_dated_and_the_date_moves_with_the_bytes() {
    let (upstream, packages, _folder) = upstream();
    let path = "/p2/acme/library.json";
    let date = || get(&upstream, HOSTS[0], path, &[]).header("last-modified").unwrap().to_owned();
    let status = |since: &str| {
        let got = get(&upstream, HOSTS[0], path, &[&format!("if-modified-since: {since}")]);
        (got.status().to_owned(), got.body.len())
    };
    let first = date();
    assert_eq!(status(&first), ("304".to_owned(), 0));
    upstream.serve_composer(&packages);
    assert_eq!(date(), first, "nothing has changed");
    upstream.serve_composer(&[packages[0].clone().without("1.1.0")]);
    assert_ne!(date(), first);
    assert_eq!(status(&first).0, "200");
    upstream.serve_composer(&packages);
    assert_eq!(status(&first).0, "200", "no date comes back");
    assert_eq!(get(&upstream, HOSTS[0], "/p2/acme/none.json", &[]).status(), "404");
}

#[test]
fn the_api_of_advisories_wants_names() {
    let (upstream, packages, _folder) = upstream();
    let path = "/api/security-advisories/";
    let post = |form: &str| {
        let size = format!("content-length: {}\r\n\r\n{form}", form.len());
        send(&upstream, "POST", PACKAGIST, path, &[&size])
    };
    assert_eq!(post("").status(), "400");
    let form = "packages%5B0%5D=acme%2Flibrary&packages%5B1%5D=acme%2Ftwice";
    assert_eq!(body(&post(form)), json!({ "advisories": [] }));
    let advisory = composer::advisory("PKSA-1", "<1.1.0", "Reads foreign files");
    upstream.serve_composer(&[packages[0].clone().advised(advisory)]);
    let found = body(&post(form));
    assert_eq!(found["advisories"]["acme/library"][0]["advisoryId"], "PKSA-1");
    assert_eq!(body(&get(&upstream, PACKAGIST, &format!("{path}?packages[]=acme/library"), &[])), found);
    assert_eq!(body(&get(&upstream, PACKAGIST, &format!("{path}?updatedSince=1"), &[])), found);
    let document = body(&get(&upstream, HOSTS[0], "/p2/acme/library.json", &[]));
    assert_eq!(
        document["security-advisories"],
        json!([{ "advisoryId": "PKSA-1", "affectedVersions": "<1.1.0" }])
    );
}

#[test]
fn lists_searches_and_providers_are_of_what_is_there() {
    let (upstream, packages, _folder) = upstream();
    let ask = |path: &str| get(&upstream, PACKAGIST, path, &[]);
    assert_eq!(body(&ask("/packages/list.json"))["packageNames"].as_array().unwrap().len(), packages.len());
    assert_eq!(
        body(&ask("/packages/list.json?filter=acme/l*"))["packageNames"],
        json!(["acme/lean", "acme/library"])
    );
    assert_eq!(body(&ask("/packages/list.json?vendor=other"))["packageNames"], json!([]));
    assert_eq!(body(&ask("/search.json?q=plugin&type="))["results"][0]["name"], "acme/plugin");
    assert_eq!(body(&ask("/search.json?q=nothing&type="))["total"], 0);
    for virtual_name in ["acme/api", "acme/replaced"] {
        assert_eq!(
            body(&ask(&format!("/providers/{virtual_name}.json")))["providers"][0]["name"],
            "acme/replacer"
        );
    }
    assert_eq!(ask("/providers/acme/none.json").status(), "404");
    upstream.remove_composer(&packages[0]);
    assert_eq!(body(&ask("/packages/list.json?filter=acme/l*"))["packageNames"], json!(["acme/lean"]));
    let summary = || body(&get(&upstream, HOSTS[0], "/lists/all/summary.json", &[]));
    assert_eq!(summary(), json!({ "filter": { "malware": {} } }));
    upstream.serve_composer(&[packages[1].clone().flagged("2.0.1")]);
    assert_eq!(summary(), json!({ "filter": { "malware": { "acme/twice": "2.0.1" } } }));
    let document = body(&get(&upstream, HOSTS[0], "/p2/acme/twice.json", &[]));
    assert_eq!(document["filter"]["malware"][0]["constraint"], "2.0.1");
}

#[test]
fn the_feed_says_what_changed_since() {
    let (upstream, packages, _folder) = upstream();
    let path = "/metadata/changes.json";
    let now = get(&upstream, PACKAGIST, path, &[]);
    assert_eq!(now.status(), "400");
    let since = body(&now)["timestamp"].as_u64().unwrap();
    let actions = |since: u64| {
        let found = body(&get(&upstream, PACKAGIST, &format!("{path}?since={since}"), &[]));
        let of = |action: &Value| (action["type"].clone(), action["package"].clone());
        found["actions"].as_array().unwrap().iter().map(of).collect::<Vec<_>>()
    };
    assert_eq!(actions(since), []);
    upstream.serve_composer(&[packages[0].clone().release("1.2.0", &json!({}), &[])]);
    upstream.remove_composer(&packages[1]);
    assert_eq!(
        actions(since),
        [("update", "acme/library"), ("delete", "acme/twice")].map(|(a, b)| (json!(a), json!(b)))
    );
}

#[test]
fn github_knows_an_archive_by_commit_tag_and_branch() {
    let (upstream, packages, _folder) = upstream();
    let check = |package: &Package, version: &str, reference: &str| {
        let path = format!("/repos/{}/zipball/{reference}", package.name());
        let got = get(&upstream, HOSTS[2], &path, &[]);
        assert_eq!(got.status(), "302", "{path}");
        let to = got.header("location").unwrap().strip_prefix("https://codeload.github.com").unwrap();
        let zip = get(&upstream, HOSTS[3], to, &[]);
        assert_eq!(zip.body, package.zip(version).to_vec(), "{to}");
    };
    for reference in [packages[0].reference("1.0.0"), "1.0.0", "refs/tags/1.0.0"] {
        check(&packages[0], "1.0.0", reference);
    }
    for reference in ["feature/x", "refs/heads/feature/x"] {
        check(&packages[6], "dev-feature/x", reference);
    }
    assert_eq!(get(&upstream, HOSTS[2], "/repos/acme/library/zipball/none", &[]).status(), "404");
}

#[test]
fn github_gives_single_files_and_releases() {
    let (upstream, packages, _folder) = upstream();
    let [github, objects, raw] = composer::GITHUB_HOSTS;
    let path = |revision: &str| format!("/acme/library/{revision}/src/who.php");
    for revision in [packages[0].reference("1.1.0"), "main", "refs/heads/main", "1.1.0"] {
        let got = get(&upstream, raw, &path(revision), &[]);
        assert_eq!(got.text(), "<?php\nreturn 'acme/library 1.1.0';\n", "{revision}");
    }
    assert_eq!(get(&upstream, raw, &path("none"), &[]).status(), "404");

    upstream.serve_release("acme/library", "1.1.0", "tool.phar", "bytes");
    let asset = "/acme/library/releases/download/1.1.0/tool.phar";
    let locate = || {
        let got = get(&upstream, github, asset, &[]);
        assert_eq!(got.status(), "302");
        got.header("location")
            .unwrap()
            .strip_prefix("https://objects.githubusercontent.com")
            .unwrap()
            .to_owned()
    };
    let first = locate();
    assert_eq!(get(&upstream, objects, &first, &[]).text(), "bytes");
    assert_eq!(get(&upstream, objects, &first, &["range: bytes=1-"]).status(), "206");
    upstream.expire_signatures();
    assert_eq!(get(&upstream, objects, &first, &[]).status(), "403");
    assert_eq!(get(&upstream, objects, &locate(), &[]).text(), "bytes");
    let (unsigned, _) = first.split_once('?').unwrap();
    assert_eq!(get(&upstream, objects, unsigned, &[]).status(), "403");
}

#[test]
fn an_api_may_be_asked_too_often() {
    let (upstream, packages, _folder) = upstream();
    let path = packages[0].archive_path("1.0.0");
    upstream.on_first(1, HOSTS[2], "/repos/*", fakes::Fault::Older(composer::rate_limited()));
    let got = get(&upstream, HOSTS[2], &path, &[]);
    assert_eq!((got.status(), got.header("x-ratelimit-remaining")), ("403", Some("0")));
    assert_eq!(get(&upstream, HOSTS[2], &path, &[]).status(), "302");
    upstream.put(HOSTS[2], &path, Answer::status(410));
    assert_eq!(get(&upstream, HOSTS[2], &path, &[]).status(), "410", "what a test puts wins");
}
