//! Installs the clients that end-to-end tests drive, by the ordinary package clients; quick when all is there.

mod libraries;
mod machines;
mod python;
mod system;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use crate::step::{download, target};

pub(crate) use system::install_servers;

/// Folders below target/tools with what npm installs there; both Yarns are called `yarn`.
const NPM: &[(&str, &[&str])] = &[
    ("npm", &["pnpm@12.21.0", "yarn@1.22.22"]),
    ("yarn4", &["@yarnpkg/cli-dist@4.18.1"]),
    ("runtimes", &["bun@1.4.5", "deno@2.9.6"]),
];

/// Installs what is missing and returns the folder of what is not installed in the system.
pub(crate) fn install() -> Result<PathBuf> {
    system::install()?;
    let tools = target().join("tools");
    for (name, packages) in NPM {
        let folder = tools.join(name);
        once(&folder, packages, || {
            let mut npm = Command::new("npm");
            npm.args(["install", "--no-audit", "--no-fund", "--loglevel=error", "--prefix"]).arg(&folder);
            download(npm.args(*packages))
        })?;
    }
    python::install(&tools)?;
    libraries::install(&tools)?;
    machines::install(&tools)?;
    Ok(tools)
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
    use anyhow::bail;

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
