//! Git repositories that are kept: adopted, brought up to date, held, shown as they were, and given back.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use fakes::git::Repository;
use fakes::{Fault, Upstream};
use serde_json::{Value, json};

use crate::world::{OUTLAST, World, finish, places};

pub(crate) const HOST: &str = "forge.example";
pub(crate) const ADDRESS: &str = "https://forge.example/acme/app.git";

/// A home that keeps one repository, and its upstream.
pub(crate) struct Kept {
    pub(crate) world: World,
    pub(crate) upstream: Upstream,
    pub(crate) repository: Repository,
}

impl Kept {
    pub(crate) fn new() -> Self {
        let kept = Self::not_yet();
        kept.world.outlast(&["adopt", ADDRESS]).expect(0).says("forge.example/acme/app is kept");
        kept
    }

    /// Makes the upstream, and keeps nothing of it yet.
    pub(crate) fn not_yet() -> Self {
        Self::in_world(World::new())
    }

    pub(crate) fn in_world(world: World) -> Self {
        let upstream = Upstream::start_blocking();
        let repository = Repository::create(&world.path().join("app.git"));
        for n in 1..=4 {
            repository.commit("main", &format!("commit {n}"), &[("a.txt", &format!("line {n}\n"))]);
        }
        repository.tag("v1", "main~1");
        upstream.serve_git(HOST, "/acme/app.git", &repository);
        world.place(&upstream, &[HOST]);
        Self { world, upstream, repository }
    }

    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        let done = self.world.outlast(&[arguments, &["--json"]].concat());
        serde_json::from_str(&done.stdout)
            .unwrap_or_else(|error| panic!("{error}: {} {}", done.stdout, done.stderr))
    }

    pub(crate) fn refs(&self, arguments: &[&str]) -> Value {
        self.json(&[&["refs", "acme/app"], arguments].concat())["refs"].clone()
    }

    /// Returns a moment after everything so far and before everything to come.
    pub(crate) fn moment(&self) -> String {
        // An address names whole seconds.
        std::thread::sleep(Duration::from_millis(1100));
        let moment = self.date(&["+%Y-%m-%dT%H:%M:%SZ"]);
        std::thread::sleep(Duration::from_millis(1100));
        moment
    }

    /// Returns a moment as an address has it.
    pub(crate) fn compact(&self, moment: &str) -> String {
        self.date(&["-d", moment, "+%Y%m%dT%H%M%SZ"])
    }

    fn date(&self, arguments: &[&str]) -> String {
        let done = finish(self.world.command("date").arg("-u").args(arguments), b"").expect(0);
        done.stdout.trim().to_owned()
    }

    /// Moves a ref upstream.
    pub(crate) fn moves(&self, arguments: &[&str]) {
        let git = [&["-C", self.repository.folder().to_str().unwrap()], arguments].concat();
        finish(self.world.command("git").args(git), b"").expect(0);
    }
}

#[test]
fn a_repository_outlasts_what_happens_to_its_upstream() {
    let kept = Kept::new();
    let before = kept.refs(&[]);
    assert_eq!(before["HEAD"], "@refs/heads/main");
    kept.world.outlast(&["sync"]).expect(0).says("1 repository: 1 unchanged");
    let moment = kept.moment();

    // Rewritten, its tag moved, and a branch added: the branch is followed, the rest waits.
    kept.moves(&["update-ref", "refs/heads/main", "main~2"]);
    kept.moves(&["tag", "-f", "v1", "main"]);
    kept.repository.commit("new", "new", &[("n.txt", "n\n")]);
    let done = kept.world.outlast(&["sync", "acme/app"]).expect(0).says("`outlast holds`");
    assert!(done.stdout.contains("held forge.example/acme/app: 2 refs"), "{}", done.stdout);
    let after = kept.refs(&[]);
    assert_eq!(
        (&after["refs/heads/main"], &after["refs/tags/v1"]),
        (&before["refs/heads/main"], &before["refs/tags/v1"])
    );
    assert!(after["refs/heads/new"].is_string());
    assert_eq!(kept.refs(&["--at", &moment]), before);
    let holds = kept.json(&["holds"]);
    let told: Vec<_> = holds
        .as_array()
        .unwrap()
        .iter()
        .map(|hold| (&hold["ref"], &hold["class"], &hold["n_lost_commits"]))
        .collect();
    assert_eq!(
        told,
        [
            // If both are followed: neither holds what the other one has.
            (&json!("refs/heads/main"), &json!("force"), &json!(2)),
            (&json!("refs/tags/v1"), &json!("tag_move"), &json!(1)),
        ]
    );
    assert_eq!(holds[0]["authors"], json!(["A Person <person@example.com>"]));
    let reason = holds[0]["reason"].as_str().unwrap();
    assert!(reason.contains("`main` is the default branch"), "{reason}");
    let status = kept.world.outlast(&["status"]).expect(0).stdout;
    assert!(status.contains("repo forge.example/acme/app") && status.contains("2 held"), "{status}");
    let status = kept.json(&["status"]);
    let cell = status["cells"].as_array().unwrap().iter().find(|cell| cell["what"] == "clone").unwrap();
    let told = ["thing", "vanished", "state"].map(|key| cell[key].as_str().unwrap());
    assert_eq!(told, ["forge.example/acme/app", HOST, "claimed"]);
    // Whoever clones has what was there before, and is not told that it is what the upstream has.
    kept.world.outlast(&["exec", "--", "git", "clone", "-q", ADDRESS, "cloned"]).expect(0);
    assert_eq!(kept.world.newest_record()["objects"][0]["freshness"], "stale");
    assert!(kept.world.project().join("cloned/a.txt").exists());
}

#[test]
fn a_repository_that_is_gone_is_given_back_as_it_was() {
    let kept = Kept::new();
    let (before, moment) = (kept.refs(&[]), kept.moment());
    kept.moves(&["update-ref", "refs/heads/main", "main~2"]);
    kept.moves(&["tag", "-f", "v1", "main"]);
    kept.repository.commit("new", "new", &[("n.txt", "n\n")]);
    kept.world.outlast(&["sync"]).expect(0);
    let (after, holds) = (kept.refs(&[]), kept.json(&["holds"]));

    // Gone: nothing moves, and whoever asked is told.
    kept.upstream.on(HOST, "*", Fault::Status(404));
    let done = kept.world.outlast(&["sync"]).expect(1);
    assert!(done.stdout.contains("the upstream has no such repository (status 404)"), "{}", done.stdout);
    assert_eq!(kept.refs(&[]), after);
    assert!(kept.world.outlast(&["status"]).expect(0).stdout.contains("no such repository"));

    let doctor = kept.json(&["doctor"]);
    let kinds: Vec<&str> =
        doctor["findings"].as_array().unwrap().iter().filter_map(|it| it["kind"].as_str()).collect();
    assert!(kinds.contains(&"repository_stale") && kinds.contains(&"repository_held"), "{doctor}");
    assert!(!kinds.contains(&"repository"), "{doctor}");

    // And given back, as it was, without the upstream and without the derived copy.
    fs::remove_dir_all(kept.world.own().join("git")).unwrap();
    kept.world.outlast(&["restore", "acme/app", "--at", &moment, "back"]).expect(0);
    assert_eq!(fs::read_to_string(kept.world.project().join("back/a.txt")).unwrap(), "line 4\n");
    kept.world.outlast(&["restore", "acme/app", "back"]).expect(1).says("is there already");
    kept.world.outlast(&["restore", ADDRESS, "--mirror", "all.git"]).expect(0);
    for folder in ["back", "all.git"] {
        let config = ["-C", folder, "config", "--get-regexp", "^remote\\.origin\\.(url|mirror)$"];
        let told = finish(kept.world.command("git").args(config), b"").expect(0).stdout;
        assert_eq!(told, format!("remote.origin.url {ADDRESS}\n"), "{folder}");
    }
    assert!(
        fs::read_to_string(kept.world.project().join("all.git/packed-refs"))
            .unwrap()
            .contains("refs/heads/new")
    );

    // A person decides.
    let id = holds[0]["id"].as_str().unwrap();
    kept.world.outlast(&["holds", "decide", id, "apply"]).expect(0).says("follows its upstream");
    kept.world.outlast(&["holds", "decide", id, "apply"]).expect(1).says("`outlast holds` shows what waits");
    assert_ne!(kept.refs(&[])["refs/heads/main"], before["refs/heads/main"]);
    assert_eq!(kept.refs(&["--at", &moment]), before);
    kept.world.outlast(&["store", "verify"]).expect(0);
    kept.world.outlast(&["rebuild-index"]).expect(0);
    assert_eq!(kept.refs(&["--at", &moment]), before);
    assert_eq!(kept.json(&["holds"]).as_array().unwrap().len(), 1);
}

#[test]
fn what_is_no_repository_is_said_at_once() {
    let world = World::new();
    world.outlast(&["sync"]).expect(1);
    for address in
        ["git+svn://forge.example/a", "ssh://kim:S3CRET@forge.example/a", "ssh://-oProxyCommand=x/a"]
    {
        let done = world.outlast(&["adopt", address]).expect(2).says("ssh://git@HOST/PATH.git");
        assert!(!done.stderr.contains("S3CRET"), "{}", done.stderr);
    }
    let done = world.outlast(&["adopt", "https://kim:S3CRET@forge.example/a.git"]).expect(2);
    assert!(!done.stderr.contains("S3CRET"), "{}", done.stderr);
    let upstream = Upstream::start_blocking();
    upstream.on(HOST, "*", Fault::Html200);
    world.place(&upstream, &[HOST]);
    let done = world.outlast(&["adopt", ADDRESS]).expect(1);
    assert!(done.stdout.contains("something else than git's protocol"), "{}", done.stdout);
    world.outlast(&["refs", "acme/app"]).expect(1).says("nothing of `forge.example/acme/app` is held yet");
    assert_eq!(world.outlast(&["sync", "--json"]).expect(1).json().as_array().unwrap().len(), 1);
    // What answers with nonsense may answer otherwise one day; a mistyped address is given up.
    world.outlast(&["unfollow", "acme/app"]).expect(0).says("what is kept of it stays");
    world.outlast(&["sync"]).expect(1).says("no repository is kept yet");
    upstream.on(HOST, "*", Fault::Status(404));
    let done = world.outlast(&["adopt", "https://forge.example/acme/mistyped.git"]).expect(1);
    assert!(done.stdout.contains("it is not followed"), "{}", done.stdout);
    world.outlast(&["sync"]).expect(1).says("no repository is kept yet");
    let status = world.outlast(&["status"]).expect(0).stdout;
    assert!(!status.contains("forge.example/acme"), "{status}");
    world.outlast(&["refs", "nothing"]).expect(2).says("no repository `nothing` is kept");
}

#[test]
fn a_private_repository_is_asked_for_with_credentials_of_its_host_alone() {
    let (world, upstream) = (World::new(), Upstream::start_blocking());
    let repository = Repository::create(&world.path().join("app.git"));
    repository.commit("main", "first", &[("a.txt", "private\n")]);
    for host in [HOST, "other.example"] {
        upstream.serve_git_behind(host, "/acme/app.git", &repository, "Basic a2ltOlMzQ1JFVA==");
        upstream.serve_git_behind(host, "/acme/other.git", &repository, "Basic a2ltOlMzQ1JFVA==");
    }
    let hosts = [HOST, "other.example"];
    world.place(&upstream, &hosts);
    let refused = |reason: &str| {
        let done = world.outlast(&["adopt", ADDRESS]).expect(1);
        assert!(done.stdout.contains(reason), "{} {}", done.stdout, done.stderr);
    };
    refused("`credentials_file` of its host in outlast.toml lets Outlast in (status 401)");

    let (address, ca) = (upstream.tls_address().to_string(), upstream.ca_file(world.path()));
    let keys = [("connect", address.as_str()), ("ca_file", ca.to_str().unwrap())];
    let file = world.own().join("forge.credentials");
    let with = |line: &str| {
        world.write(&file, line);
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        let keys = [&keys[..], &[("credentials_file", file.to_str().unwrap())]].concat();
        world.configure(&(places(&[HOST], &keys) + &places(&["other.example"], &keys[..2])));
    };
    with("kim:wrong\n");
    refused("refuses Outlast's credentials (status 401)");
    with("kim:S3CRET\n");
    world.outlast(&["adopt", ADDRESS]).expect(0).says("forge.example/acme/app is kept");
    // Another host hears nothing of them.
    upstream.clear_log();
    world.outlast(&["adopt", "https://other.example/acme/app.git"]).expect(1);
    let log = upstream.log();
    assert!(!log.is_empty() && log.iter().all(|seen| !seen.headers.contains_key("authorization")));

    // What a person has taken on is there for a run without credentials, and as new as its host has it; nothing else is.
    repository.commit("main", "second", &[("b.txt", "new\n")]);
    let exec = ["exec", "--", "git", "-c", "core.askPass=true", "clone", "--quiet"];
    world.outlast(&[&exec[..], &[ADDRESS, "cloned"]].concat()).expect(0);
    assert!(world.project().join("cloned/b.txt").exists());
    assert_eq!(world.newest_record()["objects"][0]["freshness"], "fresh");
    world.outlast(&[&exec[..], &["https://forge.example/acme/other.git", "other"]].concat()).expect(128);
    let kept = fs::read_to_string(world.own().join("journal/current.jsonl")).unwrap();
    assert!(kept.contains("acme/app") && !kept.contains("S3CRET") && !kept.contains("a2lt"), "{kept}");
}

#[test]
fn a_sync_that_leaves_a_name_out_says_so_each_time() {
    let kept = Kept::new();
    // Outlast's own names are no upstream's.
    kept.moves(&["update-ref", "refs/outlast/theirs", "main"]);
    kept.repository.commit("main", "more", &[("b.txt", "more\n")]);
    for _ in 0..2 {
        let done = kept.world.outlast(&["sync"]).expect(1);
        assert!(done.stdout.contains("no copy takes: `refs/outlast/theirs`"), "{}", done.stdout);
        done.says("rename these refs upstream");
    }
    assert!(kept.world.outlast(&["status"]).expect(0).stdout.contains("`refs/outlast/theirs`"));
    let refs = kept.refs(&[]);
    assert!(refs["refs/heads/main"].is_string() && !refs.to_string().contains("theirs"), "{refs}");
    kept.moves(&["update-ref", "-d", "refs/outlast/theirs"]);
    kept.world.outlast(&["sync"]).expect(0);
}

#[test]
fn a_host_that_gives_nothing_is_not_asked_for_everything() {
    let kept = Kept::not_yet();
    let addresses: Vec<String> = (0..40).map(|n| format!("https://{HOST}/acme/app-{n}.git")).collect();
    for n in 0..40 {
        kept.upstream.serve_git(HOST, &format!("/acme/app-{n}.git"), &kept.repository);
    }
    let adopt: Vec<&str> = ["adopt"].into_iter().chain(addresses.iter().map(String::as_str)).collect();
    kept.world.outlast(&adopt).expect(0);
    kept.upstream.on(HOST, "*", Fault::Status(502));
    kept.upstream.clear_log();
    let all = kept.world.outlast(&["sync", "--json"]).expect(1).json();
    let all = all.as_array().unwrap();
    assert_eq!(all.iter().filter(|one| one["state"] == "unavailable").count(), 40, "{all:?}");
    assert!(kept.upstream.log().len() < 20, "{}", kept.upstream.log().len());
    kept.upstream.clear_faults();
    kept.world.outlast(&["sync"]).expect(0).says("40 repositories: 40 unchanged");
}

#[test]
fn a_repository_that_git_itself_asks_for_is_kept_like_any_other() {
    let kept = Kept::not_yet();
    let url = format!("file://{}", kept.repository.folder().display());
    let name = format!("localhost{}", kept.repository.folder().with_extension("").display());
    kept.world.outlast(&["adopt", &url]).expect(0).says(&format!("{name} is kept"));
    kept.repository.commit("main", "more", &[("b.txt", "more\n")]);
    kept.world.outlast(&["sync"]).expect(0).says("1 repository: 0 unchanged, 1 moved");
    fs::rename(kept.repository.folder(), kept.world.path().join("away")).unwrap();
    let done = kept.world.outlast(&["sync"]).expect(1);
    assert!(done.stdout.contains("git says: fatal:"), "{}", done.stdout);
    kept.world.outlast(&["restore", &name, "back"]).expect(0);
    assert_eq!(fs::read_to_string(kept.world.project().join("back/b.txt")).unwrap(), "more\n");
}

#[test]
fn a_repository_without_commits_is_one_too() {
    let kept = Kept::not_yet();
    let empty = Repository::create(&kept.world.path().join("empty.git"));
    kept.upstream.serve_git(HOST, "/acme/empty.git", &empty);
    let address = "https://forge.example/acme/empty.git";
    kept.world.outlast(&["adopt", address]).expect(0);
    kept.world.outlast(&["sync"]).expect(0).says("1 unchanged");
    let doctor = kept.json(&["doctor"]).to_string();
    assert!(!doctor.contains("nothing of it is kept"), "{doctor}");
    // It has lost nothing where its default branch has another name.
    let head = ["-C", empty.folder().to_str().unwrap(), "symbolic-ref", "HEAD", "refs/heads/trunk"];
    finish(kept.world.command("git").args(head), b"").expect(0);
    kept.world.outlast(&["sync"]).expect(0);
    let clone = ["git", "clone", address, "cloned"];
    kept.world.outlast(&[&["exec", "--"], &clone[..]].concat()).expect(0).says("cloned an empty repository");
    fs::remove_dir_all(kept.world.project().join("cloned")).unwrap();
    kept.upstream.on(HOST, "*", Fault::Status(502));
    kept.world.outlast(&[&["exec", "--"], &clone[..]].concat()).expect(0).says("cloned an empty repository");
}

#[test]
fn an_address_that_works_is_not_given_up_for_one_that_does_not() {
    let kept = Kept::new();
    // The same repository at an address that leads nowhere.
    let mut adopt = kept.world.command(OUTLAST);
    adopt.args(["adopt", "ssh://git@forge.example/acme/app.git"]).env("GIT_SSH_COMMAND", "false");
    let done = finish(&mut adopt, b"").expect(1);
    assert!(done.stdout.contains(&format!("it stays at `{ADDRESS}`")), "{}", done.stdout);
    kept.world.outlast(&["sync"]).expect(0).says("1 unchanged");
}

#[test]
fn dead_repositories_of_one_host_hold_up_no_living_one() {
    let world = World::new();
    let folders: Vec<_> = (0..12).map(|n| world.path().join(format!("app-{n:02}.git"))).collect();
    let repositories: Vec<Repository> = folders.iter().map(|folder| Repository::create(folder)).collect();
    repositories.iter().for_each(|repository| drop(repository.commit("main", "first", &[("a.txt", "a\n")])));
    let urls: Vec<String> = folders.iter().map(|folder| format!("file://{}", folder.display())).collect();
    let adopt: Vec<&str> = ["adopt"].into_iter().chain(urls.iter().map(String::as_str)).collect();
    world.outlast(&adopt).expect(0);
    for folder in &folders[..11] {
        fs::remove_dir_all(folder).unwrap();
    }
    repositories[11].commit("main", "more", &[("b.txt", "more\n")]);
    let all = world.outlast(&["sync", "--json"]).expect(1).json();
    let states = crate::world::texts(&all, "state");
    assert_eq!(
        (states.iter().filter(|state| **state == "unavailable").count(), states[11]),
        (11, "moved"),
        "{all}"
    );
}
