//! Archives that a forge packs when it is asked, after the forge gives none: packed from the copy of their repository.

use std::fs;

use fakes::{Answer, Fault, Upstream, composer};
use serde_json::json;

use crate::repositories::{ADDRESS, HOST, Kept};
use crate::world::{World, finish};

/// Asks for an archive in a room, and returns the status and the headers.
fn ask(kept: &Kept, url: &str) -> String {
    let _ = fs::remove_file(kept.world.project().join("got"));
    let curl = ["exec", "--", "curl", "-sS", "-D", "-", "-o", "got", url];
    kept.world.outlast(&curl).expect(0).stdout
}

/// Returns a file of the archive that was got, below its folder.
fn file(kept: &Kept, name: &str) -> String {
    let unpacked = kept.world.project().join("unpacked");
    let _ = fs::remove_dir_all(&unpacked);
    fs::create_dir(&unpacked).unwrap();
    let is_zip = fs::read(kept.world.project().join("got")).unwrap().starts_with(b"PK");
    let unpack = if is_zip { "python3 -m zipfile -e got unpacked" } else { "tar -xzf got -C unpacked" };
    let mut command = kept.world.command("sh");
    finish(command.args(["-c", unpack]).current_dir(kept.world.project()), b"").expect(0);
    let unpacked = fs::read_dir(unpacked).unwrap();
    let folders: Vec<_> = unpacked.map(|entry| entry.unwrap().path()).collect();
    assert_eq!(folders.len(), 1, "{folders:?}");
    fs::read_to_string(folders[0].join(name)).unwrap()
}

#[test]
fn an_archive_that_was_never_stored_is_packed_from_the_repository() {
    let kept = Kept::not_yet();
    let commit = kept.repository.commit("main", "last", &[("a.txt", "last\n"), ("b.txt", "b\n")]);
    let path = format!("/acme/app/-/archive/{commit}/app-{commit}.zip");
    let url = format!("https://{HOST}{path}");
    // The control: nobody has it.
    let told = ask(&kept, &url);
    assert!(told.contains(" 404") && !told.contains("outlast-built-from"), "{told}");

    kept.world.outlast(&["adopt", ADDRESS]).expect(0);
    for fault in [Fault::Status(404), Fault::Status(502), Fault::Html200] {
        kept.upstream.on(HOST, &path, fault.clone());
        let told = ask(&kept, &url);
        let from = format!("forge.example/acme/app@{commit}");
        assert!(
            told.contains(" 200") && told.contains(&format!("outlast-built-from: {from}")),
            "{fault:?}: {told}"
        );
        assert_eq!((file(&kept, "a.txt"), file(&kept, "b.txt")), ("last\n".to_owned(), "b\n".to_owned()));
        let object = kept.world.newest_record()["objects"][0].clone();
        assert_eq!((&object["built_from"], &object["source"]), (&json!(from), &json!("copy")), "{object}");
    }
    let drilled = kept.world.drill(&["curl", "-sS", "-D", "-", "-o", "got", &url]);
    drilled.expect(0);
    assert_eq!(kept.world.newest_report()["verdict"], "pass");

    // What the forge itself packs takes its place, and that is no change.
    let own = kept.repository.archive(&["--format=zip", "--prefix=other-name/", &commit]);
    kept.upstream.clear_faults();
    kept.upstream.put(HOST, &path, Answer::bytes("application/zip", own.clone()));
    let told = ask(&kept, &url);
    assert!(!told.contains("outlast-built-from"), "{told}");
    assert_eq!(fs::read(kept.world.project().join("got")).unwrap(), own);
    let status = kept.json(&["status"]);
    assert!(!status["events"].to_string().contains("\"changed\""), "{status}");
    kept.world.outlast(&["store", "verify"]).expect(0);
}

#[test]
fn a_tag_that_the_copy_has_is_packed_and_a_commit_that_it_has_not_is_none() {
    let kept = Kept::new();
    let told = ask(&kept, &format!("https://{HOST}/acme/app/-/archive/v1/app-v1.tar.gz"));
    assert!(told.contains(" 200") && told.contains("outlast-state: stale"), "{told}");
    assert_eq!(file(&kept, "a.txt"), "line 3\n");
    // A branch of the same name is another thing.
    kept.repository.commit("v1", "a branch", &[("a.txt", "of the branch\n")]);
    kept.world.outlast(&["sync"]).expect(0);
    for (reference, expected) in [("refs/heads/v1", "of the branch\n"), ("refs/tags/v1", "line 3\n")] {
        ask(&kept, &format!("https://{HOST}/acme/app/-/archive/{reference}/app.tar.gz"));
        assert_eq!(file(&kept, "a.txt"), expected, "{reference}");
    }
    for reference in ["f16e1d5863e37f8d8c2a01719f5b34baa2b714d3", "v2", "--output=x"] {
        let told = ask(&kept, &format!("https://{HOST}/acme/app/-/archive/{reference}/app.tar.gz"));
        assert!(told.contains(" 404") && !told.contains("outlast-built-from"), "{reference}: {told}");
    }
}

/// Whom this began with: GitHub gives nothing, and no archive of the package was ever stored.
#[test]
fn composer_installs_from_a_repository_whose_archives_were_never_stored() {
    let (upstream, world) = (Upstream::start_blocking(), World::new());
    let package = composer::package(world.path(), "acme/a").release("1.0.0", &json!({}), &[]);
    let project = composer::project("acme/small").requires(&package, "1.0.0");
    upstream.serve_composer(&[package]);
    world.place(&upstream, &[&composer::HOSTS[..], &composer::GITHUB_HOSTS[..1]].concat());
    let world = world.with("COMPOSER_ALLOW_SUPERUSER", "1").file("composer.json", &project.manifest());
    let world = world.file("composer.lock", &project.lock());
    let install =
        ["composer", "install", "--no-interaction", "--no-progress", "--no-plugins", "--prefer-dist"];
    let cut = [&["exec", "--cut", "all", "--"], &install[..]].concat();
    assert_ne!(world.outlast(&cut).code, 0, "the control: nobody has it");
    world.outlast(&["adopt", "https://github.com/acme/a.git"]).expect(0);
    world.outlast(&cut).expect(0);
    let record = world.newest_record();
    let built: Vec<&str> =
        record["objects"].as_array().unwrap().iter().filter_map(|it| it["built_from"].as_str()).collect();
    assert_eq!(built.len(), 1, "{record:#}");
    assert!(built[0].starts_with("github.com/acme/a@"), "{built:?}");
    assert!(world.project().join("vendor/acme/a").is_dir());
}
