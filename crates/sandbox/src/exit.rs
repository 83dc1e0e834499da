//! How a command ended, and why a room was not to be had.

use std::io;
use std::path::PathBuf;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exit {
    /// Its exit code; 128+N after signal N.
    pub code: i32,
}

/// Why there is no room, or no command in it.
#[derive(Debug, thiserror::Error)]
pub enum RoomError {
    /// The machine does not let this user build a room; the command can only be observed.
    #[error("this machine allows no sealed room: {why}")]
    NotPossible {
        /// The step that was refused, in words for a person.
        why: String,
    },
    /// The copies for a fresh room could not be made.
    #[error("the copies for the room could not be made: {why}")]
    Copies {
        /// The file and what was wrong with it.
        why: String,
    },
    /// The plan asks for something that no room can be.
    #[error("no such room: {why}")]
    BadPlan {
        /// What is wrong with it.
        why: String,
    },
    /// There is no such program (exit code 127).
    #[error("`{program}` was not found")]
    NotFound {
        /// The program as it was named.
        program: String,
    },
    /// The program cannot be executed, or the directory not entered (exit code 126).
    #[error("`{program}` cannot be run: {why}")]
    NotRunnable {
        /// The program as it was named.
        program: String,
        /// What the system said.
        why: String,
    },
    /// A signal came before the command was started.
    #[error("interrupted by signal {signal}")]
    Interrupted {
        /// Its number.
        signal: i32,
    },
    /// The helper process cannot be started.
    #[error("the helper `{}` cannot be started", path.display())]
    Helper {
        /// The program that was to be the helper.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The room ended without saying how the command did, as when someone killed its processes.
    #[error("the room broke down: {why}")]
    Broken {
        /// What is known about it.
        why: String,
    },
}

impl RoomError {
    /// Returns the exit code of this outcome, as docs/OPERATING.md lists them.
    pub fn exit_code(&self) -> i32 {
        match self {
            Self::NotFound { .. } => 127,
            Self::NotRunnable { .. } => 126,
            Self::Interrupted { signal } => 128 + signal,
            _ => 125,
        }
    }
}
