//! What Cargo's registry has, the row of those that vouch for their files, and cargo itself.

use fakes::Upstream;
use fakes::cargo::{Crate, crate_, index_path};

use super::clients::{Client, Trouble, survives};
use super::files;
use super::scene::{Edition, Place, Shelf};

const INDEX: &str = "index.crates.io";
const CRATES: &str = "static.crates.io";

fn first() -> Crate {
    crate_("demo", "1.0.0")
}

fn put(upstream: &Upstream, edition: Edition) {
    let second = || crate_("demo", "1.1.0");
    let now = match edition {
        Edition::First => vec![first(), second()],
        Edition::Newer => vec![first(), second(), crate_("demo", "1.2.0")],
        Edition::Unpublished => vec![second()],
        Edition::Republished => vec![first().lib("// something else\n"), second()],
        Edition::TakenOver => vec![crate_("demo", "0.0.1-security")],
    };
    upstream.serve_cargo(INDEX, CRATES, &now);
}

pub(super) fn shelf() -> Shelf {
    let file = Place::new(CRATES, first().file_path());
    Shelf {
        hosts: &[INDEX, CRATES],
        index: Place::new(INDEX, index_path("demo")),
        source: file.clone(),
        file,
        bytes: first().file().to_vec(),
        digest: first().checksum(),
        name: "demo",
        foreign: "0.0.1-security",
        put: Box::new(put),
    }
}

#[test]
fn wrong_bytes_are_quarantined() {
    files::wrong_bytes(shelf);
}

fn client() -> Client {
    let manifest = "[package]\nname = \"project\"\nversion = \"1.0.0\"\nedition = \"2021\"\n\
                    [dependencies]\ndemo = \"=1.0.0\"\n";
    Client {
        program: "cargo",
        files: vec![
            ("Cargo.toml".to_owned(), manifest.to_owned()),
            ("src/lib.rs".to_owned(), "pub use demo::hello;\n".to_owned()),
        ],
        command: vec!["cargo", "vendor", "-q"],
        installed: "vendor/demo/src/lib.rs",
    }
}

#[test]
fn cargo_survives_502() {
    survives(shelf, &client(), Trouble::Status);
}

#[test]
fn cargo_survives_a_hang() {
    survives(shelf, &client(), Trouble::Hang);
}

#[test]
fn cargo_survives_an_unpublished_version() {
    survives(shelf, &client(), Trouble::Unpublished);
}
