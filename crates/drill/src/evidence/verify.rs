//! Says whether an evidence folder is genuine and whole. Works offline, trusts nothing inside the folder.

use std::io;
use std::path::{Path, PathBuf};

use model::{RunId, Sha256, Timestamp, Verdict};

use super::read;
use crate::attest::{OUTPUT_PREFIX, PREDICATE_TYPE, STATEMENT_TYPE, SealError, Statement, unseal};
use crate::key::PublicKey;
use crate::report::Report;

/// What a genuine folder says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// The scenario's name.
    pub scenario: String,
    /// The verdict.
    pub verdict: Verdict,
    /// The drill's run.
    pub run_id: RunId,
    /// When the verdict was given.
    pub finished_at: Timestamp,
    /// The digest of this folder's attestation, which the next drill names.
    pub attestation_sha256: Sha256,
    /// The digest of the previous drill's attestation.
    pub previous_sha256: Option<Sha256>,
}

/// Checks a folder against a key that came from elsewhere, and its place in the chain if the drill before is known.
pub fn verify(folder: &Path, key: &PublicKey, previous: Option<Sha256>) -> Result<Checked, VerifyError> {
    let folder = read::folder(folder)?;
    let statement = unseal(&folder.attestation, key).map_err(|source| VerifyError::Seal { source })?;
    let statement: Statement =
        serde_json::from_slice(&statement).map_err(|source| VerifyError::Statement { source })?;
    if statement.statement_type != STATEMENT_TYPE || statement.predicate_type != PREDICATE_TYPE {
        return Err(VerifyError::Kind { predicate_type: statement.predicate_type });
    }
    check_subjects(&statement, &folder)?;
    let predicate = statement.predicate;
    let previous_sha256 = predicate.previous.map(|digest| digest.sha256);
    let report: Option<Report> =
        folder.parts.iter().find(|(name, _)| *name == "report.json").and_then(|(_, bytes)| {
            // A report that cannot be read contradicts the statement as much as one that says something else.
            serde_json::from_slice(bytes).ok()
        });
    let agrees = report.is_some_and(|report| {
        report.verdict == predicate.verdict
            && report.scenario == predicate.scenario
            && report.record.run_id == predicate.run_id
            && report.previous_sha256 == previous_sha256
    });
    if !agrees {
        return Err(VerifyError::Contradiction);
    }
    if previous.is_some() && previous != previous_sha256 {
        return Err(VerifyError::Chain { expected: previous, found: previous_sha256 });
    }
    Ok(Checked {
        scenario: predicate.scenario,
        verdict: predicate.verdict,
        run_id: predicate.run_id,
        finished_at: predicate.finished_at,
        attestation_sha256: Sha256::of(&folder.attestation),
        previous_sha256,
    })
}

/// Every file is a subject with its digest, and every subject without the output's mark is a file.
fn check_subjects(statement: &Statement, folder: &read::Folder) -> Result<(), VerifyError> {
    let attested: Vec<_> =
        statement.subject.iter().filter(|subject| !subject.name.starts_with(OUTPUT_PREFIX)).collect();
    let mut names: Vec<String> = Vec::new();
    for (name, bytes) in &folder.parts {
        let mut of_name = attested.iter().filter(|subject| subject.name == *name);
        let is_same = of_name.next().is_some_and(|subject| subject.digest.sha256 == Sha256::of(bytes));
        if !is_same || of_name.next().is_some() {
            names.push((*name).to_owned());
        }
    }
    if !names.is_empty() {
        return Err(VerifyError::Changed { names });
    }
    if attested.len() != folder.parts.len() {
        return Err(VerifyError::Contradiction);
    }
    Ok(())
}

/// Why a folder is not accepted.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// The folder or a file in it cannot be read.
    #[error("cannot read `{}`", path.display())]
    Unreadable {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// There is something that does not belong to it.
    #[error("`{name}` was added to the folder")]
    Added {
        /// Its name.
        name: String,
    },
    /// A file is not there.
    #[error("`{name}` is missing")]
    Missing {
        /// Its name.
        name: &'static str,
    },
    /// A symbolic link, a folder or a pipe stands in place of a file.
    #[error("`{name}` is not a plain file")]
    NotAFile {
        /// Its name.
        name: &'static str,
    },
    /// A file is larger than Outlast writes it.
    #[error("`{name}` is larger than {bytes_max} bytes")]
    TooLarge {
        /// Its name.
        name: &'static str,
        /// The bound.
        bytes_max: u64,
    },
    /// The attestation is not signed with the trusted key, or was changed.
    #[error("the attestation is not accepted")]
    Seal {
        /// Why.
        source: SealError,
    },
    /// It is signed, but not a statement.
    #[error("the attestation is signed and is not an in-toto statement about a drill")]
    Statement {
        /// Why.
        source: serde_json::Error,
    },
    /// It is signed, but about something else.
    #[error("the attestation is signed and is about something else than a drill, `{predicate_type}`")]
    Kind {
        /// The predicate's type.
        predicate_type: String,
    },
    /// Files differ from what was signed.
    #[error("changed since it was signed: {}", names.join(", "))]
    Changed {
        /// The files' names.
        names: Vec<String>,
    },
    /// The attestation and report.json say different things.
    #[error("the attestation and report.json contradict each other")]
    Contradiction,
    /// The folder does not follow the drill it should.
    #[error("the drill before this one is {}, expected {}", shown(*found), shown(*expected))]
    Chain {
        /// The digest of the attestation that should come before.
        expected: Option<Sha256>,
        /// The one that is named.
        found: Option<Sha256>,
    },
}

fn shown(sha256: Option<Sha256>) -> String {
    sha256.map_or_else(|| "none".to_owned(), |sha256| sha256.to_string())
}
