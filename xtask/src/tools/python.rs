//! Clients of PyPI, each list in an environment of its own.

use std::path::Path;
use std::process::Command;

use anyhow::Result;

use super::once;
use crate::step::{download, run};

/// Folders below target/tools with what pip installs there. Poetry brings 30 packages, which are nobody else's; pygit2 has
/// libgit2 in its wheel.
const ENVIRONMENTS: &[(&str, &[&str])] = &[
    ("python", &["pip==26.3", "uv==0.13.9"]),
    ("poetry", &["poetry==2.5.1"]),
    ("libgit2", &["pygit2==1.21.0"]),
];

/// Installs what is missing.
pub(super) fn install(tools: &Path) -> Result<()> {
    for (name, packages) in ENVIRONMENTS {
        let folder = tools.join(name);
        once(&folder, packages, || {
            run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder))?;
            let mut pip = Command::new(folder.join("bin/python"));
            pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]);
            download(pip.args(*packages))
        })?;
    }
    Ok(())
}
