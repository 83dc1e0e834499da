//! Locks that take packages from git repositories: adopted, the repositories are kept, and what the locks pin is there in an outage.

use std::fs;

use fakes::Fault;
use serde_json::json;

use crate::repositories::{HOST, Kept};
use crate::serve::Served;
use crate::world::{Done, OUTLAST, World, finish, places, texts};

const NAME: &str = "forge.example/acme/app";

/// Returns a lock of npm with one package that lies at this address, in the words of npm.
fn npm(resolved: &str) -> String {
    json!({ "name": "small", "lockfileVersion": 3, "packages": {
        "node_modules/a": { "version": "1.0.0", "resolved": resolved },
    } })
    .to_string()
}

/// The same in the words of other clients; `{C}` stands for the commit.
const OTHERS: [(&str, &str); 5] = [
    (
        "Cargo.lock",
        "version = 3\n[[package]]\nname = \"a\"\nversion = \"1.0.0\"\nsource = \"git+https://forge.example/acme/app?tag=v1#{C}\"\n",
    ),
    (
        "composer.lock",
        r#"{"packages":[{"name":"acme/app","version":"1.0","source":{"type":"git","url":"git@forge.example:acme/app.git","reference":"{C}"}}]}"#,
    ),
    (
        "uv.lock",
        "version = 1\n[[package]]\nname = \"a\"\nversion = \"1.0\"\nsource = { git = \"https://forge.example/acme/app.git?rev=v1#{C}\" }\n",
    ),
    (
        "poetry.lock",
        "[[package]]\nname = \"a\"\nversion = \"1.0\"\nfiles = []\n[package.source]\ntype = \"git\"\nurl = \"ssh://git@forge.example/acme/app.git\"\n\
         reference = \"HEAD\"\nresolved_reference = \"{C}\"\n[metadata]\nlock-version = \"2.0\"\n",
    ),
    ("requirements.txt", "a @ git+https://forge.example/acme/app.git@{C}\n"),
];

fn commit(kept: &Kept, revision: &str) -> String {
    let folder = kept.repository.folder().to_str().unwrap();
    let git = ["-C", folder, "rev-parse", revision];
    finish(kept.world.command("git").args(git), b"").expect(0).stdout.trim().to_owned()
}

fn lock(kept: &Kept, file: &str, text: &str) {
    kept.world.write(&kept.world.project().join(file), text);
}

#[test]
fn the_repositories_of_every_lock_are_kept() {
    let commit = commit(&Kept::not_yet(), "v1");
    let all = OTHERS.map(|(file, text)| (file, text.replace("{C}", &commit)));
    let npm = [("package-lock.json", npm(&format!("git+ssh://git@forge.example/acme/app.git#{commit}")))];
    for (file, text) in all.into_iter().chain(npm) {
        let kept = Kept::not_yet();
        // A forge gives it by either name.
        kept.upstream.serve_git(HOST, "/acme/app", &kept.repository);
        kept.upstream.serve_git(HOST, "/acme/app.git", &kept.repository);
        lock(&kept, file, &text);
        let done = kept.world.outlast(&["adopt", "--json", "."]).expect(0).says(&format!("{NAME} is kept"));
        let report = done.json();
        assert_eq!((&report["repositories"], &report["missing"]), (&json!([NAME]), &json!([])), "{file}");
        kept.upstream.on(HOST, "*", Fault::Status(502));
        assert_eq!(kept.refs(&[])["refs/tags/v1"], commit.as_str());
        // What is kept stays kept while the host is gone.
        kept.world.outlast(&["adopt", "."]).expect(0);
    }
}

#[test]
fn a_commit_that_is_not_there_is_missing_and_a_superseded_one_is_not() {
    let kept = Kept::not_yet();
    let (tip, never) = (commit(&kept, "main"), "1".repeat(40));
    let adopt = |commit: &str| {
        lock(&kept, "package-lock.json", &npm(&format!("git+https://forge.example/acme/app.git#{commit}")));
        kept.world.outlast(&["adopt", "."])
    };
    let missing = |done: Done, reason: &str| {
        let place = format!("missing a: it is in the git repository {NAME} at {never}: {reason}\n");
        assert_eq!(done.expect(1).stdout, place);
    };
    missing(adopt(&never), "its refs do not lead there");
    adopt(&tip).expect(0);
    // The branch that led there is gone from the upstream, and from what is served.
    kept.moves(&["update-ref", "refs/heads/side", "main"]);
    kept.world.outlast(&["sync"]).expect(0);
    kept.moves(&["update-ref", "refs/heads/main", "main~2"]);
    kept.moves(&["update-ref", "-d", "refs/heads/side"]);
    adopt(&tip).expect(0);
    kept.upstream.on(HOST, "*", Fault::Status(502));
    missing(adopt(&never), "it answered with status 502");
    // Who looks without asking is told the same.
    let findings = kept.world.outlast(&["doctor", "--json"]).json()["findings"].to_string();
    assert!(findings.contains(&never), "{findings}");
}

#[test]
fn what_no_lock_may_decide_is_not_asked() {
    let kept = Kept::not_yet();
    lock(&kept, "package-lock.json", &npm("git+ssh://git@forge.example:2222/acme/app.git#v1"));
    let done = kept.world.outlast(&["adopt", "."]).expect(1);
    assert!(done.stdout.contains("only ssh leads to it"), "{}", done.stdout);
    lock(&kept, "package-lock.json", &npm("git+https://forge.example/acme/gone.git#v1"));
    let done = kept.world.outlast(&["adopt", "."]).expect(1);
    assert!(done.stdout.contains("the upstream has no such repository"), "{}", done.stdout);
    // Neither is followed from now on.
    kept.world.outlast(&["sync"]).expect(1).says("no repository is kept yet");
}

#[test]
fn a_lock_that_was_sent_opens_no_private_repository() {
    let kept = Kept::not_yet();
    let commit = commit(&kept, "main");
    kept.upstream.serve_git_behind(HOST, "/acme/app.git", &kept.repository, "Basic a2ltOlMzQ1JFVA==");
    let file = kept.world.own().join("forge.credentials");
    kept.world.write(&file, "kim:S3CRET\n");
    fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let (address, ca) = (kept.upstream.tls_address().to_string(), kept.upstream.ca_file(kept.world.path()));
    let keys = [("connect", &*address), ("ca_file", ca.to_str().unwrap())];
    let keys = [&keys[..], &[("credentials_file", file.to_str().unwrap())]].concat();
    kept.world.configure(&places(&[HOST], &keys));
    let token = kept.world.outlast(&["token", "add", "lee", "--scope", "adopt"]).expect(0).stdout;
    let served = Served::start(&kept.world);
    let other = World::new();
    let text = npm(&format!("git+https://forge.example/acme/app.git#{commit}"));
    other.write(&other.project().join("package-lock.json"), &text);
    let send = || {
        let mut adopt = other.command(OUTLAST);
        adopt.args(["adopt", "--via", &served.base, "--json", "."]).env("OUTLAST_TOKEN", token.trim());
        finish(&mut adopt, b"")
    };
    let report = send().expect(1).json();
    assert!(texts(&report["missing"], "reason")[0].contains("status 401"), "{report}");
    // Whoever has the home may take it on, and then the lock is kept.
    lock(&kept, "package-lock.json", &text);
    kept.world.outlast(&["adopt", "."]).expect(0);
    lock(&kept, "package-lock.json", "");
    let report = send().expect(0).json();
    assert_eq!(report["missing"], json!([]));
    served.end();
}

#[test]
fn what_was_only_adopted_is_built_in_an_outage() {
    let kept = Kept::not_yet();
    let library = "[package]\nname = \"a\"\nversion = \"1.0.0\"\nedition = \"2021\"\n";
    let files = [("Cargo.toml", library), ("src/lib.rs", "pub const A: u8 = 1;\n")];
    let commit = kept.repository.commit("main", "a crate", &files);
    let address = "https://forge.example/acme/app.git";
    let head = "[package]\nname = \"small\"\nversion = \"0.1.0\"\n";
    lock(
        &kept,
        "Cargo.toml",
        &format!("{head}edition = \"2021\"\n[dependencies]\na = {{ git = \"{address}\" }}\n"),
    );
    lock(&kept, "src/main.rs", "fn main() { println!(\"{}\", a::A); }\n");
    let source =
        format!("[[package]]\nname = \"a\"\nversion = \"1.0.0\"\nsource = \"git+{address}#{commit}\"\n");
    let own = head.replace("[package]", "[[package]]");
    lock(&kept, "Cargo.lock", &format!("version = 3\n\n{source}\n{own}dependencies = [\n \"a\",\n]\n"));
    let build =
        || kept.world.outlast(&["exec", "--fresh", "--cut", "all", "--", "cargo", "build", "--locked"]);
    // The control: before it is adopted it cannot be had.
    build().expect(101);
    kept.world.outlast(&["adopt", "."]).expect(0);
    build().expect(0);
}

#[test]
fn what_a_lock_names_in_place_of_a_commit_is_looked_for() {
    let kept = Kept::not_yet();
    let commit = commit(&kept, "main");
    let named = |revision: &str| {
        lock(&kept, "package-lock.json", &npm(&format!("git+https://forge.example/acme/app.git#{revision}")));
        kept.world.outlast(&["adopt", "."])
    };
    for revision in ["v1", "main", &commit[..8], &commit] {
        named(revision).expect(0);
    }
    for revision in ["v9-never", "1111111", "semver:^1"] {
        let done = named(revision).expect(1);
        assert!(
            format!("{}{}", done.stdout, done.stderr).contains(revision),
            "{}{}",
            done.stdout,
            done.stderr
        );
    }
}
