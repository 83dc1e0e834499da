//! An example project in a temporary folder, and the release binary to try on it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};
use tempfile::TempDir;

use crate::step::{cargo, output, root, run, target};

/// A project in `examples/`.
#[derive(Debug)]
pub(crate) struct Example {
    pub(crate) name: &'static str,
    pub(crate) command: &'static str,
    /// What the command makes, relative to the project's folder.
    pub(crate) output: Option<&'static str>,
}

/// Small, and built: what compilers do counts most.
pub(crate) const HELLO: Example = Example { name: "hello", command: "./build.sh", output: Some("out/hello") };
/// Large, and only fetched: what hosts and disks do counts most.
pub(crate) const MANY: Example = Example { name: "many", command: "./fetch.sh", output: None };

impl Example {
    /// Returns the arguments of `exec` and `drill` that name the output and the command.
    pub(crate) fn arguments(&self) -> Vec<&'static str> {
        let output = self.output.into_iter().flat_map(|output| ["--output", output]);
        output.chain(["--", self.command]).collect()
    }
}

/// What cargo sets for the programs that it runs, and what would lead a build elsewhere.
const OURS_ONLY: &[&str] =
    &["CARGO", "CARGO_TARGET_DIR", "CARGO_HOME", "CARGO_BUILD_TARGET_DIR", "npm_config_cache"];

/// A copy of an example project, with a HOME and a home of Outlast of its own.
#[derive(Debug)]
pub(crate) struct Project {
    example: &'static Example,
    binary: PathBuf,
    folder: TempDir,
    outlast_home: PathBuf,
}

impl Project {
    /// Builds the release binary and copies the project; `outlast_home` must not exist yet.
    pub(crate) fn prepare(example: &'static Example, outlast_home: &Path) -> Result<Self> {
        run(&mut cargo(&["build", "--release", "--package", "outlast", "--quiet"]))?;
        let folder = tempfile::Builder::new().prefix("outlast-example-").tempdir()?;
        let (binary, outlast_home) = (target().join("release/outlast"), outlast_home.to_owned());
        let project = Self { example, binary, folder, outlast_home };
        project.lay(&project.path())?;
        Ok(project)
    }

    /// Returns the project's folder.
    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join(self.example.name)
    }

    /// Lays the project's files into a new folder, as a repository with one commit.
    pub(crate) fn lay(&self, into: &Path) -> Result<()> {
        copy(&root().join("examples").join(self.example.name), into)?;
        for arguments in [
            &["init", "--quiet"][..],
            &["add", "--all"],
            &[
                "-c",
                "user.name=Example",
                "-c",
                "user.email=example@example.com",
                "commit",
                "-qm",
                "Say hello",
            ],
        ] {
            output(self.at(into, Command::new("git").args(arguments)))?;
        }
        Ok(())
    }

    /// Returns an `outlast` command that runs in the project's folder.
    pub(crate) fn outlast(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.binary);
        command.args(arguments);
        self.at(&self.path(), &mut command);
        command
    }

    /// Makes a command run in a folder, with the project's HOME and nothing of ours.
    pub(crate) fn at<'a>(&self, folder: &Path, command: &'a mut Command) -> &'a mut Command {
        self.with_home(&self.folder.path().join("home"), folder, command)
    }

    /// Makes a command run in a folder with a HOME, which is made where it is missing.
    pub(crate) fn with_home<'a>(
        &self,
        home: &Path,
        folder: &Path,
        command: &'a mut Command,
    ) -> &'a mut Command {
        // A folder that cannot be made shows at once, in what the command says.
        let _ = fs::create_dir_all(home);
        for name in std::env::vars_os().map(|(name, _)| name) {
            let text = name.to_string_lossy();
            let is_of_cargo = ["CARGO_PKG_", "CARGO_MANIFEST_"].iter().any(|start| text.starts_with(start));
            if is_of_cargo || text.starts_with("GIT_DIR") || OURS_ONLY.contains(&&*text) {
                command.env_remove(&name);
            }
        }
        // rustup looks below HOME, and the toolchain is no cache.
        if std::env::var_os("RUSTUP_HOME").is_none()
            && let Some(real) = std::env::var_os("HOME").map(|home| Path::new(&home).join(".rustup"))
            && real.is_dir()
        {
            command.env("RUSTUP_HOME", real);
        }
        for name in ["XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME"] {
            command.env_remove(name);
        }
        command.env("HOME", home).env("OUTLAST_HOME", &self.outlast_home).current_dir(folder)
    }
}

/// Copies what git would: what a build left behind stays behind.
fn copy(from: &Path, into: &Path) -> Result<()> {
    fs::create_dir_all(into)?;
    for entry in fs::read_dir(from).with_context(|| format!("`{}` cannot be read", from.display()))? {
        let entry = entry?;
        let name = entry.file_name();
        if ["target", "out", "node_modules"].iter().any(|left| name == *left) {
            continue;
        }
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &into.join(name))?;
        } else {
            fs::copy(entry.path(), into.join(name))?;
        }
    }
    Ok(())
}
