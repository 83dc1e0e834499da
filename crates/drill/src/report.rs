//! What a drill found: report.json, and the source of report.html and of the attestation.

use std::fmt;

use model::{Cut, ObjectUrl, Record, RunId, Sha256, Source, Timestamp, Verdict};
use serde::{Deserialize, Serialize};

use crate::measure::HostTimeline;

/// The version of the report's fields.
pub const REPORT_SCHEMA: &str = "outlast/report/v1";

/// A drill's result: the fields of its run's record, and what they mean, in one flat object.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The drill's own run; its `schema` is [`REPORT_SCHEMA`].
    #[serde(flatten)]
    pub record: Record,
    /// The scenario's name.
    pub scenario: String,
    /// What was proved.
    pub verdict: Verdict,
    /// Why it is not a pass; empty if it is.
    pub reasons: Vec<Reason>,
    /// How far the drill went.
    pub level: Level,
    /// What it says nothing about.
    pub not_tested: Vec<String>,
    /// What was cut, and how.
    pub cut: Vec<Cut>,
    /// The longest recovery that was promised.
    pub objective_ms: Option<u64>,
    /// The longest detection over the cut hosts.
    pub detected_ms: Option<u64>,
    /// The longest recovery over the cut hosts.
    pub recovered_ms: Option<u64>,
    /// Age of the oldest upstream confirmation among the objects used.
    pub data_age_s: Option<u64>,
    /// Bytes that came from hosts that were cut.
    pub bytes_from_cut_hosts: u64,
    /// Names the command looked up and got no address for.
    pub unanswered_names: Vec<String>,
    /// What was asked for and is not held, or is damaged.
    pub missing: Vec<Missing>,
    /// The recorded run the drill was compared with.
    pub recorded_run: Option<RunId>,
    /// The folders that were hidden.
    pub masked: Vec<String>,
    /// Digest of the previous drill's attestation.dsse.json; none for the first.
    pub previous_sha256: Option<Sha256>,
    /// Each host's times.
    pub timelines: Vec<HostTimeline>,
    /// When the verdict was given.
    pub finished_at: Timestamp,
    /// Where the drill ran.
    pub environment: Environment,
    /// The requirements towards which this is evidence.
    pub controls: Vec<String>,
}

impl Report {
    /// Returns how many objects came from copies.
    pub fn n_from_copies(&self) -> usize {
        self.record.objects.iter().filter(|object| object.source == Source::Copy).count()
    }
}

/// How far a drill goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Level {
    /// The command ran with hosts cut.
    D2,
    /// And what it made was compared, byte by byte, with what the recorded run made.
    D3,
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::D2 => "D2, the command run with hosts cut",
            Self::D3 => "D3, the command run with hosts cut and its outputs compared",
        })
    }
}

/// Something that was asked for and could not be given.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Missing {
    /// The address.
    pub url: ObjectUrl,
    /// The blob that should have answered, if it is known.
    pub sha256: Option<Sha256>,
    /// Why, in words for a person: never recorded, the blob is gone, the blob is damaged.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// Whether no copy could ever have answered, so that recording it again is of no use.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub never_kept: bool,
}

/// Why a drill did not pass, and what to do about it; written as `what; hint: …`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct Reason {
    /// What happened, to what.
    pub what: String,
    /// The next step.
    pub hint: String,
}

impl Reason {
    pub(crate) fn new(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { what: what.into(), hint: hint.into() }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; hint: {}", self.what, self.hint)
    }
}

impl From<Reason> for String {
    fn from(reason: Reason) -> Self {
        reason.to_string()
    }
}

impl From<String> for Reason {
    fn from(text: String) -> Self {
        let (what, hint) = text.rsplit_once("; hint: ").unwrap_or((&text, ""));
        Self::new(what, hint)
    }
}

/// The machine a drill ran on, as far as a reader needs it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Environment {
    /// Outlast's own version.
    pub version: String,
    /// The operating system's name and version.
    pub system: String,
    /// The kernel's version.
    pub kernel: String,
    /// The processor's architecture.
    pub architecture: String,
    /// The account that started the drill.
    pub user: String,
}
