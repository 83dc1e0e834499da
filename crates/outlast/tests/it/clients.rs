//! Real clients on the real registries: each records a small build and repeats it with everything cut off.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::world::{World, need, texts, tools};

/// Checks that a command cannot be drilled before it is recorded, and survives once it is.
///
/// `hosts` must be among the hosts of the record, and no others than these and `perhaps`: a company's mirror may keep
/// the files of a registry at the address of its index.
#[track_caller]
pub(crate) fn survives(world: &World, command: &[&str], hosts: &[&str], perhaps: &[&str]) -> Value {
    need(command[0]);
    world.drill(command).expect(3).says("hint: record one first");

    world.record(command).expect(0);
    let record = world.newest_record();
    assert_eq!(record["containment"], "sealed", "{record:#}");
    let found: BTreeSet<&str> = texts(&record["hosts"], "host").into_iter().collect();
    assert!(hosts.iter().all(|host| found.contains(host)), "{found:?}");
    assert!(found.iter().all(|host| hosts.contains(host) || perhaps.contains(host)), "{found:?}");
    assert!(record["hosts"].as_array().unwrap().iter().all(|host| host["kept"] == true), "{record:#}");
    assert_eq!(record["not_kept"], serde_json::json!([]));

    let drilled = world.drill(command);
    let report = world.newest_report();
    assert_eq!(report["verdict"], "pass", "{report:#}\n{}", drilled.stderr);
    drilled.expect(0);
    let sources = texts(&report["objects"], "source");
    assert!(!sources.is_empty() && sources.iter().all(|source| *source == "copy"), "{report:#}");
    assert_eq!(report["missing"], serde_json::json!([]));
    assert_eq!(report["bytes_from_cut_hosts"], 0);
    assert_eq!(report["recorded_run"], record["run_id"]);
    assert!(report["recovered_ms"].is_u64() && report["detected_ms"].is_u64(), "{report:#}");
    record
}

/// Checks that an ecosystem understood what was fetched, and that something vouched for its files.
#[track_caller]
pub(crate) fn is_native(record: &Value, ecosystem: &str) {
    let objects = record["objects"].as_array().unwrap();
    assert!(objects.iter().any(|object| object["ecosystem"] == ecosystem), "{record:#}");
    let files = objects.iter().filter(|object| object["ecosystem"] == ecosystem && is_package(object));
    let proofs: Vec<&str> = files.map(|file| file["proof"].as_str().unwrap()).collect();
    assert!(!proofs.is_empty() && proofs.iter().all(|proof| *proof == "verified"), "{record:#}");
}

fn is_package(object: &Value) -> bool {
    let url = object["url"].as_str().unwrap();
    [".tgz", ".crate", "/download", ".whl", ".tar.gz"].iter().any(|end| url.ends_with(end))
}

/// An npm project with one dependency and no lock.
pub(crate) const PACKAGE_JSON: &str =
    r#"{"name":"small","version":"1.0.0","dependencies":{"left-pad":"1.3.0"}}"#;
/// Its lock, as npm writes it.
pub(crate) const PACKAGE_LOCK: &str = r#"{"name":"small","version":"1.0.0","lockfileVersion":3,"requires":true,
"packages":{"":{"name":"small","version":"1.0.0","dependencies":{"left-pad":"1.3.0"}},
"node_modules/left-pad":{"version":"1.3.0","resolved":"https://registry.npmjs.org/left-pad/-/left-pad-1.3.0.tgz",
"integrity":"sha512-XI5MPzVNApjAyhQzphX8BkmKsKUxD4LdyK24iZeQGinBN9yTQT3bFlCBy/aVx2HrNcqQGsdot8ghrjyrvMCoEA=="}}}"#;

/// Returns an npm project with its lock.
pub(crate) fn npm_project() -> World {
    World::new().file("package.json", PACKAGE_JSON).file("package-lock.json", PACKAGE_LOCK)
}

/// Returns a cargo project with one dependency.
pub(crate) fn cargo_project() -> World {
    World::new()
        .file(
            "Cargo.toml",
            "[package]\nname = \"small\"\nversion = \"0.1.0\"\nedition = \"2021\"\n[dependencies]\nitoa = \"=1.0.15\"\n",
        )
        .file("src/main.rs", "fn main() { println!(\"{}\", itoa::Buffer::new().format(42)); }\n")
}

#[test]
fn cargo_builds_again() {
    let world = cargo_project();
    let record = survives(&world, &["cargo", "build"], &["index.crates.io"], &["static.crates.io"]);
    is_native(&record, "cargo");
}

#[test]
fn npm_installs_again_from_its_lock() {
    // With its audit, which the registry answers or does not offer.
    let record = survives(&npm_project(), &["npm", "ci"], &["registry.npmjs.org"], &[]);
    is_native(&record, "npm");
}

#[test]
fn npm_resolves_again() {
    let world = World::new().file("package.json", PACKAGE_JSON);
    survives(&world, &["npm", "install", "--no-audit"], &["registry.npmjs.org"], &[]);
}

#[test]
fn pnpm_installs_again() {
    let world = World::new().file("package.json", PACKAGE_JSON);
    survives(&world, &["pnpm", "install"], &["registry.npmjs.org"], &[]);
}

#[test]
fn yarn_1_installs_again() {
    let world = World::new().file("package.json", PACKAGE_JSON);
    survives(&world, &["yarn", "install"], &["registry.yarnpkg.com"], &["registry.npmjs.org"]);
}

#[test]
fn yarn_4_installs_again() {
    let world = World::new().file("package.json", PACKAGE_JSON).file("yarn.lock", "");
    let yarn = tools().join("yarn4/node_modules/.bin/yarn");
    let yarn = yarn.to_str().unwrap();
    let hosts = ["registry.npmjs.org", "repo.yarnpkg.com"];
    survives(&world, &[yarn, "install"], &["registry.yarnpkg.com"], &hosts);
}

#[test]
fn pip_downloads_again() {
    let command = ["pip", "download", "--no-deps", "--dest", "out", "idna==3.10"];
    survives(&World::new(), &command, &["pypi.org"], &["files.pythonhosted.org"]);
}

#[test]
fn uv_installs_again() {
    need("uv");
    let script = "uv venv --quiet made && uv pip install --python made/bin/python idna==3.10";
    survives(&World::new(), &["sh", "-c", script], &["pypi.org"], &["files.pythonhosted.org"]);
}

#[test]
fn go_downloads_again() {
    let world = World::new()
        .file("go.mod", "module example.com/small\n\ngo 1.18\n\nrequire github.com/google/uuid v1.6.0\n")
        .file(
            "go.sum",
            "github.com/google/uuid v1.6.0 h1:NIvaJDMOsjHA8n1jAhLSgzrAzy1Hgr+hNrb57e+94F0=\n\
             github.com/google/uuid v1.6.0/go.mod h1:TIyPZe4MgqvfeYDBFedMoGGpEw/LqOeaOT+nhxU+yHo=\n",
        );
    survives(&world, &["go", "mod", "download"], &["proxy.golang.org"], &["sum.golang.org"]);
}

#[test]
fn maven_resolves_again() {
    // An extension is a jar that Maven fetches for the smallest build there is.
    let world = World::new().file(
        "pom.xml",
        "<project xmlns=\"http://maven.apache.org/POM/4.0.0\"><modelVersion>4.0.0</modelVersion>\
         <groupId>small</groupId><artifactId>small</artifactId><version>1</version><packaging>pom</packaging>\
         <build><extensions><extension><groupId>org.slf4j</groupId><artifactId>slf4j-api</artifactId>\
         <version>1.7.36</version></extension></extensions></build></project>\n",
    );
    survives(&world, &["mvn", "-q", "-B", "validate"], &["repo.maven.apache.org"], &[]);
}

#[test]
fn apt_updates_and_downloads_again() {
    need("apt-get");
    let world = World::new().file(
        "fetch.sh",
        "set -e\nd=$PWD/apt; mkdir -p $d/lists/partial $d/archives/partial\n\
         key=/usr/share/keyrings/debian-archive-keyring.gpg\n\
         echo \"deb [signed-by=$key] http://deb.debian.org/debian bookworm contrib\" > $d/sources.list\n\
         apt() { apt-get -q -o Dir::State=$d -o Dir::State::status=/dev/null -o Dir::Cache=$d \\\n\
         -o Dir::Etc::sourcelist=$d/sources.list -o Dir::Etc::sourceparts=- -o APT::Sandbox::User=root \"$@\"; }\n\
         apt update\napt download cl-umlisp-orf\nls cl-umlisp-orf_*.deb\n",
    );
    survives(&world, &["sh", "fetch.sh"], &["deb.debian.org"], &[]);
}

#[test]
fn curl_downloads_again() {
    let url = "https://static.crates.io/crates/itoa/itoa-1.0.15.crate";
    survives(&World::new(), &["curl", "-fsSO", url], &["static.crates.io"], &[]);
}
