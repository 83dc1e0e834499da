//! What npm's registry has, the rows of its own, and npm itself.

use fakes::Upstream;
use fakes::npm::{Package, package};
use serde_json::json;

use super::clients::{Client, Trouble, survives};
use super::scene::{Edition, Place, Shelf};
use super::{crowd, files, waits};

const HOST: &str = "registry.npmjs.org";

fn first() -> Package {
    package("demo", &[("1.0.0", &[]), ("1.1.0", &[])])
}

fn put(upstream: &Upstream, edition: Edition) {
    let now = match edition {
        Edition::First => first(),
        Edition::Newer => first().version("1.2.0", &json!({}), &[]),
        Edition::Unpublished => first().without("1.0.0"),
        Edition::Republished => first().republished("1.0.0"),
        Edition::TakenOver => package("demo", &[("0.0.1-security", &[])]),
    };
    upstream.serve_npm(HOST, &[now]);
}

pub(super) fn shelf() -> Shelf {
    let file = Place::new(HOST, first().tarball_path("1.0.0"));
    Shelf {
        hosts: &[HOST],
        index: Place::new(HOST, "/demo"),
        source: file.clone(),
        file,
        bytes: first().tarball("1.0.0").to_vec(),
        digest: first().integrity("1.0.0"),
        name: "demo",
        foreign: "0.0.1-security",
        put: Box::new(put),
    }
}

#[test]
fn wrong_bytes_are_quarantined() {
    files::wrong_bytes(shelf);
}

#[test]
fn an_endless_index_is_given_up() {
    waits::endless(shelf);
}

/// The same package with a large file.
pub(crate) fn large() -> Shelf {
    let mut random = fastrand::Rng::with_seed(7);
    let text: String = std::iter::repeat_with(|| random.alphanumeric()).take(4 << 20).collect();
    let package = package("demo", &[("1.0.0", &[("large.txt", &text)])]);
    let bytes = package.tarball("1.0.0").to_vec();
    let digest = package.integrity("1.0.0");
    Shelf {
        bytes,
        digest,
        put: Box::new(move |upstream, _| upstream.serve_npm(HOST, std::slice::from_ref(&package))),
        ..shelf()
    }
}

#[test]
fn a_crowd_gets_a_large_file_while_it_arrives() {
    crowd::streamed(large);
}

fn client() -> Client {
    let manifest = json!({ "name": "project", "version": "1.0.0", "dependencies": { "demo": "1.0.0" } });
    Client {
        program: "npm",
        files: vec![("package.json".to_owned(), manifest.to_string())],
        command: vec!["npm", "install", "--no-audit", "--no-fund", "--no-package-lock"],
        installed: "node_modules/demo/index.js",
    }
}

#[test]
fn npm_survives_502() {
    survives(shelf, &client(), Trouble::Status);
}

#[test]
fn npm_survives_a_hang() {
    survives(shelf, &client(), Trouble::Hang);
}

#[test]
fn npm_survives_an_unpublished_version() {
    survives(shelf, &client(), Trouble::Unpublished);
}
