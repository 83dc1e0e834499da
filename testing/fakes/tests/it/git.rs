//! A git server, as real git sees it: right, and with each fault at the step it is planned for.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use fakes::Upstream;
use fakes::git::{Fault, Phase, Repository};
use tempfile::TempDir;

use crate::clients::run;

const ADDRESS: &str = "https://git.example/owner/name.git";

struct World {
    upstream: Upstream,
    folder: TempDir,
    repository: Repository,
}

impl World {
    fn new() -> Self {
        let (upstream, folder) = (Upstream::start_blocking(), TempDir::new().unwrap());
        let repository = Repository::create(&folder.path().join("origin.git"));
        repository.grow(1, 30);
        Self { upstream, folder, repository }
    }

    fn serve(&self, faults: Vec<(Phase, Fault)>) {
        self.upstream.serve_git_with("git.example", "/owner/name.git", &self.repository, faults);
    }

    /// Clones with real git; returns whether it ended well, and all it said.
    fn clone(&self, settings: &[&str]) -> (bool, String) {
        let into = self.folder.path().join("cloned");
        let _ = fs::remove_dir_all(&into);
        let clone = [settings, &["clone", "-q", "--mirror", ADDRESS, into.to_str().unwrap()]].concat();
        run(&self.upstream, self.folder.path(), "git", &clone)
    }

    fn refs_of_clone(&self) -> String {
        git(&self.folder.path().join("cloned"), &["for-each-ref"])
    }
}

fn try_git(folder: &Path, arguments: &[&str]) -> Output {
    Command::new("git").args(arguments).current_dir(folder).output().unwrap()
}

fn git(folder: &Path, arguments: &[&str]) -> String {
    let output = try_git(folder, arguments);
    assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[test]
fn a_history_is_the_same_for_the_same_seed() {
    let folder = TempDir::new().unwrap();
    let grown = |name: &str, seed: u64| {
        let repository = Repository::create(&folder.path().join(name));
        repository.grow(seed, 200);
        repository
    };
    let (one, same, other) = (grown("one", 7), grown("same", 7), grown("other", 8));
    let refs = |repository: &Repository| git(repository.folder(), &["for-each-ref"]);
    assert_eq!(refs(&one), refs(&same));
    assert_ne!(refs(&one), refs(&other));
    let count = |arguments: &[&str]| {
        git(one.folder(), &[&["rev-list", "--count"], arguments].concat()).parse::<usize>().unwrap()
    };
    assert_eq!(count(&["--all"]), 200);
    assert!(count(&["--all", "--merges"]) > 5 && refs(&one).matches(" tag\t").count() > 2, "{}", refs(&one));
    git(one.folder(), &["fsck", "--full", "--strict"]);
    // It goes on from where it was.
    let before = git(one.folder(), &["rev-parse", "main"]);
    one.grow(9, 20);
    assert_eq!(count(&["--all"]), 220);
    git(one.folder(), &["merge-base", "--is-ancestor", &before, "main"]);
}

#[test]
fn a_fault_is_played_at_its_step_only() {
    let world = World::new();
    for (phase, requests) in [(Phase::Advertisement, 1), (Phase::Listing, 2), (Phase::Fetch, 3)] {
        world.serve(vec![(phase, fakes::Fault::Status(451).into())]);
        world.upstream.clear_log();
        let (is_good, said) = world.clone(&[]);
        assert!(!is_good && said.contains("451"), "{phase:?}: {said}");
        assert_eq!(world.upstream.log().len(), requests, "{phase:?}");
    }
    world.serve(Vec::new());
    assert!(world.clone(&[]).0, "the control");
    assert_eq!(world.refs_of_clone(), git(world.repository.folder(), &["for-each-ref"]));
}

#[test]
fn git_sees_each_fault_in_the_protocol() {
    let world = World::new();
    let pack = world.repository.pack(&["--all"], &[]);
    let blob = git(world.repository.folder(), &["rev-parse", "main^{tree}"]);
    let rows = [
        (Phase::Advertisement, Fault::Nothing, "hung up"),
        (Phase::Advertisement, Fault::Refused("go away"), "remote error: go away"),
        (Phase::Listing, Fault::Nothing, "expected flush"),
        (Phase::Listing, Fault::Refused("go away"), "remote error: go away"),
        (Phase::Fetch, Fault::Refused("not our ref"), "remote error: not our ref"),
        (Phase::Fetch, Fault::Fatal("out of memory"), "remote: out of memory"),
        (Phase::Fetch, Fault::HalfPack, "early EOF"),
        (Phase::Fetch, Fault::FlippedBit, "invalid index-pack output"),
        (Phase::Fetch, Fault::Pack(world.repository.pack(&["--all"], &[&blob])), "did not receive expected"),
    ];
    for (phase, fault, expected) in rows {
        let told = format!("{phase:?} {fault:?}");
        world.serve(vec![(phase, fault)]);
        let (is_good, said) = world.clone(&[]);
        assert!(!is_good && said.contains(expected), "{}: {said}", &told[..told.len().min(80)]);
    }
    world.serve(vec![(Phase::Fetch, Fault::Pack(pack))]);
    assert!(world.clone(&[]).0, "the control: the right pack is no fault");
    // An earlier version has no packs to bend.
    world.serve(vec![(Phase::Fetch, Fault::HalfPack)]);
    assert!(world.clone(&["-c", "protocol.version=0"]).1.contains("501"));
}

#[test]
fn git_believes_what_another_repository_says() {
    let world = World::new();
    let before = world.repository.copy_to(&world.folder.path().join("before.git"));
    world.repository.grow(2, 10);
    let refs = |repository: &Repository| git(repository.folder(), &["for-each-ref"]);
    assert_ne!(refs(&before), refs(&world.repository), "the control");
    world.serve(vec![(Phase::Listing, Fault::From(before.clone()))]);
    assert!(world.clone(&[]).0);
    assert_eq!(world.refs_of_clone(), refs(&before));
    // The listing names what is not there any more when it is asked for.
    world.serve(vec![(Phase::Fetch, Fault::From(before))]);
    let (is_good, said) = world.clone(&[]);
    assert!(!is_good && said.contains("not our ref"), "{said}");
    world.serve(vec![(Phase::Listing, Fault::Empty)]);
    assert!(world.clone(&[]).0);
    assert_eq!(world.refs_of_clone(), "");
}
