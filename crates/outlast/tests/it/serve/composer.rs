//! A real Composer that knows nothing but the server: it updates, installs and audits while all its hosts fail.

use std::fs;

use fakes::{Answer, Fault, Upstream};
use serde_json::json;

use super::Served;
use crate::composer::{AUDIT, EXTRA_MAX, INSTALL, N_PACKAGES, Scene, UPDATE, packages};
use crate::machines::Debian;
use crate::world::{Done, World, entries, finish};

/// Runs a command that reaches the hosts of the world only where they lie for everybody: nowhere.
fn run(scene: &Scene, command: &[&str]) -> Done {
    finish(scene.world.command(command[0]).args(&command[1..]), b"")
}

fn serves(debian: Debian) {
    let scene = Scene::on(debian);
    let lock = scene.world.project().join("composer.lock");
    fs::remove_file(&lock).unwrap();
    let served = Served::start(&scene.world);
    served.paste(&scene.world, "Composer");
    run(&scene, &UPDATE).expect(0);
    let made = fs::read_to_string(&lock).unwrap();
    let mirror = json!(format!("{}/composer/dists/", served.base)).to_string();
    assert!(
        made.replace("\\/", "/").contains(mirror.trim_end_matches('"')),
        "the lock names the server: {made}"
    );
    run(&scene, &INSTALL).expect(0);
    assert_eq!(scene.n_installed(), N_PACKAGES);

    // Nothing of the first client is left, and nothing of the world either.
    scene.forget();
    for fault in [Fault::Status(502), Fault::Hang] {
        scene.fail(&fault);
        served.paste(&scene.world, "Composer");
        run(&scene, &UPDATE).expect(0);
        assert_eq!(fs::read_to_string(&lock).unwrap(), made, "{fault:?}");
        let done = run(&scene, &INSTALL).expect(0);
        assert_eq!(scene.n_installed(), N_PACKAGES, "{fault:?}");
        assert!(done.took < EXTRA_MAX, "{fault:?}: {:?}", done.took);
        scene.forget();
    }

    // What was pasted is gone after its undo, and without it nothing works.
    served.paste(&scene.world, "Composer");
    served.undo(&scene.world, "Composer");
    let global = run(&scene, &["composer", "config", "--global", "--list"]).expect(0).stdout;
    assert!(!global.contains(&served.base) && global.contains("https://repo.packagist.org"), "{global}");
    fs::remove_file(&lock).unwrap();
    assert_ne!(scene.directly(&UPDATE).code, 0, "the control");
    served.end();
}

/// Installs through the forward proxy from a lock that names GitHub alone.
fn installs_by_proxy(debian: Debian) {
    let scene = Scene::on(debian);
    let lock = scene.world.project().join("composer.lock");
    let made = fs::read_to_string(&lock).unwrap();
    assert!(made.contains("api.github.com") && !made.contains("mirrors"), "{made}");
    scene.world.outlast(&["adopt", "."]).expect(0);
    scene.fail(&Fault::Status(502));
    let served = Served::start_as_proxy(&scene.world, "127.0.0.1:0");
    assert_ne!(scene.directly(&INSTALL).code, 0, "the control");
    scene.forget();
    // Not each Debian has a curl; it is the same person's folder.
    let (set, _) = served.settings("Composer, with a lock made elsewhere");
    let (fetched, set): (Vec<&str>, Vec<&str>) = set.lines().partition(|line| line.contains("ca.pem"));
    let mut outside = std::process::Command::new("sh");
    finish(outside.args(["-ec", &fetched.join("\n")]).env("HOME", scene.world.home()), b"").expect(0);
    let script = format!("{}\nexec \"$@\"", set.join("\n"));
    let install = || finish(scene.world.command("sh").args(["-ec", &script, "sh"]).args(INSTALL), b"");
    install().expect(0);
    assert_eq!(scene.n_installed(), N_PACKAGES);
    assert_eq!(fs::read_to_string(&lock).unwrap(), made, "nobody touched it");
    served.end();
}

fn audits(debian: Debian) {
    let scene = Scene::on(debian);
    scene.advise();
    let served = Served::start(&scene.world);
    for fault in [None, Some(Fault::Status(503))] {
        if let Some(fault) = &fault {
            scene.fail(fault);
        }
        served.paste(&scene.world, "Composer");
        let audit = run(&scene, &AUDIT);
        assert!(audit.code != 0 && audit.stdout.contains("CVE-2026-0001"), "{fault:?}: {}", audit.stdout);
        scene.forget();
    }
    // A question that was never answered is not answered now.
    let lock = scene.world.project().join("composer.lock");
    let other = fs::read_to_string(&lock).unwrap().replace("acme/lib-2", "acme/lib-none");
    fs::write(&lock, other).unwrap();
    served.paste(&scene.world, "Composer");
    let audit = run(&scene, &AUDIT);
    assert_ne!(audit.code, 0, "{}", audit.stderr);
    assert!(!(audit.stdout + &audit.stderr).contains("No security vulnerability"));
}

#[test]
fn an_audit_of_the_oldest_composer_is_never_a_false_all_clear() {
    audits(Debian::bookworm());
}

#[test]
fn an_audit_of_the_newest_composer_is_never_a_false_all_clear() {
    audits(Debian::sid());
}

#[test]
fn composer_2_5_needs_nothing_but_the_server() {
    serves(Debian::bookworm());
}

#[test]
fn composer_2_8_needs_nothing_but_the_server() {
    serves(Debian::trixie());
}

#[test]
fn composer_2_11_needs_nothing_but_the_server() {
    serves(Debian::sid());
}

#[test]
fn composer_2_5_installs_an_old_lock_through_the_proxy() {
    installs_by_proxy(Debian::bookworm());
}

#[test]
fn composer_2_8_installs_an_old_lock_through_the_proxy() {
    installs_by_proxy(Debian::trixie());
}

#[test]
fn composer_2_11_installs_an_old_lock_through_the_proxy() {
    installs_by_proxy(Debian::sid());
}

/// A Composer that reaches GitHub itself as well, which a client of a server does while the server does not.
fn with_github(scene: &Scene, github: &Upstream, command: &[&str]) -> Done {
    let folder = scene.world.path().join("github");
    fs::create_dir_all(&folder).unwrap();
    let mut composer = scene.world.command(command[0]);
    composer.args(&command[1..]).env("https_proxy", github.proxy_url()).env("no_proxy", "127.0.0.1");
    finish(composer.env("COMPOSER_CAFILE", github.ca_file(&folder)), b"")
}

/// Whoever asks for an archive that is damaged, and cannot be mended, goes on to GitHub at once: one request for each.
#[test]
fn composer_goes_on_at_once_where_the_servers_copies_are_damaged() {
    let scene = Scene::new();
    fs::remove_file(scene.world.project().join("composer.lock")).unwrap();
    let served = Served::start(&scene.world);
    served.paste(&scene.world, "Composer");
    run(&scene, &UPDATE).expect(0);
    run(&scene, &INSTALL).expect(0);
    let address = served.base.trim_start_matches("http://").to_owned();
    served.end();

    scene.fail(&Fault::Status(502));
    let blobs = entries(&scene.world.own().join("blobs")).into_iter();
    let blobs = blobs.flat_map(|folder| entries(&folder)).flat_map(|folder| entries(&folder));
    let archives: Vec<_> = blobs.filter(|file| fs::read(file).unwrap().starts_with(b"PK")).collect();
    assert!(archives.len() >= N_PACKAGES - 1, "{}", archives.len());
    for archive in archives {
        fs::write(archive, "PK, and nothing of it").unwrap();
    }
    // What it had in memory was whole.
    let served = Served::start_at(&scene.world, &address);
    scene.forget();
    served.paste(&scene.world, "Composer");
    let github = Upstream::start_blocking();
    github.serve_composer(packages());
    let count = |class: &str| {
        let (_, metrics) = served.get(&[], "/metrics");
        let line = format!("outlast_http_requests_total{{status=\"{class}\"}} ");
        metrics.lines().find_map(|it| it.strip_prefix(&line)?.parse::<usize>().ok()).unwrap()
    };
    let (n_4xx, n_5xx) = (count("4xx"), count("5xx"));
    with_github(&scene, &github, &INSTALL).expect(0);
    assert_eq!(scene.n_installed(), N_PACKAGES);
    let asked = (count("4xx") - n_4xx, count("5xx") - n_5xx);
    assert!(asked.0 <= N_PACKAGES && asked.0 > N_PACKAGES / 2 && asked.1 == 0, "{asked:?}");
    served.end();
}

/// Returns how often a Composer asks a mirror that answers with a status, before it goes on to GitHub.
fn n_asked(debian: Debian, status: u16) -> usize {
    let scene = Scene::on(debian);
    let (github, mirror) = (Upstream::start_blocking(), Upstream::start_blocking());
    github.serve_composer(packages());
    mirror.handle("127.0.0.1", "/dists/", move |_| Some(Answer::status(status)));
    let lock = scene.world.project().join("composer.lock");
    let mut locked: serde_json::Value = serde_json::from_str(&fs::read_to_string(&lock).unwrap()).unwrap();
    let url = format!("http://{}/dists/%package%/%reference%.%type%", mirror.plain_address());
    locked["packages"][0]["dist"]["mirrors"] = json!([{ "url": url, "preferred": true }]);
    fs::write(&lock, locked.to_string()).unwrap();
    run(&scene, &["composer", "config", "--global", "secure-http", "false"]).expect(0);
    with_github(&scene, &github, &INSTALL).expect(0);
    assert_eq!(scene.n_installed(), N_PACKAGES);
    mirror.log().len()
}

/// Why a server answers 429 for an archive that it does not have: the word of the clients themselves.
#[test]
fn a_mirror_that_answers_503_is_asked_many_times_and_one_that_answers_429_once() {
    for debian in [Debian::bookworm, Debian::sid] {
        assert_eq!(n_asked(debian(), 429), 1);
        assert!(n_asked(debian(), 503) > 3, "the control");
    }
}

/// Whom this began with, at a door: GitHub gives nothing, and no archive of the package was ever stored.
#[test]
fn composer_installs_from_a_server_that_packs_what_was_never_stored() {
    let (upstream, world) = (Upstream::start_blocking(), World::new());
    let package = fakes::composer::package(world.path(), "acme/a").release("1.0.0", &json!({}), &[]);
    let project = fakes::composer::project("acme/small").requires(&package, "1.0.0");
    upstream.serve_composer(&[package]);
    let hosts = [&fakes::composer::HOSTS[..], &fakes::composer::GITHUB_HOSTS[..1]].concat();
    world.place(&upstream, &hosts);
    let world = world.with("COMPOSER_ALLOW_SUPERUSER", "1").file("composer.json", &project.manifest());
    let served = Served::start(&world);
    served.paste(&world, "Composer");
    let composer = |command: &[&str]| finish(world.command(command[0]).args(&command[1..]), b"");
    composer(&UPDATE).expect(0);
    let install = [&INSTALL[..], &["--prefer-dist", "--no-plugins"]].concat();
    for host in ["api.github.com", "codeload.github.com"] {
        upstream.on(host, "*", Fault::Status(404));
    }
    assert_ne!(composer(&install).code, 0, "the control: nobody has it");
    world.outlast(&["adopt", "https://github.com/acme/a.git"]).expect(0);
    upstream.on("github.com", "*", Fault::Reset);
    composer(&install).expect(0);
    assert!(world.project().join("vendor/acme/a").is_dir());
    served.end();
}

/// What Composer says of an outage to whoever takes the server for a proxy.
#[test]
fn composer_tells_of_an_outage_through_the_proxy_too() {
    let scene = Scene::new();
    scene.world.outlast(&["adopt", "."]).expect(0);
    scene.due();
    let served = Served::start_as_proxy(&scene.world, "127.0.0.1:0");
    let (set, _) = served.settings("Composer, with a lock made elsewhere");
    let script = format!("{set}\nexec \"$@\"");
    let update = || {
        scene.forget();
        finish(scene.world.command("sh").args(["-ec", &script, "sh"]).args(UPDATE), b"").expect(0).stderr
    };
    let said = "cannot be asked since";
    let before = update();
    assert!(!before.contains(said), "the control: there is none: {before}");
    scene.fail(&Fault::Status(502));
    let told = update();
    assert_eq!(told.matches(said).count(), 1, "{told}");
    // Another Outlast says itself how its answers stand.
    let root = |header: &str| served.get(&["-H", header], "/composer/packages.json").1;
    assert!(!root("Outlast-Via: 1").contains(said) && root("X-Nothing: 1").contains(said));
    served.end();
}

/// A package that has a repository and no archive: Composer clones from the copy, and from the host where there is none.
#[test]
fn composer_clones_what_has_no_archive_from_the_server() {
    let (upstream, world) = (Upstream::start_blocking(), World::new());
    let make = |name: &str| fakes::composer::package(world.path(), name).release("1.0.0", &json!({}), &[]);
    let (kept, other) = (make("acme/kept").without_dist(), make("acme/other").without_dist());
    let project = fakes::composer::project("acme/small").requires(&kept, "1.0.0").requires(&other, "1.0.0");
    upstream.serve_composer(&[kept, other]);
    world.place(&upstream, &[&fakes::composer::HOSTS[..], &fakes::composer::GITHUB_HOSTS[..1]].concat());
    let world = world.with("COMPOSER_ALLOW_SUPERUSER", "1").file("composer.json", &project.manifest());
    world.outlast(&["adopt", "https://github.com/acme/kept.git"]).expect(0);
    let served = Served::start(&world);
    let ca = upstream.ca_file(world.path()).display().to_string();
    // GitHub lies at the upstream, where it is reached at all.
    let composer = |command: &[&str], github: &str| {
        let mut composer = world.command(command[0]);
        composer.args(&command[1..]).env("https_proxy", github).env("no_proxy", "127.0.0.1");
        finish(composer.env("GIT_SSL_CAINFO", &ca).env("COMPOSER_CAFILE", &ca), b"")
    };
    let (reached, nowhere) = (upstream.proxy_url(), "http://127.0.0.1:9");
    served.paste(&world, "Composer");
    composer(&UPDATE, &reached).expect(0);
    let lock = fs::read_to_string(world.project().join("composer.lock")).unwrap().replace("\\/", "/");
    assert!(lock.contains(&format!("{}/composer/git/%normalizedUrl%.%type%", served.base)), "{lock}");
    let n_asked = |name: &str| upstream.log().iter().filter(|seen| seen.path.starts_with(name)).count();
    let n_before = n_asked("/acme/kept");
    let done = composer(&INSTALL, &reached).expect(0);
    assert!(!done.stderr.contains("Failed"), "nobody was asked in vain: {}", done.stderr);
    for name in ["kept", "other"] {
        assert!(world.project().join("vendor/acme").join(name).join("composer.json").is_file(), "{name}");
    }
    assert_eq!(n_asked("/acme/kept"), n_before, "the copy was given");
    assert!(n_asked("/acme/other") > 0, "and of the other there is none");

    // While GitHub is gone, the copy is all there is.
    let again = |name: &str| {
        let _ = fs::remove_dir_all(world.project().join("vendor"));
        let _ = fs::remove_dir_all(world.home().join(".cache"));
        let mut locked: serde_json::Value = serde_json::from_str(&lock).unwrap();
        locked["packages"].as_array_mut().unwrap().retain(|package| package["name"] == name);
        fs::write(world.project().join("composer.lock"), locked.to_string()).unwrap();
        let manifest = json!({ "require": { name: "1.0.0" } });
        fs::write(world.project().join("composer.json"), manifest.to_string()).unwrap();
        composer(&INSTALL, nowhere).code
    };
    assert_eq!(again("acme/kept"), 0);
    assert_ne!(again("acme/other"), 0, "the control");
    served.end();
}
