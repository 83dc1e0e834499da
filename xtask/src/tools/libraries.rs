//! Libraries that speak git's protocol without git, each with a small program of ours that drives it: testing/clients.

use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};

use super::once;
use crate::step::{download, output, run};

/// The jar of JGit, the three that it needs, and nothing of Maven's own: Maven fetches extensions of a build before it builds.
const JGIT: &[(&str, &str)] = &[
    ("pom.xml", include_str!("../../../testing/clients/jgit/pom.xml")),
    ("Client.java", include_str!("../../../testing/clients/jgit/Client.java")),
    ("client", include_str!("../../../testing/clients/jgit/client")),
];
/// The newest that the Go of Debian 12 compiles.
const GO_GIT: &[(&str, &str)] = &[
    ("go.mod", include_str!("../../../testing/clients/go-git/go.mod")),
    ("go.sum", include_str!("../../../testing/clients/go-git/go.sum")),
    ("main.go", include_str!("../../../testing/clients/go-git/main.go")),
];

/// Makes the programs that are missing; pygit2 needs none, it is installed by pip.
pub(super) fn install(tools: &Path) -> Result<()> {
    let folder = tools.join("go-git");
    make(&folder, GO_GIT, || {
        let mut go = Command::new("go");
        download(go.args(["build", "-o", "client", "main.go"]).current_dir(&folder))
    })?;
    let folder = tools.join("jgit");
    make(&folder, JGIT, || {
        let mut maven = Command::new("mvn");
        maven.args(["-q", "-B", "-Dmaven.repo.local=repository", "validate"]);
        download(maven.current_dir(&folder))?;
        let jars = output(Command::new("find").arg(&folder).args(["-name", "*.jar"]))?;
        let jars = jars.lines().collect::<Vec<_>>().join(":");
        let mut javac = Command::new("javac");
        run(javac.args(["-d", "classes", "-cp", &jars, "Client.java"]).current_dir(&folder))?;
        fs::set_permissions(folder.join("client"), fs::Permissions::from_mode(0o755))
            .context("the program cannot be started")
    })
}

/// Writes the sources into a folder and makes a program of them, once for the same sources.
fn make(folder: &Path, sources: &[(&str, &str)], build: impl FnOnce() -> Result<()>) -> Result<()> {
    let mut hasher = DefaultHasher::new();
    sources.hash(&mut hasher);
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    once(folder, &[&format!("{name}, client {:016x}", hasher.finish())], || {
        for (name, text) in sources {
            fs::write(folder.join(name), text)?;
        }
        build()
    })
}
