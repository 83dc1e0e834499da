//! A real Composer, a lock that nobody touched, and GitHub and Packagist failing in every way.

mod blocked;
mod elsewhere;
mod includes;
mod update;

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use fakes::composer::{self, HOSTS, Package};
use fakes::{Answer, Fault, Upstream};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::machines::{Debian, version};
use crate::world::{Done, World, finish, need, places, texts};

pub(crate) const N_PACKAGES: usize = 30;
/// Far more than a busy machine costs, and far less than a client waits for a host that hangs: 300 s.
pub(crate) const EXTRA_MAX: Duration = Duration::from_secs(30);
pub(crate) const UPDATE: [&str; 5] =
    ["composer", "update", "--no-interaction", "--no-progress", "--no-install"];
pub(crate) const AUDIT: [&str; 4] = ["composer", "audit", "--no-interaction", "--locked"];
pub(crate) const INSTALL: [&str; 4] = ["composer", "install", "--no-interaction", "--no-progress"];

/// Packages as they are made once for all tests.
pub(crate) fn packages() -> &'static [Package] {
    static PACKAGES: OnceLock<(TempDir, Vec<Package>)> = OnceLock::new();
    let (_, packages) = PACKAGES.get_or_init(|| {
        let folder = TempDir::new().unwrap();
        let mut packages: Vec<Package> = (0..N_PACKAGES - 4)
            .map(|n| {
                composer::package(folder.path(), &format!("acme/lib-{n}")).release("1.0.0", &json!({}), &[])
            })
            .collect();
        let make = |name: &str| composer::package(folder.path(), name);
        packages.extend([
            make("acme/twice").release("2.0.0", &json!({}), &[]).also_tagged("2.0.1"),
            make("acme/lean").release(
                "1.0.0",
                &json!({}),
                &[(".gitattributes", "/tests export-ignore\n"), ("tests/big", "x"), ("src/a.php", "<?php\n")],
            ),
            make("acme/branch").release(
                "dev-main",
                &json!({ "extra": { "branch-alias": { "dev-main": "3.x-dev" } } }),
                &[],
            ),
            make("acme/provider").release("1.0.0", &json!({ "replace": { "acme/replaced": "*" } }), &[]),
        ]);
        (folder, packages)
    });
    packages
}

/// An upstream with all packages, and a project with a lock that Composer itself has made.
pub(crate) struct Scene {
    pub(crate) upstream: Upstream,
    pub(crate) world: World,
    ca: String,
}

impl Scene {
    pub(crate) fn new() -> Self {
        Self::on(Debian::bookworm())
    }

    /// A scene whose Composer is that of a Debian.
    pub(crate) fn on(debian: Debian) -> Self {
        if !debian.is_entered() {
            need("composer");
        }
        let upstream = Upstream::start_blocking();
        upstream.serve_composer(packages());
        let mut require: serde_json::Map<String, Value> =
            (0..N_PACKAGES - 4).map(|n| (format!("acme/lib-{n}"), json!("^1.0"))).collect();
        for (name, constraint) in [
            ("acme/twice", "^2.0"),
            ("acme/lean", "*"),
            ("acme/branch", "3.x-dev"),
            ("acme/provider", "1.*"),
            ("acme/replaced", "*"),
        ] {
            require.insert(name.to_owned(), json!(constraint));
        }
        let manifest = json!({ "name": "acme/project", "require": require }).to_string();
        let world =
            World::new().on(debian).with("COMPOSER_ALLOW_SUPERUSER", "1").file("composer.json", &manifest);
        let ca = upstream.ca_file(world.path()).to_str().unwrap().to_owned();
        let scene = Self { upstream, world, ca };
        scene.connect(&scene.upstream.tls_address().to_string());
        scene
            .directly(&["composer", "update", "--no-interaction", "--no-progress", "--no-install"])
            .expect(0);
        scene.forget();
        scene.upstream.clear_log();
        scene
    }

    /// Says where the four hosts are.
    pub(crate) fn connect(&self, address: &str) {
        self.world.configure(&self.upstreams_at(address));
    }

    /// Says where the four hosts are, and that no index is fresh without their word: as an hour after it was recorded.
    pub(crate) fn due_at(&self, address: &str) {
        let text = format!("{}[limits]\nindex_fresh_for = \"0s\"\n", self.upstreams_at(address));
        self.world.configure(&text);
    }

    /// Makes everything due that is held.
    pub(crate) fn due(&self) {
        self.due_at(&self.upstream.tls_address().to_string());
    }

    fn upstreams_at(&self, address: &str) -> String {
        places(&HOSTS, &[("connect", address), ("ca_file", &self.ca)])
    }

    /// Runs a command without Outlast, against the same upstream.
    pub(crate) fn directly(&self, command: &[&str]) -> Done {
        self.through(command, &self.upstream.proxy_url())
    }

    fn through(&self, command: &[&str], proxy: &str) -> Done {
        let mut direct: Command = self.world.command("timeout");
        // Composer goes on after a polite signal.
        direct
            .args(["-s", "KILL", "10"])
            .args(command)
            .env("https_proxy", proxy)
            .env("COMPOSER_CAFILE", &self.ca);
        finish(&mut direct, b"")
    }

    /// Runs `outlast exec -- COMMAND`, so that what it installs stays.
    pub(crate) fn exec(&self, command: &[&str]) -> Done {
        self.world.outlast(&[&["exec", "--"], command].concat())
    }

    /// Removes what an install left: the packages, and the client's own caches.
    pub(crate) fn forget(&self) {
        for folder in [self.world.project().join("vendor"), self.world.home()] {
            let _ = fs::remove_dir_all(&folder);
        }
        fs::create_dir(self.world.home()).unwrap();
    }

    pub(crate) fn n_installed(&self) -> usize {
        let count = |folder: &Path| fs::read_dir(folder).map_or(0, Iterator::count);
        count(&self.world.project().join("vendor/acme"))
    }

    /// Publishes an advisory about one of the packages: CVE-2026-0001.
    pub(crate) fn advise(&self) {
        let advisories = json!({ "acme/lib-1": [{
            "advisoryId": "PKSA-test-0001", "packageName": "acme/lib-1", "remoteId": "T-1", "title": "A hole",
            "link": "https://example.com/a-hole", "cve": "CVE-2026-0001", "affectedVersions": "<2.0",
            "source": "test", "reportedAt": "2026-01-02 00:00:00", "composerRepository": "https://packagist.org",
            "sources": [{ "name": "test", "remoteId": "T-1" }],
        }] });
        let body = json!({ "advisories": advisories }).to_string();
        self.upstream.put("packagist.org", "/api/security-advisories/", Answer::json(body));
    }

    /// Plays a fault on all four hosts.
    pub(crate) fn fail(&self, fault: &Fault) {
        for host in HOSTS {
            self.upstream.on(host, "*", fault.clone());
        }
    }
}

/// Records an install, lets all four hosts fail, and installs again: with Outlast as quickly as ever, without it not.
fn survives(debian: Debian, fault: Option<Fault>) {
    let scene = Scene::on(debian);
    let normal = scene.directly(&INSTALL).expect(0).took;
    scene.forget();
    let recorded = scene.exec(&INSTALL).expect(0);
    assert_eq!(scene.n_installed(), N_PACKAGES, "{}", recorded.stderr);
    let record = scene.world.newest_record();
    assert!(texts(&record["hosts"], "host").contains(&"codeload.github.com"), "followed inside: {record:#}");
    assert_eq!(record["not_kept"], json!([]), "{record:#}");
    assert_eq!(record["hosts"].as_array().unwrap().iter().filter(|host| host["kept"] == false).count(), 0);
    let lock = fs::read(scene.world.project().join("composer.lock")).unwrap();

    scene.forget();
    let dead = "127.0.0.1:9";
    match &fault {
        Some(fault) => {
            scene.due();
            scene.fail(fault);
        }
        None => scene.due_at(dead),
    }
    let done = scene.exec(&INSTALL).expect(0);
    assert_eq!(scene.n_installed(), N_PACKAGES, "{}", done.stderr);
    assert!(done.took < normal + EXTRA_MAX, "{:?} in place of {normal:?}: {}", done.took, done.stderr);
    note_times(&scene, fault.as_ref(), normal, done.took);
    assert_eq!(fs::read(scene.world.project().join("composer.lock")).unwrap(), lock, "nobody touched it");
    let record = scene.world.newest_record();
    let archives: Vec<&Value> = record["objects"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|object| object["url"].as_str().unwrap().contains("/zipball/"))
        .collect();
    assert_eq!(archives.len(), N_PACKAGES);
    assert!(archives.iter().all(|object| object["source"] == "copy" && object["ecosystem"] == "forge"));

    // The control: the same client, the same upstream, no Outlast.
    scene.forget();
    let without = match fault {
        Some(_) => scene.directly(&INSTALL),
        None => scene.through(&INSTALL, &format!("http://{dead}")),
    };
    assert_ne!(without.code, 0, "{}", without.stderr);
    scene.world.outlast(&["store", "verify"]).expect(0);
}

/// Adds a line for `cargo xtask bench composer`, if it asks for one: the Composer, the fault, and milliseconds of a normal
/// install and of one in the outage.
fn note_times(scene: &Scene, fault: Option<&Fault>, normal: Duration, outage: Duration) {
    let Some(path) = std::env::var_os("OUTLAST_TIMES") else { return };
    let said = finish(scene.world.command("composer").arg("--version"), b"").expect(0).stdout;
    let (major, minor) = version(&said);
    let fault = fault.map_or("refuse".to_owned(), |fault| match fault {
        Fault::Status(status) => status.to_string(),
        other => format!("{other:?}").to_lowercase(),
    });
    let mut file = fs::File::options().append(true).create(true).open(path).unwrap();
    writeln!(file, "{major}.{minor} {fault} {} {}", normal.as_millis(), outage.as_millis()).unwrap();
}

#[test]
fn composer_2_5_survives_refused_connections() {
    survives(Debian::bookworm(), None);
}

#[test]
fn composer_2_5_survives_a_hang() {
    survives(Debian::bookworm(), Some(Fault::Hang));
}

#[test]
fn composer_2_5_survives_502() {
    survives(Debian::bookworm(), Some(Fault::Status(502)));
}

#[test]
fn composer_2_5_survives_404() {
    survives(Debian::bookworm(), Some(Fault::Status(404)));
}

#[test]
fn composer_2_8_survives_refused_connections() {
    survives(Debian::trixie(), None);
}

#[test]
fn composer_2_8_survives_a_hang() {
    survives(Debian::trixie(), Some(Fault::Hang));
}

#[test]
fn composer_2_8_survives_502() {
    survives(Debian::trixie(), Some(Fault::Status(502)));
}

#[test]
fn composer_2_8_survives_404() {
    survives(Debian::trixie(), Some(Fault::Status(404)));
}

#[test]
fn composer_2_11_survives_refused_connections() {
    survives(Debian::sid(), None);
}

#[test]
fn composer_2_11_survives_a_hang() {
    survives(Debian::sid(), Some(Fault::Hang));
}

#[test]
fn composer_2_11_survives_502() {
    survives(Debian::sid(), Some(Fault::Status(502)));
}

#[test]
fn composer_2_11_survives_404() {
    survives(Debian::sid(), Some(Fault::Status(404)));
}

#[test]
fn a_drill_proves_it() {
    let scene = Scene::new();
    scene.world.record(&INSTALL).expect(0);
    scene.world.drill(&INSTALL).expect(0);
    let report = scene.world.newest_report();
    assert_eq!(report["verdict"], "pass", "{report:#}");
    assert_eq!(report["missing"], json!([]));
}
