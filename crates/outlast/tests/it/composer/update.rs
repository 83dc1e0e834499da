//! `composer update` and `composer audit` in an outage.

use std::fs;

use fakes::composer::HOSTS;
use fakes::{Answer, Fault};
use serde_json::json;

use super::{AUDIT, Scene, UPDATE};
use crate::machines::Debian;

#[test]
fn an_update_goes_on_with_the_copy_and_says_so() {
    let faults = [Fault::Status(500), Fault::Hang, Fault::TruncatedJson, Fault::Html200, Fault::Status(404)];
    goes_on(&Debian::bookworm(), &faults);
}

#[test]
fn an_update_goes_on_with_newer_composers_too() {
    for debian in [Debian::trixie(), Debian::sid()] {
        goes_on(&debian, &[Fault::Status(502), Fault::Hang]);
    }
}

fn goes_on(debian: &Debian, faults: &[Fault]) {
    for fault in faults {
        let scene = Scene::on(debian.clone());
        scene.exec(&UPDATE).expect(0);
        let lock = fs::read(scene.world.project().join("composer.lock")).unwrap();
        scene.forget();
        // A moment later, so that what is held is due.
        scene.due();
        // Something newer, so that no answer is as short as "not modified".
        let newer = Answer::json(fakes::composer::root().to_string() + "\n");
        scene.upstream.put("repo.packagist.org", "/packages.json", newer);
        scene.upstream.on("repo.packagist.org", "*", fault.clone());
        scene.upstream.clear_log();
        let done = scene.exec(&UPDATE).expect(0);
        assert_eq!(fs::read(scene.world.project().join("composer.lock")).unwrap(), lock, "{fault:?}");
        let is_outage = !matches!(fault, Fault::Status(404));
        let n_said = done.stderr.matches("Outlast: repo.packagist.org cannot be asked since").count();
        assert_eq!(n_said, usize::from(is_outage), "{fault:?}: {}", done.stderr);
        if matches!(fault, Fault::Hang) {
            assert_eq!(
                scene.upstream.log().iter().filter(|seen| seen.host == HOSTS[0]).count(),
                1,
                "one probe"
            );
        }
        // The control: without Outlast and with a cold cache it fails.
        scene.forget();
        assert_ne!(scene.directly(&UPDATE).code, 0, "{fault:?}");
    }
}

#[test]
fn what_is_not_held_is_unavailable_and_composer_says_why() {
    let scene = Scene::new();
    scene.upstream.on("repo.packagist.org", "*", Fault::Status(502));
    let done = scene.exec(&UPDATE);
    assert_ne!(done.code, 0);
    assert!(!done.stderr.contains("could not be found"), "an outage is no absence: {}", done.stderr);
    let refused =
        scene.exec(&["curl", "-sS", "-A", "Composer/2.8.8", "https://repo.packagist.org/p2/acme/x.json"]);
    let body: serde_json::Value = serde_json::from_str(&refused.stdout).unwrap();
    assert_eq!(body["error"], "unavailable");
    assert!(body["warnings"][0]["message"].as_str().unwrap().starts_with("Outlast: "), "{body}");
}

#[test]
fn an_audit_is_never_a_false_all_clear() {
    for debian in [Debian::bookworm(), Debian::trixie(), Debian::sid()] {
        audits(debian);
    }
}

fn audits(debian: Debian) {
    let scene = Scene::on(debian);
    scene.advise();
    let found = scene.exec(&AUDIT);
    assert!(found.code != 0 && found.stdout.contains("CVE-2026-0001"), "{}{}", found.stdout, found.stderr);
    for host in ["packagist.org", "repo.packagist.org"] {
        scene.upstream.on(host, "*", Fault::Status(503));
    }
    // The control: without Outlast nobody hears of it.
    let alone = scene.directly(&AUDIT);
    assert!(!alone.stdout.contains("CVE-2026-0001"), "{}", alone.stdout);
    let again = scene.exec(&AUDIT);
    assert!(again.code != 0 && again.stdout.contains("CVE-2026-0001"), "{}{}", again.stdout, again.stderr);
    let record = scene.world.newest_record();
    let answer = &record["objects"][0];
    assert_eq!((&answer["freshness"], &answer["source"]), (&json!("stale"), &json!("copy")));
    // A question that was never answered is not answered now.
    let lock = scene.world.project().join("composer.lock");
    let text = fs::read_to_string(&lock).unwrap().replace("acme/lib-2", "acme/lib-none");
    fs::write(&lock, text).unwrap();
    let other = scene.exec(&AUDIT);
    assert_ne!(other.code, 0, "{}", other.stderr);
    assert!(!(other.stdout + &other.stderr).contains("No security vulnerability"));
}

#[test]
fn a_moved_tag_and_a_vanished_version_change_nothing_that_is_locked() {
    let scene = Scene::new();
    let install = super::INSTALL;
    scene.exec(&install).expect(0);
    scene.forget();
    scene.due();
    scene.exec(&UPDATE).expect(0);
    let reference = super::packages()[0].reference("1.0.0").to_owned();
    let document = super::packages()[0].document(fakes::composer::Branches::Without).to_string();
    let moved = document.replace(&reference, &"ab".repeat(20));
    scene.upstream.put("repo.packagist.org", "/p2/acme/lib-0.json", Answer::json(moved));
    let gone = json!({ "packages": { "acme/lib-1": [] }, "minified": "composer/2.0" });
    scene.upstream.put("repo.packagist.org", "/p2/acme/lib-1.json", Answer::json(gone.to_string()));
    scene.exec(&UPDATE).expect(0);
    let lock = fs::read_to_string(scene.world.project().join("composer.lock")).unwrap();
    assert!(lock.contains(&reference), "the first commit stays");
    let events = scene.world.outlast(&["status", "--json"]).expect(0).json();
    let kinds: Vec<&str> = crate::world::texts(&events["events"], "kind");
    assert!(kinds.contains(&"republished") && kinds.contains(&"vanished"), "{events:#}");
    scene.exec(&install).expect(0);
}
