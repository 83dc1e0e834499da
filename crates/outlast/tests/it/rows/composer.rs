//! Composer: every row; Composer itself is met in `crate::composer`.

use std::sync::OnceLock;

use fakes::Upstream;
use fakes::composer::{self, HOSTS, Package};
use serde_json::json;
use tempfile::TempDir;

use super::scene::{Edition, Place, Shelf};
use super::{crowd, files, indexes, waits};

const NAME: &str = "acme/demo";

/// Repositories are made once for all rows.
struct Made {
    _folder: TempDir,
    first: Package,
    newer: Package,
    moved: Package,
    foreign: Package,
}

fn made() -> &'static Made {
    static MADE: OnceLock<Made> = OnceLock::new();
    MADE.get_or_init(|| {
        let folder = TempDir::new().unwrap();
        let place = |name: &str| folder.path().join(name);
        let make = |name: &str| {
            composer::package(&place(name), NAME).release("1.0.0", &json!({}), &[]).release(
                "1.1.0",
                &json!({}),
                &[],
            )
        };
        let first = make("first");
        let newer = make("newer").release("1.2.0", &json!({}), &[]);
        let moved = make("moved").moved("1.0.0", &json!({}), &[("src/other.php", "<?php\n")]);
        let foreign = composer::package(&place("foreign"), NAME).release("0.0.1", &json!({}), &[]);
        Made { _folder: folder, first, newer, moved, foreign }
    })
}

fn put(upstream: &Upstream, edition: Edition) {
    let now = match edition {
        Edition::First => made().first.clone(),
        Edition::Newer => made().newer.clone(),
        Edition::Unpublished => made().first.clone().without("1.0.0"),
        Edition::Republished => made().moved.clone(),
        Edition::TakenOver => made().foreign.clone(),
    };
    upstream.serve_composer(&[now]);
}

pub(super) fn shelf() -> Shelf {
    let first = &made().first;
    Shelf {
        hosts: &HOSTS,
        index: Place::new(HOSTS[0], format!("/p2/{NAME}.json")),
        file: Place::new(HOSTS[2], first.archive_path("1.0.0")),
        source: Place::new(HOSTS[3], first.codeload_path("1.0.0")),
        bytes: first.zip("1.0.0").to_vec(),
        digest: first.reference("1.0.0").to_owned(),
        name: NAME,
        foreign: "0.0.1",
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
fn wrong_bytes_never_replace_the_first() {
    files::other_bytes(shelf);
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
