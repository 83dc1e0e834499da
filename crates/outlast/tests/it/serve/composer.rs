//! A real Composer that knows nothing but the server: it updates, installs and audits while all its hosts fail.

use std::fs;

use fakes::Fault;
use serde_json::json;

use super::Served;
use crate::composer::{AUDIT, EXTRA_MAX, INSTALL, N_PACKAGES, Scene, UPDATE};
use crate::machines::Debian;
use crate::world::{Done, finish};

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
