//! Cargo: every row, and cargo itself.

use fakes::Upstream;
use fakes::cargo::{Crate, crate_, index_path};

use super::clients::{Client, Trouble, survives};
use super::scene::{Edition, Place, Shelf};
use super::{crowd, files, indexes, waits};

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
fn an_outage_is_met_with_the_copy() {
    indexes::outage(shelf);
}

#[test]
fn an_upstream_that_is_back_is_believed() {
    indexes::back(shelf);
}

#[test]
fn a_worse_index_is_not_believed() {
    indexes::worse(shelf);
}

#[test]
fn a_vanished_index_stays() {
    indexes::vanished(shelf);
}

#[test]
fn an_unpublished_version_stays() {
    indexes::unpublished(shelf);
}

#[test]
fn republished_bytes_do_not_replace_the_first() {
    indexes::republished(shelf);
}

#[test]
fn a_name_that_is_taken_over_still_has_its_versions() {
    indexes::taken_over(shelf);
}

#[test]
fn nothing_held_is_unavailable_and_not_absent() {
    indexes::nothing_held(shelf);
}

#[test]
fn a_held_file_needs_no_upstream() {
    files::held(shelf);
}

#[test]
fn a_file_cut_once_arrives_whole() {
    files::cut_once(shelf);
}

#[test]
fn a_file_that_is_always_cut_is_never_held() {
    files::cut_always(shelf);
}

#[test]
fn wrong_bytes_are_quarantined() {
    files::wrong_bytes(shelf);
}

#[test]
fn a_hang_is_waited_for_once() {
    waits::hang(shelf);
}

#[test]
fn a_crowd_asks_once() {
    crowd::cold(shelf);
}

#[test]
fn what_was_answered_soon_survives_a_kill() {
    files::killed(shelf);
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
