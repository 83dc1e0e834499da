//! Repositories that a web server gives out as files, without knowing what they are.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use fakes::{Answer, Fault};
use host::http::{Client, Proxies, Roots, Settings};
use mirror::{Address, Outage, Patience, Synced};

use crate::world::{HOST, PATH, World, run};

impl World {
    /// Has a web server give out the files as they are now.
    fn list_files(&self) {
        self.upstream_git(&["update-server-info"]);
        self.upstream.serve_git_files(HOST, PATH, &self.repository);
    }

    fn pack_upstream(&self) {
        self.upstream_git(&["repack", "-a", "-d", "-q"]);
        self.list_files();
    }

    /// Adds a commit whose objects lie there alone, which `git fast-import` does with few.
    fn add(&self, text: &str) {
        self.repository.commit("main", text, &[("a.txt", text), ("b.txt", "b\n")]);
        self.list_files();
    }

    fn n_loose(&self) -> usize {
        let told = self.upstream_git(&["count-objects"]);
        told.split(' ').next().unwrap().parse().unwrap()
    }
}

/// A real web server, which ends with the test.
struct Web(Child);

impl Drop for Web {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn web(world: &World) -> (Web, u16) {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut command = Command::new("python3");
    command.args(["-m", "http.server", "--bind", "127.0.0.1", &port.to_string()]);
    command.current_dir(world.repository.folder().parent().unwrap());
    let web = Web(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
    let start = Instant::now();
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(start.elapsed() < Duration::from_secs(10), "the web server does not listen");
        std::thread::sleep(Duration::from_millis(20));
    }
    (web, port)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_web_server_gives_out_is_followed() {
    let mut world = World::new();
    world.pack_upstream();
    let (web, port) = web(&world);
    world.address = Address::parse(&format!("http://127.0.0.1:{port}/app.git")).unwrap();
    world.mirror().take_on(&world.address).unwrap();
    let refused = world.sync().await;
    assert!(matches!(refused, Synced::Unavailable { .. }), "the control: it is no public address");
    world.client = Client::new(Settings {
        roots: Roots::empty(),
        upstreams: Vec::new(),
        allow: vec!["127.0.0.1".parse().unwrap()],
        public_hosts: Vec::new(),
        server: None,
        proxies: Proxies::default(),
    });
    let first = world.sync().await;
    assert!(matches!(first, Synced::Moved { n_applied: 4, n_held: 0, .. }), "{first:?}");
    assert_eq!(world.served(), World::refs(world.repository.folder()));
    assert_eq!(world.state().served["HEAD"].to_string(), "@refs/heads/main");
    assert_eq!(world.sync().await, Synced::Unchanged);

    // What is new comes, from files of its own, and nothing besides.
    world.add("line 6\n");
    assert!(world.n_loose() > 0);
    let more = world.sync().await;
    let Synced::Moved { n_applied: 1, n_held: 0, size_bytes, .. } = more else { panic!("{more:?}") };
    assert!(size_bytes < 1000, "{size_bytes} B");
    assert_eq!(World::commits(&world.folder()), World::commits(world.repository.folder()));
    run(&world.folder(), &["fsck", "--full"]);

    // What is destroyed stays.
    let before = world.served();
    world.upstream_git(&["update-ref", "refs/heads/main", "main~3"]);
    world.list_files();
    assert!(matches!(world.sync().await, Synced::Moved { n_held: 1, .. }));
    drop(web);
    let gone = world.sync().await;
    assert!(matches!(gone, Synced::Unavailable { outage: Outage::Silent, .. }), "{gone:?}");
    assert_eq!(world.served(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_of_files_may_become_one_of_gits_and_back() {
    let world = World::new();
    world.list_files();
    assert!(matches!(world.sync().await, Synced::Moved { n_applied: 4, n_held: 0, .. }));
    let asked = world.upstream.log().len();
    assert_eq!(world.sync().await, Synced::Unchanged);
    assert_eq!(world.upstream.log().len(), asked + 2, "its refs, and `HEAD`");
    for n in 6..10 {
        world.repository.commit("main", "more", &[("a.txt", &format!("line {n}\n"))]);
        match n % 2 {
            0 => world.serve(),
            _ => world.list_files(),
        }
        let moved = world.sync().await;
        assert!(matches!(moved, Synced::Moved { n_applied: 1, n_held: 0, .. }), "{n}: {moved:?}");
        assert_eq!(world.served(), World::refs(world.repository.folder()));
    }
    run(&world.folder(), &["fsck", "--full"]);
}

/// What becomes of a fault.
#[derive(Debug, PartialEq, Eq)]
enum Becomes {
    Unavailable,
    Refused,
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_moves_where_files_are_missing_wrong_or_endless() {
    use Becomes::{Refused, Unavailable};
    let world = World::new();
    world.pack_upstream();
    world.sync().await;
    let (served, state) = (world.served(), world.state());
    let other = world.new_folder("other.git");
    fakes::git::Repository::create(&other).grow(3, 20);
    run(&other, &["repack", "-a", "-d", "-q"]);
    let mut wrong = fs::read_dir(other.join("objects/pack")).unwrap().map(|entry| entry.unwrap().path());
    let wrong = wrong.find(|path| path.extension().is_some_and(|it| it == "pack")).unwrap();
    let wrong = || Fault::Older(Answer::file(fs::read(&wrong).unwrap()));
    let refs = |text: String| Fault::Older(Answer::file(text));
    let nowhere = format!("{}\trefs/heads/main\n", "1".repeat(40));
    let endless = || Fault::EndlessBody { bytes: 4 << 20 };
    for (file, fault, becomes) in [
        ("info/refs*", Fault::TruncatedJson, Unavailable),
        ("info/refs*", refs("<html>".to_owned()), Unavailable),
        ("info/refs*", refs(String::new()), Unavailable),
        ("info/refs*", endless(), Unavailable),
        ("info/refs*", refs(nowhere), Refused),
        ("HEAD", endless(), Refused),
        ("HEAD", refs("<html>".to_owned()), Refused),
        ("objects/info/packs", Fault::Status(404), Refused),
        ("objects/info/packs", endless(), Refused),
        ("objects/pack/*", Fault::Status(404), Refused),
        ("objects/pack/*", Fault::Short, Unavailable),
        ("objects/pack/*", Fault::WrongBytes, Refused),
        ("objects/pack/*", wrong(), Refused),
        ("objects/pack/*", endless(), Refused),
        ("objects/*", Fault::Status(502), Unavailable),
        ("objects/*", Fault::RedirectLoop, Unavailable),
        ("objects/*", Fault::Html200, Refused),
    ] {
        let told = format!("{file} {fault:?}");
        world.repository.commit("main", &told, &[("a.txt", &told), ("b.txt", "b\n")]);
        world.pack_upstream();
        world.upstream.on(HOST, &format!("{PATH}/{file}"), fault);
        let before = world.state();
        let synced = world.sync().await;
        let became = match &synced {
            Synced::Unavailable { .. } => Unavailable,
            Synced::Refused { reason } => {
                assert!(!reason.contains("127.0.0.1"), "{told}: {reason}");
                Refused
            }
            other => panic!("{told}: {other:?}"),
        };
        assert_eq!(became, becomes, "{told}: {synced:?}");
        assert_eq!(world.state(), before, "{told}");
        let mut left = fs::read_dir(world.folder()).unwrap().map(|entry| entry.unwrap().file_name());
        assert!(left.all(|name| !name.to_string_lossy().starts_with("incoming-")), "{told}");
        world.upstream.clear_faults();
        let synced = world.sync().await;
        assert!(matches!(synced, Synced::Moved { n_applied: 1, n_held: 0, .. }), "{told}: {synced:?}");
        run(&world.folder(), &["fsck", "--full"]);
    }
    assert_ne!((world.served(), world.state()), (served, state), "the control");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_never_comes_is_not_waited_for() {
    let world = World::new();
    world.pack_upstream();
    world.upstream.on(HOST, &format!("{PATH}/objects/pack/*"), Fault::Hang);
    let short = Duration::from_millis(300);
    let patience = Patience { first_byte: short, idle: short, n_slow_max: 1 };
    let mirror = world.mirror().with_patience(patience);
    let Synced::Unavailable { reason, .. } = mirror.sync(&world.address).await.unwrap() else { panic!() };
    assert!(reason.contains("did not answer within"), "{reason}");
    world.upstream.clear_faults();
    assert!(world.sync().await.is_whole(), "the control");
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_of_another_repository_are_not_asked_for() {
    let world = World::new();
    world.pack_upstream();
    let (away, info) = (world.new_folder("away"), world.repository.folder().join("objects/info"));
    for name in ["alternates", "http-alternates"] {
        fs::write(info.join(name), format!("https://{HOST}/acme/other.git/objects\n")).unwrap();
    }
    // All of it is elsewhere.
    fs::rename(world.repository.folder().join("objects/pack"), &away).unwrap();
    let synced = world.sync().await;
    assert!(matches!(synced, Synced::Refused { .. }), "{synced:?}");
    let asked = world.upstream.log();
    assert!(asked.iter().all(|seen| !seen.path.contains("alternates") && seen.path.starts_with(PATH)));
    assert!(asked.iter().any(|seen| seen.path.contains("/objects/")), "the control: it was looked for");
    fs::rename(away, world.repository.folder().join("objects/pack")).unwrap();
    assert!(world.sync().await.is_whole());
}
