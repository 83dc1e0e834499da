//! Runs one program after another, and says which.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::Instant;

use anyhow::{Context as _, Result, bail};

/// Ends xtask with an exit code that was reported to the user already.
#[derive(Debug)]
pub(crate) struct Exit(pub(crate) u8);

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "exit code {}", self.0)
    }
}

impl std::error::Error for Exit {}

/// Returns the folder of the workspace.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the workspace")
}

/// Returns where cargo builds to.
pub(crate) fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |folder| root().join(folder))
}

/// Returns cargo as it started us, in the workspace's folder.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments).current_dir(root());
    command
}

/// Runs a program, shows its line and how long it took, and fails when it fails.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let line = shown(command);
    let status = status(command)?;
    if !status.success() {
        bail!("`{line}` failed ({status})");
    }
    Ok(())
}

/// Runs a program that downloads, and once more when it fails.
pub(crate) fn download(command: &mut Command) -> Result<()> {
    twice(|| run(command))
}

/// Does what downloads, and once more when it fails: networks do.
pub(crate) fn twice(mut attempt: impl FnMut() -> Result<()>) -> Result<()> {
    let Err(error) = attempt() else { return Ok(()) };
    eprintln!("{error:#}; once more");
    attempt().context("failed twice")
}

/// Runs a program, shows its line and how long it took, and returns how it ended.
pub(crate) fn status(command: &mut Command) -> Result<ExitStatus> {
    let line = shown(command);
    eprintln!("==> {line}");
    let started = Instant::now();
    let status = command.status().with_context(|| format!("`{line}` cannot be started"))?;
    eprintln!("    {:.1} s", started.elapsed().as_secs_f64());
    Ok(status)
}

/// Returns what a program printed, or fails with what it complained about.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let line = shown(command);
    let output = command.output().with_context(|| format!("`{line}` cannot be started"))?;
    if !output.status.success() {
        bail!("`{line}` failed ({}): {}", output.status, String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8(output.stdout)?)
}

/// Returns whether a program is installed.
pub(crate) fn is_installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or_default();
    let words = std::iter::once(program).chain(command.get_args());
    words.map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_download_is_tried_twice_and_names_its_command() {
        let folder = tempfile::tempdir().unwrap();
        let once = folder.path().join("once");
        let script = format!("test -e {0} || {{ touch {0}; exit 7; }}", once.display());
        download(Command::new("sh").args(["-c", &script])).unwrap();

        let error = download(Command::new("sh").args(["-c", "exit 7", "fetch"])).unwrap_err();
        let said = format!("{error:#}");
        assert!(said.contains("`sh -c exit 7 fetch` failed (exit status: 7)"), "{said}");
    }
}
