//! What moves of refs do to history.

use std::collections::BTreeSet;
use std::path::Path;

use model::{CommitId, ObjectId};

use crate::bare::Bare;
use crate::command::{Git, GitError};
use crate::harmless::harmless;
use crate::incoming::Incoming;

/// Fewer digits are no name of a commit, gitrevisions(7).
const N_DIGITS_MIN: usize = 4;
/// The most commits and authors that are named.
const N_NAMED_MAX: usize = 100;

/// What a ref reached and nothing that is served would.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Lost {
    /// How many commits.
    pub n_commits: u64,
    /// The newest of them, a hundred at most.
    pub commits: Vec<ObjectId>,
    /// Who wrote these, each once.
    pub authors: Vec<String>,
    /// How many bytes they and what only they have take, as git stores them.
    pub size_bytes: u64,
}

impl Incoming {
    /// Returns whether a commit is reached from another, with what came.
    pub fn is_ancestor(&self, old: &ObjectId, new: &ObjectId) -> Result<bool, GitError> {
        is_ancestor(self.git(), old, new)
    }

    /// Returns whether two commits have anything in common, with what came.
    pub fn have_common(&self, old: &ObjectId, new: &ObjectId) -> Result<bool, GitError> {
        have_common(self.git(), old, new)
    }

    /// Returns what tags lead to in the end, with what came; nothing for what is no tag, or not here. What an upstream says of that is
    /// never believed.
    pub fn peeled(&self, ids: &[ObjectId]) -> Result<Vec<Option<ObjectId>>, GitError> {
        let input: String = ids.iter().map(|id| format!("{id}^{{}}\n")).collect();
        let printed = self.git().ask(&["cat-file", "--batch-check=%(objectname)"], &input)?;
        let peeled = |(id, line): (&ObjectId, &str)| line.parse().ok().filter(|peeled| peeled != id);
        Ok(ids.iter().zip(printed.lines()).map(peeled).collect())
    }

    /// Returns how many files a commit has.
    pub fn n_files(&self, commit: &ObjectId) -> Result<u64, GitError> {
        let arguments = ["ls-tree", "-r", "-z", "--name-only", "--full-tree", &commit.to_string()];
        let output = self.git().run_on(&arguments, None)?;
        match output.status.success() {
            true => Ok(output.stdout.iter().filter(|byte| **byte == 0).count() as u64),
            false => self.git().good(&arguments, output).map(|_| 0),
        }
    }
}

/// Returns which objects are missing in a repository.
pub(crate) fn missing(git: &Git, ids: &[ObjectId]) -> Result<Vec<ObjectId>, GitError> {
    let input: String = ids.iter().map(|id| format!("{id}\n")).collect();
    let printed = git.ask(&["cat-file", "--batch-check=%(objecttype)"], &input)?;
    let is_missing = |(id, line): (&ObjectId, &str)| line.ends_with(" missing").then_some(*id);
    Ok(ids.iter().zip(printed.lines()).filter_map(is_missing).collect())
}

impl Git {
    /// Returns whether a repository on this machine has a commit.
    pub fn has_commit(&self, repository: &Path, id: &CommitId) -> Result<bool, GitError> {
        let kind = ["cat-file", "--batch-check=%(objecttype)"];
        Ok(self.of(repository).ask(&kind, &format!("{id}\n"))?.trim() == "commit")
    }

    /// Returns whether one commit alone begins with these digits.
    pub fn has_abbreviation(&self, repository: &Path, digits: &str) -> Result<bool, GitError> {
        let is_one =
            (N_DIGITS_MIN..=64).contains(&digits.len()) && digits.bytes().all(|it| it.is_ascii_hexdigit());
        if !is_one {
            return Ok(false);
        }
        let name = format!("{digits}^{{commit}}");
        let asked = ["rev-parse", "--verify", "--quiet", "--end-of-options", &name];
        Ok(self.of(repository).run_on(&asked, None)?.status.success())
    }
}

impl Bare {
    /// Returns which objects are missing.
    pub fn missing(&self, ids: &[ObjectId]) -> Result<Vec<ObjectId>, GitError> {
        missing(&self.git, ids)
    }

    /// Returns what an object reaches that others do not.
    pub fn lost(&self, old: &ObjectId, others: &BTreeSet<ObjectId>) -> Result<Lost, GitError> {
        let mut range = format!("{old}\n");
        others.iter().for_each(|id| range.push_str(&format!("^{id}\n")));
        let arguments = ["rev-list", "--stdin", "--format=%an <%ae>", "--no-commit-header", "--date-order"];
        let with_ids = ["rev-list", "--stdin", "--date-order"];
        let commits = self.git.ask(&with_ids, &range)?;
        let named = format!("--max-count={N_NAMED_MAX}");
        let authors = self.git.ask(&[&arguments[..], &[named.as_str()]].concat(), &range)?;
        let size = self.git.ask(&["rev-list", "--stdin", "--objects", "--disk-usage"], &range)?;
        let unknown = || GitError::Unknown { what: "rev-list".to_owned() };
        let ids = commits.lines().take(N_NAMED_MAX).map(str::parse);
        let authors: BTreeSet<String> =
            authors.lines().map(|author| harmless(author.as_bytes(), 200)).collect();
        Ok(Lost {
            n_commits: commits.lines().count() as u64,
            commits: ids.collect::<Result<_, _>>().map_err(|_| unknown())?,
            authors: authors.into_iter().collect(),
            size_bytes: size.trim().parse().map_err(|_| unknown())?,
        })
    }
}

fn is_ancestor(git: &Git, old: &ObjectId, new: &ObjectId) -> Result<bool, GitError> {
    yes_or_no(git, &["merge-base", "--is-ancestor", &old.to_string(), &new.to_string()])
}

fn have_common(git: &Git, old: &ObjectId, new: &ObjectId) -> Result<bool, GitError> {
    yes_or_no(git, &["merge-base", &old.to_string(), &new.to_string()])
}

/// Asks a question that git answers with its exit code.
fn yes_or_no(git: &Git, arguments: &[&str]) -> Result<bool, GitError> {
    let output = git.run_on(arguments, None)?;
    match output.status.code() {
        Some(0) => Ok(true),
        Some(1) => Ok(false),
        _ => git.good(arguments, output).map(|_| false),
    }
}
