//! What the caller's git is set to, and ssh in a room: none leaves it, and git asks known forges over https in its place.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use fakes::Upstream;
use fakes::git::Repository;
use serde_json::json;

use crate::repositories::{ADDRESS, HOST, Kept};
use crate::world::{OUTLAST, World, finish};

/// Every way to write that ssh is to be asked for the one repository.
const WAYS: [&str; 4] = [
    "git@forge.example:acme/app.git",
    "git@forge.example:/acme/app.git",
    "ssh://git@forge.example/acme/app.git",
    "ssh://git@forge.example:22/acme/app.git",
];

#[test]
fn ssh_is_refused_with_a_hint() {
    let world = World::new();
    let ssh =
        "ssh -F none -o BatchMode=yes -o StrictHostKeyChecking=no -o ConnectTimeout=5 git@registry.npmjs.org";
    let done = world.outlast(&["exec", "--", "sh", "-c", ssh]);
    assert_eq!(done.code, 255, "{}", done.stderr);
    done.says("refused: tcp to registry.npmjs.org port 22").says("hint: no ssh leaves a room");
    let refused = &world.newest_record()["refused"][0];
    assert_eq!((&refused["host"], &refused["port"]), (&json!("registry.npmjs.org"), &json!(22)));
}

#[test]
fn a_known_forge_is_asked_over_https_however_ssh_is_written() {
    let kept = Kept::not_yet();
    for (n, address) in WAYS.iter().enumerate() {
        let clone = ["git", "clone", "--quiet", address, &format!("cloned-{n}")];
        // The control: without Outlast it is ssh that is asked, for a host that nobody has.
        let done = finish(kept.world.command("git").args(&clone[1..]), b"").expect(128);
        assert!(done.stderr.contains("forge.example"), "{}", done.stderr);

        kept.world.outlast(&[&["exec", "--"], &clone[..]].concat()).expect(0);
        let record = kept.world.newest_record();
        assert_eq!((&record["not_kept"], &record["refused"]), (&json!([]), &json!([])), "{address}");
        fs::remove_dir_all(kept.world.project().join(clone[4])).unwrap();
        kept.world.drill(&clone).expect(0);
    }
    // Hosts that everybody knows need no line in outlast.toml.
    let set = ["exec", "-q", "--", "git", "config", "--get-all", "url.https://github.com/.insteadOf"];
    let done = kept.world.outlast(&set).expect(0);
    assert_eq!(done.stdout.lines().next(), Some("git@github.com:"), "{}", done.stdout);
    assert_eq!(done.stdout.lines().count(), WAYS.len());
}

#[test]
fn a_host_that_nobody_has_named_is_refused_with_a_hint() {
    let world = World::new();
    let clone = ["exec", "--", "git", "clone", "--quiet", "ssh://git@registry.npmjs.org/acme/app.git"];
    let done = world.outlast(&clone).expect(128);
    done.says("refused: tcp to registry.npmjs.org port 22").says("an [[upstream]] of outlast.toml names");
}

#[test]
fn what_is_adopted_over_ssh_is_there_in_a_room() {
    let kept = Kept::not_yet();
    // Plays ssh: does here what it would do there.
    let ssh = kept.world.path().join("ssh");
    let upload = format!("#!/bin/sh\nexec git upload-pack {}\n", kept.repository.folder().display());
    kept.world.write(&ssh, upload);
    fs::set_permissions(&ssh, fs::Permissions::from_mode(0o755)).unwrap();
    kept.world.configure("");
    let clone = |folder| kept.world.outlast(&["exec", "--", "git", "clone", "--quiet", WAYS[0], folder]);
    clone("before").expect(128).says("Could not resolve hostname forge.example");
    let mut adopt = kept.world.command(OUTLAST);
    finish(adopt.args(["adopt", WAYS[0]]).env("GIT_SSH_COMMAND", &ssh), b"").expect(0);
    // The room knows the host now, which has no https at all.
    clone("after").expect(0);
    assert!(kept.world.project().join("after/a.txt").exists());
    assert_eq!(kept.world.newest_record()["objects"][0]["source"], "copy");
}

#[test]
fn an_address_that_the_caller_rewrites_is_rewritten_as_the_caller_says() {
    let kept = Kept::not_yet();
    let other = Repository::create(&kept.world.path().join("other.git"));
    other.commit("main", "first", &[("other.txt", "other\n")]);
    kept.upstream.serve_git(HOST, "/mirror/acme/app.git", &other);
    let set = "[url \"https://forge.example/mirror/\"]\n\tinsteadOf = git@forge.example:\n";
    // With a shorter beginning as well: git takes the longest.
    let shorter = "[url \"https://forge.example/mirror\"] insteadOf = ssh://git@forge.example\n";
    kept.world.write(&kept.world.home().join(".gitconfig"), format!("{set}{shorter}"));
    for (n, way) in [WAYS[0], "ssh://git@forge.example/acme/app.git"].iter().enumerate() {
        let folder = format!("cloned-{n}");
        kept.world.outlast(&["exec", "--", "git", "clone", "--quiet", way, &folder]).expect(0);
        assert!(kept.world.project().join(folder).join("other.txt").exists(), "{way}");
    }
}

#[test]
fn what_the_caller_makes_ssh_of_is_asked_over_https_all_the_same() {
    let kept = Kept::not_yet();
    // As the documentation of Go has it for private modules, and a shorter name.
    let set = "[url \"git@forge.example:\"]\n\tinsteadOf = https://forge.example/\n\tinsteadOf = our:\n\
               [url \"ssh://git@forge.example/acme/\"]\n\tinsteadOf = \"acme:\"\n";
    kept.world.write(&kept.world.home().join(".gitconfig"), set);
    for (n, address) in [ADDRESS, "our:acme/app.git", "acme:app"].iter().enumerate() {
        let folder = format!("cloned-{n}");
        let clone = ["git", "clone", "--quiet", address, &folder];
        finish(kept.world.command("git").args(&clone[1..]), b"").expect(128);
        kept.upstream.serve_git(HOST, "/acme/app", &kept.repository);
        kept.upstream.serve_git(HOST, "/acme/app.git", &kept.repository);
        kept.world.outlast(&[&["exec", "--"], &clone[..]].concat()).expect(0);
    }
}

#[test]
fn the_callers_git_settings_survive() {
    let (upstream, folder) = (Upstream::start_blocking(), tempfile::tempdir().unwrap());
    let repository = Repository::create(folder.path());
    repository.commit("main", "first", &[("a.txt", "kept\n")]);
    upstream.serve_git("git.example.com", "/owner/name.git", &repository);
    let world = World::new()
        .with("GIT_CONFIG_COUNT", "2")
        .with("GIT_CONFIG_KEY_0", "url.https://git.example.com/.insteadOf")
        .with("GIT_CONFIG_VALUE_0", "short:")
        .with("GIT_CONFIG_KEY_1", "http.sslCAInfo")
        .with("GIT_CONFIG_VALUE_1", "/etc/ssl/certs/ca-certificates.crt");
    world.place(&upstream, &["git.example.com"]);
    let settings = |command: &mut Command| command.output().unwrap().stdout;
    let direct = settings(world.command("git").args(["config", "url.https://git.example.com/.insteadOf"]));
    assert_eq!(direct, b"short:\n");
    let clone = ["exec", "-q", "--", "git", "clone", "--quiet", "short:owner/name.git", "cloned"];
    let done = world.outlast(&clone).expect(0);
    assert_eq!((done.stdout.as_str(), done.stderr.as_str()), ("", ""));
    assert!(world.project().join("cloned/a.txt").exists());
}
