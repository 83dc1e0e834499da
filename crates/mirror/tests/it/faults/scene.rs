//! What the rows are played on: one upstream at many addresses, its past, and a stranger.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use fakes::git::{Fault, Phase, Repository};
use mirror::{Address, Mirror, Patience, State, Synced};

use super::rows::{Plain, Row};
use crate::world::{HOST, World, run};

pub(super) struct Scene {
    pub(super) world: World,
    /// The upstream as it was before its newest commit and tag.
    pub(super) before: Repository,
    /// Somebody else's, with the same default branch.
    pub(super) other: Repository,
}

/// Everything of a copy that must not move.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Copy {
    pub(super) served: Vec<String>,
    pub(super) state: State,
    pub(super) objects: BTreeSet<String>,
}

impl Scene {
    pub(super) fn new() -> Self {
        let world = World::new();
        let before = world.repository.copy_to(&world.new_folder("before.git"));
        world.repository.commit("main", "commit 6", &[("a.txt", "line 6\n"), ("b.txt", "b\n")]);
        world.repository.tag("v2", "main");
        let other = Repository::create(&world.new_folder("other.git"));
        other.grow(3, 12);
        for name in run(other.folder(), &["for-each-ref", "--format=%(refname)"]).lines() {
            if name != "refs/heads/main" {
                run(other.folder(), &["update-ref", "-d", name]);
            }
        }
        for host in [HOST, "other.example"] {
            world.upstream.serve_git(host, "/acme/other.git", &other);
        }
        Self { world, before, other }
    }

    pub(super) const fn repository(&self) -> &Repository {
        &self.world.repository
    }

    pub(super) fn newest_blob(&self) -> String {
        self.world.upstream_git(&["rev-parse", "main:a.txt"])
    }

    /// Goes to the address of a row, at which the upstream is served with faults.
    pub(super) fn go(&mut self, n: usize, faults: &[(Phase, Fault)]) {
        let path = format!("/acme/row-{n}.git");
        self.world.upstream.serve_git_with(HOST, &path, &self.world.repository, faults.to_vec());
        self.world.address = Address::parse(&format!("https://{HOST}{path}")).unwrap();
        self.world.mirror().take_on(&self.world.address).unwrap();
    }

    /// Brings the copy up to date, with little patience where that is what a row is about.
    pub(super) async fn sync(&self, row: &Row) -> Synced {
        if !row.is_silence() {
            return self.world.sync().await;
        }
        let short = Duration::from_millis(500);
        let patience = Patience { first_byte: 6 * short, idle: short, n_slow_max: 2 };
        let mirror: Mirror = self.world.mirror().with_patience(patience);
        let synced = mirror.sync(&self.world.address).await.unwrap();
        mirror.finish().unwrap();
        synced
    }

    /// Checks that every object of the copy is whole and none is missing.
    pub(super) fn fsck(&self) {
        run(&self.world.folder(), &["fsck", "--full"]);
    }

    /// Looks at the copy, in which nothing may be left over.
    pub(super) fn copy(&self) -> Copy {
        let (folder, state) = (self.world.folder(), self.world.state());
        if !folder.join("HEAD").exists() {
            return Copy { served: Vec::new(), state, objects: BTreeSet::new() };
        }
        let all = run(&folder, &["cat-file", "--batch-all-objects", "--batch-check"]);
        assert_eq!(
            std::fs::read_dir(&folder).unwrap().filter(|entry| is_leftover(entry.as_ref().unwrap())).count(),
            0
        );
        let served = self.world.served().into_iter().map(|(name, id)| format!("{name} {id}")).collect();
        Copy { served, state, objects: all.lines().map(str::to_owned).collect() }
    }

    /// Returns what the journal was told last of an upstream's faults.
    pub(super) fn told(&self, seq: u64) -> String {
        let entries = self.world.store.events_since(seq, usize::MAX).unwrap();
        entries.into_iter().map(|entry| format!("{:?}\n", entry.event)).collect()
    }

    pub(super) fn seq(&self) -> u64 {
        self.world.store.events_since(0, usize::MAX).unwrap().last().map_or(0, |entry| entry.seq)
    }

    /// Runs a plain git that knows the way to the upstream; returns whether it ended well.
    pub(super) fn plain(&self, folder: &Path, row: Option<&Row>, arguments: &[&str]) -> bool {
        let ca = self.world.upstream.ca_file(self.world.home.path());
        let mut command = Command::new("git");
        command.args(arguments).current_dir(folder).env_clear().env("PATH", "/usr/local/bin:/usr/bin:/bin");
        command.envs([("HOME", "/nonexistent"), ("GIT_CONFIG_NOSYSTEM", "1"), ("GIT_TERMINAL_PROMPT", "0")]);
        command.env("GIT_SSL_CAINFO", ca).env("https_proxy", self.world.upstream.proxy_url());
        if row.is_some_and(Row::is_silence) {
            // Without these it would wait for ever.
            command.envs([("GIT_HTTP_LOW_SPEED_LIMIT", "1000"), ("GIT_HTTP_LOW_SPEED_TIME", "1")]);
        }
        command.output().unwrap().status.success()
    }

    /// Says what plain git made of a fault, by how it ended and by what its mirror has.
    pub(super) fn judge(&self, is_good: bool, mirror: &Path, before: &[String]) -> Plain {
        if !is_good {
            return Plain::Fails;
        }
        let commits = World::commits(mirror);
        match World::refs(mirror) == World::refs(self.world.repository.folder()) {
            true => Plain::Good,
            false if before.iter().all(|commit| commits.contains(commit)) => Plain::Wrong,
            false => Plain::Loses,
        }
    }
}

fn is_leftover(entry: &std::fs::DirEntry) -> bool {
    entry.file_name().to_string_lossy().starts_with("incoming-")
}
