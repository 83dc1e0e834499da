//! Everything else that speaks git's protocol: JGit, go-git, libgit2, and git itself in an old and a new version. Each clones,
//! fetches what is new, and leaves out what it can leave out: from a server, from a past state, and in a sealed drill.

use std::fs;
use std::path::Path;

use fakes::Fault;

use crate::clients::survives;
use crate::machines::Debian;
use crate::repositories::{ADDRESS, HOST, Kept};
use crate::serve::Served;
use crate::world::{Done, World, finish, tools};

/// Does for git what the programs of testing/clients do for libraries.
const GIT: &str = r#"set -e
case $1 in
clone) git clone -q "$2" "$3" ;;
shallow) git clone -q --depth=1 "$2" "$3" ;;
partial) git clone -q --bare --filter=blob:none "$2" "$3" ;;
fetch) git -C "$2" fetch -q ;;
esac"#;

/// Whoever speaks the protocol.
pub(crate) struct Client {
    /// What is run, before the words that say what to do.
    program: Vec<String>,
    debian: Debian,
    is_partial: bool,
}

impl Client {
    fn git(debian: Debian) -> Self {
        Self { program: ["sh", "-c", GIT, "git"].map(str::to_owned).to_vec(), debian, is_partial: true }
    }

    fn library(program: &[&Path], is_partial: bool) -> Self {
        let program: Vec<String> = program.iter().map(|word| word.display().to_string()).collect();
        let is_there = Path::new(&program[0]).exists();
        assert!(is_there, "no `{}`; hint: `cargo xtask test` makes it", program[0]);
        Self { program, debian: Debian::bookworm(), is_partial }
    }

    fn command<'a>(&'a self, words: &[&'a str]) -> Vec<&'a str> {
        self.program.iter().map(String::as_str).chain(words.iter().copied()).collect()
    }

    pub(crate) fn run(&self, world: &World, words: &[&str]) -> Done {
        let command = self.command(words);
        finish(world.command(command[0]).args(&command[1..]), b"")
    }

    fn is_served(&self) {
        let kept = Kept::in_world(World::new().on(self.debian.clone()));
        kept.world.outlast(&["adopt", ADDRESS]).expect(0);
        let moment = kept.moment();
        let then = read(&kept.world, "", &["rev-parse", "main"]);
        let now = kept.repository.commit("main", "later", &[("a.txt", "later\n")]);
        kept.world.outlast(&["sync"]).expect(0);
        let served = Served::start(&kept.world);
        let address = format!("{}/git/forge.example/acme/app.git", served.base);
        // The control: what is not kept is not there.
        assert_ne!(self.run(&kept.world, &["clone", &address.replace("app", "other"), "other"]).code, 0);

        let past = format!("{address}@{}", kept.compact(&moment));
        for (address, head, n_commits) in [(&past, &then, 4), (&address, &now, 5)] {
            let did = |what: &str, folder: &str| {
                let _ = fs::remove_dir_all(kept.world.project().join(folder));
                self.run(&kept.world, &[what, address, folder]).expect(0);
                let n = read(&kept.world, folder, &["rev-list", "--count", "main"]);
                (read(&kept.world, folder, &["rev-parse", "main"]), n)
            };
            assert_eq!(did("clone", "whole"), (head.clone(), n_commits.to_string()));
            assert_eq!(did("shallow", "shallow"), (head.clone(), "1".to_owned()));
            if self.is_partial {
                assert_eq!(did("partial", "partial"), (head.clone(), n_commits.to_string()));
                let missing = ["rev-list", "--objects", "--all", "--missing=print"];
                assert!(read(&kept.world, "partial", &missing).contains('?'), "everything came");
            }
        }

        let new = kept.repository.commit("main", "new", &[("a.txt", "new\n")]);
        kept.world.outlast(&["sync"]).expect(0);
        kept.upstream.on(HOST, "*", Fault::Status(404));
        self.run(&kept.world, &["fetch", "whole"]).expect(0);
        assert_eq!(read(&kept.world, "whole", &["rev-parse", "origin/main"]), new);
        served.end();
    }

    fn is_drilled(&self) {
        let kept = Kept::in_world(World::new().on(self.debian.clone()));
        let mut script = String::from("set -e\n");
        let program = self.program.iter().map(|word| format!("'{word}'")).collect::<Vec<_>>().join(" ");
        let partial = if self.is_partial { "partial" } else { "" };
        script += &format!("for what in clone shallow {partial}; do {program} $what {ADDRESS} $what; done\n");
        script += &format!("{program} fetch clone; cat clone/a.txt\n");
        survives(&kept.world, &["sh", "-c", &script], &[HOST], &[]);
    }
}

/// Returns what this machine's git reads in a folder of the project, or at the upstream.
fn read(world: &World, folder: &str, arguments: &[&str]) -> String {
    let folder = if folder.is_empty() { world.path().join("app.git") } else { world.project().join(folder) };
    let mut git = std::process::Command::new("git");
    git.env_clear().env("PATH", "/usr/bin:/bin").env("HOME", world.home()).current_dir(folder);
    finish(git.args(["-c", "safe.directory=*"]).args(arguments), b"").expect(0).stdout.trim().to_owned()
}

pub(crate) fn jgit() -> Client {
    Client::library(&[&tools().join("jgit/client")], true)
}

pub(crate) fn go_git() -> Client {
    Client::library(&[&tools().join("go-git/client")], false)
}

pub(crate) fn libgit2() -> Client {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testing/clients/libgit2/client.py");
    Client::library(&[&tools().join("libgit2/bin/python"), &script], false)
}

#[test]
fn jgit_is_served() {
    jgit().is_served();
}

#[test]
fn jgit_is_drilled() {
    jgit().is_drilled();
}

#[test]
fn go_git_is_served() {
    go_git().is_served();
}

#[test]
fn go_git_is_drilled() {
    go_git().is_drilled();
}

#[test]
fn libgit2_is_served() {
    libgit2().is_served();
}

#[test]
fn libgit2_is_drilled() {
    libgit2().is_drilled();
}

#[test]
fn git_2_39_is_served() {
    Client::git(Debian::bookworm()).is_served();
}

#[test]
fn git_2_39_is_drilled() {
    Client::git(Debian::bookworm()).is_drilled();
}

#[test]
fn the_newest_git_is_served_by_itself() {
    let world = World::new().on(Debian::sid());
    let said = finish(world.command("git").arg("--version"), b"").expect(0).stdout;
    let minor = said.split('.').nth(1).and_then(|minor| minor.parse::<u32>().ok());
    assert!(said.starts_with("git version 3.") || minor >= Some(55), "{said}");
    Client::git(Debian::sid()).is_served();
}

#[test]
fn the_newest_git_is_drilled() {
    Client::git(Debian::sid()).is_drilled();
}
