//! Later Debians for the Composers in them: whole small systems in folders, which tests enter.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use super::once;
use super::system::{KEYRING, is_root};
use crate::step::{output, run, twice};

/// Suites, each with what only it has besides. Debian 13 has Composer 2.8; Debian's newest suite, which moves, has 2.11 and git
/// 2.55, or what came after them.
const SUITES: &[(&str, &[&str])] = &[("trixie", &[]), ("sid", &["git"])];
const PACKAGES: &[&str] =
    &["ca-certificates", "composer", "mount", "php-cli", "php-curl", "php-mbstring", "php-zip", "unzip"];
/// What nobody reads here; it halves the folder, and syncing each file would triple the time.
const DPKG: &[&str] = &[
    "path-exclude=/usr/share/doc/*",
    "path-exclude=/usr/share/locale/*",
    "path-exclude=/usr/share/man/*",
    "force-unsafe-io",
];
/// Settings of this machine's apt that its mirror may need.
const APT: &[&str] = &[
    "Acquire::Check-Date",
    "Acquire::Check-Valid-Until",
    "Acquire::http::Proxy",
    "Acquire::https::Proxy",
    "Acquire::https::CaInfo",
];
const DEBIAN: &str = "https://deb.debian.org/debian";

/// Makes the machines that are missing, at the same time.
pub(super) fn install(tools: &Path) -> Result<()> {
    let folder = &tools.join("machines");
    std::thread::scope(|scope| {
        let all: Vec<_> = SUITES
            .iter()
            .map(|(suite, more)| scope.spawn(move || make(&folder.join(suite), suite, more)))
            .collect();
        all.into_iter().try_for_each(|one| one.join().expect("making a machine does not panic"))
    })
}

fn make(folder: &Path, suite: &str, more: &[&str]) -> Result<()> {
    let packages = [PACKAGES, more].concat();
    once(folder, &packages, || {
        let by_hand = "run `cargo xtask test` once as root, on Debian: it makes small systems in folders";
        if !is_root()? {
            bail!("tests need Debian's {suite} in {}; hint: {by_hand}", folder.display());
        }
        let targets =
            ["indextargets", "--format", "$(LABEL) $(COMPONENT) $(REPO_URI)", "Created-By: Packages"];
        let targets = output(Command::new("apt-get").args(targets)).unwrap_or_default();
        let settings = output(Command::new("apt-config").arg("dump").args(APT)).unwrap_or_default();
        let mut mmdebstrap = Command::new("mmdebstrap");
        mmdebstrap.args(["--quiet", "--mode=root", "--variant=essential", "--format=directory"]);
        mmdebstrap.args(settings.lines().map(|setting| format!("--aptopt={setting}")));
        mmdebstrap.args(DPKG.iter().map(|option| format!("--dpkgopt={option}")));
        let root = folder.join("root");
        mmdebstrap.arg(format!("--include={}", packages.join(","))).arg(suite).arg(&root);
        mmdebstrap.arg(format!("deb [signed-by={KEYRING}] {} {suite} main", mirror(&targets)));
        let fresh = || {
            // It only fills an empty folder, and leaves one half full when it fails.
            if root.exists() {
                fs::remove_dir_all(&root)?;
            }
            run(&mut mmdebstrap)
        };
        twice(fresh).context("hint: the mirror that apt names must have this suite of Debian, too")
    })
}

/// Returns the mirror of Debian that apt uses, from lines `LABEL COMPONENT ADDRESS`; Debian's own where there is none.
fn mirror(targets: &str) -> &str {
    let addresses = targets.lines().filter_map(|line| line.strip_prefix("Debian main "));
    let mut usable =
        addresses.filter(|address| ["http://", "https://"].iter().any(|scheme| address.starts_with(scheme)));
    usable.next().map_or(DEBIAN, |address| address.trim_end_matches('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mirror_is_the_one_of_apt() {
        let check = |targets: &str, expected: &str| assert_eq!(mirror(targets), expected, "{targets:?}");
        check("Debian main http://mirror.example/debian/\n", "http://mirror.example/debian");
        check(
            "Debian-Security main http://a.example/security/\nOther main http://b.example/\n\
             Debian contrib http://c.example/\nDebian main https://d.example/debian/\nDebian main http://e.example/\n",
            "https://d.example/debian",
        );
        check("Debian main cdrom://disc/\n", DEBIAN);
        check("", DEBIAN);
    }
}
