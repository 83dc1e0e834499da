//! What npm's and Cargo's registries answer after something has become of a package, and the example of the crate's page.

use std::time::Duration;

use fakes::cargo::{crate_, index_path};
use fakes::{Fault, Upstream, composer, npm, pypi};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::client::get;

const NPM: &str = "registry.npmjs.org";
const CARGO: [&str; 2] = ["index.crates.io", "static.crates.io"];

#[test]
fn an_npm_version_vanishes_and_then_its_package() {
    let upstream = Upstream::start_blocking();
    let package = npm::package("@acme/one", &[("1.0.0", &[]), ("1.1.0", &[])]);
    upstream.serve_npm(NPM, std::slice::from_ref(&package));
    let versions = || {
        let got = get(&upstream, NPM, "/@acme%2fone", &[]);
        let found: Value = serde_json::from_slice(&got.body).unwrap();
        found["versions"].as_object().unwrap().keys().cloned().collect::<Vec<_>>()
    };
    assert_eq!(versions(), ["1.0.0", "1.1.0"]);
    upstream.serve_npm(NPM, &[package.clone().without("1.1.0")]);
    assert_eq!(versions(), ["1.0.0"]);
    upstream.remove_npm(NPM, &package);
    for path in package.paths() {
        assert_eq!(get(&upstream, NPM, &path, &[]).status(), "404", "{path}");
    }
    assert_eq!(get(&upstream, NPM, &package.tarball_path("1.1.0"), &[]).status(), "200");
}

#[test]
fn an_npm_version_is_published_with_other_bytes() {
    let upstream = Upstream::start_blocking();
    let first = npm::package("one", &[("1.0.0", &[]), ("1.1.0", &[])]);
    let again = first.clone().republished("1.0.0");
    assert_ne!(again.integrity("1.0.0"), first.integrity("1.0.0"));
    assert_eq!(again.integrity("1.1.0"), first.integrity("1.1.0"));
    upstream.serve_npm(NPM, std::slice::from_ref(&again));
    let found: Value = serde_json::from_slice(&get(&upstream, NPM, "/one", &[]).body).unwrap();
    assert_eq!(found["versions"]["1.0.0"]["dist"]["integrity"], again.integrity("1.0.0"));
    assert_eq!(found["dist-tags"]["latest"], "1.1.0");
    let tarball = get(&upstream, NPM, &again.tarball_path("1.0.0"), &[]);
    assert_eq!(tarball.body, again.tarball("1.0.0").to_vec());
}

#[test]
fn a_crate_is_yanked_and_published_with_other_bytes() {
    let upstream = Upstream::start_blocking();
    let line = || {
        let got = get(&upstream, CARGO[0], &index_path("foo"), &[]);
        serde_json::from_slice::<Value>(&got.body).unwrap()
    };
    let first = crate_("foo", "1.0.0");
    upstream.serve_cargo(CARGO[0], CARGO[1], std::slice::from_ref(&first));
    assert_eq!([&line()["yanked"], &line()["cksum"]], [&json!(false), &json!(first.checksum())]);
    upstream.serve_cargo(CARGO[0], CARGO[1], &[first.clone().yanked()]);
    assert_eq!([&line()["yanked"], &line()["cksum"]], [&json!(true), &json!(first.checksum())]);
    let other = first.clone().lib("pub fn other() {}\n");
    upstream.serve_cargo(CARGO[0], CARGO[1], std::slice::from_ref(&other));
    assert_ne!(other.checksum(), first.checksum());
    assert_eq!(line()["cksum"], other.checksum());
    assert_eq!(get(&upstream, CARGO[1], &other.file_path(), &[]).body, other.file().to_vec());
    upstream.remove(CARGO[0], &index_path("foo"));
    assert_eq!(get(&upstream, CARGO[0], &index_path("foo"), &[]).status(), "404");
}

#[test]
fn the_example_of_the_page_is_true() {
    let folder = TempDir::new().unwrap();
    let folder = folder.path();
    let upstream = Upstream::start_blocking();
    upstream.serve_npm("registry.npmjs.org", &[npm::package("left-pad", &[("1.0.0", &[])])]);
    let demo = pypi::project("demo").release("1.0", &[]).release("1.1", &["other>=2"]);
    upstream.serve_pypi(std::slice::from_ref(&demo));
    let library = composer::plain(folder, "acme", 1).remove(0);
    upstream.serve_composer(std::slice::from_ref(&library));
    let project = composer::project("acme/project").requires(&library, "1.0.0");
    assert!(project.manifest().contains("acme/lib-0") && project.lock().contains(library.reference("1.0.0")));

    let before = upstream.keep();
    let other = demo.clone().republished("1.1").yanked("1.0", "broken");
    upstream.serve_pypi(std::slice::from_ref(&other));
    upstream.serve_composer(&[library.clone().moved("1.0.0", &json!({}), &[("a.php", "<?php // other")])]);
    upstream.remove_composer(&library);
    let serial = || {
        let got = get(&upstream, "pypi.org", "/simple/demo/", &[]);
        got.header("x-pypi-last-serial").unwrap().to_owned()
    };
    assert_eq!(serial(), other.serial().to_string());
    upstream.restore(&before);
    assert_eq!(serial(), demo.serial().to_string());
    assert_eq!(get(&upstream, "repo.packagist.org", "/p2/acme/lib-0.json", &[]).status(), "200");
    upstream.serve_pypi(std::slice::from_ref(&other));
    upstream.on("pypi.org", "/simple/demo/", Fault::AsOf(before));
    assert_eq!(serial(), demo.serial().to_string());

    let path = demo.wheel_of("1.0").path();
    upstream.on_first(1, "files.pythonhosted.org", "/packages/*", Fault::CutAt { percent: 40 });
    upstream.ignore_ranges("files.pythonhosted.org");
    upstream.set_latency(Duration::from_millis(20));
    let sizes =
        [(); 2].map(|()| get(&upstream, "files.pythonhosted.org", &path, &["range: bytes=5-"]).body.len());
    let size = demo.wheel_of("1.0").bytes().len();
    assert_eq!(sizes, [size * 40 / 100, size]);
    assert_eq!(upstream.log().iter().filter(|seen| seen.headers.contains_key("range")).count(), 2);
}
