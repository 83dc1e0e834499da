//! What tests need of the system itself: Debian's packages, by apt.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::step::{download, is_installed, output};

/// Debian's keys, by which later Debians are fetched.
pub(super) const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";
/// Programs and files with the Debian package that has them.
const PACKAGES: &[(&str, &str)] = &[
    ("composer", "composer"),
    ("curl", "curl"),
    (KEYRING, "debian-archive-keyring"),
    ("faketime", "faketime"),
    ("git", "git"),
    ("go", "golang-go"),
    ("gpg", "gnupg"),
    ("javac", "default-jdk-headless"),
    ("jq", "jq"),
    ("mmdebstrap", "mmdebstrap"),
    ("mount", "mount"),
    ("mvn", "maven"),
    ("npm", "npm"),
    ("openssl", "openssl"),
    ("php", "php-cli"),
    ("python3", "python3"),
    ("systemd-analyze", "systemd"),
    ("unshare", "util-linux"),
    ("unzip", "unzip"),
    ("wget", "wget"),
    ("zstd", "zstd"),
];
/// What serves repositories as forges do, and measures that. Debian starts both at once, so that only who asks for them gets them.
const SERVERS: &[(&str, &str)] = &[("fcgiwrap", "fcgiwrap"), ("nginx", "nginx-light"), ("time", "time")];
/// What PHP needs to run Composer as people do; each is a package `php-…`.
const PHP_MODULES: &[&str] = &["curl", "mbstring", "zip"];

/// Installs what tests need and is missing.
pub(super) fn install() -> Result<()> {
    install_all(&missing())
}

/// Installs what serves repositories, where it is missing.
pub(crate) fn install_servers() -> Result<()> {
    let missing = SERVERS.iter().filter(|(program, _)| !is_installed(program));
    install_all(&missing.map(|(_, package)| (*package).to_owned()).collect::<Vec<_>>())
}

fn install_all(missing: &[String]) -> Result<()> {
    if missing.is_empty() {
        return Ok(());
    }
    let packages = missing.join(" ");
    let by_hand = format!("install them by hand: apt-get install -y --no-install-recommends {packages}");
    if !is_installed("apt-get") || !is_root()? {
        bail!("tests need packages that are missing; hint: {by_hand}");
    }
    eprintln!("Tests need packages that are missing: {packages}");
    let apt = |arguments: &[&str]| {
        let mut apt = Command::new("apt-get");
        apt.args(arguments).env("DEBIAN_FRONTEND", "noninteractive");
        apt
    };
    download(&mut apt(&["update", "-qq"]))?;
    download(apt(&["install", "-y", "-qq", "--no-install-recommends"]).args(missing)).context(by_hand)
}

/// Returns whether we are root.
pub(super) fn is_root() -> Result<bool> {
    Ok(output(Command::new("id").arg("-u"))?.trim() == "0")
}

/// Returns the packages that are missing.
fn missing() -> Vec<String> {
    let is_there =
        |what: &str| if what.starts_with('/') { Path::new(what).exists() } else { is_installed(what) };
    let packages = PACKAGES.iter().filter(|(what, _)| !is_there(what));
    let mut missing: Vec<String> = packages.map(|(_, package)| (*package).to_owned()).collect();
    let modules = output(Command::new("php").arg("-m")).unwrap_or_default();
    missing.extend(missing_modules(&modules));
    // Debian's Python leaves out what `venv` needs.
    if !has_venv() && (is_there("/usr/bin/python3") || !is_installed("python3")) {
        missing.push("python3-venv".to_owned());
    }
    missing
}

/// Returns the packages of the modules that `php -m` does not list.
fn missing_modules(modules: &str) -> impl Iterator<Item = String> {
    let is_there = |module: &str| modules.lines().any(|line| line.eq_ignore_ascii_case(module));
    PHP_MODULES.iter().filter(move |module| !is_there(module)).map(|module| format!("php-{module}"))
}

fn has_venv() -> bool {
    let found = Command::new("python3").args(["-c", "import venv, ensurepip"]).output();
    found.is_ok_and(|output| output.status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_that_php_does_not_list_are_packages() {
        let check = |modules: &str, expected: &[&str]| {
            assert_eq!(missing_modules(modules).collect::<Vec<_>>(), expected, "{modules:?}");
        };
        check("[PHP Modules]\nCore\ncurl\nmbstring\nzip\n", &[]);
        check("[PHP Modules]\nCore\nCURL\nzipper\n", &["php-mbstring", "php-zip"]);
        check("", &["php-curl", "php-mbstring", "php-zip"]);
    }
}
