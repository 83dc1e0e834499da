//! The name of one run.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::time::{Timestamp, format_compact};

/// Names one command in one room: `20260521T100005Z-3f9a1c02`, sortable by time and safe as a folder name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct RunId(String);

impl RunId {
    /// Makes an id from the start of a run and four random bytes.
    pub fn new(started_at: Timestamp, random: [u8; 4]) -> Self {
        Self(format!("{}-{:08x}", format_compact(started_at), u32::from_be_bytes(random)))
    }

    /// Returns the id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for RunId {
    type Err = RunIdError;

    fn from_str(text: &str) -> Result<Self, RunIdError> {
        let is_safe = !text.is_empty()
            && text.len() <= 64
            && text.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-');
        if is_safe { Ok(Self(text.to_owned())) } else { Err(RunIdError) }
    }
}

impl<'de> Deserialize<'de> for RunId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// The text is not a run's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a run id has letters, digits and dashes only")]
pub struct RunIdError;
