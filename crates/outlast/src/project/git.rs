//! What git knows of a project. Its folder may be anybody's: nothing in it makes git run a program, ask a person, or reach a host.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use host::process::{Limits, Output, ProcessError, Program};

use crate::failure::Failure;
use crate::speak::{in_line, tell};

/// A million files with paths of a hundred bytes; Chromium has half of that. An index on a slow network disk takes seconds.
const LIMITS: Limits =
    Limits { time: Duration::from_secs(60), stdout_bytes: 100_000_000, stderr_bytes: 16 * 1024 };

/// Settings that name programs, as far as the repository's own file may have them: what stands here has the last word.
const SETTINGS: [&str; 2] = ["core.fsmonitor=false", "core.hooksPath=/dev/null"];

/// Reaches no host, writes nothing, asks nobody, and speaks English.
const ENVIRONMENT: [(&str, &str); 6] = [
    ("GIT_ALLOW_PROTOCOL", "none"),
    ("GIT_OPTIONAL_LOCKS", "0"),
    ("GIT_TERMINAL_PROMPT", "0"),
    ("GIT_PAGER", "cat"),
    ("GIT_ASKPASS", "true"),
    ("LC_ALL", "C"),
];

/// Returns the address of the repository that a project was cloned from, if git knows it.
pub(super) fn remote(root: &Path) -> Result<Option<String>, Failure> {
    let Some(output) = ask(root, &["config", "--local", "--get", "remote.origin.url"])? else {
        return Ok(None);
    };
    if output.status.success() {
        return Ok(String::from_utf8(output.stdout).ok());
    }
    // Without a word it is only that none is set.
    told(root, "where it was cloned from", &output);
    Ok(None)
}

/// Returns the files that git tracks. Where it does not say, it is told why.
pub(super) fn tracked(root: &Path) -> Result<Vec<PathBuf>, Failure> {
    let Some(output) = ask(root, &["ls-files", "-z", "--cached"])? else { return Ok(Vec::new()) };
    if !output.status.success() {
        told(root, "what it tracks, so ignored files are left out", &output);
        return Ok(Vec::new());
    }
    let paths = output.stdout.split(|byte| *byte == 0).filter(|path| !path.is_empty());
    Ok(paths.map(|path| PathBuf::from(OsString::from_vec(path.to_vec()))).collect())
}

/// How much of git's reason is shown.
const REASON_LETTERS_MAX: usize = 200;

/// Tells why git does not say something, unless there is no repository.
fn told(root: &Path, what: &str, output: &Output) {
    let reason = String::from_utf8_lossy(&output.stderr);
    let Some(reason) = reason.lines().next().filter(|reason| !reason.trim().is_empty()) else { return };
    if !["not a git repository", "only be used inside a git repository"].iter().any(|it| reason.contains(it))
    {
        let (root, reason) = (root.display(), in_line(reason, REASON_LETTERS_MAX));
        tell(&format!("outlast: git does not say of `{root}` {what}: {reason}"));
    }
}

/// Asks git something about a project; nothing where there is no git or no repository.
fn ask(root: &Path, arguments: &[&str]) -> Result<Option<Output>, Failure> {
    if !root.ancestors().any(|folder| folder.join(".git").exists()) {
        return Ok(None);
    }
    let settings = SETTINGS.iter().flat_map(|setting| ["-c", setting]);
    let program = Program::new("git", LIMITS)
        .args(["--no-pager"])
        .args(settings)
        .args(arguments)
        .folder(root)
        .environment(own_environment())
        .environment(ENVIRONMENT);
    match program.run() {
        Ok(output) => Ok(Some(output)),
        Err(ProcessError::Missing { .. }) => Ok(None),
        Err(error) => {
            let by_hand = format!("look at it: git -C {} {}", root.display(), arguments.join(" "));
            Err(Failure::no(error).hint(by_hand))
        }
    }
}

/// Returns what git needs of this process's environment: where programs lie, and the user's own settings, which say whose
/// repositories may be read (`safe.directory`). A `GIT_DIR` would lead to another repository.
#[expect(clippy::disallowed_methods, reason = "the rim reads the environment")]
fn own_environment() -> Vec<(OsString, OsString)> {
    let is_needed = |name: &OsStr| {
        // Whoever is root through sudo may read what the caller may: git asks for that.
        let needed = ["PATH", "HOME", "XDG_CONFIG_HOME", "SUDO_UID", "GIT_DISCOVERY_ACROSS_FILESYSTEM"];
        needed.iter().any(|needed| name == *needed) || name.as_bytes().starts_with(b"GIT_CONFIG_")
    };
    std::env::vars_os().filter(|(name, _)| is_needed(name)).collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    /// Has git do something with the user's own settings, and with none of Outlast's.
    #[expect(clippy::disallowed_methods, reason = "the test needs a repository")]
    fn git(folder: &Path, arguments: &[&str]) {
        let output = std::process::Command::new("git").args(arguments).current_dir(folder).output().unwrap();
        assert!(output.status.success(), "{arguments:?}");
    }

    #[test]
    fn a_project_makes_git_run_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        let (trap, witness) = (root.join("hooks/post-index-change"), root.join("witness"));
        std::fs::create_dir(root.join("hooks")).unwrap();
        std::fs::write(&trap, format!("#!/bin/sh\necho $0 >> {}\n", witness.display())).unwrap();
        std::fs::set_permissions(&trap, std::fs::Permissions::from_mode(0o755)).unwrap();
        git(root, &["init", "-q"]);
        git(root, &["add", "hooks"]);
        git(root, &["remote", "add", "origin", "https://forge.example/acme/app"]);
        let trap = trap.to_str().unwrap();
        git(root, &["config", "core.fsmonitor", trap]);
        git(root, &["config", "core.hooksPath", "hooks"]);
        std::fs::remove_file(&witness).ok();
        git(root, &["ls-files", "-z", "--cached"]);
        assert!(witness.exists(), "without the settings it runs one");
        std::fs::remove_file(&witness).unwrap();

        assert_eq!(tracked(root).unwrap(), [PathBuf::from("hooks/post-index-change")]);
        assert_eq!(remote(root).unwrap().as_deref(), Some("https://forge.example/acme/app\n"));
        assert!(!witness.exists(), "{}", std::fs::read_to_string(&witness).unwrap_or_default());
    }

    #[test]
    fn a_folder_without_a_repository_has_no_tracked_files() {
        assert!(tracked(Path::new("/nowhere")).unwrap().is_empty());
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join(".git")).unwrap();
        assert!(tracked(folder.path()).unwrap().is_empty());
    }
}
