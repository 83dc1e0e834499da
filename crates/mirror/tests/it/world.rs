//! An upstream with one repository, and the copy of it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use fakes::git::{Phase, Repository};
use fakes::{Answer, Fault, Upstream};
use git::Git;
use host::Clock;
use host::http::{Client, Outgoing, Proxies, Roots, Settings};
use http::{HeaderMap, HeaderName, HeaderValue};
use mirror::{Address, Ask, Mirror, Served, State, Synced, answer};
use model::{Event, RepoId, Timestamp};
use store::Store;

pub(crate) const HOST: &str = "forge.example";
pub(crate) const PATH: &str = "/acme/app.git";

#[derive(Debug)]
pub(crate) struct World {
    pub(crate) upstream: Upstream,
    pub(crate) repository: Repository,
    pub(crate) store: Store,
    pub(crate) clock: Clock,
    pub(crate) home: tempfile::TempDir,
    elsewhere: tempfile::TempDir,
    pub(crate) client: Client,
    pub(crate) address: Address,
    pub(crate) git: Git,
}

impl World {
    /// Makes a repository with a few commits, branches and a tag.
    pub(crate) fn new() -> Self {
        let (home, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let upstream = Upstream::start_blocking();
        let repository = Repository::create(&elsewhere.path().join("app.git"));
        for n in 1..=5 {
            repository.commit(
                "main",
                &format!("commit {n}"),
                &[("a.txt", &format!("line {n}\n")), ("b.txt", "b\n")],
            );
        }
        repository.commit("feature", "a feature", &[("f.txt", "f\n")]);
        repository.tag("v1", "main~2");
        let place = host::http::Upstream {
            host: HOST.to_owned(),
            connect: Some(upstream.tls_address().to_string()),
            roots: None,
            base: None,
        };
        let mut roots = Roots::empty();
        roots.add_pem(upstream.ca_pem().as_bytes()).unwrap();
        let settings = Settings {
            roots,
            upstreams: vec![place],
            allow: Vec::new(),
            public_hosts: Vec::new(),
            server: None,
            proxies: Proxies::default(),
        };
        let clock = Clock::manual("2026-05-21T10:00:05Z".parse::<Timestamp>().unwrap());
        let store = Store::open(home.path(), clock.clone()).unwrap();
        let address = Address::parse(&format!("https://{HOST}{PATH}")).unwrap();
        let world = Self {
            upstream,
            repository,
            store,
            clock,
            home,
            elsewhere,
            client: Client::new(settings),
            address,
            git: Self::git(),
        };
        world.serve();
        assert!(world.mirror().take_on(&world.address).unwrap());
        world
    }

    /// Serves the repository as it is.
    pub(crate) fn serve(&self) {
        self.upstream.serve_git(HOST, PATH, &self.repository);
    }

    /// Serves it with another answer at one step, until it is served as it is.
    pub(crate) fn serve_with(&self, phase: Phase, answer: Answer) {
        let faults = vec![(phase, Fault::Older(answer).into())];
        self.upstream.serve_git_with(HOST, PATH, &self.repository, faults);
    }

    pub(crate) fn git() -> Git {
        Git::new("/usr/local/bin:/usr/bin:/bin")
    }

    pub(crate) fn mirror(&self) -> Mirror {
        Mirror::new(self.store.clone(), self.git.clone(), self.client.clone(), self.clock.clone())
    }

    pub(crate) async fn sync(&self) -> Synced {
        let mirror = self.mirror();
        let synced = mirror.sync(&self.address).await.unwrap();
        mirror.finish().unwrap();
        synced
    }

    pub(crate) fn repo(&self) -> &RepoId {
        self.address.repo()
    }

    pub(crate) fn state(&self) -> State {
        State::read(&self.store, self.repo(), None).unwrap()
    }

    /// Returns the folder of the copy.
    pub(crate) fn folder(&self) -> PathBuf {
        mirror::folder(self.home.path(), self.repo())
    }

    /// Returns what git says of the copy's refs, hidden ones included.
    pub(crate) fn refs(folder: &Path) -> BTreeMap<String, String> {
        let text = run(folder, &["for-each-ref", "--format=%(refname) %(objectname)"]);
        text.lines()
            .map(|line| line.split_once(' ').unwrap())
            .map(|(name, id)| (name.to_owned(), id.to_owned()))
            .collect()
    }

    /// Returns the refs of the copy that are served.
    pub(crate) fn served(&self) -> BTreeMap<String, String> {
        let mut refs = Self::refs(&self.folder());
        refs.retain(|name, _| !name.starts_with("refs/outlast/"));
        refs
    }

    /// Returns every commit that some ref of a repository reaches.
    pub(crate) fn commits(folder: &Path) -> Vec<String> {
        let mut commits: Vec<String> =
            run(folder, &["rev-list", "--all"]).lines().map(str::to_owned).collect();
        commits.sort_unstable();
        commits
    }

    pub(crate) fn events(&self, kind: &str) -> Vec<Event> {
        let entries = self.store.events_since(0, usize::MAX).unwrap();
        entries.into_iter().map(|entry| entry.event).filter(|event| event.kind().name() == kind).collect()
    }

    /// Runs git in the upstream's own repository.
    pub(crate) fn upstream_git(&self, arguments: &[&str]) -> String {
        run(self.repository.folder(), arguments)
    }

    /// Returns a folder that is not there yet.
    pub(crate) fn new_folder(&self, name: &str) -> PathBuf {
        self.elsewhere.path().join(name)
    }
}

/// Asks for what `main` reaches, as a client of version 2 does, with these arguments besides; returns the body of the answer.
pub(crate) fn ask(served: &Served, world: &World, at: Option<Timestamp>, arguments: &[&str]) -> Outgoing {
    let refs = served.refs(world.repo(), at).unwrap().unwrap();
    let packet = |text: &str| format!("{:04x}{text}\n", text.len() + 5);
    let main = refs.refs["refs/heads/main"].id().unwrap();
    let arguments: String = arguments.iter().map(|argument| packet(argument)).collect();
    let request =
        format!("{}0001{}{arguments}0000", packet("command=fetch"), packet(&format!("want {main}")));
    let version = (HeaderName::from_static("git-protocol"), HeaderValue::from_static("version=2"));
    let headers = HeaderMap::from_iter([version]);
    let answer = answer(served, world.repo(), at, &refs, &headers, Ask::Pack(request.as_bytes())).unwrap();
    assert_eq!(answer.status(), 200);
    answer.into_body()
}

pub(crate) fn run(folder: &Path, arguments: &[&str]) -> String {
    let output = Command::new("git")
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .env("HOME", "/nonexistent")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .output()
        .unwrap();
    assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}
