//! Repositories that a server gives to git's own clients.

use std::fs;

use fakes::Fault;
use fakes::git::Fault as GitFault;
use fakes::git::{Phase, Repository};

use super::Served;
use crate::repositories::{HOST, Kept};
use crate::world::{Done, finish};

/// Runs git in the project's folder.
fn git(kept: &Kept, arguments: &[&str]) -> Done {
    finish(kept.world.command("git").args(arguments), b"")
}

fn head(kept: &Kept, folder: &str) -> String {
    git(kept, &["-C", folder, "rev-parse", "HEAD"]).expect(0).stdout.trim().to_owned()
}

#[test]
fn git_clones_what_its_upstream_no_longer_gives() {
    let kept = Kept::new();
    let moment = kept.moment();
    let then = kept.refs(&[])["refs/heads/main"].as_str().unwrap().to_owned();
    kept.repository.commit("main", "later", &[("a.txt", "later\n")]);
    kept.world.outlast(&["sync"]).expect(0);
    kept.upstream.on(HOST, "*", Fault::Status(404));
    kept.world.outlast(&["sync"]).expect(1);
    let served = Served::start(&kept.world);
    let address = format!("{}/git/forge.example/acme/app.git", served.base);

    git(&kept, &["clone", "-q", &address, "whole"]).expect(0);
    assert_eq!(fs::read_to_string(kept.world.project().join("whole/a.txt")).unwrap(), "later\n");
    assert_eq!(git(&kept, &["-C", "whole", "log", "--oneline"]).expect(0).stdout.lines().count(), 5);
    git(&kept, &["-C", "whole", "fetch", "-q"]).expect(0);
    let listed = git(&kept, &["ls-remote", &address]).expect(0).stdout;
    assert!(listed.contains("refs/tags/v1") && !listed.contains("refs/outlast"), "{listed}");
    git(&kept, &["clone", "-q", "--depth", "1", &address, "shallow"]).expect(0);
    assert_eq!(git(&kept, &["-C", "shallow", "log", "--oneline"]).expect(0).stdout.lines().count(), 1);
    git(&kept, &["clone", "-q", "--filter=blob:none", &address, "partial"]).expect(0);
    for version in ["0", "1"] {
        git(
            &kept,
            &["-c", &format!("protocol.version={version}"), "clone", "-q", &address, &format!("v{version}")],
        )
        .expect(0);
        assert_eq!(head(&kept, &format!("v{version}")), head(&kept, "whole"));
    }

    // As it was, from the address alone.
    git(&kept, &["clone", "-q", &format!("{address}@{}", kept.compact(&moment)), "before"]).expect(0);
    assert_eq!(head(&kept, "before"), then);

    // A copy that was deleted comes back by itself, while the server runs.
    fs::remove_dir_all(kept.world.own().join("git")).unwrap();
    git(&kept, &["clone", "-q", &address, "again"]).expect(0);
    assert_eq!(head(&kept, "again"), head(&kept, "whole"));

    // How it stands is said, and what is not here is no repository.
    let (status, head) =
        served.get(&["--head"], "/git/forge.example/acme/app.git/info/refs?service=git-upload-pack");
    assert_eq!(status, "200");
    assert!(head.to_lowercase().contains("outlast-state: stale; since="), "{head}");
    let (status, told) =
        served.get(&[], "/git/forge.example/acme/other.git/info/refs?service=git-upload-pack");
    assert!(status == "404" && told.contains("is not kept here"), "{told}");
    let push = git(&kept, &["-C", "whole", "push", &address, "HEAD:refs/heads/x"]);
    assert_ne!(push.code, 0);
    let (status, _) =
        served.get(&[], "/git/forge.example/acme/app.git@20010101T0000Z/info/refs?service=git-upload-pack");
    assert_eq!(status, "404");
    served.end();
}

#[test]
fn git_clones_through_the_forward_proxy_from_where_it_always_did() {
    let kept = Kept::new();
    kept.upstream.on(HOST, "*", Fault::Status(404));
    let served = Served::start_as_proxy(&kept.world, "127.0.0.1:0");
    let ca = kept.world.own().join("keys/ca.pem");
    let (proxy, ca) = (format!("http.proxy={}", served.proxy), format!("http.sslCAInfo={}", ca.display()));
    let through = |arguments: &[&str]| git(&kept, &[&["-c", &proxy, "-c", &ca][..], arguments].concat());
    let address = format!("https://{HOST}/acme/app.git");
    through(&["clone", "-q", &address, "whole"]).expect(0);
    assert!(kept.world.project().join("whole/a.txt").exists());
    assert_ne!(through(&["-C", "whole", "push", &address, "HEAD:refs/heads/x"]).code, 0);
    // The controls: what is not kept, and nobody in between.
    let other = through(&["clone", "-q", &format!("https://{HOST}/acme/other.git"), "other"]);
    assert!(other.code != 0 && other.stderr.contains("503"), "{}", other.stderr);
    assert_ne!(git(&kept, &["clone", "-q", &address, "direct"]).code, 0);
    served.end();
}

#[test]
fn a_server_follows_by_itself() {
    let kept = Kept::new();
    let toml = fs::read_to_string(kept.world.own().join("outlast.toml")).unwrap();
    kept.world.configure(&format!("{toml}[sync]\nevery = \"1s\"\n"));
    let served = Served::start(&kept.world);
    let id = kept.repository.commit("main", "later", &[("a.txt", "later\n")]);
    let address = format!("{}/git/forge.example/acme/app.git", served.base);
    let is_there = || git(&kept, &["ls-remote", &address, "refs/heads/main"]).expect(0).stdout.contains(&id);
    let began = std::time::Instant::now();
    while !is_there() {
        assert!(began.elapsed() < std::time::Duration::from_secs(60), "it does not follow");
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    served.end();
}

#[test]
fn what_is_no_git_is_refused_and_the_server_goes_on() {
    let kept = Kept::new();
    let served = Served::start(&kept.world);
    let pack = "/git/forge.example/acme/app.git/git-upload-pack";
    for (arguments, expected) in [
        (&["-d", "<html>", "-H", "Git-Protocol: version=2"][..], "400"),
        (&["-d", "x", "-H", "Content-Encoding: gzip"], "415"),
        (&["-X", "PUT", "-d", "x"], "400"),
    ] {
        assert_eq!(served.get(arguments, pack).0, expected, "{arguments:?}");
    }
    for path in [
        "/git/",
        "/git/../etc/passwd",
        "/git/forge.example/acme/app.git/objects/info/packs",
        "/git/forge.example/acme/app.git/HEAD",
    ] {
        assert_eq!(served.get(&[], path).0, "404", "{path}");
    }
    let address = format!("{}/git/forge.example/acme/app.git", served.base);
    git(&kept, &["clone", "-q", &address, "whole"]).expect(0);
    let done = git(&kept, &["-C", "whole", "fetch", "-q", "origin", &"1".repeat(40)]);
    assert_ne!(done.code, 0, "it is not there");
    assert!(done.stderr.contains("not our ref"), "{}", done.stderr);
    served.end();
}

#[test]
fn an_upstream_that_lies_is_told_and_the_copy_is_cloned_as_before() {
    let kept = Kept::new();
    let other = Repository::create(&kept.world.path().join("other.git"));
    other.grow(1, 5);
    kept.upstream.serve_git(HOST, "/acme/other.git", &other);
    let led = Fault::RedirectTo(format!("https://{HOST}/acme/other.git/git-upload-pack"));
    let pack = GitFault::Pack(other.pack(&["--all"], &[]));
    for (phase, fault, state, says) in [
        (Phase::Listing, GitFault::Empty, "unavailable", "lists no refs at all any more"),
        (
            Phase::Listing,
            led.into(),
            "unavailable",
            "leads to another repository, `forge.example/acme/other`",
        ),
        (Phase::Fetch, GitFault::Fatal("out of memory"), "unavailable", "the upstream says: out of memory"),
        (Phase::Fetch, GitFault::From(other), "unavailable", "not our ref"),
        (Phase::Fetch, pack, "refused", "objects are missing that the refs need"),
    ] {
        let (before, id) = (kept.refs(&[]), head_of(&kept.repository));
        kept.repository.commit("main", says, &[("a.txt", says)]);
        kept.upstream.serve_git_with(HOST, "/acme/app.git", &kept.repository, vec![(phase, fault)]);
        let done = kept.world.outlast(&["sync"]).expect(1).says("hint: ");
        let line = format!("{state} forge.example/acme/app: ");
        assert!(done.stdout.contains(&line) && done.stdout.contains(says), "{}", done.stdout);
        assert_eq!(kept.refs(&[]), before, "{says}");
        let events = kept.json(&["status"])["events"].to_string();
        assert!(events.contains(says), "{says}: {events}");
        if state == "unavailable" {
            let findings = kept.json(&["doctor"])["findings"].to_string();
            assert!(findings.contains("repository_stale") && findings.contains(says), "{says}: {findings}");
        }
        let served = Served::start(&kept.world);
        let address = format!("{}/git/forge.example/acme/app.git", served.base);
        let _ = fs::remove_dir_all(kept.world.project().join("whole"));
        git(&kept, &["clone", "-q", &address, "whole"]).expect(0);
        assert_eq!(head(&kept, "whole"), id, "{says}");
        served.end();
        // Whoever is right again is followed without more ado.
        kept.upstream.serve_git(HOST, "/acme/app.git", &kept.repository);
        kept.world.outlast(&["sync"]).expect(0);
        assert_eq!(kept.refs(&[])["refs/heads/main"], head_of(&kept.repository).as_str());
        let findings = kept.json(&["doctor"])["findings"].to_string();
        assert!(!findings.contains("repository_stale"), "the control: {findings}");
    }
}

/// Returns the newest commit of an upstream.
fn head_of(repository: &Repository) -> String {
    let git = finish(
        std::process::Command::new("git").current_dir(repository.folder()).args(["rev-parse", "main"]),
        b"",
    );
    git.expect(0).stdout.trim().to_owned()
}
