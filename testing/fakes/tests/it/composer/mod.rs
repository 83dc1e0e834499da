//! A real Composer, with empty caches, resolves, installs and audits; and fails where an answer is faulty.

mod later;

use std::fs;
use std::path::{Path, PathBuf};

use fakes::composer::{self, HOSTS, Package, Project, project};
use fakes::{Fault, Upstream};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::clients::run;

/// An upstream with packages, and a project that is installed anew each time.
struct Scene {
    upstream: Upstream,
    folder: TempDir,
}

impl Scene {
    fn new(make: impl FnOnce(&Path) -> Vec<Package>) -> (Self, Vec<Package>) {
        let scene = Self { upstream: Upstream::start_blocking(), folder: TempDir::new().unwrap() };
        let packages = make(scene.folder.path());
        scene.upstream.serve_composer(&packages);
        fs::create_dir(scene.project()).unwrap();
        (scene, packages)
    }

    fn project(&self) -> PathBuf {
        self.folder.path().join("project")
    }

    fn write(&self, project: &Project) {
        fs::write(self.project().join("composer.json"), project.manifest()).unwrap();
        fs::write(self.project().join("composer.lock"), project.lock()).unwrap();
    }

    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.project().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    fn lock(&self) -> Value {
        serde_json::from_str(&self.read("composer.lock")).unwrap()
    }

    /// Runs Composer with what the last run cached.
    fn composer(&self, command: &str) -> (bool, String) {
        run(&self.upstream, &self.project(), "composer", &[command, "--no-interaction"])
    }

    /// Runs Composer as on a machine that never did.
    fn cold(&self, command: &str) -> (bool, String) {
        for folder in ["vendor", "home"] {
            let _ = fs::remove_dir_all(self.project().join(folder));
        }
        self.composer(command)
    }

    /// Leaves Composer no second way to a package: 2.5 clones what it cannot download.
    fn lock_sources(&self) {
        self.upstream.on(composer::GITHUB_HOSTS[0], "*", Fault::Status(404));
    }

    #[track_caller]
    fn succeeds(&self, command: &str) -> String {
        let (is_good, said) = self.cold(command);
        assert!(is_good, "{said}");
        said
    }

    #[track_caller]
    fn fails(&self, command: &str, expected: &str) {
        let (is_good, said) = self.cold(command);
        assert!(!is_good && said.contains(expected), "`{expected}` is not in:\n{said}");
    }
}

/// Requires all samples as their project is locked.
fn of_samples(packages: &[Package]) -> Project {
    let versions =
        ["1.1.0", "2.0.1", "1.0.0", "1.0.0", "1.0.0", "dev-main", "dev-feature/x", "1.0.0", "1.0.0"];
    assert_eq!(packages.len(), versions.len());
    packages
        .iter()
        .zip(versions)
        .fold(project("acme/project"), |project, (package, version)| project.requires(package, version))
}

#[test]
fn composer_locks_every_kind_of_package_as_the_fake_says() {
    let (scene, packages) = Scene::new(composer::samples);
    let project = of_samples(&packages);
    fs::write(scene.project().join("composer.json"), project.manifest()).unwrap();
    let said = scene.succeeds("update");
    assert!(said.contains("acme/plugin is active"), "{said}");
    let expected: Value = serde_json::from_str(&project.lock()).unwrap();
    let made = scene.lock();
    assert_eq!(made["packages"], expected["packages"]);
    assert_eq!(made, expected, "all else too");
    let twice = packages[1].document(composer::Branches::Without);
    assert!(twice["packages"]["acme/twice"][1].get("dist").is_none(), "the second tag inherits it");
}

#[test]
fn composer_installs_every_kind_from_a_lock_it_did_not_make() {
    let (scene, packages) = Scene::new(composer::samples);
    scene.write(&of_samples(&packages));
    let lock = scene.read("composer.lock");
    let said = scene.succeeds("install");
    assert!(!said.contains("not up to date"), "{said}");
    assert!(said.contains("acme/plugin is active"), "{said}");
    assert_eq!(scene.read("composer.lock"), lock);
    assert!(scene.read("vendor/acme/library/src/who.php").contains("acme/library 1.1.0"));
    assert!(scene.read("vendor/acme/lean/src/who.php").contains("acme/lean"));
    assert!(!scene.project().join("vendor/acme/lean/tests").exists(), "export-ignore");
    assert!(scene.project().join("vendor/acme/source/.git").is_dir(), "cloned, since it has no archive");
    assert_eq!(scene.upstream.n_asked(HOSTS[3], &packages[1].codeload_path("2.0.1")), 1);
    assert_eq!(scene.upstream.n_asked("archives.acme.example", "/acme/checked/acme-checked-1.0.0.0.zip"), 1);
    let asked_packagist = scene
        .upstream
        .log()
        .iter()
        .filter(|seen| seen.host == HOSTS[0] && seen.path.starts_with("/p2/"))
        .count();
    assert_eq!(asked_packagist, 0, "a lock needs no metadata");
    let notified = scene.upstream.log().into_iter().find(|seen| seen.path == "/downloads/").unwrap();
    let downloads: Value = serde_json::from_slice(&notified.body).unwrap();
    assert_eq!(downloads["downloads"].as_array().unwrap().len(), packages.len());
}

#[test]
fn composer_installs_thirty_packages_and_one_of_thirty_megabytes() {
    let (scene, packages) = Scene::new(|folder| {
        let mut packages = composer::plain(folder, "acme", 29);
        packages.push(composer::big(folder, "acme/big"));
        packages
    });
    assert!(packages[29].zip("1.0.0").len() > 30_000_000);
    let all = packages.iter().fold(project("acme/project"), |all, package| all.requires(package, "1.0.0"));
    scene.write(&all);
    scene.succeeds("install");
    assert_eq!(fs::read_dir(scene.project().join("vendor/acme")).unwrap().count(), 30);
    assert_eq!(scene.project().join("vendor/acme/big/data/large.bin").metadata().unwrap().len(), 30 << 20);
    assert_eq!(scene.upstream.log().iter().filter(|seen| seen.host == HOSTS[3]).count(), 30);
}

#[test]
fn composer_fails_where_an_answer_is_faulty() {
    let (scene, packages) = Scene::new(|folder| composer::plain(folder, "acme", 1));
    scene.write(&project("acme/project").requires(&packages[0], "1.0.0"));
    scene.succeeds("install");
    scene.succeeds("update");
    let check = |command: &str, host: &str, pattern: &str, fault: Fault, expected: &str| {
        scene.lock_sources();
        scene.upstream.on(host, pattern, fault);
        scene.fails(command, expected);
        scene.upstream.clear_faults();
        scene.succeeds(command);
    };
    let [metadata, _, api, codeload] = HOSTS;
    // Of 2.5, which goes on to ask for the repository.
    scene.upstream.on(api, "*", Fault::Status(404));
    scene.succeeds("install");
    assert!(scene.project().join("vendor/acme/lib-0/.git").is_dir());
    scene.upstream.clear_faults();
    check("install", api, "*", Fault::Status(404), "404");
    check("install", codeload, "*", Fault::Html200, "zip");
    check("install", codeload, "*", Fault::ExpiredCertificate, "certificate");
    check("install", codeload, "*", Fault::WrongHostCertificate, "SSL");
    check("update", metadata, "/p2/*", Fault::TruncatedJson, "JSON");
    check("update", metadata, "/p2/*", Fault::Status(404), "not in remote repositories");
    check("update", metadata, "/packages.json", Fault::Html200, "JSON");
}

#[test]
fn composer_believes_its_cache_until_the_date_moves() {
    let (scene, packages) = Scene::new(|folder| vec![composer::package(folder, "acme/one")]);
    let first = packages[0].clone().release("1.0.0", &json!({}), &[]);
    scene.upstream.serve_composer(std::slice::from_ref(&first));
    scene.write(&project("acme/project").requires(&first, "1.0.0"));
    scene.succeeds("update");
    let ask_again = || {
        scene.upstream.clear_log();
        let (is_good, said) = scene.composer("update");
        assert!(is_good, "{said}");
        let log = scene.upstream.log();
        let asked = log.iter().find(|seen| seen.path == "/p2/acme/one.json").unwrap();
        assert!(asked.headers.contains_key("if-modified-since"));
        scene.lock()["packages"][0]["version"].as_str().unwrap().to_owned()
    };
    scene.upstream.serve_composer(std::slice::from_ref(&first));
    assert_eq!(ask_again(), "1.0.0");
    scene.upstream.serve_composer(&[first.release("1.1.0", &json!({}), &[])]);
    assert_eq!(ask_again(), "1.1.0");
}

type Vanish = fn(&Upstream, &Package);

#[test]
fn composer_sees_versions_and_packages_vanish() {
    let (scene, packages) = Scene::new(|folder| {
        let one = composer::package(folder, "acme/one");
        vec![one.release("1.0.0", &json!({}), &[]).release("1.1.0", &json!({}), &[])]
    });
    let one = &packages[0];
    scene.write(&project("acme/project").requires(one, "1.1.0"));
    scene.upstream.serve_composer(&[one.clone().without("1.1.0")]);
    scene.fails("update", "found acme/one[1.0.0]");
    scene.succeeds("install");
    let vanish: [(Vanish, &str); 2] = [
        (Upstream::empty_composer, "could not be found in any version"),
        (Upstream::remove_composer, "not in remote repositories"),
    ];
    for (vanish, expected) in vanish {
        vanish(&scene.upstream, one);
        scene.fails("update", expected);
        scene.succeeds("install");
        scene.upstream.serve_composer(&packages);
        scene.succeeds("update");
    }
    scene.upstream.remove_github(one);
    scene.fails("install", "404");
}

#[test]
fn composer_installs_what_a_moved_tag_leads_to() {
    let (scene, packages) = Scene::new(|folder| composer::plain(folder, "acme", 1));
    let moved = packages[0].clone().moved("1.0.0", &json!({}), &[("src/who.php", "<?php // another\n")]);
    assert_ne!(moved.reference("1.0.0"), packages[0].reference("1.0.0"));
    scene.write(&project("acme/project").requires(&packages[0], "1.0.0"));
    scene.upstream.serve_composer(std::slice::from_ref(&moved));
    scene.succeeds("install");
    assert!(
        scene.read("vendor/acme/lib-0/src/who.php").contains("acme/lib-0 1.0.0"),
        "the lock names the commit"
    );
    scene.succeeds("update");
    assert!(scene.read("vendor/acme/lib-0/src/who.php").contains("another"));
    assert_eq!(scene.lock()["packages"][0]["dist"]["reference"], moved.reference("1.0.0"));
}

#[test]
fn composer_takes_other_bytes_unless_there_is_a_checksum() {
    let (scene, packages) = Scene::new(|folder| {
        let checked = composer::package(folder, "acme/checked").release("1.0.0", &json!({}), &[]);
        vec![
            composer::plain(folder, "acme", 1).remove(0),
            checked.with_shasum("https://archives.acme.example/checked.zip"),
        ]
    });
    let [plain, checked] = &packages[..] else { panic!("two packages") };
    scene.write(&project("acme/project").requires(plain, "1.0.0"));
    let repacked = plain.clone().repacked("1.0.0");
    assert_ne!(repacked.zip("1.0.0"), plain.zip("1.0.0"));
    assert_eq!(repacked.reference("1.0.0"), plain.reference("1.0.0"));
    scene.upstream.serve_composer(&[repacked]);
    scene.succeeds("install");
    assert!(scene.read("vendor/acme/lib-0/src/who.php").contains("acme/lib-0 1.0.0"), "the same files");
    let forged =
        plain.clone().forged("1.0.0", &[("src/who.php", "<?php // forged\n"), ("composer.json", "{}")]);
    let commit = plain.reference("1.0.0");
    assert!(forged.zip("1.0.0").ends_with(commit.as_bytes()), "its comment says otherwise");
    scene.upstream.serve_composer(&[forged]);
    scene.succeeds("install");
    assert!(scene.read("vendor/acme/lib-0/src/who.php").contains("forged"), "nobody notices");

    scene.write(&project("acme/project").requires(checked, "1.0.0"));
    scene.succeeds("install");
    scene.upstream.serve_composer(&[checked.clone().repacked("1.0.0")]);
    scene.fails("install", "checksum verification of the file failed");
}

#[test]
fn composer_audits() {
    let (scene, packages) = Scene::new(|folder| composer::plain(folder, "acme", 2));
    let [one, two] = &packages[..] else { panic!("two packages") };
    scene.write(&project("acme/project").requires(one, "1.0.0").requires(two, "1.0.0"));
    scene.succeeds("install");
    let (is_good, said) = scene.composer("audit");
    assert!(is_good && said.contains("No security vulnerability"), "{said}");
    let advise = |affected: &str| {
        let advisory = composer::advisory("PKSA-1", affected, "Reads foreign files").cve("CVE-2026-0001");
        scene.upstream.serve_composer(&[one.clone().advised(advisory)]);
        scene.composer("audit")
    };
    let (is_good, said) = advise("<1.0.0");
    assert!(is_good, "another version: {said}");
    let (is_good, said) = advise(">=1.0.0,<2.0.0");
    assert!(!is_good && said.contains("CVE-2026-0001") && said.contains("acme/lib-0"), "{said}");
    scene.upstream.on("packagist.org", "/api/*", Fault::Status(500));
    let (is_good, said) = scene.composer("audit");
    assert!(!is_good && !said.contains("CVE-2026-0001"), "{said}");
}

type Serve = fn(&Upstream, &str, &[Package]);

#[test]
fn composer_installs_from_repositories_of_the_first_protocol() {
    let (scene, packages) = Scene::new(|folder| composer::plain(folder, "acme", 2));
    let host = "composer.acme.example";
    let repositories = json!([
        { "type": "composer", "url": format!("https://{host}") },
        { "packagist.org": false },
    ]);
    let manifest = project("acme/project").requires(&packages[0], "1.0.0").with("repositories", repositories);
    let serve: [(Serve, &str); 2] =
        [(Upstream::serve_satis, "JSON"), (Upstream::serve_providers, "man-in-the-middle")];
    for (serve, expected) in serve {
        fs::write(scene.project().join("composer.json"), manifest.manifest()).unwrap();
        let _ = fs::remove_file(scene.project().join("composer.lock"));
        serve(&scene.upstream, host, &packages);
        scene.succeeds("update");
        assert!(scene.read("vendor/acme/lib-0/src/who.php").contains("acme/lib-0 1.0.0"));
        let dist = scene.lock()["packages"][0]["dist"].clone();
        assert!(dist["url"].as_str().unwrap().starts_with("https://composer.acme.example/dist/"), "{dist}");
        assert_eq!(dist["shasum"].as_str().unwrap().len(), 40, "{dist}");
        scene.lock_sources();
        scene.upstream.on(host, "/dist/*", Fault::WrongBytes);
        scene.fails("install", "checksum verification of the file failed");
        scene.upstream.clear_faults();
        for path in ["/include/*", "/p/*"] {
            scene.upstream.on(host, path, Fault::WrongBytes);
        }
        scene.fails("update", expected);
        scene.upstream.clear_faults();
    }
}

#[test]
fn composer_follows_signed_addresses() {
    let (scene, packages) = Scene::new(|folder| {
        composer::plain(folder, "acme", 1).into_iter().map(Package::behind_signatures).collect()
    });
    scene.write(&project("acme/project").requires(&packages[0], "1.0.0"));
    scene.succeeds("install");
    scene.succeeds("install");
    let log = scene.upstream.log();
    let signed: Vec<_> = log.iter().filter(|seen| seen.host == HOSTS[3]).collect();
    assert_eq!(signed.len(), 2);
    assert_ne!(signed[0].path, signed[1].path, "each time another address");
    assert!(signed[0].path.contains("X-Amz-Expires="));
}
