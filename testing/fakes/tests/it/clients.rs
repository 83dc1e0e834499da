//! Real clients, with empty homes, install from the fakes through nothing but a proxy address and a CA.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use fakes::cargo::crate_;
use fakes::git::Repository;
use fakes::npm::package;
use fakes::{Fault, Upstream};
use serde_json::json;
use tempfile::TempDir;

const HINT: &str = "`cargo xtask test` installs what tests need";
/// Enters a folder as a machine in which there is one more folder, this one.
const ENTER: &str = r#"set -e
root=$1 world=$2
shift 2
mount -t tmpfs tmpfs "$root/tmp"
for folder in "$world" /dev /proc; do
    mkdir -p "$root$folder"
    mount --rbind "$folder" "$root$folder"
done
exec chroot "$root" env --chdir="$PWD" "$@"
"#;

/// Runs a program below a folder, in which its home is too, and returns whether it ended well and all it said.
pub(crate) fn run(upstream: &Upstream, folder: &Path, program: &str, arguments: &[&str]) -> (bool, String) {
    finish(&mut Command::new(program), upstream, folder, arguments)
}

/// Does the same in a later Debian, which sees nothing of this machine but what `world` holds.
pub(crate) fn run_in(
    suite: &str,
    world: &Path,
    upstream: &Upstream,
    folder: &Path,
    words: &[&str],
) -> (bool, String) {
    let root = tools().join("machines").join(suite).join("root");
    assert!(root.join("usr/bin").is_dir(), "no Debian in {}; hint: {HINT}", root.display());
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", ENTER, "enter"]).args([&root, world]);
    finish(&mut command, upstream, folder, words)
}

fn finish(command: &mut Command, upstream: &Upstream, folder: &Path, arguments: &[&str]) -> (bool, String) {
    let home = folder.join("home");
    std::fs::create_dir_all(&home).unwrap();
    let ca = upstream.ca_file(folder);
    command.args(arguments).current_dir(folder).env_clear().env("HOME", &home);
    command.env("PATH", path());
    command.envs(std::env::var_os("RUSTUP_HOME").map(|value| ("RUSTUP_HOME", value)));
    if std::env::var_os("RUSTUP_HOME").is_none()
        && let Some(real) = std::env::var_os("HOME")
    {
        command.env("RUSTUP_HOME", Path::new(&real).join(".rustup"));
    }
    for name in ["https_proxy", "HTTPS_PROXY"] {
        command.env(name, upstream.proxy_url());
    }
    for name in [
        "CARGO_HTTP_CAINFO",
        "GIT_SSL_CAINFO",
        "npm_config_cafile",
        "COMPOSER_CAFILE",
        "PIP_CERT",
        "SSL_CERT_FILE",
        "REQUESTS_CA_BUNDLE",
    ] {
        command.env(name, &ca);
    }
    // As root, Composer has no plugins unless it is told twice.
    command.env("COMPOSER_ALLOW_SUPERUSER", "1");
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}; hint: {HINT}"));
    let text =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    (output.status.success(), text)
}

fn tools() -> PathBuf {
    let named = std::env::var_os("OUTLAST_TEST_TOOLS").map(PathBuf::from);
    // Beside this program: target/debug/deps/it, target/tools.
    let usual = || std::env::current_exe().unwrap().ancestors().nth(3).unwrap().join("tools");
    named.unwrap_or_else(usual)
}

/// Returns the search path: the clients that `cargo xtask test` installs, then the system's.
fn path() -> OsString {
    let clients = ["python/bin", "poetry/bin"].map(|folder| tools().join(folder));
    let system = std::env::var_os("PATH").unwrap_or_default();
    std::env::join_paths(clients.into_iter().chain(std::env::split_paths(&system))).unwrap()
}

#[test]
fn npm_installs_a_package_with_its_dependency() {
    let upstream = Upstream::start_blocking();
    let folder = TempDir::new().unwrap();
    let scoped = package("@acme/inner", &[("2.0.0", &[])]);
    let outer = package("outer", &[("1.0.0", &[])]).version(
        "1.1.0",
        &json!({ "dependencies": { "@acme/inner": "^2.0.0" } }),
        &[],
    );
    upstream.serve_npm("registry.npmjs.org", &[scoped, outer]);
    let install = ["install", "--no-audit", "--no-fund", "outer", "--fetch-retries=0"];
    let (is_good, said) = run(&upstream, folder.path(), "npm", &install);
    assert!(is_good, "{said}");
    for file in ["outer/index.js", "@acme/inner/index.js"] {
        assert!(folder.path().join("node_modules").join(file).exists(), "{file}");
    }

    let other = TempDir::new().unwrap();
    upstream.on("registry.npmjs.org", "/outer/-/*", Fault::WrongBytes);
    let (is_good, said) = run(&upstream, other.path(), "npm", &install);
    assert!(!is_good && said.contains("EINTEGRITY"), "{said}");
}

#[test]
fn cargo_builds_with_crates() {
    let upstream = Upstream::start_blocking();
    let crates = [
        crate_("foo", "1.0.0"),
        crate_("foo", "1.1.0").depends("inner-one", "1"),
        crate_("inner-one", "1.0.3"),
    ];
    upstream.serve_cargo("index.crates.io", "static.crates.io", &crates);
    let folder = TempDir::new().unwrap();
    let manifest = "[package]\nname = \"own\"\nedition = \"2021\"\n[dependencies]\nfoo = \"1.1\"\n";
    std::fs::write(folder.path().join("Cargo.toml"), manifest).unwrap();
    std::fs::create_dir(folder.path().join("src")).unwrap();
    let main = "fn main() { assert_eq!(foo::hello(), \"foo 1.1.0\"); }";
    std::fs::write(folder.path().join("src/main.rs"), main).unwrap();
    let (is_good, said) = run(&upstream, folder.path(), "cargo", &["run", "--quiet"]);
    assert!(is_good, "{said}");
    assert_eq!(upstream.n_asked("static.crates.io", "/crates/inner-one/1.0.3/download"), 1);
}

#[test]
fn git_clones_a_repository_and_finds_no_other() {
    let upstream = Upstream::start_blocking();
    let folder = TempDir::new().unwrap();
    let repository = Repository::create(&folder.path().join("origin.git"));
    let first = repository.commit("main", "First", &[("README", "one\n")]);
    repository.tag("v1", &first);
    let second = repository.commit("main", "Second", &[("README", "two\n"), ("src/a", "a\n")]);
    upstream.serve_git("git.example", "/owner/name.git", &repository);
    for version in ["protocol.version=0", "protocol.version=2"] {
        let into = folder.path().join(version);
        let clone =
            ["-c", version, "clone", "-q", "https://git.example/owner/name.git", into.to_str().unwrap()];
        let (is_good, said) = run(&upstream, folder.path(), "git", &clone);
        assert!(is_good, "{said}");
        assert_eq!(std::fs::read_to_string(into.join("README")).unwrap(), "two\n");
        let (_, head) = run(&upstream, &into, "git", &["rev-parse", "HEAD", "v1"]);
        assert_eq!(head.lines().collect::<Vec<_>>(), [second.as_str(), first.as_str()]);
    }
    let other = ["clone", "-q", "https://git.example/owner/other.git", "x"];
    assert!(!run(&upstream, folder.path(), "git", &other).0);
}
