//! Installs the clients that end-to-end tests drive, by the ordinary package clients; quick when all is there.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::step::{is_installed, run, target};

/// Programs with the Debian package that has them.
const DEBIAN: &[(&str, &str)] = &[
    ("composer", "composer"),
    ("curl", "curl"),
    ("git", "git"),
    ("go", "golang-go"),
    ("java", "default-jre-headless"),
    ("jq", "jq"),
    ("mvn", "maven"),
    ("npm", "npm"),
    ("openssl", "openssl"),
    ("php", "php-cli"),
    ("python3", "python3"),
    ("unzip", "unzip"),
    ("wget", "wget"),
    ("zstd", "zstd"),
];
/// Folders below target/tools with what npm installs there; both Yarns are called `yarn`.
const NPM: &[(&str, &[&str])] =
    &[("npm", &["pnpm@12.21.0", "yarn@1.22.22"]), ("yarn4", &["@yarnpkg/cli-dist@4.18.1"])];
const PYTHON: &[&str] = &["pip==26.3", "uv==0.13.9"];

/// Installs what is missing and returns the folder of what is not installed in the system.
pub(crate) fn install() -> Result<PathBuf> {
    install_debian()?;
    let tools = target().join("tools");
    for (name, packages) in NPM {
        let folder = tools.join(name);
        once(&folder, packages, || {
            let mut npm = Command::new("npm");
            npm.args(["install", "--no-audit", "--no-fund", "--loglevel=error", "--prefix"]).arg(&folder);
            run(npm.args(*packages))
        })?;
    }
    let folder = tools.join("python");
    once(&folder, PYTHON, || install_python(&folder))?;
    Ok(tools)
}

fn install_debian() -> Result<()> {
    let mut missing: Vec<&str> =
        DEBIAN.iter().filter(|(program, _)| !is_installed(program)).map(|(_, package)| *package).collect();
    // Debian's Python leaves out what `venv` needs.
    let python = Path::new("/usr/bin/python3");
    if (is_installed("python3") || missing.contains(&"python3")) && !has_venv() {
        missing.push(if python.exists() || missing.contains(&"python3") {
            "python3-venv"
        } else {
            "python3"
        });
    }
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
    run(&mut apt(&["update", "-qq"]))?;
    run(apt(&["install", "-y", "-qq", "--no-install-recommends"]).args(&missing)).context(by_hand)
}

fn has_venv() -> bool {
    let found = Command::new("python3").args(["-c", "import venv, ensurepip"]).output();
    found.is_ok_and(|output| output.status.success())
}

fn is_root() -> Result<bool> {
    Ok(crate::step::output(Command::new("id").arg("-u"))?.trim() == "0")
}

fn install_python(folder: &Path) -> Result<()> {
    run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(folder))?;
    let mut pip = Command::new(folder.join("bin/python"));
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]).args(PYTHON);
    run(&mut pip)
}

/// Does something whose result is a folder, unless the folder says that it was done for the same packages.
fn once(folder: &Path, packages: &[&str], install: impl FnOnce() -> Result<()>) -> Result<()> {
    let mark = folder.join("installed");
    let wanted = packages.join("\n") + "\n";
    if fs::read_to_string(&mark).is_ok_and(|found| found == wanted) {
        return Ok(());
    }
    eprintln!("Tests need {} in {}", packages.join(" "), folder.display());
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    fs::create_dir_all(folder)?;
    install()?;
    fs::write(&mark, wanted)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_installed_is_not_installed_again_until_its_list_changes() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("tool");
        let mut n_installed = 0;
        let mut check = |packages: &[&str], expected: u32| {
            once(&folder, packages, || {
                n_installed += 1;
                Ok(())
            })
            .unwrap();
            assert_eq!(n_installed, expected, "{packages:?}");
        };
        check(&["a@1"], 1);
        check(&["a@1"], 1);
        check(&["a@2"], 2);
    }

    #[test]
    fn a_failed_install_is_tried_again() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("tool");
        assert!(once(&folder, &["a@1"], || bail!("no network")).is_err());
        let mut is_tried = false;
        once(&folder, &["a@1"], || {
            is_tried = true;
            Ok(())
        })
        .unwrap();
        assert!(is_tried);
    }
}
