//! Repositories that git itself asks for: over `git://`, by ssh, and on this machine's disk.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use git::{LeftOut, Ssh};
use mirror::{Address, Synced};

use crate::world::{World, run};

/// A server that ends with the test.
struct Daemon(Child);

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts a real `git daemon` for all that lies in a folder; returns it with its port.
fn daemon(folder: &Path) -> (Daemon, u16) {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    // Not by `git daemon`, which stays behind it as another process.
    let mut command = Command::new(Path::new(&run(folder, &["--exec-path"])).join("git-daemon"));
    command.args(["--listen=127.0.0.1", "--reuseaddr", "--export-all", "--informative-errors"]);
    command.args([&format!("--port={port}"), &format!("--base-path={}", folder.display())]).arg(folder);
    command
        .env_clear()
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .stdin(Stdio::null())
        .stderr(Stdio::null());
    let daemon = Daemon(command.spawn().unwrap());
    let start = Instant::now();
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(start.elapsed() < Duration::from_secs(10), "git daemon does not listen");
        std::thread::sleep(Duration::from_millis(20));
    }
    (daemon, port)
}

/// Plays ssh: does on this machine what it would do there, and writes down how it was called.
fn ssh(world: &World) -> Ssh {
    let (script, log) = (world.new_folder("ssh"), world.new_folder("ssh.log"));
    let text =
        format!("#!/bin/sh\necho \"$@\" >>{}\nfor last; do :; done\nexec sh -c \"$last\"\n", log.display());
    fs::write(&script, text).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    Ssh { command: Some(script.display().to_string()), agent: None, home: None }
}

/// Follows a repository at an address through growth, a rewrite, and its end.
async fn follow(world: &mut World, url: &str) {
    world.address = Address::parse(url).unwrap();
    assert!(world.mirror().take_on(&world.address).unwrap());
    let first = world.sync().await;
    assert!(
        matches!(first, Synced::Moved { n_applied: 4, n_held: 0, left_out: LeftOut { n: 0, .. }, .. }),
        "{url}: {first:?}"
    );
    let upstream = World::refs(world.repository.folder());
    assert_eq!(world.served(), upstream, "{url}");
    assert_eq!(world.state().served["HEAD"].to_string(), "@refs/heads/main");
    assert_eq!(world.sync().await, Synced::Unchanged, "{url}");

    // What grows comes as what is new.
    world.repository.commit("main", "more", &[("c.txt", "more\n")]);
    world.repository.tag("v2", "main");
    let more = world.sync().await;
    let Synced::Moved { n_applied: 2, n_held: 0, size_bytes, .. } = more else { panic!("{url}: {more:?}") };
    assert!(size_bytes < 1500, "{url}: {size_bytes} B");

    // What is rewritten is held, and nothing is lost.
    let commits = World::commits(&world.folder());
    world.upstream_git(&["update-ref", "refs/heads/main", "main~4"]);
    let rewritten = world.sync().await;
    assert!(matches!(rewritten, Synced::Moved { n_applied: 0, n_held: 1, .. }), "{url}: {rewritten:?}");
    assert_eq!(World::commits(&world.folder()), commits, "{url}");
    run(&world.folder(), &["fsck", "--full"]);

    // A commit that only `HEAD` names.
    let orphan = world.upstream_git(&["rev-parse", "feature"]);
    world.upstream_git(&["update-ref", "-d", "refs/heads/feature"]);
    world.upstream_git(&["update-ref", "--no-deref", "HEAD", &orphan]);
    let detached = world.sync().await;
    assert!(detached.is_whole(), "{url}: {detached:?}");

    let (before, state) = (world.served(), world.state());
    fs::rename(world.repository.folder(), world.new_folder("away.git")).unwrap();
    let gone = world.sync().await;
    assert!(
        matches!(&gone, Synced::Unavailable { reason, .. } if reason.contains("git says")),
        "{url}: {gone:?}"
    );
    assert_eq!((world.served(), world.state()), (before, state), "{url}");
    assert_eq!(world.events("down").len(), 1, "{url}");
    // Nothing of a moment is left.
    let left = fs::read_dir(world.folder()).unwrap().map(|entry| entry.unwrap().file_name());
    let left: Vec<_> = left.filter(|name| name.to_string_lossy().starts_with("incoming-")).collect();
    assert!(left.is_empty(), "{url}: {left:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repository_on_this_machine_is_followed() {
    let mut world = World::new();
    let url = format!("file://{}", world.repository.folder().display());
    follow(&mut world, &url).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repository_of_git_daemon_is_followed() {
    let mut world = World::new();
    let (_daemon, port) = daemon(world.repository.folder().parent().unwrap());
    follow(&mut world, &format!("git://localhost:{port}/app.git")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repository_behind_ssh_is_followed_and_no_strange_host_believed() {
    let mut world = World::new();
    let (log, folder) = (world.new_folder("ssh.log"), world.repository.folder().to_owned());
    world.git = World::git().with_ssh(ssh(&world));
    follow(&mut world, &format!("ssh://git@forge.example{}", folder.display())).await;
    let log = fs::read_to_string(log).unwrap();
    for option in ["-oBatchMode=yes", "-oStrictHostKeyChecking=yes", "git@forge.example"] {
        assert!(log.lines().count() > 3 && log.lines().all(|line| line.contains(option)), "{option}: {log}");
    }
}
