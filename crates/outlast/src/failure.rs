//! How a command fails: what happened, why, the next step, and the exit code.

use std::fmt;
use std::io::ErrorKind;
use std::process::ExitCode;

use crate::config::ConfigError;
use crate::speak::tell;

/// What to do about a damaged journal.
pub(crate) const JOURNAL_HINT: &str = "keep the home folder as it is, and restore its `journal/` from a backup; nothing is added to it until then";

/// The next step where nobody knows a better one.
const REPORT_HINT: &str = "run it again with -v; if it stays, this is a fault of Outlast";

/// The exit code of an answer that is neither yes nor no.
pub(crate) const INCONCLUSIVE: u8 = 3;

/// Why a command did not do what it was asked.
#[derive(Debug)]
pub(crate) struct Failure {
    code: u8,
    error: anyhow::Error,
    hint: Option<String>,
}

impl Failure {
    /// The answer is no: damaged, missing, failed.
    pub(crate) fn no(error: impl Into<anyhow::Error>) -> Self {
        Self { code: 1, error: error.into(), hint: Some(REPORT_HINT.to_owned()) }
    }

    /// A mistake in usage or configuration; one in a file says itself what to do.
    pub(crate) fn usage(error: impl Into<anyhow::Error>) -> Self {
        Self { code: 2, error: error.into(), hint: None }
    }

    /// Neither yes nor no.
    pub(crate) fn inconclusive(error: impl Into<anyhow::Error>) -> Self {
        Self { code: INCONCLUSIVE, error: error.into(), hint: Some(REPORT_HINT.to_owned()) }
    }

    /// The folder in which the command was started is not there any more.
    pub(crate) fn nowhere(error: std::io::Error) -> Self {
        Self::no(anyhow::Error::new(error).context("the current folder is gone"))
            .hint("change into a folder that is there")
    }

    /// Gives the next step.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds to the next step what comes after it.
    pub(crate) fn then(mut self, next: &str) -> Self {
        self.hint = Some(self.hint.map_or_else(|| next.to_owned(), |hint| format!("{hint}; then {next}")));
        self
    }

    /// Says what the failure means one level up.
    pub(crate) fn context(mut self, what: impl Into<String>) -> Self {
        self.error = self.error.context(what.into());
        self
    }

    /// Sets the exit code: `exec` keeps 1 and 3 for its command.
    pub(crate) fn exit_code(mut self, code: u8) -> Self {
        self.code = code;
        self
    }

    /// Returns the exit code.
    pub(crate) const fn code(&self) -> u8 {
        self.code
    }

    /// Prints the chain once, and the hint.
    pub(crate) fn report(&self) -> ExitCode {
        if self.error.is::<ConfigError>() {
            // Its own form is fixed: `outlast.toml:LINE: what; hint: …`.
            tell(&self.error);
            return ExitCode::from(self.code);
        }
        tell(&format!("error: {}", self.error));
        for cause in self.error.chain().skip(1) {
            tell(&format!("  because: {cause}"));
        }
        if let Some(hint) = &self.hint {
            tell(&format!("hint: {hint}"));
        }
        ExitCode::from(self.code)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#}", self.error)?;
        self.hint.as_ref().map_or(Ok(()), |hint| write!(f, "; hint: {hint}"))
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::usage(error)
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::no(error).hint("check the disk and the permissions of Outlast's home folder")
    }
}

impl From<store::OpenError> for Failure {
    fn from(error: store::OpenError) -> Self {
        let hint = match &error {
            store::OpenError::Io { source, .. } if source.kind() == ErrorKind::PermissionDenied => {
                "another user made this home; --home or OUTLAST_HOME name one of your own"
            }
            store::OpenError::Io { .. } => "check the disk that holds Outlast's home folder",
            store::OpenError::Index { .. } => {
                "free some space if the disk of Outlast's home folder is full; else `outlast rebuild-index` makes the \
                 index anew from journal and blobs"
            }
        };
        Self::no(error).hint(hint)
    }
}

impl From<store::WriteError> for Failure {
    fn from(error: store::WriteError) -> Self {
        let hint = match &error {
            store::WriteError::Damaged { .. } => JOURNAL_HINT,
            store::WriteError::ReadOnly { .. } => {
                "this home can only be read; name another with --home, or make it writable for this user"
            }
            store::WriteError::Obstructed { .. } => {
                "move it out of `blobs/`, where nothing belongs but blobs; `outlast store verify` names each such place"
            }
            _ => "check the free space of the disk that holds Outlast's home folder",
        };
        Self::no(error).hint(hint)
    }
}

impl From<store::IndexError> for Failure {
    fn from(error: store::IndexError) -> Self {
        Self::no(error).hint("`outlast rebuild-index` makes the index anew from journal and blobs")
    }
}
