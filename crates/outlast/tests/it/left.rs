//! The last resort: what no upstream has any more, and a client has left on this machine.

use fakes::{Fault, Upstream};
use serde_json::{Value, json};

use crate::world::{Done, OUTLAST, World, finish, places};

const NPM: &str = "registry.npmjs.org";
const CARGO: [&str; 2] = ["index.crates.io", "static.crates.io"];
const PYPI: [&str; 2] = ["pypi.org", "files.pythonhosted.org"];

/// Installs with a real client and without Outlast, but for the way to the fakes: the caches are as the client leaves them.
fn with_caches(world: &World, hosts: &[&str], upstream: &Upstream, command: &[&str]) {
    // In a room the caches are the user's own unless a fresh one is asked for.
    let other = world.path().join("other");
    let (address, ca) = (upstream.tls_address().to_string(), upstream.ca_file(world.path()));
    let toml = places(hosts, &[("connect", &address), ("ca_file", ca.to_str().unwrap())]);
    world.write(&other.join("outlast.toml"), &toml);
    let mut run = world.command(OUTLAST);
    run.args(["exec", "--"]).args(command).env("OUTLAST_HOME", &other);
    finish(&mut run, b"").expect(0);
    std::fs::remove_dir_all(other).unwrap();
}

fn adopt(world: &World) -> Done {
    world.outlast(&["adopt", "--json", "."])
}

fn rescued(report: &Value) -> Vec<&str> {
    crate::world::texts(&report["rescued"], "from")
}

#[test]
fn what_vanished_upstream_comes_from_the_cache_of_npm() {
    let upstream = Upstream::start_blocking();
    let package = fakes::npm::package("left-pad", &[("1.3.0", &[])]);
    upstream.serve_npm(NPM, std::slice::from_ref(&package));
    let manifest = r#"{ "name": "small", "version": "1.0.0", "dependencies": { "left-pad": "1.3.0" } }"#;
    let lock = package.lock(NPM, "1.3.0");
    let world = World::new().file("package.json", manifest).file("package-lock.json", &lock);
    world.place(&upstream, &[NPM]);
    with_caches(&world, &[NPM], &upstream, &["npm", "ci", "--no-audit"]);
    upstream.on(NPM, "/left-pad/-/*", Fault::Status(404));
    let report = adopt(&world).expect(0).says("no upstream gives left-pad 1.3.0").json();
    assert_eq!(
        (&report["n_kept"], &report["first_seen"]),
        (&1.into(), &json!([])),
        "the lock vouches: {report:#}"
    );
    let [from] = &*rescued(&report) else { panic!("{report:#}") };
    assert!(from.contains("_cacache"), "{from}");
    world.outlast(&["exec", "--fresh", "--cut", "all", "--", "npm", "ci", "--no-audit"]).expect(0);

    // The control: a cache that holds other bytes is not believed, and an empty one has nothing.
    std::fs::write(from, "other bytes").unwrap();
    std::fs::remove_dir_all(world.own().join("journal")).unwrap();
    std::fs::remove_file(world.own().join("index.db")).unwrap();
    adopt(&world).expect(1);
}

#[test]
fn what_vanished_upstream_comes_from_the_caches_of_cargo_and_pip() {
    let upstream = Upstream::start_blocking();
    upstream.serve_cargo(CARGO[0], CARGO[1], &[fakes::cargo::crate_("hello", "1.0.0")]);
    upstream.serve_pypi(&[fakes::pypi::project("six").release("1.16.0", &[])]);
    let manifest =
        "[package]\nname = \"app\"\nversion = \"0.1.0\"\nedition = \"2021\"\n[dependencies]\nhello = \"1\"\n";
    let world = World::new().file("Cargo.toml", manifest).file("src/main.rs", "fn main() {}\n");
    let hosts = [CARGO, PYPI].concat();
    world.place(&upstream, &hosts);
    with_caches(&world, &hosts, &upstream, &["sh", "-ec", "cargo fetch && pip download -d out six==1.16.0"]);
    let wheel = crate::world::entries(&world.project().join("out")).pop().unwrap();
    let sum = finish(std::process::Command::new("sha256sum").arg(wheel), b"").expect(0).stdout;
    world.write(
        &world.project().join("requirements.txt"),
        format!("six==1.16.0 --hash=sha256:{}\n", &sum[..64]),
    );
    upstream.on(CARGO[1], "/*", Fault::Status(403));
    upstream.on(PYPI[1], "/*", Fault::Status(404));
    let report = adopt(&world).expect(0).json();
    assert_eq!((&report["n_kept"], &report["first_seen"]), (&2.into(), &json!([])), "{report:#}");
    let mut from = rescued(&report);
    from.sort_unstable();
    assert!(from[0].ends_with(".body") || from[1].ends_with(".body"), "{from:?}");
    assert!(from.iter().any(|from| from.ends_with("hello-1.0.0.crate")), "{from:?}");
}

#[test]
fn what_vanished_upstream_comes_from_the_cache_of_yarn_1() {
    const YARN: &str = "registry.yarnpkg.com";
    let upstream = Upstream::start_blocking();
    let packages = [
        fakes::npm::package("left-pad", &[("1.3.0", &[])]),
        fakes::npm::package("@acme/Some.thing", &[("2.0.0", &[])]),
    ];
    for host in [NPM, YARN] {
        upstream.serve_npm(host, &packages);
    }
    let manifest = r#"{ "name": "small", "version": "1.0.0", "license": "MIT",
        "dependencies": { "left-pad": "1.3.0", "@acme/Some.thing": "2.0.0" } }"#;
    // Root's own lies where other programs of this machine would find it.
    let world = World::new();
    let cache = world.path().join("yarn").display().to_string();
    let world = world.with("YARN_CACHE_FOLDER", &cache).file("package.json", manifest);
    world.place(&upstream, &[NPM, YARN]);
    with_caches(&world, &[NPM, YARN], &upstream, &["yarn", "install"]);
    for host in [NPM, YARN] {
        for package in &packages {
            let path =
                package.tarball_path(if package.paths()[0] == "/left-pad" { "1.3.0" } else { "2.0.0" });
            upstream.on(host, &path, Fault::Status(404));
        }
    }
    let report = adopt(&world).expect(0).json();
    assert_eq!((&report["n_kept"], &report["first_seen"]), (&2.into(), &json!([])), "{report:#}");
    let from = rescued(&report);
    assert!(from.len() == 2 && from.iter().all(|from| from.ends_with("/.yarn-tarball.tgz")), "{from:?}");
    std::fs::remove_dir_all(&cache).unwrap();
    let install = ["exec", "--fresh", "--cut", "all", "--", "yarn", "install", "--frozen-lockfile"];
    world.outlast(&install).expect(0);

    // The control: without the cache nobody has them, and what was unpacked is no help, which is said.
    std::fs::remove_dir_all(world.own().join("journal")).unwrap();
    std::fs::remove_file(world.own().join("index.db")).unwrap();
    std::fs::create_dir_all(world.project().join("node_modules")).unwrap();
    let done = adopt(&world).expect(1).says("nothing can be taken from").says("/project/node_modules");
    assert_eq!(done.json()["missing"].as_array().unwrap().len(), 2, "{}", done.stdout);
}

#[test]
fn what_vanished_upstream_comes_from_the_cache_of_poetry() {
    let upstream = Upstream::start_blocking();
    upstream.serve_pypi(&[fakes::pypi::project("six").release("1.16.0", &[])]);
    let manifest = "[tool.poetry]\npackage-mode = false\n[tool.poetry.dependencies]\npython = \">=3.9\"\nsix = \"1.16.0\"\n\
                    [[tool.poetry.source]]\nname = \"simple\"\nurl = \"https://pypi.org/simple/\"\n";
    let world = World::new().file("pyproject.toml", manifest);
    world.place(&upstream, &PYPI);
    let poetry = crate::world::tools().join("poetry/bin/poetry").display().to_string();
    let script = format!("{poetry} lock --no-interaction && {poetry} install --no-interaction");
    with_caches(&world, &PYPI, &upstream, &["sh", "-ec", &script]);
    upstream.on(PYPI[1], "/*", Fault::Status(404));
    let done = adopt(&world);
    let report = done.json();
    let [from] = &*rescued(&report) else { panic!("{report:#}") };
    assert!(from.contains("/pypoetry/artifacts/") && from.ends_with(".whl"), "{from}");
    assert_eq!((&report["n_kept"], &report["first_seen"]), (&1.into(), &json!([])), "{report:#}");
    // Its source archive is in no cache: Poetry took the wheel.
    assert!(
        crate::world::texts(&report["missing"], "name").iter().all(|name| name.contains(".tar.gz")),
        "{report:#}"
    );

    // The control: other bytes in its place are not believed.
    std::fs::write(from, "other bytes").unwrap();
    std::fs::remove_dir_all(world.own().join("journal")).unwrap();
    std::fs::remove_file(world.own().join("index.db")).unwrap();
    assert_eq!(adopt(&world).expect(1).json()["n_kept"], 0);
}

#[test]
fn a_composer_package_is_packed_again_from_vendor_as_first_seen() {
    let upstream = Upstream::start_blocking();
    let reference = "0123456789abcdef0123456789abcdef01234567";
    let url = format!("https://api.github.com/repos/acme/lib/zipball/{reference}");
    let package = json!({
        "name": "acme/lib", "version": "1.0.0", "type": "library",
        "dist": { "type": "zip", "url": url, "reference": reference, "shasum": "" },
        "autoload": { "psr-4": { "Acme\\": "src/" } },
    });
    let lock = json!({ "content-hash": "x", "packages": [package], "packages-dev": [], "aliases": [],
        "minimum-stability": "stable", "stability-flags": {}, "prefer-stable": false, "prefer-lowest": false,
        "platform": {}, "platform-dev": {}, "plugin-api-version": "2.6.0" });
    let manifest = json!({ "name": "acme/app", "require": { "acme/lib": "1.0.0" }, "config": { "audit": { "abandoned": "ignore" } } });
    let installed = |reference: &str| {
        let mut package = package.clone();
        package["dist"]["reference"] = reference.into();
        json!({ "packages": [package], "dev": true, "dev-package-names": [] }).to_string()
    };
    let world = World::new()
        .file("composer.json", &manifest.to_string())
        .file("composer.lock", &lock.to_string())
        .file("vendor/acme/lib/src/Lib.php", "<?php namespace Acme; class Lib {}\n")
        .file("vendor/acme/lib/composer.json", "{ \"name\": \"acme/lib\" }")
        .file("vendor/composer/installed.json", &installed("f".repeat(40).as_str()));
    world.place(&upstream, &["api.github.com", "codeload.github.com", "repo.packagist.org", "packagist.org"]);
    // The control: what was unpacked is of another commit.
    let missing = adopt(&world).expect(1).json();
    assert_eq!(missing["n_kept"], 0, "{missing:#}");
    world.write(&world.project().join("vendor/composer/installed.json"), installed(reference));
    let done = adopt(&world);
    let report = done.json();
    assert_eq!(report["n_kept"], 1, "{report:#}");
    assert_eq!(report["first_seen"].as_array().unwrap().len(), 1, "{report:#}");
    assert!(rescued(&report)[0].ends_with("vendor/acme/lib, packed again"), "{report:#}");

    // A new checkout without `vendor/` installs from it, with everything cut.
    crate::world::need("composer");
    std::fs::remove_dir_all(world.project().join("vendor")).unwrap();
    let install = ["exec", "--fresh", "--cut", "all", "--output", "vendor/acme/lib/src/Lib.php", "--"];
    let composer = ["composer", "install", "--no-interaction", "--no-plugins", "--no-autoloader"];
    let done = world.outlast(&[&install[..], &composer[..]].concat()).expect(0);
    assert!(!done.stderr.contains("was not made"), "{}", done.stderr);
}
