//! A lock of which one digest cannot be read: the rest of it counts, nothing is believed by that one, and both are said.

use fakes::{Answer, Upstream};
use serde_json::json;

use crate::world::{World, texts};

const HOST: &str = "files.example";
const REASON: &str = "the lock's digest of it cannot be read";

/// Two files of no registry, so that nobody but the lock vouches for them.
fn locked() -> (Upstream, World) {
    let (upstream, mut packages) = (Upstream::start_blocking(), json!({}));
    for name in ["left-pad", "other"] {
        let package = fakes::npm::package(name, &[("1.0.0", &[])]);
        upstream.put(HOST, &format!("/{name}.tgz"), Answer::file(package.tarball("1.0.0").clone()));
        packages[format!("node_modules/{name}")] = json!({
            "version": "1.0.0",
            "resolved": format!("https://{HOST}/{name}.tgz"),
            "integrity": package.integrity("1.0.0"),
        });
    }
    let lock = json!({ "name": "small", "lockfileVersion": 3, "packages": packages });
    let world = World::new().file("package-lock.json", &lock.to_string());
    world.place(&upstream, &[HOST]);
    (upstream, world)
}

/// Makes one digest none; returns the lock as it was.
fn damage(world: &World) -> String {
    let path = world.project().join("package-lock.json");
    let whole = std::fs::read_to_string(&path).unwrap();
    let mut lock: serde_json::Value = serde_json::from_str(&whole).unwrap();
    lock["packages"]["node_modules/left-pad"]["integrity"] = "sha512-%%%%".into();
    world.write(&path, lock.to_string());
    whole
}

#[test]
fn a_digest_that_cannot_be_read_costs_its_package_alone() {
    let (_upstream, world) = locked();
    let whole = damage(&world);
    let report = world.outlast(&["adopt", "--json", "."]).expect(1).json();
    assert_eq!((&report["n_kept"], &report["first_seen"]), (&1.into(), &json!([])), "{report:#}");
    assert_eq!(
        (texts(&report["missing"], "name"), texts(&report["missing"], "reason")),
        (vec!["left-pad"], vec![REASON])
    );
    assert_eq!(report["unread"], json!([]));
    let done = world.outlast(&["adopt", "."]).expect(1).says("1 verified, 0 first seen; 1 missing");
    assert_eq!(done.stdout, format!("missing left-pad: {REASON}\n"));
    // The control: nothing else is wrong with the lock.
    world.write(&world.project().join("package-lock.json"), whole);
    world.outlast(&["adopt", "."]).expect(0).says("2 verified, 0 first seen; 0 missing");
}

#[test]
fn nothing_is_believed_by_a_digest_that_cannot_be_read_and_a_run_says_so_once() {
    let run = |is_damaged: bool| {
        let (_upstream, world) = locked();
        if is_damaged {
            damage(&world);
        }
        let urls = ["left-pad", "other"].map(|name| format!("https://{HOST}/{name}.tgz"));
        let curl = ["curl", "-fsSOO", &*urls[0], &*urls[1]];
        let done = world.outlast(&[&["exec", "--"], &curl[..]].concat()).expect(0);
        let mut proofs = texts(&world.newest_record()["objects"], "proof")
            .iter()
            .map(|it| (*it).to_owned())
            .collect::<Vec<_>>();
        proofs.sort();
        (done.stderr, proofs)
    };
    let (said, proofs) = run(true);
    assert_eq!(said.matches("`left-pad` in `package-lock.json`").count(), 1, "{said}");
    assert_eq!(proofs, ["first_seen", "verified"]);
    let (said, proofs) = run(false);
    assert!(!said.contains("digest"), "the control: {said}");
    assert_eq!(proofs, ["verified", "verified"]);
}
