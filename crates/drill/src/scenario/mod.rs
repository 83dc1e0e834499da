//! Scenario files, and the drill that was typed on the command line.

mod hint;
mod read;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::time::Duration;

use model::{Cut, Fault};

/// What a drill cuts, what it runs, and what it expects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scenario {
    /// The name in reports and folder names.
    pub name: String,
    /// The hosts that vanish.
    pub cut: Vec<Cut>,
    /// Program and arguments.
    pub run: Vec<String>,
    /// The longest time until every cut host is replaced, if one is promised.
    pub objective: Option<Duration>,
    /// Files and folders, relative to the project's directory, whose digests must equal the recorded run's.
    pub output: Vec<PathBuf>,
}

impl Scenario {
    /// Reads a scenario file; `file` is its name in errors.
    pub fn parse(text: &str, file: &str) -> Result<Self, ScenarioError> {
        read::scenario(text).map_err(|problem| ScenarioError {
            file: file.to_owned(),
            line: problem.line(text),
            what: problem.what,
            hint: problem.hint,
        })
    }

    /// Makes the scenario of a drill without a file; without cuts everything is cut.
    pub fn ad_hoc(
        command: Vec<String>,
        cuts: Vec<Cut>,
        objective: Option<Duration>,
        outputs: Vec<PathBuf>,
    ) -> Self {
        let cut = if cuts.is_empty() { vec![Cut::everything()] } else { cuts };
        let name = if cut.iter().any(|cut| cut.host == "all") { "all hosts cut" } else { "ad hoc" };
        Self { name: name.to_owned(), cut, run: command, objective, output: outputs }
    }

    /// Returns how a host fails in this scenario, if it does.
    pub fn fault_of(&self, host: &str) -> Option<Fault> {
        Cut::fault_of(&self.cut, host)
    }

    /// Returns whether no host at all stays reachable.
    pub fn cuts_everything(&self) -> bool {
        self.cut.iter().any(|cut| cut.host == "all")
    }
}

/// Why a scenario file cannot be used, with the line and a way out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}: {what}; hint: {hint}")]
pub struct ScenarioError {
    /// The file's name as it was given.
    pub file: String,
    /// The line, counted from 1.
    pub line: usize,
    /// What is wrong.
    pub what: String,
    /// What to write instead.
    pub hint: String,
}
