//! What Packagist has, and the row of its own; Composer itself is met in `crate::composer`.

use std::sync::OnceLock;

use fakes::Upstream;
use fakes::composer::{self, HOSTS, Package};
use serde_json::json;
use tempfile::TempDir;

use super::files;
use super::scene::{Edition, Place, Shelf};

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
fn wrong_bytes_never_replace_the_first() {
    files::other_bytes(shelf);
}
