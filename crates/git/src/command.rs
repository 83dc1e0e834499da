//! Running `git`: with nothing of the user's or the system's settings, no hooks, no prompts, and bounds.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use host::process::{Limits, Output, ProcessError, Program};

use crate::harmless::harmless;

/// How long the longest work may take: indexing or repacking a very large repository.
const PATIENCE: Duration = Duration::from_secs(6 * 3600);
/// The most that is read of what git prints.
const STDOUT_BYTES_MAX: usize = 64 << 20;
pub(crate) const STDERR_BYTES_MAX: usize = 4096;

/// Settings under which git does nothing by itself, runs nobody's programs and reaches nobody.
const SETTINGS: [&str; 13] = [
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.alternateRefsCommand=/bin/false",
    // An archive may ask who has signed a commit.
    "gpg.program=/bin/false",
    "gpg.openpgp.program=/bin/false",
    "gpg.x509.program=/bin/false",
    "gpg.ssh.program=/bin/false",
    "gc.auto=0",
    "maintenance.auto=false",
    "protocol.allow=never",
    "credential.helper=",
    "advice.detachedHead=false",
    "safe.directory=*",
];

/// Runs git; in one repository, if there is one.
#[derive(Debug, Clone, Default)]
pub struct Git {
    repository: Option<PathBuf>,
    objects: Option<PathBuf>,
    path: String,
    pub(crate) ssh: Ssh,
}

/// How whoever started Outlast reaches other machines by ssh.
#[derive(Debug, Clone, Default)]
pub struct Ssh {
    /// A command in place of `ssh`, as `GIT_SSH_COMMAND` has it.
    pub command: Option<String>,
    /// The socket of an agent with keys, as `SSH_AUTH_SOCK` has it.
    pub agent: Option<String>,
    /// The home that such a command may name files of.
    pub home: Option<String>,
}

/// Why git did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    /// It could not be run to its end.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// It refused.
    #[error("`git {what}` failed: {said}")]
    Failed {
        /// The first word of what it was asked.
        what: String,
        /// What it says, harmless and short.
        said: String,
    },
    /// A file beside it could not be read or written.
    #[error("the copy of the repository cannot be read or written; look at disk and permissions")]
    Io(#[from] io::Error),
    /// It printed something else than it should.
    #[error("`git {what}` printed something unknown; update git")]
    Unknown {
        /// The first word of what it was asked.
        what: String,
    },
}

impl Git {
    /// Finds git in a `PATH`.
    pub fn new(path: &str) -> Self {
        Self { path: path.to_owned(), ..Self::default() }
    }

    /// Reaches other machines like this.
    #[must_use]
    pub fn with_ssh(self, ssh: Ssh) -> Self {
        Self { ssh, ..self }
    }

    /// Returns it for one repository.
    pub(crate) fn of(&self, repository: &Path) -> Self {
        Self { repository: Some(repository.to_owned()), ..self.clone() }
    }

    /// Returns it for objects that are not the repository's yet: what it writes goes there, and it reads both.
    pub(crate) fn with_objects(&self, objects: &Path) -> Self {
        Self { objects: Some(objects.to_owned()), ..self.clone() }
    }

    /// Clones a repository of this machine into a new folder: with a working copy, or bare with every ref. Its origin is `origin`, not
    /// what it was cloned from, and no push makes one like the other.
    pub fn clone_local(
        &self,
        from: &Path,
        into: &Path,
        is_mirror: bool,
        origin: &str,
    ) -> Result<(), GitError> {
        let folder = into;
        let (from, into) = (from.to_string_lossy(), into.to_string_lossy());
        let kind = if is_mirror { "--mirror" } else { "--no-single-branch" };
        // Not with hard links: nobody else's folder may share files with the copy.
        let settings = ["-c", "protocol.file.allow=always"];
        let arguments = ["clone", "--quiet", "--no-local", kind, "--", &from, &into];
        let output = self.program(&[&settings[..], &arguments].concat()).run()?;
        self.good(&arguments, output)?;
        let set = |arguments: &[&str]| {
            let program = self.program(arguments).folder(folder);
            self.good(arguments, program.run()?).map(drop)
        };
        if is_mirror {
            set(&["config", "--unset", "remote.origin.mirror"])?;
        }
        set(&["config", "remote.origin.url", origin])
    }

    /// Runs it on a file's bytes, or on nothing.
    pub(crate) fn run_on(&self, arguments: &[&str], input: Option<File>) -> Result<Output, GitError> {
        let program = self.program(arguments);
        let program = match input {
            Some(file) => program.reads_file(file),
            None => program,
        };
        Ok(program.run()?)
    }

    /// Runs it for so long and no longer.
    pub(crate) fn run_within(&self, time: Duration, arguments: &[&str]) -> Result<Output, GitError> {
        Ok(self.program_within(time, arguments).run()?)
    }

    /// Runs it on text; returns what it printed.
    pub(crate) fn ask(&self, arguments: &[&str], input: &str) -> Result<String, GitError> {
        let output = self.program(arguments).reads(input.as_bytes())?.run()?;
        self.good(arguments, output)
    }

    /// Returns what git printed, where it succeeded.
    pub(crate) fn good(&self, arguments: &[&str], output: Output) -> Result<String, GitError> {
        let what = arguments.first().copied().unwrap_or_default().to_owned();
        if !output.status.success() {
            return Err(GitError::Failed { what, said: harmless(&output.stderr, 300) });
        }
        String::from_utf8(output.stdout).map_err(|_| GitError::Unknown { what })
    }

    fn program(&self, arguments: &[&str]) -> Program {
        self.program_within(PATIENCE, arguments)
    }

    fn program_within(&self, time: Duration, arguments: &[&str]) -> Program {
        let limits = Limits { time, stdout_bytes: STDOUT_BYTES_MAX, stderr_bytes: STDERR_BYTES_MAX };
        let mut program = self.bare_program(limits).args(arguments);
        if let Some(repository) = &self.repository {
            program = program.folder(repository).environment([("GIT_DIR", repository)]);
            if let Some(objects) = &self.objects {
                program = program.environment([
                    ("GIT_OBJECT_DIRECTORY", objects.as_os_str().to_owned()),
                    ("GIT_ALTERNATE_OBJECT_DIRECTORIES", quoted(&repository.join("objects"))),
                ]);
            }
        }
        program
    }

    /// Returns it without anything that it is asked.
    pub(crate) fn bare_program(&self, limits: Limits) -> Program {
        let settings = SETTINGS.iter().flat_map(|setting| ["-c", setting]);
        Program::new("git", limits).args(settings).environment([
            ("PATH", self.path.as_str()),
            ("HOME", "/nonexistent"),
            ("LC_ALL", "C"),
            ("GIT_CONFIG_NOSYSTEM", "1"),
            ("GIT_CONFIG_GLOBAL", "/dev/null"),
            ("GIT_TERMINAL_PROMPT", "0"),
            ("GIT_NO_REPLACE_OBJECTS", "1"),
            ("GIT_OPTIONAL_LOCKS", "0"),
        ])
    }
}

/// Returns a path in the quotes of git(1): a list of them is parted by colons, and a host with a port has one.
fn quoted(path: &Path) -> OsString {
    let mut text = b"\"".to_vec();
    for byte in path.as_os_str().as_bytes() {
        if matches!(byte, b'"' | b'\\') {
            text.push(b'\\');
        }
        text.push(*byte);
    }
    text.push(b'"');
    OsString::from_vec(text)
}
