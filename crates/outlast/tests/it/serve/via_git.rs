//! Git in a room that asks a team's server: what the server has comes from there, what is newer from the host itself.

use std::fs;
use std::net::TcpListener;
use std::time::Duration;

use fakes::git::Repository;
use fakes::{Fault, Upstream, composer};
use serde_json::json;

use super::Served;
use crate::repositories::{ADDRESS, HOST, Kept};
use crate::world::{Done, World, finish, places, texts};

/// Where nothing listens.
const NOWHERE: &str = "127.0.0.1:9";
const CLONE: [&str; 5] = ["git", "clone", "-q", ADDRESS, "cloned"];

/// A machine on which nothing was ever run.
struct Machine(World);

impl Machine {
    /// Makes one for which the host is nowhere.
    fn cut_off() -> Self {
        let world = World::new();
        world.configure(&places(&[HOST], &[("connect", NOWHERE)]));
        Self(world)
    }

    fn beside(kept: &Kept) -> Self {
        let world = World::new();
        world.place(&kept.upstream, &[HOST]);
        Self(world)
    }

    /// Clones by way of a server, with no server at all where none is named.
    fn clone(&self, via: &str) -> Done {
        let _ = fs::remove_dir_all(self.0.project().join("cloned"));
        let via: &[&str] = if via.is_empty() { &[] } else { &["--via", via] };
        self.0.outlast(&[&["exec"], via, &["--"], &CLONE].concat())
    }

    fn text(&self) -> String {
        fs::read_to_string(self.0.project().join("cloned/a.txt")).unwrap()
    }

    fn freshness(&self) -> String {
        self.0.newest_record()["objects"][0]["freshness"].as_str().unwrap().to_owned()
    }
}

#[test]
fn a_new_machine_clones_what_the_server_has_while_the_host_is_gone() {
    let kept = Kept::new();
    let served = Served::start(&kept.world);
    let machine = Machine::cut_off();
    assert_ne!(machine.clone("").code, 0, "the control: no server");
    let done = machine.clone(&served.base).expect(0);
    assert!(done.stderr.contains(&format!("the server {} gave 1 answer\n", served.base)), "{}", done.stderr);
    assert_eq!((machine.text().as_str(), machine.freshness().as_str()), ("line 4\n", "stale"));
    let record = machine.0.newest_record();
    assert_eq!((&record["via"], &record["not_kept"]), (&json!(served.base), &json!([])));
    // Another repository is none that the server has.
    let other =
        ["exec", "--via", &served.base, "--", "git", "clone", "-q", "https://forge.example/acme/other.git"];
    assert_ne!(machine.0.outlast(&other).code, 0);
    served.end();
    // What passed is kept here, too.
    machine.clone("").expect(0);
    machine.0.outlast(&["store", "verify"]).expect(0);
    machine.0.outlast(&["restore", "acme/app", "back"]).expect(0);
}

#[test]
fn what_is_newer_than_the_servers_comes_from_the_host_itself() {
    let kept = Kept::new();
    let served = Served::start(&kept.world);
    let old = kept.refs(&[])["refs/heads/main"].as_str().unwrap().to_owned();
    kept.repository.commit("main", "newer", &[("a.txt", "newer\n")]);
    kept.upstream.clear_log();
    let machine = Machine::beside(&kept);
    machine.clone(&served.base).expect(0);
    assert_eq!((machine.text().as_str(), machine.freshness().as_str()), ("newer\n", "fresh"));
    let log = kept.upstream.log();
    let asked = log.iter().map(|seen| String::from_utf8_lossy(&seen.body).into_owned());
    let fetches: Vec<String> = asked.filter(|body| body.contains("command=fetch")).collect();
    assert!(fetches.len() == 1 && fetches[0].contains(&format!("have {old}")), "{fetches:?}");
    // What the server has not followed yet does not go back here, and nobody is asked about it.
    machine.clone(&served.base).expect(0);
    assert_eq!(machine.text(), "newer\n");
    assert_eq!(machine.0.outlast(&["holds", "--json"]).expect(0).json(), json!([]));
    kept.upstream.on(HOST, "*", Fault::Status(502));
    machine.clone(&served.base).expect(0);
    assert_eq!((machine.text().as_str(), machine.freshness().as_str()), ("newer\n", "stale"));
    assert_eq!(machine.0.outlast(&["holds", "--json"]).expect(0).json(), json!([]));
}

#[test]
fn a_server_that_is_gone_hangs_or_lacks_it_holds_no_clone_up() {
    let kept = Kept::not_yet();
    let deaf = TcpListener::bind("127.0.0.1:0").unwrap();
    let empty = World::new();
    empty.configure("");
    let served = Served::start(&empty);
    let normal = Machine::beside(&kept).clone("").expect(0).took;
    for (what, url) in [
        ("gone", format!("http://{NOWHERE}")),
        ("deaf", format!("http://{}", deaf.local_addr().unwrap())),
        ("a page", format!("http://{}", kept.upstream.plain_address())),
        ("empty", served.base.clone()),
    ] {
        let machine = Machine::beside(&kept);
        let done = machine.clone(&url).expect(0);
        assert!(done.stderr.contains(&format!("the server {url} gave 0 answers")), "{what}: {}", done.stderr);
        assert_eq!((machine.text().as_str(), machine.freshness().as_str()), ("line 4\n", "fresh"), "{what}");
        assert!(done.took < normal + Duration::from_secs(3), "{what}: {:?}, not {normal:?}", done.took);
    }
}

#[test]
fn a_server_gives_only_to_who_has_its_token() {
    let kept = Kept::new();
    let add = ["token", "add", "ci", "--scope", "read"];
    let token = kept.world.outlast(&add).expect(0).stdout.trim().to_owned();
    let served = Served::start(&kept.world);
    let machine = Machine::cut_off();
    let clone = |token: &str| {
        let mut command = machine.0.command(crate::world::OUTLAST);
        command.args(["exec", "--via", &served.base, "--"]).args(CLONE);
        finish(command.env("OUTLAST_TOKEN", token), b"")
    };
    assert_ne!(clone(&format!("{}x", &token[..token.len() - 1])).code, 0, "the control");
    clone(&token).expect(0);
    assert_eq!(machine.text(), "line 4\n");
    let log = kept.upstream.log();
    assert!(!format!("{log:?}").contains(&token), "it is the server's alone");
}

#[test]
fn a_drill_proves_a_clone_from_the_server_alone() {
    let kept = Kept::new();
    let served = Served::start(&kept.world);
    kept.world.record(&CLONE).expect(0);
    let drill = |via: &str| kept.world.outlast(&[&["drill", "--via", via, "--"], &CLONE[..]].concat());
    drill(&served.base).expect(0);
    let report = kept.world.newest_report();
    assert_eq!((&report["verdict"], &report["via"]), (&json!("pass"), &json!(served.base)), "{report:#}");
    assert_eq!(report["bytes_from_cut_hosts"], 0);
    assert!(texts(&report["objects"], "source").iter().all(|source| *source == "copy"), "{report:#}");
    // The control: what this home has itself is no help.
    drill(&format!("http://{NOWHERE}")).expect(1);
}

#[test]
fn a_moved_tag_of_the_servers_is_no_reason_to_move_one_that_is_here() {
    let kept = Kept::new();
    let machine = Machine::beside(&kept);
    machine.clone("").expect(0);
    // The server has another history under the same names.
    let other = Kept::not_yet();
    let strange = Repository::create(&other.world.path().join("strange.git"));
    strange.commit("main", "strange", &[("a.txt", "strange\n")]);
    strange.commit("added", "added", &[("a.txt", "added\n")]);
    strange.tag("v1", "main");
    other.upstream.serve_git(HOST, "/acme/app.git", &strange);
    other.world.outlast(&["adopt", ADDRESS]).expect(0);
    let served = Served::start(&other.world);
    kept.upstream.on(HOST, "*", Fault::Status(502));
    machine.clone(&served.base).expect(0);
    assert_eq!(machine.text(), "line 4\n");
    let refs = machine.0.outlast(&["refs", "acme/app", "--json"]).expect(0).json()["refs"].clone();
    assert_eq!(refs["refs/tags/v1"], kept.refs(&[])["refs/tags/v1"]);
    assert!(refs["refs/heads/added"].is_string(), "the control: what is not here comes");
}

#[test]
fn composer_installs_from_source_what_the_server_adopted_while_github_is_gone() {
    let (world, upstream) = (World::new(), Upstream::start_blocking());
    let package = composer::package(world.path(), "acme/a").release("1.0.0", &json!({}), &[]);
    let hidden = composer::package(world.path(), "acme/b").release("1.0.0", &json!({}), &[]);
    let project = composer::project("acme/small").requires(&package, "1.0.0").requires(&hidden, "1.0.0");
    upstream.serve_composer(&[package, hidden]);
    let hosts = [&composer::HOSTS[..], &composer::GITHUB_HOSTS[..1]].concat();
    world.place(&upstream, &hosts);
    let files = [("composer.json", project.manifest()), ("composer.lock", project.lock())];
    for (name, text) in &files {
        world.write(&world.project().join(name), text);
    }
    // What has a file is kept without its repository as well, and that is said.
    upstream.on(composer::GITHUB_HOSTS[0], "/acme/b.git*", Fault::Status(404));
    let done = world.outlast(&["adopt", "--json", "."]).expect(0);
    let done = done.says("github.com/acme/a is kept, every ref of it");
    let done = done.says("1 package can be installed from the file alone");
    let report = done.json();
    assert_eq!((&report["n_kept"], &report["missing"]), (&json!(2), &json!([])), "{report:#}");
    assert_eq!(texts(&report["without_source"], "name"), ["acme/b"], "{report:#}");
    upstream.clear_faults();
    world.outlast(&["adopt", "."]).expect(0);
    let served = Served::start(&world);
    let machine = World::new().with("COMPOSER_ALLOW_SUPERUSER", "1");
    machine.configure(&places(&hosts, &[("connect", NOWHERE)]));
    for (name, text) in &files {
        machine.write(&machine.project().join(name), text);
    }
    let install = ["composer", "install", "--no-interaction", "--no-progress", "--prefer-source"];
    assert_ne!(machine.outlast(&[&["exec", "--"], &install[..]].concat()).code, 0, "the control");
    machine.outlast(&[&["exec", "--via", &served.base, "--"], &install[..]].concat()).expect(0);
    for name in ["a", "b"] {
        assert!(machine.project().join(format!("vendor/acme/{name}/.git")).exists(), "{name}");
    }
}
